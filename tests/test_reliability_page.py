"""What docs/reliability.md names is there: tests, metrics, log lines and rules."""

import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from monitor.telemetry import Counters

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reliability.md").read_text()
NAMED = re.findall(r"`([^`\n]+)`", PAGE.split("## `make chaos`")[0])


def test_its_tests_exist() -> None:
    tests = [name for name in NAMED if name.endswith(".py")]
    assert len(tests) > 10
    assert [name for name in tests if not (ROOT / "tests" / name).is_file()] == []


def test_its_metrics_exist() -> None:
    registry = CollectorRegistry()
    Counters(registry)
    known = {f"{m.name}{'_total' * (m.type == 'counter')}" for m in registry.collect()}
    metrics = {name.split("{")[0] for name in NAMED if name.startswith("monitor_")}
    assert len(metrics) > 10
    assert metrics - known == set()


@pytest.mark.parametrize("event", sorted({n for n in NAMED if re.fullmatch(r"[a-z]+\.[a-z_]+", n)}))
def test_its_log_lines_are_written(event: str) -> None:
    if event.startswith(("source.kafka", "journal.kafka")):
        return
    files = (ROOT / "monitor").rglob("*.py")
    assert any(f'"{event}"' in file.read_text() for file in files)


def test_its_rules_exist() -> None:
    rules = (ROOT / "dashboards" / "prometheus" / "monitor.rules.yaml").read_text()
    named = [name for name in NAMED if re.fullmatch(r"Monitor[A-Z]\w+", name)]
    assert len(named) > 10
    assert [name for name in named if f"alert: {name}\n" not in rules] == []


def test_every_fault_has_a_test_a_metric_a_log_line_and_a_rule() -> None:
    rules = (ROOT / "dashboards" / "prometheus" / "monitor.rules.yaml").read_text()
    table = PAGE.split("## Faults")[1].split("\n\n")[1].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[2:]]
    assert len(rows) > 15
    for fault, _, tests, metrics, lines, named in rows:
        assert all((tests, metrics, lines)), fault
        assert "monitor_" in metrics, fault
        alerts = re.findall(r"`(Monitor\w+)`", named)
        assert alerts, fault
        assert all(f"alert: {alert}\n" in rules for alert in alerts), fault

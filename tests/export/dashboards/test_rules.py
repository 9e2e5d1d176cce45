import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.definitions.plan import Calendar, Plan
from monitor.export.dashboards.rules import rules
from monitor.model.time import HOUR, MINUTE
from tests.journal.examples import metric, plan

HERE = Path(__file__).parent
FILE = HERE.parents[2] / "dashboards" / "prometheus" / "monitor.rules.yaml"


def promtool(*arguments: str | Path) -> None:
    binary = shutil.which("promtool")
    if binary is None:
        if os.environ.get("MONITOR_REQUIRE_SERVERS") == "1":
            pytest.fail("promtool is not installed (MONITOR_REQUIRE_SERVERS=1 forbids the skip)")
        pytest.skip("needs promtool")
    done = subprocess.run([binary, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def listed(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [rule for group in document["groups"] for rule in group["rules"]]


def expression(of: Plan, alert: str) -> str:
    (found,) = [rule["expr"] for rule in listed(rules(of)) if rule["alert"] == alert]
    return str(found)


def fired() -> Iterator[str]:
    """Alerts that a test of the file expects to fire."""
    for case in yaml.safe_load((HERE / "rules_test.yaml").read_text())["tests"]:
        yield from (a["alertname"] for a in case.get("alert_rule_test", ()) if a["exp_alerts"])
        for asked in case.get("promql_expr_test", ()):
            expected = " ".join(sample["labels"] for sample in asked["exp_samples"])
            # Where the result has no name, the expression asks for one only.
            where = expected if "alertname" in expected else asked["expr"] if expected else ""
            yield from re.findall(r'alertname="(\w+)"', where)


def test_the_rules_are_without_lint() -> None:
    promtool("check", "rules", "--lint=all", "--lint-fatal", FILE)


def test_every_rule_fires_on_its_fault_and_only_then() -> None:
    promtool("test", "rules", HERE / "rules_test.yaml")


def test_every_rule_has_such_a_test() -> None:
    names = [rule["alert"] for rule in listed(yaml.safe_load(FILE.read_text()))]
    assert len(names) == len(set(names))
    assert set(names) == set(fired())


def test_each_rule_says_what_is_wrong_and_what_to_do() -> None:
    for rule in listed(rules(plan())):
        assert rule["labels"]["severity"] in ("page", "ticket", "none")
        assert set(rule["annotations"]) == {"summary", "description"}
        assert all(text.endswith((".", "?")) for text in rule["annotations"].values()), rule


def test_no_rule_looks_at_what_the_metrics_do() -> None:
    told = ("value", "bucket_value", "alert_active", "evidence_ratio", "state_info")
    for rule in listed(rules(plan())):
        assert not any(f"monitor_{name}" in rule["expr"] for name in told), rule["alert"]


def test_a_bucket_is_overdue_by_its_own_width() -> None:
    hourly = metric("visits", calendar=Calendar(width_us=HOUR))
    both = Plan(
        metrics=(metric("orders"), hourly),
        allowed_lateness_us=10 * MINUTE,
        restatement_window_us=HOUR,
        max_clock_skew_us=MINUTE,
        idle_timeout_us=MINUTE,
        cardinality=50,
    )
    overdue = expression(both, "MonitorBucketsOverdue")
    assert 'metric=~"orders"}) > 960)' in overdue
    assert 'metric=~"visits"}) > 4500)' in overdue
    assert " > 900) unless " in expression(both, "MonitorWatermarkStale")

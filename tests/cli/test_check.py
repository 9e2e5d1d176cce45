import json
from pathlib import Path

import pytest

from monitor.cli import execute

COHORT_BYTES = 61 * 4096 * 31 + 2**20 * (31 + 2 * 24)
EXAMPLE = Path(__file__).parent.parent.parent / "config"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "metrics").mkdir()
    (tmp_path / "monitor.yaml").write_text("source: {synthetic: }\n")
    (tmp_path / "metrics" / "a.yaml").write_text(
        "metrics:\n"
        "  - {name: orders, kind: count, of: {event: order}, segments: [country, [a, b]]}\n"
        "  - {name: users, kind: conversion, start: {event: a}, finish: {event: b}, within: 1h}\n"
        "  - {name: gain, kind: derived, formula: users * 100, detect: {weight: 2}}\n"
    )
    return tmp_path


def test_the_example_is_right(capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["check", "--config", str(EXAMPLE)]) == 0
    out = capfd.readouterr().out
    assert "orders" in out


def test_the_example_is_found_by_default(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(EXAMPLE.parent)
    assert execute(["check"]) == 0
    assert "14 metrics" in capfd.readouterr().out


def test_mistakes_go_to_standard_error_one_a_line(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "monitor.yaml").write_text("sauce: {}\nalert_budget: {pages: 0}\n")
    assert execute(["check", "--config", str(folder)]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"{folder}/monitor.yaml:1: unknown key 'sauce'; did you mean 'source'?",
        f"{folder}/monitor.yaml:2: alert_budget.pages 0 is not above 0",
    ]


def test_mistakes_as_json(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "metrics" / "a.yaml").write_text("metrics: 5\n")
    assert execute(["check", "--json", "--config", str(folder)]) == 2
    out, err = capfd.readouterr()
    error = {
        "file": f"{folder}/metrics/a.yaml",
        "line": 1,
        "message": "metrics is not a list of definitions, or an empty one",
    }
    assert json.loads(out) == {"ok": False, "errors": [error]}
    assert len(err.splitlines()) == 1


def test_a_warning_is_not_a_mistake(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "metrics" / "a.yaml").write_text(
        "metrics:\n  - {name: a, kind: count, of: {event: a, where: {version: 8.10}}}\n"
    )
    assert execute(["check", "--config", str(folder)]) == 0
    assert "warning: " in capfd.readouterr().err


def test_json_of_a_right_configuration(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR_HASH_KEY", "key")
    monkeypatch.setenv("MONITOR__ALERT_BUDGET__PAGES", "2")
    assert execute(["check", "--json", "--config", str(folder)]) == 0
    assert json.loads(capfd.readouterr().out) == {
        "ok": True,
        "errors": [],
        "warnings": [],
        "alert_budget": {"pages": 2.0, "per_seconds": 2_592_000.0},
        "kinds": {"conversion": 1, "count": 1, "derived": 1},
        "series_at_most": 554,
        "metrics": [
            {
                "name": "gain",
                "kind": "derived",
                "status": "active",
                "severity": "page",
                "bucket_seconds": 60.0,
                "segments": [],
                "series_at_most": 1,
                "cohorts": {"bytes_per_start": 31, "cohorts": 61, "bytes_at_most": COHORT_BYTES},
                "thresholds": [
                    {
                        "dimension": "all",
                        "log10_threshold": 4.635484,
                        "seconds_per_false_alarm": 2_592_000.0,
                    }
                ],
            },
            {
                "name": "orders",
                "kind": "count",
                "status": "active",
                "severity": "page",
                "bucket_seconds": 60.0,
                "segments": [["country"], ["a", "b"]],
                "series_at_most": 552,
                "cohorts": None,
                # A quarter of 2 pages in 30 days: half to the whole, half to 51 + 500 segments.
                "thresholds": [
                    {
                        "dimension": "all",
                        "log10_threshold": 5.237544,
                        "seconds_per_false_alarm": 10_368_000.0,
                    },
                    {
                        "dimension": "country",
                        "log10_threshold": 7.978695,
                        "seconds_per_false_alarm": 5_712_768_000.0,
                    },
                    {
                        "dimension": "a,b",
                        "log10_threshold": 7.978695,
                        "seconds_per_false_alarm": 5_712_768_000.0,
                    },
                ],
            },
            {
                "name": "users",
                "kind": "conversion",
                "status": "active",
                "severity": "page",
                "bucket_seconds": 60.0,
                "segments": [],
                "series_at_most": 1,
                "cohorts": {"bytes_per_start": 31, "cohorts": 61, "bytes_at_most": COHORT_BYTES},
                "thresholds": [
                    {
                        "dimension": "all",
                        "log10_threshold": 4.936514,
                        "seconds_per_false_alarm": 5_184_000.0,
                    }
                ],
            },
        ],
    }


def test_the_table(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    execute(["check", "--config", str(folder)])
    lines = [line.split() for line in capfd.readouterr().out.splitlines()]
    assert ["orders", "count", "1m", "country", "552", "page", "240", "d", "362", "y"] in lines
    assert ["users", "conversion", "1m", "-", "1", "page", "120", "d", "-"] in lines
    assert ["gain", "derived", "1m", "-", "1", "page", "60", "d", "-"] in lines


def test_the_memory_of_cohorts_is_told(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["check", "--config", str(folder)]) == 0
    printed = capfd.readouterr()
    told = "units wait in up to 61 cohorts, 31 bytes a start: 31 MB a million, 91 MB at most"
    for name in ("users", "gain"):
        assert f"{name}: {told}" in printed.out


def test_the_steps_of_a_funnel_are_series_with_a_threshold(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "metrics" / "a.yaml").write_text(
        "metrics: [{name: way, kind: funnel, steps: [{event: a}, {event: b}, {event: a}],"
        " within: 1h, segments: [country]}]\n"
    )
    assert execute(["check", "--json", "--config", str(folder)]) == 0
    (way,) = json.loads(capfd.readouterr().out)["metrics"]
    assert way["series_at_most"] == 1 + 51 + 3
    assert [one["dimension"] for one in way["thresholds"]] == ["all", "country", "step"]
    seconds = [one["seconds_per_false_alarm"] for one in way["thresholds"]]
    assert seconds[1] == seconds[2] == pytest.approx(54 * seconds[0])

import gzip
import json
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from monitor.cli import execute
from monitor.model.time import DAY, HOUR, MINUTE, to_rfc3339

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
    told = json.loads(capfd.readouterr().out)
    assert [len(row.pop("sees_at")) for row in told["metrics"]] == [3, 3, 3], "told further down"
    assert told == {
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


SEEN = """
metrics:
  - {name: orders, kind: count, of: {event: order}, bucket: 1h}
  - {name: picky, kind: count, of: {event: order}, bucket: 1h, detect: {min_units: 5000}}
  - {name: rises, kind: count, of: {event: order}, bucket: 1h, detect: {direction: up}}
"""


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three metrics and 20 days of orders."""
    folder = tmp_path_factory.mktemp("learnt")
    (folder / "config" / "metrics").mkdir(parents=True)
    (folder / "config" / "monitor.yaml").write_text(
        f"source: {{files: [none]}}\njournal: {{sqlite: {folder / 'state.db'}}}\n"
    )
    (folder / "config" / "metrics" / "a.yaml").write_text(SEEN)
    rng, lines = np.random.default_rng(2), []
    for hour in range(20 * 24):
        time = to_rfc3339(20_403 * DAY + hour * HOUR + MINUTE)
        event = {"name": "order", "time": time, "count": int(rng.poisson(1000))}
        lines.append(msgspec.json.encode(event))
    (folder / "events.ndjson.gz").write_bytes(gzip.compress(b"\n".join(lines)))
    return folder


def seen(folder: Path, capfd: pytest.CaptureFixture[str], *more: str) -> tuple[dict[str, Any], str]:
    assert execute(["check", "--json", "--config", str(folder / "config"), *more]) == 0
    out, err = capfd.readouterr()
    return {row["name"]: row.get("sees") for row in json.loads(out)["metrics"]}, err


def test_a_history_tells_what_every_metric_sees(
    learnt: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    sees, err = seen(learnt, capfd, "--history", str(learnt / "events.ndjson.gz"))
    orders = sees["orders"]
    assert 900 < orders["units_per_bucket"] < 1100
    assert orders["minimum_detectable_shift"]["1h"] is None, "no single bucket pages"
    assert 0.02 < orders["minimum_detectable_shift"]["1d"] < 0.15
    assert 0.02 < orders["minimum_detectable_rise"]["1d"] < 0.15
    assert sees["rises"]["minimum_detectable_shift"] == {"1h": None, "1d": None}
    assert sees["rises"]["minimum_detectable_rise"]["1d"] is not None
    assert sees["picky"]["minimum_detectable_shift"] == {"1h": None, "1d": None}
    assert "min_units asks for 5000" in sees["picky"]["problem"]
    assert err.count("warning: metric 'picky' is not judged") == 1
    assert "warning: metric 'orders'" not in err


def test_the_state_of_a_service_tells_as_much(
    learnt: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert seen(learnt, capfd)[0]["orders"] is None, "no state yet"
    events, config = str(learnt / "events.ndjson.gz"), str(learnt / "config")
    read, _ = seen(learnt, capfd, "--history", events)
    assert execute(["backfill", events, "--config", config]) == 0
    capfd.readouterr()
    kept, err = seen(learnt, capfd)
    assert kept["orders"]["minimum_detectable_shift"]["1d"] == pytest.approx(
        read["orders"]["minimum_detectable_shift"]["1d"], rel=0.1
    )
    assert "'picky' is not judged" in err
    assert execute(["check", "--config", config]) == 0
    assert "finds in 1 d" in capfd.readouterr().out
    (learnt / "state.db").write_bytes(b"no database")
    none, err = seen(learnt, capfd)
    assert none["orders"] is None
    assert "warning: what metrics see is not known" in err


def test_files_without_the_option_are_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert execute(["check", "--config", str(EXAMPLE), "events.ndjson"]) == 2
    assert "--history" in capfd.readouterr().err


def test_a_history_that_is_not_there_is_an_error(
    learnt: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert execute(["check", "--config", str(learnt / "config"), "--history", "nowhere"]) == 2
    assert "nowhere" in capfd.readouterr().err


def assumed(folder: Path, capfd: pytest.CaptureFixture[str]) -> tuple[dict[str, Any], str]:
    assert execute(["check", "--json", "--config", str(folder)]) == 0
    out, err = capfd.readouterr()
    return {row["name"]: row["sees_at"] for row in json.loads(out)["metrics"]}, err


def test_before_anything_is_learnt_volumes_are_assumed(capfd: pytest.CaptureFixture[str]) -> None:
    sees, err = assumed(EXAMPLE, capfd)
    assert "would see no shift" not in err
    assert len(sees) == 14
    for at in sees.values():
        assert [one["units_per_bucket"] for one in at] == [100, 1_000, 10_000]
        for way in ("minimum_detectable_shift", "minimum_detectable_rise"):
            hour, day = (
                [math.inf if one[way][span] is None else one[way][span] for one in at]
                for span in ("1h", "1d")
            )
            assert hour == sorted(hour, reverse=True), "more units, smaller shifts"
            assert day == sorted(day, reverse=True)
            assert all(later <= soon for soon, later in zip(hour, day, strict=True))
    assert sees["week_one_retention"][2]["minimum_detectable_shift"]["1d"] is None
    assert 0.03 < sees["error_rate"][2]["minimum_detectable_shift"]["1d"] < 0.12
    assert execute(["check", "--config", str(EXAMPLE)]) == 0
    printed = capfd.readouterr().out
    assert "Assumed are" in printed
    assert "-30 %" in next(
        line for line in printed.splitlines()[18:] if line.startswith("active_users")
    )


def test_what_is_assumed_is_near_what_a_history_tells(
    learnt: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    read, _ = seen(learnt, capfd, "--history", str(learnt / "events.ndjson.gz"))
    told = read["orders"]["minimum_detectable_shift"]["1d"]
    (learnt / "state.db").unlink(missing_ok=True)
    sees, _ = assumed(learnt / "config", capfd)
    orders = sees["orders"][1]["minimum_detectable_shift"]["1d"]
    assert told <= orders <= 2.0 * told, "a Poisson count scatters less than is assumed"
    assert sees["rises"][1]["minimum_detectable_shift"]["1d"] is None, "falls are not judged"


def test_what_no_volume_lets_see_is_warned_of(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "metrics" / "a.yaml").write_text(
        "metrics: [{name: deaf, kind: count, of: {event: a}, bucket: 8h, detect: {direction: down, "
        "min_relative_shift: 79%}}]\n"
    )
    _, err = assumed(folder, capfd)
    assert "metric 'deaf' would see no shift within a day with 10,000 units a bucket" in err
    assert "detect.min_relative_shift (79 %)" in err

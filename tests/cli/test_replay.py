"""`monitor replay` as a user types it: outputs, warnings, and what happens to bad input."""

import gzip
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard

from monitor.cli import execute
from monitor.model.time import DAY, MINUTE, SECOND, to_rfc3339

START = 20_400 * DAY

CONFIG = """
metrics:
  - {name: orders, kind: count, of: {event: order}, segments: [country], window: 5m}
  - {name: value, kind: mean, of: {event: order, value: amount}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    (folder / "metrics").mkdir(parents=True)
    (folder / "monitor.yaml").write_text("source: {files: [none]}\n")
    (folder / "metrics" / "shop.yaml").write_text(CONFIG)
    return folder


def line(second: int, country: str = "DE", **more: Any) -> bytes:
    event = {
        "name": "order",
        "time": to_rfc3339(START + second * SECOND),
        "dimensions": {"country": country},
        "values": {"amount": 10.0 + second % 7},
        **more,
    }
    return msgspec.json.encode(event)


LINES = [line(second, ("DE", "FR")[second % 2]) for second in range(0, 600, 5)]


class Result:
    """What a replay left in its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.summary = json.loads((folder / "summary.json").read_text())

    def rows(self, name: str) -> list[dict[str, Any]]:
        text = (self.folder / f"{name}.ndjson").read_text()
        return [json.loads(row) for row in text.splitlines()]

    def buckets(self, **wanted: str) -> dict[str, Any]:
        """By start, the last revision of these buckets."""
        return {
            row["start"]: row
            for row in self.rows("buckets")
            if all(row[key] == value for key, value in wanted.items())
        }


def replay(config: Path, files: Sequence[Path | str], *options: str) -> Result:
    out = config.parent / "out"
    names = [str(file) for file in files]
    code = execute(["replay", *names, "--config", str(config), "--out", str(out), *options])
    assert code == 0
    return Result(out)


def write(path: Path, lines: Sequence[bytes]) -> Path:
    path.write_bytes(b"".join(one + b"\n" for one in lines))
    return path


def test_the_buckets_hold_the_events_and_the_last_one_is_partial(
    config: Path, tmp_path: Path
) -> None:
    result = replay(config, [write(tmp_path / "e.ndjson", LINES)])
    wholes = list(result.buckets(metric="orders", dimension="all").values())
    assert [row["value"] for row in wholes] == [12] * 10
    assert [row["state"] for row in wholes] == ["learning"] * 9 + ["partial"]
    assert [row["window_value"] for row in wholes][:6] == [12, 24, 36, 48, 60, 60]
    first = next(iter(result.buckets(metric="value", dimension="all").values()))
    assert first["measures"] == {"sum": sum(10.0 + s % 7 for s in range(0, 60, 5)), "count": 12}
    assert result.summary["events"] == {
        "read": 120, "accepted": 120, "late": 0, "dead_lettered": 0, "folded": 0, "duplicates": 0,
    }  # fmt: skip
    assert result.summary["span"] == {
        "first": "2025-11-08T00:00:00Z",
        "last": "2025-11-08T00:09:55Z",
    }


def test_lines_that_repeat_an_id_are_counted_and_kept(config: Path, tmp_path: Path) -> None:
    lines = [json.dumps({**json.loads(line), "event_id": str(i)}) for i, line in enumerate(LINES)]
    twice = [line.encode() for line in lines for _ in range(2)]
    result = replay(config, [write(tmp_path / "e.ndjson", twice)])
    assert (result.summary["events"]["accepted"], result.summary["events"]["duplicates"]) == (
        240,
        120,
    )
    assert {row["value"] for row in result.buckets(metric="orders", dimension="all").values()} == {
        24
    }
    shares = {row["data_quality"]["duplicates"] for row in result.rows("buckets")}
    assert shares == {0.5}


def test_compressed_files_and_standard_input_say_the_same(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = write(tmp_path / "e.ndjson", LINES)
    expected = replay(config, [plain]).rows("buckets")
    (tmp_path / "e.ndjson.gz").write_bytes(gzip.compress(plain.read_bytes()))
    (tmp_path / "e.ndjson.zst").write_bytes(zstandard.compress(plain.read_bytes()))
    assert replay(config, [tmp_path / "e.ndjson.gz"]).rows("buckets") == expected
    assert replay(config, [tmp_path / "e.ndjson.zst"]).rows("buckets") == expected
    with plain.open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert replay(config, ["-"]).rows("buckets") == expected


def test_several_files_are_sources_of_their_own_and_give_the_same_buckets(
    config: Path, tmp_path: Path
) -> None:
    def key(row: dict[str, Any]) -> tuple[str, ...]:
        return row["metric"], row["dimension"], row["segment"], row["start"]

    one = replay(config, [write(tmp_path / "e.ndjson", LINES)])
    expected = sorted(one.rows("buckets"), key=key)
    parts = [write(tmp_path / f"{i}.ndjson", LINES[i::3]) for i in range(3)]
    assert sorted(replay(config, parts).rows("buckets"), key=key) == expected


def test_late_events_restate_their_bucket(config: Path, tmp_path: Path) -> None:
    late = line(65, "IT")
    result = replay(config, [write(tmp_path / "e.ndjson", [*LINES, late])])
    assert result.summary["events"]["late"] == 1
    wholes = result.buckets(metric="orders", dimension="all")
    assert [row["value"] for row in wholes.values()][:3] == [12, 13, 12]
    assert [row["revision"] for row in wholes.values()][:7] == [0, 1, 1, 1, 1, 1, 0]
    assert sum(row["value"] for row in wholes.values()) == 121
    italy = result.buckets(metric="orders", segment="IT")
    assert [(row["value"], row["revision"]) for row in italy.values()] == [(1, 1)]


def test_bad_lines_are_dead_letters_and_cost_no_neighbour(config: Path, tmp_path: Path) -> None:
    bad = [b"{", b"", b"[1]", line(3, time="yesterday"), line(4, count=0)]
    result = replay(config, [write(tmp_path / "e.ndjson", [*LINES, *bad])])
    events = result.summary["events"]
    assert (events["read"], events["accepted"], events["dead_lettered"]) == (124, 120, 4)
    assert result.summary["dead_letters"] == {
        "bad_count": 1, "bad_time": 1, "not_an_object": 1, "not_json": 1,
    }  # fmt: skip
    letters = result.rows("dead_letters")
    assert [(one["position"], one["payload"]) for one in letters][:2] == [(121, "{"), (123, "[1]")]
    assert result.summary["buckets"] == replay(config, [tmp_path / "e.ndjson"]).summary["buckets"]


def test_an_empty_file_is_zeros_and_a_warning(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = replay(config, [write(tmp_path / "e.ndjson", [])])
    assert result.summary["events"]["read"] == 0
    assert result.rows("buckets") == []
    assert "not one event" in capsys.readouterr().err


def test_of_a_truncated_archive_the_whole_lines_count(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tmp_path / "e.ndjson.gz"
    archive.write_bytes(gzip.compress(b"\n".join(LINES), compresslevel=0)[:-900])
    events = replay(config, [archive]).summary["events"]
    assert events["read"] == events["accepted"] + 1
    assert 100 < events["accepted"] < 120
    assert "cut off" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"), [("", "is a directory"), ("absent.ndjson", "no such file")]
)
def test_what_cannot_be_read_is_one_line_that_names_it(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    path = tmp_path / name
    out = tmp_path / "out"
    assert execute(["replay", str(path), "--config", str(config), "--out", str(out)]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert str(path) in error
    assert message in error
    assert not out.exists(), "nothing was begun"


def test_what_is_derived_from_a_conversion_is_written(config: Path, tmp_path: Path) -> None:
    (config / "metrics" / "more.yaml").write_text(
        "metrics:\n"
        "  - {name: payers, kind: conversion, start: {event: order}, finish: {event: payment},"
        " within: 30m}\n"
        "  - {name: twice, kind: derived, formula: 2 * payers}\n"
    )
    result = replay(config, [write(tmp_path / "e.ndjson", LINES)])
    rows = {(row["metric"], row["start"]): row for row in result.rows("buckets")}
    twice = [(start, row) for (metric, start), row in rows.items() if metric == "twice"]
    assert twice
    for start, row in twice:
        payers = rows["payers", start]
        assert row["n"] == payers["n"]
        assert row["state"] == payers["state"]
        assert row["value"] == (None if payers["value"] is None else 2 * payers["value"])


def test_only_the_wholes_or_nothing_is_written_on_request(config: Path, tmp_path: Path) -> None:
    file = write(tmp_path / "e.ndjson", LINES)
    everything = replay(config, [file])
    parents = replay(config, [file], "--buckets", "parents")
    assert {row["dimension"] for row in parents.rows("buckets")} == {"all"}
    nothing = replay(config, [file], "--buckets", "none")
    assert nothing.rows("buckets") == []
    assert nothing.summary["buckets"] == everything.summary["buckets"]


def test_json_prints_the_summary(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = replay(config, [write(tmp_path / "e.ndjson", LINES)], "--json")
    assert json.loads(capsys.readouterr().out) == result.summary


def test_an_interrupted_replay_leaves_no_half_written_file(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    # whoever runs the tests in the background has Ctrl-C ignored, and children inherit that
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from monitor.cli import main; main()"
    )
    command = [sys.executable, "-c", program, "replay", "-", "--config", str(config)]
    with subprocess.Popen(
        [*command, "--out", str(out)], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        try:
            deadline = time.monotonic() + 20
            while len(list(out.glob("*.partial"))) < 3 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert len(list(out.iterdir())) == 3
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 130
        finally:
            process.kill()
    assert list(out.iterdir()) == []


def test_a_gap_of_days_is_not_written_minute_by_minute(config: Path, tmp_path: Path) -> None:
    far = line(9 * 86_400)
    result = replay(config, [write(tmp_path / "e.ndjson", [line(0), far, far, far])])
    wholes = result.buckets(metric="orders", dimension="all")
    assert len(wholes) == 4
    assert [row["value"] for row in wholes.values()] == [1, None, None, 3]
    assert list(wholes)[1:3] == [
        to_rfc3339(START + MINUTE),
        to_rfc3339(START + 9 * DAY - MINUTE),
    ]


def test_what_was_released_in_that_time_gets_its_verdict(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {"service": "shop", "environment": "prod", "version": "1"}
    lines = [
        {**told, "status": "succeeded", "finished_at": to_rfc3339(START + 2 * MINUTE)},
        {**told, "status": "started", "started_at": to_rfc3339(START + MINUTE)},
        {**told, "version": "2", "status": "started", "started_at": to_rfc3339(START + 5 * MINUTE)},
    ]
    path = tmp_path / "releases.ndjson"
    path.write_text("\n\n".join(map(json.dumps, lines)))
    file = write(tmp_path / "events.ndjson", LINES)
    out = tmp_path / "out"
    words = ["replay", str(file), "--config", str(config), "--out", str(out)]
    assert execute([*words, "--releases", str(path)]) == 0
    assert "shop 1 in prod: inconclusive." in " ".join(capsys.readouterr().out.split())
    first, second = map(json.loads, (out / "verdicts.ndjson").read_text().splitlines())
    assert (first["release"]["status"], first["verdict"]) == ("succeeded", "inconclusive")
    assert first["release"]["started_at"] == to_rfc3339(START + MINUTE)
    assert {line["reason"] for line in first["metrics"]} == {"learning"}
    assert [line["metric"] for line in first["metrics"]] == ["orders", "value"]
    assert "not_finished" in second["metrics"][0]["notes"]
    assert execute(words) == 0
    assert "verdict" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"{", "releases.ndjson:1: this is not JSON"),
        (b"\n\n{}", "releases.ndjson:3: service is missing"),
        (
            b'{"service":"a","environment":"b","version":"c","status":"started"}',
            "a release needs one",
        ),
        (None, "No such file"),
    ],
)
def test_releases_that_cannot_be_read_are_named_by_line(
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: bytes | None,
    told: str,
) -> None:
    path = tmp_path / "releases.ndjson"
    if text is not None:
        path.write_bytes(text)
    file = write(tmp_path / "events.ndjson", LINES)
    words = ["replay", str(file), "--config", str(config), "--out", str(tmp_path / "out")]
    assert execute([*words, "--releases", str(path)]) == 2
    assert told in capsys.readouterr().err


def test_a_release_that_contradicts_an_earlier_line_is_named(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {"service": "shop", "environment": "prod", "version": "1", "status": "started"}
    told["started_at"] = to_rfc3339(START)
    path = tmp_path / "releases.ndjson"
    path.write_text("\n".join(json.dumps({**told, "commit": c}) for c in ("a", "b")))
    file = write(tmp_path / "events.ndjson", LINES)
    words = ["replay", str(file), "--config", str(config), "--out", str(tmp_path / "out")]
    assert execute([*words, "--releases", str(path)]) == 2
    assert "releases.ndjson:2: release" in capsys.readouterr().err

"""What a replay says of the measurement: in every bucket, and in alerts; its own series stay out of the buckets."""

from pathlib import Path
from typing import Any

from monitor.model.time import MINUTE, to_rfc3339
from tests.cli.test_replay import START, config, line, replay, write

__all__ = ["config"]


def identified(second: int, **more: Any) -> bytes:
    return line(second, event_id=f"e{second}", **more)


def test_buckets_say_what_was_seen_of_their_lines(config: Path, tmp_path: Path) -> None:
    lines = [identified(second) for second in range(0, 600, 5)]
    again = [identified(second) for second in range(60, 120, 20)]
    bad = [line(second, values={"amount": "much"}) for second in range(120, 180, 20)]
    bare = [line(181 + k, values={}) for k in range(4)]
    every = sorted([*lines, *again, *bad, *bare], key=_time)
    result = replay(config, [write(tmp_path / "e.ndjson", every)])
    found = {
        row["start"]: row["data_quality"]
        for row in result.rows("buckets")
        if (row["metric"], row["dimension"]) == ("value", "all")
    }
    minute = [found[to_rfc3339(START + k * MINUTE)] for k in range(4)]
    fine = {"suspect": False, "duplicates": 0.0, "late": 0.0, "missing": 0.0, "malformed": 0.0}
    assert minute == [
        fine,
        {**fine, "duplicates": 0.2},
        {**fine, "malformed": 0.2},
        {**fine, "missing": 0.25},
    ]
    assert not any(row["metric"].startswith("data_quality_") for row in result.rows("buckets"))
    assert {row["metric"] for row in result.summary["metrics"]} == {"orders", "value"}


def _time(text: bytes) -> bytes:
    return text[text.index(b'"time":"') :][:40]

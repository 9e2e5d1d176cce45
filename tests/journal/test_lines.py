import json
from dataclasses import replace

import numpy as np

from monitor.journal.lines import Judged, bucket_ndjson
from monitor.model.time import DAY, MINUTE
from tests.journal.examples import GROUPS, T0, bucket_lines, changed, closed, incident, restated


def test_a_closed_bucket_is_one_line_a_series() -> None:
    lines = bucket_lines(closed())
    assert [(x["metric"], x["segment"]) for x in lines] == [
        ("errors", "all"),
        ("errors", "DE"),
        ("errors", "US"),
        ("orders", "all"),
    ]
    assert lines[3] == {
        "metric": "orders",
        "dimension": "all",
        "segment": "all",
        "start": "2026-11-21T10:00:00Z",
        "end": "2026-11-21T10:01:00Z",
        "value": 12,
        "n": 12,
        "expected": 11.5,
        "lower": 4,
        "upper": 19,
        "window_value": 700,
        "evidence": 0.5,
        "state": "ok",
        "revision": 0,
        "measures": {"events": 12},
        "data_quality": {
            "suspect": False,
            "duplicates": None,
            "late": None,
            "missing": None,
            "malformed": None,
        },
    }


def test_parents_only_leaves_the_segments_out() -> None:
    assert [x["dimension"] for x in bucket_lines(closed(), parents_only=True)] == ["all", "all"]
    assert [x["dimension"] for x in bucket_lines(restated(), parents_only=True)] == ["all"]
    none = replace(closed(), groups=GROUPS[1:2])
    assert bucket_lines(none, parents_only=True) == []


def test_a_restated_line_repeats_what_was_judged() -> None:
    memory = Judged(2 * DAY)
    bucket_lines(closed(), memory=memory)
    whole, fresh = bucket_lines(restated(), memory=memory)
    assert (whole["revision"], whole["n"], whole["value"]) == (1, 120, 0.25)
    assert (whole["expected"], whole["lower"], whole["evidence"]) == (0.125, 0.05, 4)
    assert whole["state"] == "alerting"
    assert (fresh["segment"], fresh["expected"], fresh["state"]) == ("FR", None, "learning")


def test_without_memory_a_restated_line_has_no_expectation() -> None:
    whole, _ = bucket_lines(restated())
    assert (whole["n"], whole["expected"], whole["revision"]) == (120, None, 1)


def test_the_memory_ends_after_the_restatement_window() -> None:
    memory = Judged(MINUTE)
    memory.keep(closed(T0))
    memory.keep(closed(T0 + DAY + 2 * MINUTE))
    whole, _ = bucket_lines(restated(T0), memory=memory)
    assert whole["expected"] is None
    whole, _ = bucket_lines(restated(T0 + DAY + 2 * MINUTE), memory=memory)
    assert whole["expected"] == 0.125


def test_panels_of_the_same_bucket_do_not_hide_each_other() -> None:
    memory = Judged(DAY)
    other = (replace(GROUPS[2], metric="views", rows=np.array([0])),)
    memory.keep(closed(groups=GROUPS))
    memory.keep(closed(groups=other))
    whole, _ = bucket_lines(restated(), memory=memory)
    assert whole["expected"] == 0.125


def test_an_incident_has_no_lines() -> None:
    assert list(bucket_lines(changed(incident()))) == []


def test_ndjson_is_the_same_lines_as_bytes() -> None:
    made = bucket_ndjson(closed())
    assert made.endswith(b"}\n")
    assert [json.loads(line) for line in made.splitlines()] == bucket_lines(closed())
    assert bucket_ndjson(changed(incident())) == b""

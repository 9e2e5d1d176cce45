import math

import msgspec
import numpy as np

from monitor.core.effects import IncidentFaded
from monitor.journal.records import (
    alert_line,
    closed_columns,
    dead_letter_line,
    dead_letter_record,
    numbers,
    records,
)
from monitor.model.event import DeadLetter, Reject
from monitor.model.record import Stream
from tests.journal.examples import changed, closed, decoded, incident, restated


def test_a_closed_bucket_is_one_record_a_metric_and_dimension() -> None:
    made = records(closed())
    assert [r.key for r in made] == [
        "errors|all|2026-11-21T10:00:00Z",
        "errors|country|2026-11-21T10:00:00Z",
        "orders|all|2026-11-21T10:00:00Z",
    ]
    assert {r.stream for r in made} == {Stream.BUCKETS}
    assert decoded(made[1]) == {
        "metric": "errors",
        "dimension": "country",
        "start": "2026-11-21T10:00:00Z",
        "end": "2026-11-21T10:01:00Z",
        "revision": 0,
        "segments": ["DE", "US"],
        "value": [0.4, None],
        "n": [100, 0],
        "expected": [0.13, None],
        "lower": [0.04, None],
        "upper": [0.22, None],
        "window_value": [0.35, None],
        "evidence": [3, None],
        "evidence_ratio": [1.5, None],
        "state": ["alerting", "learning"],
        "measures": {"numerator": [40, 0], "denominator": [100, 0]},
        "learning_seconds": [None, None],
        "data_quality": {
            "suspect": False,
            "duplicates": None,
            "late": None,
            "missing": None,
            "malformed": None,
        },
    }
    assert decoded(made[2])["measures"] == {"events": [12]}


def test_counts_are_written_without_a_fraction_and_nan_as_null() -> None:
    (whole, *_) = records(closed())
    assert whole.value is not None
    assert b'"numerator":[25],"denominator":[100]' in whole.value
    assert b"null" in (records(closed())[1].value or b"")


def test_a_restatement_has_its_own_key_and_no_judgement() -> None:
    whole, country = records(restated())
    assert whole.key == "errors|all|2026-11-21T10:00:00Z|restated"
    assert decoded(whole) == {
        "metric": "errors",
        "dimension": "all",
        "start": "2026-11-21T10:00:00Z",
        "end": "2026-11-21T10:01:00Z",
        "revision": [1],
        "segments": ["all"],
        "value": [0.25],
        "n": [120],
        "window_value": [0.23],
        "measures": {"numerator": [30], "denominator": [120]},
    }
    assert decoded(country)["segments"] == ["FR"]


def test_an_incident_is_kept_under_its_id_and_a_faded_one_deleted() -> None:
    (kept,) = records(changed(incident("a7")))
    assert (kept.stream, kept.key) == (Stream.ALERTS, "a7")
    assert decoded(kept)["labels"] == incident().labels
    (gone,) = records(IncidentFaded(alert_id="a7"))
    assert (gone.stream, gone.key, gone.value) == (Stream.ALERTS, "a7", None)


def test_an_alert_line_has_the_documented_fields_in_order() -> None:
    assert list(alert_line(incident())) == [
        "alert_id",
        "metric",
        "dimension",
        "segment",
        "direction",
        "state",
        "started_at",
        "detected_at",
        "resolved_at",
        "value",
        "expected",
        "relative_shift",
        "interval",
        "n",
        "evidence",
        "threshold",
        "reason",
        "severity",
        "owner",
        "segments",
        "mix",
        "release",
        "data_quality",
        "summary",
        "runbook_url",
    ]


def test_whole_numbers_are_integers_up_to_two_to_the_53rd() -> None:
    made = numbers(np.array([1.0, -0.0, 2.0**53, 0.1, math.nan, math.inf]))
    assert msgspec.json.encode(made) == b"[1,0,9007199254740992.0,0.1,null,null]"
    assert [type(x) for x in numbers(np.array([4.0, 5.0]))] == [int, int]
    assert [type(x) for x in numbers(np.array([4.5]))] == [float]
    assert numbers(np.empty(0)) == []


def test_a_dead_letter_keeps_its_bytes_whole() -> None:
    text = DeadLetter(
        source="0", position=7, reason=Reject.NOT_JSON, detail="at byte 0", payload="ü{".encode()
    )
    assert dead_letter_line(text) == {
        "source": "0",
        "position": 7,
        "reason": "not_json",
        "detail": "at byte 0",
        "payload": "ü{",
    }
    raw = msgspec.structs.replace(text, payload=b"\xff\x00")
    assert dead_letter_line(raw)["payload_base64"] == "/wA="
    record = dead_letter_record(raw)
    assert (record.stream, record.key) == (Stream.DEAD_LETTERS, "0|7")


def test_a_series_that_learns_says_for_how_long() -> None:
    left = np.array([np.nan, np.nan, np.nan, 432_000.0])
    by_country = next(
        columns
        for columns in closed_columns(closed(learning_seconds=left))
        if columns.dimension == "country"
    )
    germany, states = by_country.lines()
    assert "learning_seconds" not in germany
    assert states["learning_seconds"] == 432_000

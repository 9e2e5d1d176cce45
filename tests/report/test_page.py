"""The page of a replay: what a person reads first, and that data stay text."""

from typing import Any

import msgspec
import pytest

from monitor.model.incident import Incident, IncidentState
from monitor.model.time import DAY
from monitor.report.detected import outcome_in_words
from monitor.report.page import Budget, Card, Report, render
from tests.report.test_chart import chart, points

NASTY = "<img src=x onerror=alert(1)>\"'&"

SUMMARY: dict[str, Any] = {
    "events": {"read": 1234, "accepted": 1230, "late": 3, "dead_lettered": 4, "folded": 0},
    "alerts": {"fired": 3, "resolved": 2},
    "span": {"first": "2026-10-01T00:00:00Z", "last": "2026-10-16T00:00:00Z"},
    "metrics": [
        {
            "metric": "orders",
            "buckets": 21_600,
            "learning": False,
            "learning_until": "2026-10-10T00:00:00Z",
            "alerts": 3,
            "minimum_detectable_shift": {"1h": 0.064, "1d": None},
            "minimum_detectable_rise": {"1h": 0.07, "1d": None},
        }
    ],
    "injections": [],
    "surveys": [],
}

INCIDENT = Incident(
    alert_id="a1",
    metric="orders",
    dimension="country",
    segment=NASTY,
    direction="down",
    state=IncidentState.RESOLVED,
    started_at="2025-11-08T00:10:00Z",
    detected_at="2025-11-08T00:14:00Z",
    resolved_at="2025-11-08T00:30:00Z",
    value=50.0,
    expected=100.0,
    relative_shift=-0.5,
    interval=[-0.6, -0.4],
    n=500.0,
    evidence=8.0,
    threshold=5.0,
    reason="shift",
    severity="page",
    owner=NASTY,
    segments=[
        {
            "dimension": "platform",
            "segment": NASTY,
            "relative_shift": None,
            "value": None,
            "expected": 3.0,
            "n": 5.0,
            "evidence": 1.0,
        }
    ]
    * 10,
    summary=f"orders fell. Owner: {NASTY}",
    updated_at="2025-11-08T00:30:00Z",
    labels={},
)


def page(cards: list[Card] | None = None, left_out: int = 0, **changes: Any) -> str:
    some = [Card(incident=INCIDENT, over=f"over {NASTY}", chart=chart(points(40)), run=3)]
    return render(
        Report(
            sources=[f"{NASTY}.ndjson"],
            summary={**SUMMARY, **changes},
            budgets=[Budget(severity="page", allowed=1.0, per_us=30 * DAY, fired=3)],
            cards=some if cards is None else cards,
            left_out=left_out,
            elsewhere=f"{NASTY}/alerts.ndjson",
        )
    )


def test_no_data_becomes_markup() -> None:
    injection = {"inject": NASTY, "notes": [NASTY], "outcome": "no_events", "alert": None,
                 "peak_evidence_share": None}  # fmt: skip
    text = page(left_out=1, injections=[injection])
    assert "<img" not in text
    assert text.count("&lt;img src=x onerror=alert(1)&gt;&quot;&#x27;&amp;") >= 12
    assert "<script" not in text


def test_it_says_first_what_was_used_of_the_budget() -> None:
    text = page()
    assert "3 alerts in this history" in text
    assert "15 d" in text
    assert "allows 0.2 false ones in the 6 d that were judged (1 per 30 d)" in text
    text = page(metrics=[{**SUMMARY["metrics"][0], "learning": True}])
    assert "allows 0 false ones in the 0 s that were judged (1 per 30 d)" in text


def test_a_metric_tells_what_it_sees() -> None:
    text = page()
    assert "-6.4, +7.0 %" in text
    assert "none" in text


def test_a_card_has_words_a_chart_and_the_most_blamed_segments() -> None:
    text = page()
    assert "Each point stands for 3 buckets" in text
    assert "Found 4 min after it began" in text
    assert "and 2 more segments" in text
    lasting = msgspec.structs.replace(INCIDENT, segments=[], dimension="all", segment="all")
    text = page([Card(incident=lasting, over="", chart=chart(points(40)))])
    assert "It lasts until the history ends" in text
    assert "more segments" not in text


def test_what_is_left_out_is_counted_and_said_where() -> None:
    assert "1,234 less evident alerts are left out" in page(left_out=1234)
    assert "left out" not in page()


def test_a_quiet_history_and_an_empty_one_are_pages_too() -> None:
    quiet = page([], alerts={"fired": 0, "resolved": 0})
    assert "No alert in this history" in quiet
    empty = page([], alerts={"fired": 0, "resolved": 0}, span={"first": None, "last": None})
    assert "no event" in empty


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"outcome": "still_learning"}, "still learning then"),
        ({"outcome": "outside_history"}, "outside of the history"),
        ({"outcome": "already_alerting"}, "the history has anyway"),
        ({"outcome": "not_found", "peak_evidence_share": 0.31}, "reached 31 % of the threshold"),
        ({"outcome": "not_found"}, "not found"),
        ({"outcome": "found", "paged": True}, "paged after 40 min, by country=DE"),
        ({"outcome": "found", "paged": False}, "ticket after 40 min"),
    ],
)
def test_what_became_of_an_injection(changes: dict[str, Any], words: str) -> None:
    found = {"dimension": "country", "segment": "DE", "evidence": 6.1, "threshold": 5.0}
    one = {"alert": None, "peak_evidence_share": None, "delay_seconds": 2400, **changes}
    if one["outcome"] == "found":
        one["alert"] = found
    assert words in outcome_in_words(one)

import math
from typing import Any

import pytest

from monitor.model.time import MINUTE, from_rfc3339, to_rfc3339
from monitor.report.explanation import Explanation
from monitor.report.why_paged import explain_alert, span_of
from tests.journal.examples import metric
from tests.report.rows import T0, alert, fall, row

PLAN = metric("orders", log_threshold=(math.log(1e5),))
OPEN: dict[str, Any] = {"state": "firing", "resolved_at": None, "reason": "shift"}
PENDING: dict[str, Any] = {**OPEN, "state": "pending", "reason": "evidence_growing"}


def explained(rows: Any = None, **changes: Any) -> Explanation:
    return explain_alert("abcd", alert(**changes), fall() if rows is None else rows, PLAN)


def test_the_span_reaches_from_an_hour_of_buckets_before_until_it_was_over() -> None:
    assert span_of(alert(), PLAN) == (T0 - 50 * MINUTE, T0 + 40 * MINUTE)
    assert span_of(alert(**OPEN), PLAN) == (T0 - 50 * MINUTE, None)
    assert span_of(alert(**PENDING), PLAN)[1] == T0 + 74 * MINUTE


def test_it_says_why_it_fired_and_how_it_ended() -> None:
    fired, start, ended = explained().why
    assert fired == (
        "It fired at 10:14 UTC on 2026-11-21 because the evidence of a shift reached the threshold: "
        "1.0 million to 1 against noise, where a page needs 100 thousand to 1."
    )
    assert start.startswith("The estimated start is 4 min, 4 buckets before that")
    assert ended.startswith("It ended at 10:30 UTC on 2026-11-21, 20 min after the start, because")
    assert "back at what is expected" in ended


def test_an_open_one_says_up_to_when_it_is_known() -> None:
    assert explained(**OPEN).why[-1] == (
        "It is open: the newest bucket known ends at 10:40 UTC on 2026-11-21."
    )


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"value": 0, "state": "alerting"}, "what it counts stopped while other events went on"),
        ({"value": None, "state": "no_data"}, "nothing arrived any more"),
        ({"value": 60, "state": "alerting"}, "the evidence of a shift reached the threshold"),
    ],
)
def test_a_resolved_one_still_tells_what_it_was_found_by(found: dict[str, Any], told: str) -> None:
    rows = [row(m, **(found if 10 <= m < 30 else {})) for m in range(40)]
    silent = {"silent": [{"dimension": "all", "segment": "all"}]}
    assert told in explained(rows, data_quality=silent).why[0]


@pytest.mark.parametrize("reason", ["drift", "drift_ended"])
def test_a_drift_is_told_by_the_day(reason: str) -> None:
    over = {} if reason == "drift_ended" else OPEN
    shown = explained(**{**over, "reason": reason, "threshold": 2.0, "severity": "ticket"})
    fired, how, ended = shown.why
    assert "its last seven days had moved further" in fired
    assert fired.endswith("by chance that happens once in 100 days or less.")
    assert how.startswith("Weekdays are compared")
    assert ended.startswith("It ended" if reason == "drift_ended" else "It is open")
    assert shown.judging.seconds_per_false_alarm == pytest.approx(100 * 86_400)


def test_the_first_words_are_those_of_the_alert() -> None:
    shown = explained()
    assert shown.answer == alert()["summary"]
    assert (shown.owner, shown.runbook_url) == (alert()["owner"], alert()["runbook_url"])
    assert [mark.name for mark in shown.marks] == ["start", "found", "resolved"]
    assert shown.detail[0].start == to_rfc3339(T0 + 7 * MINUTE)
    assert shown.peak is not None
    assert shown.peak.evidence == 30.0


def test_the_threshold_is_one_false_alarm_in_so_long() -> None:
    facts = explained().judging
    assert facts.threshold == 5.0
    assert facts.seconds_per_false_alarm == pytest.approx(1e5 * 60)


def test_a_pending_one_that_faded_says_so() -> None:
    rows = [
        row(m, evidence=2.6 if m == 13 else 0.4, state="suspected" if m == 13 else "ok")
        for m in range(30)
    ]
    short, over = explained(rows, **PENDING).why
    assert short.startswith("It did not fire: the evidence (log10) was 2.6 at most, at 10:14 UTC")
    assert "below half of the way to the threshold at 10:15 UTC" in over


def test_a_pending_one_under_a_paged_whole_names_the_alert() -> None:
    mine = alert(dimension="country", segment="DE", **PENDING)
    whole = alert(alert_id="whole999", detected_at=to_rfc3339(T0 + 16 * MINUTE))
    told = " ".join(explain_alert("x", mine, fall(), PLAN, alerts=[mine, whole]).why)
    assert "whole was paged" in told
    assert "whole999" in told
    other = {**whole, "metric": "other"}
    assert "whole" not in " ".join(explain_alert("x", mine, fall(), PLAN, alerts=[other]).why)


def test_a_time_before_it_was_found_and_one_after() -> None:
    def told(minute: int) -> str:
        at_us = T0 + minute * MINUTE
        return explain_alert("orders@x", alert(), fall(), PLAN, at_us=at_us).why[0]

    assert "not found yet: it was 2 min later" in told(12)
    assert "this incident was open" in told(20)


def test_a_mark_stands_at_the_time_that_was_asked_about() -> None:
    at_us = T0 + 20 * MINUTE
    shown = explain_alert("orders@1795256400", alert(), fall(), PLAN, at_us=at_us)
    (asked,) = [mark for mark in shown.marks if mark.name == "asked"]
    assert from_rfc3339(asked.at) == at_us


def test_late_events_are_told() -> None:
    rows = [*fall()[:-1], row(39, revision=2)]
    assert "Late events restated 1 of the 40 buckets" in explained(rows).why[-1]
    assert "Late" not in " ".join(explained().why)


def test_what_is_missing_is_told() -> None:
    shown = explain_alert("abcd", alert(), [], None)
    told = " ".join(shown.why)
    assert "does not have this metric any more" in told
    assert "no chart" in told
    assert shown.judging.threshold == 5.0
    assert shown.judging.seconds_per_false_alarm is None


def test_a_measurement_that_moved_says_what_was_seen() -> None:
    seen = "19 % of the order lines repeat event_ids seen before (usually none)"
    told = explained(
        reason="measurement_moved",
        severity="ticket",
        state="firing",
        resolved_at=None,
        data_quality={"reasons": [seen], "silent": []},
    ).why
    assert "so that it is a ticket and no page" in told[0]
    assert "is needed" in told[0]
    assert f"Of its measurement was seen since the start: {seen}." in told

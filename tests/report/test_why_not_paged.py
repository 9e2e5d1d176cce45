import math
from typing import Any

import pytest

from monitor.definitions.plan import MetricPlan
from monitor.model.bucket import BucketLine
from monitor.model.past import Past
from monitor.model.time import DAY, HOUR, MINUTE
from monitor.report.explanation import Explanation
from monitor.report.why_not_paged import covering, explain_moment, span_around
from tests.journal.examples import metric
from tests.report.rows import T0, alert, row

PLAN = metric("orders", groupings=((), ("country",)), log_threshold=(math.log(1e5), math.log(1e8)))
AT = T0 + 20 * MINUTE


def calm(**changes: Any) -> list[BucketLine]:
    """Forty calm minutes, of which the one in question is changed."""
    return [row(m, **(changes if m == 20 else {})) for m in range(40)]


def past(rows: list[BucketLine], **changes: Any) -> Past:
    values: dict[str, Any] = {"first_us": T0, "last_us": T0 + 40 * MINUTE, **changes}
    return Past(rows=tuple(rows), **values)


def explained(
    rows: list[BucketLine] | None = None,
    *,
    at_us: int = AT,
    plan: MetricPlan = PLAN,
    dimension: str = "all",
    segment: str = "all",
    alerts: Any = (),
    **changes: Any,
) -> Explanation:
    return explain_moment(
        "orders@x",
        past(calm() if rows is None else rows, **changes),
        plan,
        dimension=dimension,
        segment=segment,
        at_us=at_us,
        alerts=alerts,
    )


def test_the_span_is_an_hour_of_buckets_before_and_half_after() -> None:
    assert span_around(AT, PLAN) == (AT - HOUR, AT + 30 * MINUTE)


def test_a_calm_bucket_was_inside_its_band() -> None:
    shown = explained()
    assert shown.answer == (
        "orders at 10:20 UTC on 2026-11-21: no page, because its value of 100 was inside the band of "
        "what is noise (68 to 132, 100 expected)."
    )
    assert shown.why[0] == (
        "The evidence (log10) stood at 0.5 after that bucket; an incident is pending from 2.5 on and "
        "fires at 5."
    )
    assert shown.alert is None
    assert [r.start[11:16] for r in shown.detail] == [f"10:{m}" for m in range(16, 25)]
    assert len(shown.needed) == 3


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"value": 150},
            "outside the band of what is noise (68 to 132), but the evidence was below",
        ),
        ({"state": "suspected", "evidence": 3.0}, "past half of the way to the threshold"),
        ({"state": "too_few_units", "n": 4}, "judge a bucket: 10 (detect.min_units); n was 4"),
        ({"state": "no_data", "value": None}, "nothing arrived that could be measured."),
        ({"state": "immature"}, "cohort"),
        ({"state": "partial"}, "never ended in that input"),
        ({"state": "measurement_moved"}, "the measurement itself moved"),
        ({"state": "alerting"}, "its alert is not kept there any more"),
        ({"state": "learning", "evidence": None}, "still learning"),
        ({"state": "hibernating"}, "because hibernating"),
        ({"lower": None}, "because the evidence was below half"),
    ],
)
def test_each_state_is_told_in_words(changes: dict[str, Any], told: str) -> None:
    shown = explained(calm(**changes))
    assert "no page, because" in shown.answer
    assert told in shown.answer


def test_learning_says_for_how_long_where_that_is_known() -> None:
    learning = calm(state="learning", evidence=None)
    told = explained(learning, judged_from_us=AT + 2 * DAY).answer
    assert "judged from 10:20 UTC on 2026-11-23 on, 2 d later" in told
    assert "judged from" not in explained(learning).answer
    assert "judged from" not in explained(learning, judged_from_us=AT - DAY).answer


def test_a_direction_that_is_not_judged_is_told() -> None:
    falls = metric("orders", direction="down")
    told = explained(calm(value=150), plan=falls).answer
    assert "only falls are judged (detect.direction)" in told
    assert "only falls" not in explained(calm(value=50), plan=falls).answer
    rises = metric("orders", direction="up")
    assert "only rises are judged" in explained(calm(value=50), plan=rises).answer


def test_silence_that_is_ignored_is_told() -> None:
    ignoring = metric("orders", no_data="ignore")
    told = explained(calm(state="no_data", value=None), plan=ignoring).answer
    assert "asks to ignore that (detect.no_data)" in told


def test_the_highest_evidence_is_told_with_its_time() -> None:
    rows = [row(m, evidence=2.25 if m == 7 else 0.1) for m in range(40)]
    assert "was 2.25, at 10:08 UTC" in explained(rows).why[1]


def test_bucket_without_evidence_says_so() -> None:
    assert "no evidence of a shift at all" in explained(calm(evidence=None)).why[0]


def test_a_time_outside_of_what_is_kept_is_told() -> None:
    rows = calm()
    before = explained(rows, at_us=T0 - MINUTE).answer
    assert "first bucket that is kept after it begins at 10:00 UTC on 2026-11-21" in before
    after = explained(rows, at_us=T0 + 40 * MINUTE).answer
    assert "newest bucket ends before that, at 10:40 UTC on 2026-11-21" in after
    gap = explained([r for r in rows if r is not rows[20]]).answer
    assert "although there are some before and after it" in gap
    nothing = explained([], first_us=None, last_us=None)
    assert "no bucket of this series is kept" in nothing.answer
    far = explained([], at_us=T0 - DAY).answer
    assert "begins at 10:00 UTC on 2026-11-21" in far
    assert nothing.why == ()
    assert nothing.needed == ()


def test_a_segment_under_a_paged_whole() -> None:
    whole = alert(alert_id="whole999")
    under = calm(state="alerting", evidence=9.0)
    shown = explained(under, dimension="country", segment="DE", alerts=[whole])
    assert shown.answer.startswith("orders (country=DE) at")
    assert "its whole was paged, and lists it" in shown.answer
    assert "whole999, found at 10:14" in shown.why[0]
    assert shown.judging.threshold == pytest.approx(8.0)
    later = alert(alert_id="whole999", detected_at="2026-11-21T10:25:00Z")
    before = explained(under, dimension="country", segment="DE", alerts=[later])
    assert "was paged" not in before.answer
    assert "whole999, found at 10:25" in before.why[0]


def test_an_incident_that_was_pending_is_named() -> None:
    pending = alert(
        alert_id="pend0000", state="pending", resolved_at=None, detected_at="2026-11-21T10:21:00Z"
    )
    told = explained(alerts=[pending]).why[0]
    assert "pending at 10:21" in told
    assert "monitor explain pend0000" in told
    assert "pend0000" not in " ".join(explained(alerts=[{**pending, "metric": "other"}]).why)


def test_an_alert_covers_its_time_of_its_own_series_only() -> None:
    one = alert()
    assert covering([one], "orders", "all", "all", AT) is one
    assert covering([one], "orders", "all", "all", T0 + 10 * MINUTE) is one
    assert covering([one], "orders", "all", "all", T0 + 9 * MINUTE) is None
    assert covering([one], "orders", "all", "all", T0 + 30 * MINUTE) is None
    assert covering([alert(resolved_at=None)], "orders", "all", "all", T0 + DAY) is not None
    assert covering([one], "orders", "country", "DE", AT) is None
    assert covering([alert(state="pending")], "orders", "all", "all", AT) is None

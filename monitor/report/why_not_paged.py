"""Why nothing fired for a series at a time."""

from collections.abc import Sequence

from monitor.alert.text import duration, moment, number
from monitor.alert.text import place as where
from monitor.definitions.plan import MetricPlan
from monitor.model.bucket import BucketLine
from monitor.model.past import Past
from monitor.model.quantity import percent
from monitor.model.tick import Reason, State
from monitor.model.time import from_rfc3339, to_rfc3339
from monitor.report.detectability import Needed, needed_shifts
from monitor.report.explanation import (
    BEFORE,
    SUSPICION,
    Alert,
    Explanation,
    Judging,
    Mark,
    Peak,
    around,
    covers,
    judging,
    log_threshold_of,
    peak,
)
from monitor.report.sentences import reason_sentence, state_sentence
from monitor.report.why_paged import restated

_AFTER = 30
"""Buckets shown after the time in question."""
_DETAIL = 4
_JUDGED = frozenset({State.OK.label, State.SUSPECTED.label})


def span_around(at_us: int, plan: MetricPlan) -> tuple[int, int]:
    """Since and until when buckets are shown."""
    width = plan.calendar.width_us
    return at_us - BEFORE * width, at_us + _AFTER * width


def covering(
    alerts: Sequence[Alert], metric: str, dimension: str, segment: str, at_us: int
) -> Alert | None:
    """The alert of that very series that stood at that time."""
    for alert in alerts:
        same = (alert["metric"], alert["dimension"], alert["segment"])
        if same == (metric, dimension, segment) and covers(alert, at_us):
            return alert
    return None


def explain_moment(
    asked: str,
    past: Past,
    plan: MetricPlan,
    *,
    dimension: str,
    segment: str,
    at_us: int,
    alerts: Sequence[Alert] = (),
) -> Explanation:
    """The explanation of a time at which nothing fired for a series.

    Args:
        asked: the question as it was put.
        past: the buckets of `span_around`.
        plan: the metric.
        dimension: of the series.
        segment: of the series.
        at_us: the time.
        alerts: all that are known: a whole's may be why a segment's bucket did not page.
    """
    facts = judging(plan, dimension, None)
    row = _at(past.rows, at_us)
    highest = peak(past.rows)
    whole = None if dimension == "all" else covering(alerts, plan.name, "all", "all", at_us)
    needed: tuple[Needed, ...] = ()
    detail: list[BucketLine] = []
    why = [*_of_whole(whole), *_pending(alerts, plan.name, dimension, segment, at_us)]
    if row is None:
        because = _no_bucket(past, at_us)
    else:
        because = _because(row, plan, facts, past, whole)
        needed = _needed(row, plan, dimension)
        detail = around(past.rows, from_rfc3339(row.end), before=_DETAIL, after=_DETAIL)
        why += [*_evidence(row, facts), *_highest(highest, past.rows), *restated(past.rows)]
    name = plan.name + where(dimension, segment)
    return Explanation(
        asked=asked,
        metric=plan.name,
        dimension=dimension,
        segment=segment,
        answer=f"{name} at {moment(at_us)}: no {plan.severity}, because {because}.",
        why=tuple(why),
        alert=None,
        judging=facts,
        marks=(Mark(name="asked", at=to_rfc3339(at_us)),),
        peak=highest,
        needed=needed,
        unit_name=plan.unit_name,
        owner=plan.owner,
        runbook_url=plan.runbook_url,
        detail=tuple(detail),
        buckets=past.rows,
    )


def _at(rows: Sequence[BucketLine], at_us: int) -> BucketLine | None:
    """The bucket that holds a time."""
    return next((r for r in rows if from_rfc3339(r.start) <= at_us < from_rfc3339(r.end)), None)


def _no_bucket(past: Past, at_us: int) -> str:
    if past.last_us is None:
        return "no bucket of this series is kept"
    if at_us >= past.last_us:
        return f"its newest bucket ends before that, at {moment(past.last_us)}"
    before = any(from_rfc3339(row.end) <= at_us for row in past.rows)
    after = [from_rfc3339(row.start) for row in past.rows if from_rfc3339(row.start) > at_us]
    first_us = after[0] if after else past.first_us
    if before or first_us is None:
        return "no bucket is kept of that time, although there are some before and after it"
    return f"the first bucket that is kept after it begins at {moment(first_us)}"


def _because(
    row: BucketLine, plan: MetricPlan, facts: Judging, past: Past, whole: Alert | None
) -> str:
    """The end of the answer, by the state of the bucket."""
    said = state_sentence(row.state)
    match row.state:
        case State.OK.label:
            said = _calm(row, plan, facts)
        case State.SUSPECTED.label | State.ALERTING.label if _under(whole, row):
            said = reason_sentence(Reason.PARENT_ALERTING.label)
        case State.ALERTING.label:
            said = f"{said}; its alert is not kept there any more"
        case State.LEARNING.label:
            said += _learning_left(row, past)
        case State.TOO_FEW_UNITS.label:
            said += f": {number(plan.min_units)} (detect.min_units); n was {number(row.n)}"
        case State.NO_DATA.label if plan.no_data == "ignore":
            said += ", and the definition asks to ignore that (detect.no_data)"
    return said


def _under(whole: Alert | None, row: BucketLine) -> bool:
    """Whether the whole had been paged when the bucket ended."""
    return whole is not None and from_rfc3339(whole["detected_at"]) <= from_rfc3339(row.end)


def _of_whole(whole: Alert | None) -> list[str]:
    if whole is None:
        return []
    found = moment(from_rfc3339(whole["detected_at"]))
    return [f"Its whole has an alert of that time, {whole['alert_id']}, found at {found}."]


def _learning_left(row: BucketLine, past: Past) -> str:
    until = past.judged_from_us
    if until is None or until <= from_rfc3339(row.start):
        return ""
    left = duration(until - from_rfc3339(row.start))
    return f"; it is judged from {moment(until)} on, {left} later"


def _calm(row: BucketLine, plan: MetricPlan, facts: Judging) -> str:
    said = state_sentence(State.OK.label)
    if row.value is None or row.lower is None or row.upper is None or row.expected is None:
        return said
    unit = "" if plan.unit_name in (None, "share") else f" {plan.unit_name}"
    band = f"{number(row.lower)} to {number(row.upper)}"
    value = f"its value of {number(row.value)}{unit}"
    if row.lower <= row.value <= row.upper:
        expected = number(row.expected)
        return f"{value} was inside the band of what is noise ({band}, {expected} expected)"
    rose = row.value > row.upper
    if facts.direction == ("down" if rose else "up"):
        kind = "falls" if rose else "rises"
        return (
            f"{value} was outside the band ({band}), but only {kind} are judged (detect.direction)"
        )
    return (
        f"{value} was outside the band of what is noise ({band}), but {said}; one such bucket is not "
        "enough"
    )


def _evidence(row: BucketLine, facts: Judging) -> list[str]:
    if facts.threshold is None or row.state == State.LEARNING.label:
        return []
    if row.evidence is None:
        return ["After that bucket there was no evidence of a shift at all."]
    return [
        f"The evidence (log10) stood at {number(row.evidence)} after that bucket; an incident is "
        f"pending from {number(SUSPICION * facts.threshold)} on and fires at "
        f"{number(facts.threshold)}."
    ]


def _highest(highest: Peak | None, rows: Sequence[BucketLine]) -> list[str]:
    if highest is None:
        return []
    first, last = from_rfc3339(rows[0].start), from_rfc3339(rows[-1].end)
    return [
        f"Its highest between {moment(first)} and {moment(last)} was {number(highest.evidence)}, at "
        f"{moment(from_rfc3339(highest.at))}."
    ]


def _pending(
    alerts: Sequence[Alert], metric: str, dimension: str, segment: str, at_us: int
) -> list[str]:
    """That an incident was pending then, which pages nobody."""
    for alert in alerts:
        same = (alert["metric"], alert["dimension"], alert["segment"])
        if same != (metric, dimension, segment) or alert["state"] != "pending":
            continue
        if from_rfc3339(alert["started_at"]) <= at_us <= from_rfc3339(alert["detected_at"]):
            return [
                f"An incident became pending at {moment(from_rfc3339(alert['detected_at']))} "
                f"({percent(alert['relative_shift'])}) and did not fire: `monitor explain "
                f"{alert['alert_id']}` tells why."
            ]
    return []


def _needed(row: BucketLine, plan: MetricPlan, dimension: str) -> tuple[Needed, ...]:
    log_threshold = log_threshold_of(plan, dimension)
    if log_threshold is None or row.state not in _JUDGED:
        return ()
    return needed_shifts(row, plan, log_threshold)

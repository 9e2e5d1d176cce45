"""Why an alert fired, or stopped short of it; how it ended."""

from collections.abc import Sequence

from monitor.alert.text import duration, moment, number, odds
from monitor.definitions.plan import MetricPlan
from monitor.model.bucket import BucketLine
from monitor.model.tick import Reason, State
from monitor.model.time import MINUTE, from_rfc3339, to_rfc3339
from monitor.report.explanation import (
    BEFORE,
    Alert,
    Explanation,
    Mark,
    Peak,
    around,
    covers,
    is_drift,
    judging,
    peak,
)
from monitor.report.sentences import reason_sentence

_AFTER = 10
"""Buckets shown after an incident has ended."""
_WAIT = 60
"""Buckets shown after an incident became pending."""
_UNKNOWN_WIDTH_US = 5 * MINUTE
"""Taken for the buckets of a metric that the definitions do not have any more."""
_DETAIL_BEFORE, _DETAIL_AFTER = 6, 3
_ABOVE = frozenset({State.SUSPECTED.label, State.ALERTING.label})


def span_of(alert: Alert, plan: MetricPlan | None) -> tuple[int, int | None]:
    """Since and until when buckets are shown; None: all there are."""
    width = plan.calendar.width_us if plan is not None else _UNKNOWN_WIDTH_US
    since = from_rfc3339(alert["started_at"]) - BEFORE * width
    if alert["resolved_at"] is not None:
        return since, from_rfc3339(alert["resolved_at"]) + _AFTER * width
    if alert["state"] == "pending":
        return since, from_rfc3339(alert["detected_at"]) + _WAIT * width
    return since, None


def explain_alert(
    asked: str,
    alert: Alert,
    rows: Sequence[BucketLine],
    plan: MetricPlan | None,
    *,
    alerts: Sequence[Alert] = (),
    at_us: int | None = None,
) -> Explanation:
    """The explanation of an alert.

    Args:
        asked: the question as it was put.
        alert: its newest line.
        rows: the buckets of its series, of `span_of`.
        plan: its metric; None where the definitions do not have it any more.
        alerts: all that are known: a whole's may be why a segment's stopped short.
        at_us: the time that was asked about, where the question was one about a time.
    """
    facts = judging(plan, alert["dimension"], alert)
    highest = peak(row for row in rows if from_rfc3339(row.end) > from_rfc3339(alert["started_at"]))
    pending = alert["state"] == "pending"
    why = _stopped_short(alert, rows, highest, alerts) if pending else _fired(alert, rows)
    if at_us is not None:
        why = [_asked_within(alert, at_us), *why]
    detected_us = from_rfc3339(alert["detected_at"])
    return Explanation(
        asked=asked,
        metric=alert["metric"],
        dimension=alert["dimension"],
        segment=alert["segment"],
        answer=alert["summary"],
        why=(*why, *restated(rows), *_without(plan, rows)),
        alert=alert,
        judging=facts,
        marks=tuple(_marks(alert, at_us)),
        peak=highest,
        unit_name=plan.unit_name if plan is not None else None,
        owner=alert["owner"],
        runbook_url=alert["runbook_url"],
        detail=tuple(around(rows, detected_us, before=_DETAIL_BEFORE, after=_DETAIL_AFTER)),
        buckets=tuple(rows),
    )


def restated(rows: Sequence[BucketLine]) -> list[str]:
    """That late events changed buckets after they were judged."""
    changed = sum(row.revision > 0 for row in rows)
    if not changed:
        return []
    return [
        f"Late events restated {changed} of the {len(rows)} buckets shown: value and n are the newest, "
        "the evidence is of what was known when they closed."
    ]


def _fired(alert: Alert, rows: Sequence[BucketLine]) -> list[str]:
    started_us, detected_us = (from_rfc3339(alert[k]) for k in ("started_at", "detected_at"))
    threshold = odds(alert["threshold"])
    row = next((row for row in rows if from_rfc3339(row.end) == detected_us), None)
    reason = _found_by(alert, row)
    reached = "" if row is None or row.evidence is None else f"{odds(row.evidence)} against noise, "
    buckets = sum(started_us < from_rfc3339(r.end) <= detected_us for r in rows)
    count = f", {buckets} buckets" if buckets > 1 else ""
    if is_drift(alert):
        return [*_drifted(alert), *_ended(alert, rows)]
    measured = reason == Reason.MEASUREMENT_MOVED.label
    needs = f"{threshold} is needed" if measured else f"a {alert['severity']} needs {threshold}"
    told = [
        f"It fired at {moment(detected_us)} because {reason_sentence(reason)}: {reached}where {needs}.",
        f"The estimated start is {duration(detected_us - started_us)}{count} before that; a single "
        "bucket brings at most half of what is needed, so that none pages alone.",
        *_ended(alert, rows),
    ]
    seen = (alert.get("data_quality") or {}).get("reasons")
    if seen:
        told.append(f"Of its measurement was seen since the start: {'; '.join(seen)}.")
    return told


def _drifted(alert: Alert) -> list[str]:
    """Why a slow drift was told."""
    return [
        f"It fired at {moment(from_rfc3339(alert['detected_at']))} because "
        f"{reason_sentence(Reason.DRIFT.label)}; by chance that happens once in "
        f"{10 ** alert['threshold']:,.0f} days or less.",
        "Weekdays are compared with the same ones a week before, without the highest and the lowest of "
        "the seven, and less the growth that was there before; the level that buckets are judged against "
        "follows a drift, so that their evidence below need not show it.",
    ]


def _ended(alert: Alert, rows: Sequence[BucketLine]) -> list[str]:
    """How it ended, or up to when it is known to go on."""
    if alert["resolved_at"] is not None:
        lasted = from_rfc3339(alert["resolved_at"]) - from_rfc3339(alert["started_at"])
        return [
            f"It ended at {moment(from_rfc3339(alert['resolved_at']))}, {duration(lasted)} after the start, "
            f"because {reason_sentence(alert['reason'])}."
        ]
    if rows:
        return [
            f"It is open: the newest bucket known ends at {moment(from_rfc3339(rows[-1].end))}."
        ]
    return []


def _found_by(alert: Alert, row: BucketLine | None) -> str:
    """The reason that fired: once an incident has ended, its line says why it ended."""
    if alert["resolved_at"] is None:
        return str(alert["reason"])
    if row is not None and row.state == State.NO_DATA.label:
        return Reason.NO_DATA.label
    if row is not None and row.state == State.MEASUREMENT_MOVED.label:
        return Reason.MEASUREMENT_MOVED.label
    silent = {"dimension": alert["dimension"], "segment": alert["segment"]}
    was_silent = silent in (alert.get("data_quality") or {}).get("silent", ())
    if was_silent and row is not None and row.value == 0:
        return Reason.SILENT.label
    return Reason.SHIFT.label


def _stopped_short(
    alert: Alert, rows: Sequence[BucketLine], highest: Peak | None, alerts: Sequence[Alert]
) -> list[str]:
    detected_us = from_rfc3339(alert["detected_at"])
    told = []
    if highest is not None:
        told.append(
            f"It did not fire: the evidence (log10) was {number(highest.evidence)} at most, at "
            f"{moment(from_rfc3339(highest.at))}; {number(alert['threshold'])} fires."
        )
        if highest.evidence >= alert["threshold"]:
            told[0] = (
                f"It did not fire, although the evidence (log10) reached {number(highest.evidence)}; "
                f"{number(alert['threshold'])} fires."
            )
    whole = whole_alert(alert, alerts, detected_us)
    if whole is not None:
        told.append(
            f"Instead {reason_sentence(Reason.PARENT_ALERTING.label)}: {whole['alert_id']}."
        )
    over = next(
        (r for r in rows if from_rfc3339(r.end) > detected_us and r.state not in _ABOVE), None
    )
    if over is not None:
        told.append(
            "Its evidence fell back below half of the way to the threshold at "
            f"{moment(from_rfc3339(over.end))}: pending ends so without a word."
        )
    return told or ["It did not fire: the evidence stayed short of the threshold."]


def whole_alert(of: Alert, alerts: Sequence[Alert], near_us: int) -> Alert | None:
    """The alert of a segment's whole that fired at that time, or while the segment's was pending."""
    if of["dimension"] == "all":
        return None
    for alert in alerts:
        if (alert["metric"], alert["dimension"]) == (of["metric"], "all"):
            found = alert["state"] != "pending"
            soon = found and abs(from_rfc3339(alert["started_at"]) - near_us) <= 60 * MINUTE
            if covers(alert, near_us) or (soon and from_rfc3339(alert["detected_at"]) >= near_us):
                return alert
    return None


def _asked_within(alert: Alert, at_us: int) -> str:
    detected_us = from_rfc3339(alert["detected_at"])
    if at_us < detected_us:
        return (
            f"At {moment(at_us)} this incident had begun, but was not found yet: it was "
            f"{duration(detected_us - at_us)} later, when the evidence was enough."
        )
    return f"At {moment(at_us)} this incident was open: its alert had been sent."


def _without(plan: MetricPlan | None, rows: Sequence[BucketLine]) -> list[str]:
    told = []
    if plan is None:
        told.append("The configuration does not have this metric any more: settings are unknown.")
    if not rows:
        told.append("No buckets of this series are kept for that time, so there is no chart.")
    return told


def _marks(alert: Alert, at_us: int | None) -> list[Mark]:
    marks = [
        Mark(name="start", at=alert["started_at"]),
        Mark(name="pending" if alert["state"] == "pending" else "found", at=alert["detected_at"]),
    ]
    if alert["resolved_at"] is not None:
        marks.append(Mark(name="resolved", at=alert["resolved_at"]))
    if at_us is not None:
        marks.append(Mark(name="asked", at=to_rfc3339(at_us)))
    return marks

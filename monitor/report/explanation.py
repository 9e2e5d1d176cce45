"""The facts of an explanation, as `monitor explain --json` prints them."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.alert.text import duration
from monitor.definitions.plan import MetricPlan
from monitor.model.bucket import BucketLine
from monitor.model.segment import format_segment
from monitor.model.tick import Reason
from monitor.model.time import DAY, SECOND, from_rfc3339
from monitor.report.detectability import Needed

Alert = dict[str, Any]
"""A line of `alerts.ndjson`."""

BEFORE = 60
"""Buckets that are shown before the time in question."""
SUSPICION = 0.5
"""Of log A: from here on an incident is pending (GUARD.md)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A point in time on the chart: `start`, `found`, `resolved`, `asked`."""

    name: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The highest evidence of a span; log10 M, and the end of its bucket."""

    evidence: float
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """By what a series is judged.

    Attributes:
        severity: `page` or `ticket`.
        threshold: log10 of A; None where the definitions do not have the series any more.
        seconds_per_false_alarm: at most one false alarm of this series in so long.
        direction, min_relative_shift, min_units, no_data: as in `detect`; None as above.
        bucket_seconds: length of a bucket; None as above.
    """

    severity: str | None
    threshold: float | None
    seconds_per_false_alarm: float | None
    direction: str | None = None
    min_relative_shift: float | None = None
    min_units: float | None = None
    no_data: str | None = None
    bucket_seconds: float | None = None


DRIFTS = (Reason.DRIFT.label, Reason.DRIFT_ENDED.label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why somebody was told, or was not.

    Attributes:
        asked: the question as it was put.
        metric, dimension, segment: the series.
        answer: for a person, first: the alert's own summary, or why there was none.
        why: what the guard saw and did, a sentence each.
        alert: the incident, as in `alerts.ndjson`; None where there was none.
        judging: thresholds and settings.
        marks: points in time on the chart.
        peak: the highest evidence among `buckets`.
        needed: the shifts that would have been found in time.
        unit_name: of the value.
        owner, runbook_url: who to ask, what to do.
        detail: the buckets around the time in question.
        buckets: all of the span, oldest first.
    """

    asked: str
    metric: str
    dimension: str
    segment: str
    answer: str
    why: tuple[str, ...]
    alert: Alert | None
    judging: Judging
    marks: tuple[Mark, ...]
    peak: Peak | None
    needed: tuple[Needed, ...] = ()
    unit_name: str | None
    owner: str | None
    runbook_url: str | None
    detail: tuple[BucketLine, ...]
    buckets: tuple[BucketLine, ...]


def judging(plan: MetricPlan | None, dimension: str, alert: Alert | None) -> Judging:
    """By what a series is judged; an incident knows its own threshold best."""
    threshold = None if alert is None else float(alert["threshold"])
    severity = None if alert is None else alert["severity"]
    if plan is None:
        return Judging(severity=severity, threshold=threshold, seconds_per_false_alarm=None)
    if threshold is None:
        log_threshold = log_threshold_of(plan, dimension)
        threshold = None if log_threshold is None else log_threshold / math.log(10)
    width = plan.calendar.width_us / SECOND
    every = DAY / SECOND if alert is not None and is_drift(alert) else width
    return Judging(
        severity=severity or plan.severity,
        threshold=threshold,
        seconds_per_false_alarm=None if threshold is None else 10**threshold * every,
        direction=plan.direction,
        min_relative_shift=plan.min_relative_shift,
        min_units=plan.min_units,
        no_data=plan.no_data,
        bucket_seconds=width,
    )


def is_drift(alert: Alert) -> bool:
    """Whether an alert is the ticket of a slow drift, which is judged by the day and not by the bucket."""
    return alert["reason"] in DRIFTS


def log_threshold_of(plan: MetricPlan, dimension: str) -> float | None:
    """Natural log of A of a dimension's series; None where the metric has no such dimension."""
    for grouping, log_threshold in zip(plan.groupings, plan.log_threshold, strict=True):
        if (format_segment(grouping) or "all") == dimension:
            return log_threshold
    return None


def peak(rows: Iterable[BucketLine]) -> Peak | None:
    """The bucket with the most evidence, the first where there are several."""
    judged = [row for row in rows if row.evidence is not None]
    if not judged:
        return None
    best = max(judged, key=lambda row: row.evidence or 0.0)
    return Peak(evidence=float(best.evidence or 0.0), at=best.end)


def around(rows: Sequence[BucketLine], at_us: int, *, before: int, after: int) -> list[BucketLine]:
    """The buckets next to the one that ends at a time or holds it."""
    index = next((i for i, row in enumerate(rows) if from_rfc3339(row.end) >= at_us), len(rows))
    return list(rows[max(index - before, 0) : index + after + 1])


def covers(alert: Alert, at_us: int) -> bool:
    """Whether an incident that fired stood at that time, its start included."""
    if alert["state"] == "pending" or from_rfc3339(alert["started_at"]) > at_us:
        return False
    return alert["resolved_at"] is None or at_us < from_rfc3339(alert["resolved_at"])


def long(seconds: float) -> str:
    """A length of time as a person says it.

    >>> long(90.0), long(86_400.0 * 9), long(86_400.0 * 300), long(86_400.0 * 4_000)
    ('1 min 30 s', '9 d', '300 d', '11 years')
    """
    years = seconds / 86_400 / 365
    if years >= 2:  # noqa: PLR2004 - below, days say more
        return f"{years:,.0f} years"
    if seconds >= 864_000:  # noqa: PLR2004 - of ten days on, nobody asks for the hours
        return f"{seconds / 86_400:,.0f} d"
    return duration(round(seconds * SECOND))

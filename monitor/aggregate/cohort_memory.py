"""How much memory the cohorts of a metric may take: bounded, whatever comes."""

from dataclasses import dataclass

from monitor.aggregate.horizon import horizon_of
from monitor.aggregate.late_units import MOST
from monitor.definitions.calendar import bucket_end
from monitor.definitions.plan import MetricPlan
from monitor.stats.distinct import KEPT

_START = 8 + 8 + 1 + 4
"""Bytes of a start: unit, time, step reached, place by unit (`Starters`)."""
_REACHED = 8
"""More of it where there are several later steps: when the last one was reached."""
_PLACE = 2 + 4 + 4
"""Bytes of a start in each series that it belongs to, at most (`Cohorts`)."""
_LATER = 3 * 8
"""Bytes of a later step that is kept for late events (`UnitLog`)."""
_SOME_DAY = 20_400 * 86_400_000_000
"""Any day: cohorts are counted from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CohortMemory:
    """What the cohorts of one metric cost.

    Attributes:
        bytes_per_start: of one unit that starts once, in all groupings together; of a derived metric
            in each of its cohorts.
        cohorts: buckets whose units have not had their time.
        bytes_at_most: where every cohort of every series holds as many units as it may; it takes
            `KEPT` units a bucket in each series to get there.
    """

    bytes_per_start: int
    cohorts: int
    bytes_at_most: int


def cohort_memory(metric: MetricPlan, series: int) -> CohortMemory | None:
    """The memory of a metric's cohorts; None where it follows no units.

    Args:
        metric: the metric.
        series: how many series it may have, those of a funnel's steps left out.
    """
    horizon = horizon_of(metric)
    if horizon is None:
        return None
    end = bucket_end(metric.calendar, _SOME_DAY)
    cohorts = 1 + -(-(horizon.mature_us(end) - end) // metric.calendar.width_us)
    places = _PLACE * len(metric.event_groupings)
    per_start = at_most = 0
    for of in metric.followed:
        several = len(of.cohort.steps) > 2  # noqa: PLR2004 - the start and one more
        start = _START + (_REACHED if several else 0)
        per_start += start + places
        judged = MOST * (start + places + 2 * _LATER)
        at_most += cohorts * series * KEPT * (start + _PLACE) + judged
    return CohortMemory(bytes_per_start=per_start, cohorts=cohorts, bytes_at_most=at_most)

"""A cohort that a metric of a panel follows: its units in time, and the late ones.

A conversion, a funnel or a retention has one; what is derived from several of them has several.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from monitor.aggregate.cohorts import Cohorts
from monitor.aggregate.horizon import Horizon
from monitor.aggregate.late_units import LateUnits
from monitor.definitions.plan import MetricPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Follower:
    """Follows the units of one cohort of a metric.

    Attributes:
        metric: index of the metric among those of the panel.
        first: place of `converted` among the metric's measures; that of `units` is the next.
        start: number of its start among the steps of all cohorts of the metric.
        alone: whether it is the only one of its metric.
        windowed: whether the metric's window is longer than its bucket.
        cohorts: its units.
        late: what came late of them.
    """

    metric: int
    first: int
    start: int
    alone: bool
    windowed: bool
    cohorts: Cohorts
    late: LateUnits


def followers(metrics: Sequence[MetricPlan]) -> list[Follower]:
    """Those of all metrics, in order."""
    out = []
    for index, metric in enumerate(metrics):
        start, several = 0, metric.followed
        for of in several:
            cohorts = Cohorts(len(of.cohort.steps), Horizon.of(of))
            out.append(
                Follower(
                    metric=index,
                    first=of.first,
                    start=start,
                    alone=len(several) == 1,
                    windowed=metric.window_us > metric.calendar.width_us,
                    cohorts=cohorts,
                    late=LateUnits(cohorts),
                )
            )
            start += len(of.cohort.steps)
    return out


def dump(of: Sequence[Follower], metrics: Sequence[MetricPlan]) -> list[list[Any]]:
    """Their states as plain values and arrays, with whose they are."""
    return [
        [metrics[one.metric].name, metrics[one.metric].formula, one.cohorts.dump(), one.late.dump()]
        for one in of
    ]


def load(of: Sequence[Follower], metrics: Sequence[MetricPlan], states: list[list[Any]]) -> None:
    """Give them what `dump` gave, where the metric measures what it did."""
    known: dict[tuple[str, str], list[list[Any]]] = {}
    for name, formula, *parts in states:
        known.setdefault((name, formula), []).append(parts)
    for one in of:
        metric = metrics[one.metric]
        if (metric.name, metric.formula) in known:
            in_time, late = known[metric.name, metric.formula].pop(0)
            one.cohorts.load(in_time)
            one.late.load(late)

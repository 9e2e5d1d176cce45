"""Thresholds from the alert budget (GUARD.md, the promise)."""

import math
from collections.abc import Sequence

from monitor.definitions.plan import COMBINATION_FACTOR
from monitor.definitions.schema import Funnel, Metric
from monitor.model.time import DAY
from monitor.settings import AlertBudget

TICKET_FACTOR = 10.0
"""The budget of tickets, in budgets of pages."""

SMALLEST_THRESHOLD = 20.0
"""Below it, M needs hardly any evidence; a higher threshold keeps the promise all the same."""


STEPS = ("step",)
"""The grouping by the steps of a funnel; no event has this dimension."""


def groupings_of(metric: Metric) -> tuple[tuple[str, ...], ...]:
    """Tuples of dimension names by which a metric has series: the whole first, of a funnel its steps last."""
    own = ((), *metric.segments)
    return (*own, STEPS) if isinstance(metric, Funnel) else own


def series_bounds(metric: Metric, cardinality: int) -> tuple[int, ...]:
    """Most series by grouping: the whole; values and `other`; 10 times as many combinations; steps."""
    bounds = tuple(series_bound(grouping, cardinality) for grouping in ((), *metric.segments))
    return (*bounds, len(metric.steps)) if isinstance(metric, Funnel) else bounds


def series_bound(grouping: tuple[str, ...], cardinality: int) -> int:
    """Most series of a grouping of dimensions that events have."""
    if not grouping:
        return 1
    return cardinality + 1 if len(grouping) == 1 else COMBINATION_FACTOR * cardinality


def drift_log_threshold(metric: Metric, metrics: Sequence[Metric], budget: AlertBudget) -> float:
    """Natural log of 1 over the chance of a false drift of a metric's whole, a day.

    Drifts are tickets that have a budget of their own, as large as that of pages and a tenth of the
    tickets', so that no other threshold depends on them: all metrics share it by their weights.
    """
    share = metric.detect.weight / math.fsum(m.detect.weight for m in metrics)
    days = budget.per / DAY
    return math.log(max(days / (budget.pages * share), SMALLEST_THRESHOLD))


def log_thresholds(
    metric: Metric, metrics: Sequence[Metric], budget: AlertBudget, cardinality: int
) -> tuple[float, ...]:
    """Natural log of A by grouping, the whole first.

    A = T / (B s): T buckets in the period, B false alarms in it, s the series' share of them. Half
    of a metric's share goes to its whole, half to its segments and steps, evenly by their bound.
    Every metric of the severity has a share, whether or not it is served or deprecated, so that the
    thresholds of the others do not move when that changes.
    """
    severity = metric.alert.severity
    alarms = budget.pages * (TICKET_FACTOR if severity == "ticket" else 1.0)
    weights = math.fsum(m.detect.weight for m in metrics if m.alert.severity == severity)
    share = metric.detect.weight / weights
    segments = sum(series_bounds(metric, cardinality)[1:])
    buckets = budget.per / metric.bucket
    whole, each = (share / 2, share / 2 / segments) if segments else (share, 0.0)
    shares = [whole, *(each for _ in groupings_of(metric)[1:])]
    return tuple(math.log(max(buckets / (alarms * s), SMALLEST_THRESHOLD)) for s in shares)

"""Which series a release is judged by, and the share of its alpha that each has.

Nothing depends on what other shards hold: a metric's share follows from the definitions, and is divided
among the series that it has when the release begins. The shares of all are 1 at most, so that they may be
compared by e-BH with weights (Wang and Ramdas 2022).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.definitions.plan import MetricPlan
from monitor.model.release import Arms, Release, Scope
from monitor.model.segment import parse_segment
from monitor.model.tick import Bools, Floats
from monitor.model.time import DAY
from monitor.release.book import WATCHED_US

HALF = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which series a row is.

    Attributes:
        metric: its definition.
        dimensions: of its grouping; none of a whole.
        segment: `all`, or one CSV row of values.
    """

    metric: MetricPlan
    dimensions: tuple[str, ...]
    segment: str


def metrics_in_scope(release: Release, metrics: Sequence[MetricPlan]) -> list[MetricPlan]:
    """The metrics that a release is judged by."""
    return [metric for metric in metrics if is_judged_by(release, metric)]


def is_judged_by(release: Release, metric: MetricPlan) -> bool:
    """Whether the metric is in scope: where the scope names no metrics, each that can tell in time."""
    return metric.name in release.scope.metrics or (
        not release.scope.metrics and not is_too_slow(metric)
    )


def is_too_slow(metric: MetricPlan) -> bool:
    """Whether no bucket begins and is known inside the time in which a release is watched."""
    horizons = (of.cohort.within_us + of.cohort.day * DAY for of in metric.followed)
    horizon_us = max(horizons, default=0)
    return metric.calendar.width_us + horizon_us >= WATCHED_US


def is_in_scope(place: Place, release: Release) -> bool:
    """Whether a release without arms is judged by this series.

    Of a scope without segments all are. With segments, those that have one of the named values of every
    named dimension that their metric is cut by; a metric that is cut by none of them as a whole.
    """
    if not is_judged_by(release, place.metric):
        return False
    named = _named(place.metric, release.scope)
    if not named:
        return not release.scope.segments or not place.dimensions
    if not named <= set(place.dimensions):
        return False
    values = dict(zip(place.dimensions, parse_segment(place.segment), strict=True))
    return all(values[name] in release.scope.segments[name] for name in named)


def is_explicit(place: Place, release: Release) -> bool:
    """Whether it is listed even where nothing is found: a whole, or a segment as it was named."""
    return set(place.dimensions) == _named(place.metric, release.scope)


def _named(metric: MetricPlan, scope: Scope) -> set[str]:
    """The dimensions of the scope by which the metric is cut, as far as one grouping has them."""
    groupings = [set(grouping) & set(scope.segments) for grouping in metric.groupings]
    return max(groupings, key=len)


def compares_arms(metric: MetricPlan, arms: Arms) -> bool:
    """Whether the metric is cut by the dimension of the arms."""
    return (arms.dimension,) in metric.groupings


def shares(places: Sequence[Place], judged: Bools, release: Release, metrics: int) -> Floats:
    """Each row's share of alpha; 0 where it is not judged.

    Of a metric's share what is listed anyway has one half, and what is finer the other.

    Args:
        places: rows in scope.
        judged: those of which enough is known.
        release: by whose scope they are.
        metrics: in scope, of all shards.
    """
    out = np.zeros(len(places))
    by_metric: dict[str, list[int]] = {}
    for row in np.flatnonzero(judged).tolist():
        by_metric.setdefault(places[row].metric.name, []).append(row)
    for rows in by_metric.values():
        listed = [row for row in rows if is_explicit(places[row], release)]
        finer = [row for row in rows if not is_explicit(places[row], release)]
        part = HALF if listed and finer else 1.0
        for of in (listed, finer):
            out[of] = part / (metrics * max(len(of), 1))
    return out

"""What each metric would find at volumes that are assumed, before anything has been learnt.

An operator who has no history yet asks whether a metric can ever page. The law, the threshold and the judged sides are the
metric's own; what only data can tell is taken to be usual, and is told beside the figures.
"""

import math
from dataclasses import replace
from typing import Final

from monitor.definitions.plan import Law, MetricPlan, Plan
from monitor.embedded.detectable import Detectable, by_horizon
from monitor.guard.bets import BAND_SDS, capital
from monitor.guard.smallest_shift import Typical
from monitor.model.tick import LAWS
from monitor.model.time import DAY, HOUR

VOLUMES: Final = (100, 1_000, 10_000)
"""Units a bucket."""
DISPERSION: Final = 2.0
"""Of counts and shares: twice the variance of independent events."""
SHARE: Final = 0.1
"""Of ratios and conversions."""
VARIATION: Final = 1.0
"""Standard deviation of values over their mean."""
_LEVEL_ERROR: Final = 0.09
"""Variance of what is learnt over that of an hour's value: 1.25/4 of the profile's 20 or so free values of 168, half of the
24 hours of a level (GUARD.md, the baseline, 7), and as much again for hours and days that are off, as measured
(docs/statistics.md, worlds)."""
_MEMORY_US: Final = DAY
"""Of the level that forgets fastest."""


def detectable_by_volume(plan: Plan) -> dict[str, tuple[Detectable, ...]]:
    """By metric, what its whole would find at each of `VOLUMES`; the `problem` of the last is its own."""
    return {metric.name: tuple(_at(metric, units) for units in VOLUMES) for metric in plan.metrics}


def _at(metric: MetricPlan, units: int) -> Detectable:
    found = by_horizon(
        _typical(metric, units),
        width_us=metric.calendar.width_us,
        memory_us=_MEMORY_US,
        up=metric.up,
        down=metric.down,
    )
    judged = metric.direction != "none" and 3 * metric.calendar.width_us <= DAY
    blind = None
    if judged and found.is_blind:
        blind = (
            f"would see no shift within a day with {units:,} units a bucket: lower "
            f"detect.min_relative_shift ({100 * metric.min_relative_shift:g} %)"
        )
    return replace(found, units=float(units), problem=blind)


def _typical(metric: MetricPlan, units: int) -> Typical:
    """A bucket of so many units, with what is usual for all that only data can tell."""
    level, phi, variance = _usual(metric.law, float(units))
    hour = units * max(HOUR / metric.calendar.width_us, 1.0)
    error = math.sqrt(_LEVEL_ERROR * variance * units / hour)
    quantile = metric.law is Law.QUANTILE
    return Typical(
        law=LAWS.index(metric.law),
        level=level,
        units=float(units),
        phi=phi,
        eps=max(metric.min_relative_shift, BAND_SDS * error),
        log_threshold=metric.log_threshold[0],
        capital=capital(
            up=metric.up,
            down=metric.down,
            silence=metric.no_data == "alert",
        ),
        tail=_tail(metric, hour) if quantile else None,
    )


def _usual(law: Law, units: float) -> tuple[float, float, float]:
    """Level, dispersion and relative variance of a bucket."""
    if law is Law.BETA_BINOMIAL:
        return SHARE, DISPERSION, DISPERSION * (1.0 - SHARE) / (SHARE * units)
    if law is Law.NEGATIVE_BINOMIAL:
        return units, DISPERSION, DISPERSION / units
    scattered = VARIATION**2
    if law is Law.NORMAL_SUM:  # of as many values of mean 1, whose number scatters too
        return units, 1.0 + scattered, (1.0 + scattered) / units
    return 1.0, scattered, scattered / units


def _tail(metric: MetricPlan, hour: float) -> tuple[float, float, float, float]:
    """Of a quantile, what its bets on the share of events above it need: see `Typical.tail`."""
    q = next(measure.q for measure in metric.measures if measure.q is not None)
    share = 1.0 - q
    deviation = math.sqrt(_LEVEL_ERROR * DISPERSION / (hour * share * q))
    return share, 0.0, deviation, DISPERSION

"""How large a shift would have been found in time, worked out from a bucket and its band."""

import math
from dataclasses import dataclass

from monitor.definitions.plan import Law, MetricPlan
from monitor.guard.bets import capital
from monitor.guard.detectable import minimum_detectable_shift
from monitor.guard.label import BOUND_SDS
from monitor.model.bucket import BucketLine
from monitor.model.time import DAY, HOUR, MINUTE, SECOND

HORIZONS_US = (15 * MINUTE, HOUR, DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """The shift that is found within a time about every other time.

    Attributes:
        within_seconds: the time.
        relative_shift: its size, a share; None where no shift is found so soon.
    """

    within_seconds: float
    relative_shift: float | None


def needed_shifts(row: BucketLine, plan: MetricPlan, log_threshold: float) -> tuple[Needed, ...]:
    """What would have been found, had it begun with this bucket and the volume stayed.

    The band is `expected (1 +- (eps + 3 sd))` (`guard.label.bounds`). A bucket does not tell its eps,
    which is at least the metric's `min_relative_shift`; with that, all of the rest counts as noise.

    Args:
        row: the bucket.
        plan: its metric.
        log_threshold: natural log of A of its series.

    Returns:
        One a horizon; none where the bucket has no band, and none for a quantile: it is judged by
        the share of events beyond its level, which a bucket does not tell.
    """
    width = _half_width(row)
    if width is None or plan.law is Law.QUANTILE:
        return ()
    eps = plan.min_relative_shift
    sd = max(width - eps, 0.0) / BOUND_SDS
    bets = capital(
        up=plan.up,
        down=plan.down,
        silence=plan.no_data == "alert",
    )
    found = []
    for horizon_us in HORIZONS_US:
        shift = minimum_detectable_shift(
            relative_variance=sd * sd,
            eps=eps,
            log_threshold=log_threshold,
            buckets=horizon_us // plan.calendar.width_us,
            capital=bets,
        )
        known = None if math.isnan(shift) else shift
        found.append(Needed(within_seconds=horizon_us / SECOND, relative_shift=known))
    return tuple(found)


def _half_width(row: BucketLine) -> float | None:
    """Of the band, relative to what is expected; of the side that is not cut off at 0 or 1."""
    if row.expected is None or row.expected <= 0:
        return None
    sides = [abs(edge - row.expected) for edge in (row.lower, row.upper) if edge is not None]
    return max(sides) / row.expected if sides else None

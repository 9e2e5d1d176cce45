"""The words for a decision: state, reason, and the bounds of what is noise."""

from typing import Any

import numpy as np

from monitor.guard.incident import Bucket
from monitor.model.tick import Bools, Floats, Ints, Reason, State
from monitor.stats import laws

BOUND_SDS = 3.0
"""What is shown as noise: the null band and this many standard deviations of a bucket."""


def label(
    bucket: Bucket,
    parent_open: Bools,
    *,
    is_open: Bools,
    suspected: Bools,
    log_m: Floats,
    silent: Bools,
) -> tuple[Ints, Ints]:
    """State and reason of each row, the later case overruling the earlier.

    Args:
        bucket: the bucket.
        parent_open: rows whose parent has an open incident.
        is_open: rows with an open incident of their own.
        suspected: rows whose evidence is at or above the square root of A.
        log_m: the evidence.
        silent: totals that are 0 where they should not be.
    """
    above = log_m >= bucket.traits.log_threshold
    few = ~(bucket.expected.units >= bucket.traits.min_units)
    under = parent_open & suspected
    cases: tuple[tuple[Bools, State, Any], ...] = (
        (suspected, State.SUSPECTED, Reason.EVIDENCE_GROWING),
        (under, State.SUSPECTED, Reason.PARENT_ALERTING),
        (under & above, State.ALERTING, Reason.PARENT_ALERTING),
        (few, State.TOO_FEW_UNITS, Reason.TOO_FEW_UNITS),
        (is_open, State.ALERTING, np.where(silent, Reason.SILENT, Reason.SHIFT)),
        (~bucket.expected.ready, State.LEARNING, Reason.LEARNING),
        (_holiday(bucket), State.LEARNING, Reason.HOLIDAY),
        (~bucket.seen.observed, State.NO_DATA, Reason.NO_DATA),
    )
    size = log_m.size
    state, reason = np.full(size, int(State.OK)), np.full(size, int(Reason.WITHIN_BAND))
    for where, its_state, its_reason in cases:
        if where.any():
            np.copyto(state, int(its_state), where=where)
            np.copyto(reason, its_reason, where=where)
    return state, reason


def _holiday(bucket: Bucket) -> Bools:
    holiday = bucket.expected.holiday
    return np.zeros(bucket.seen.x.size, dtype=np.bool_) if holiday is None else holiday


def bounds(bucket: Bucket) -> tuple[Floats, Floats]:
    """Lower and upper bound of values that are noise; NaN where unknown."""
    level, scaled = bucket.expected.level, bucket.scale
    width = scaled.eps + BOUND_SDS * np.sqrt(scaled.variance) / np.abs(scaled.mean)
    width = np.where(np.isfinite(width), width, np.nan)
    most = np.where(bucket.traits.law == laws.BETA_BINOMIAL, 1.0, np.inf)
    return np.maximum(level * (1.0 - width), 0.0), np.minimum(level * (1.0 + width), most)

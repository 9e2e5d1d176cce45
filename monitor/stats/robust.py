"""Medians that ignore what is missing, row by row, the same whatever other rows stand beside."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NORMAL_MAD = 1.483
"""Standard deviation of a normal variable over the median of its absolute deviation."""


def count_last(values: Array) -> Array:
    """How many entries of the last axis are not NaN."""
    count: Array = np.count_nonzero(~np.isnan(values), axis=-1)
    return count


def mean_last(values: Array) -> Array:
    """Mean over the last axis of what is not NaN; NaN where all is."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        mean: Array = np.where(known, values, 0.0).sum(axis=-1) / np.count_nonzero(known, axis=-1)
    return mean


def median_last(values: Array) -> Array:
    """Median over the last axis of what is not NaN; NaN where all is.

    >>> median_last(np.array([[3.0, np.nan, 1.0], [np.nan, np.nan, np.nan]]))
    array([ 2., nan])
    """
    return middle(np.sort(values, axis=-1), count_last(values))


def middle(ordered: Array, count: Array) -> Array:
    """Median of the first `count` entries of an ordered last axis."""
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0)[..., None], axis=-1)
    high = np.take_along_axis(
        ordered, np.minimum(count // 2, ordered.shape[-1] - 1)[..., None], axis=-1
    )
    half: Array = 0.5 * (low[..., 0] + high[..., 0])
    return half


def minmod_last(values: Array) -> Array:
    """The entry of the last axis nearest to 0 where all share one sign, else 0; NaN is ignored.

    >>> minmod_last(np.array([[0.2, 0.1, np.nan], [0.2, -0.1, 0.3]]))
    array([0.1, 0. ])
    """
    lowest = np.min(np.where(np.isnan(values), np.inf, values), axis=-1)
    highest = np.max(np.where(np.isnan(values), -np.inf, values), axis=-1)
    rising = (lowest > 0) & np.isfinite(lowest)
    falling = (highest < 0) & np.isfinite(highest)
    result: Array = np.where(rising, lowest, np.where(falling, highest, 0.0))
    return result

"""Whether a share of lines is beyond what is usual of it."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEAST_EXCESS: Final = 0.02
"""Two percentage points: a smaller excess moves no metric by more than its null band."""
SDS: Final = 4.0
_MAD_TO_SD: Final = 1.4826


def quotient(part: Floats, of: Floats) -> Floats:
    """Shares; NaN where there is nothing to take a share of."""
    out = np.full(np.broadcast(part, of).shape, np.nan)
    np.divide(part, of, out=out, where=of > 0)
    return out


def middle(shares: Floats) -> tuple[Floats, Floats]:
    """Median over the first axis and standard deviation by the median absolute deviation.

    Args:
        shares: float64[times, ...]; NaN is left out, and comes back where there is nothing else.

    >>> middle(np.array([[0.0], [0.1], [0.2], [np.nan], [9.0]]))
    (array([0.15]), array([0.14826]))
    """
    center = _median(shares)
    return center, _MAD_TO_SD * _median(np.abs(shares - center))


def _median(values: Floats) -> Floats:
    if not len(values):
        return np.full(values.shape[1:], np.nan)
    ordered = np.sort(values, axis=0)  # NaN comes last
    count = np.count_nonzero(~np.isnan(values), axis=0)[None]
    low = np.take_along_axis(ordered, np.maximum(count - 1, 0) // 2, axis=0)[0]
    high = np.take_along_axis(ordered, count // 2 * (count > 0), axis=0)[0]
    result: Floats = (low + high) / 2.0
    return result


def beyond(share: Floats, n: Floats, usual: Floats, spread: Floats) -> Bools:
    """Where a share is above the usual one by 2 percentage points and 4 standard deviations.

    Its variance is that of a binomial of n lines at the mean of both shares, and how the share
    differs from hour to hour.

    Args:
        share: observed; NaN where unknown, which is never beyond.
        n: lines that it is a share of.
        usual: of the time before.
        spread: standard deviation of the share from hour to hour.

    >>> some = np.array([0.19, 0.1, 0.03]), np.array([90.0, 10.0, 1e6])
    >>> beyond(*some, np.zeros(3), np.array([0.0, 0.0, 0.02]))
    array([ True, False, False])
    """
    excess = share - usual
    both = np.clip((share + usual) / 2.0, 0.0, 1.0)
    variance = quotient(both * (1.0 - both), np.asarray(n, dtype=np.float64)) + spread**2
    found: Bools = (excess > LEAST_EXCESS) & (excess > SDS * np.sqrt(variance))
    return found

"""The minimum detectable shift: how small a fall the guard finds in a given time.

A quiet band may be a blind one. Of a bucket whose relative residual is normal with variance v, the bet on
a fall by delta grows, where the fall is s, by `g = (delta - eps)(2 s - delta - eps) / (2 v)` in the mean:
the expected log likelihood ratio of a fall by delta over one by eps (GUARD.md, the detector). The
alarm is due where the best bet of the grid has grown to A times the number of bets among which the mixture
divides. The e-SR sums over all starts of the shift, which is worth a factor of about 1 + 1/g (the median of
the perpetuity that it tends to: Dufresne, Scand. Actuarial J. 1990). So T buckets are enough where
`T g + log(1 + 1/g) = log(A bets)`, which gives g, and g gives s: about the median.
"""

import math

from monitor.guard.bets import SIZES

CAP = 0.5
"""Of log A: the most that the evidence of one bucket may grow by."""
BETS = 2.0 * SIZES.size + 1.0
"""Bets of a series that is judged in both directions and for silence."""
_HALVINGS = 60
_NOWHERE = float("nan")


def minimum_detectable_shift(
    *,
    relative_variance: float,
    eps: float,
    log_threshold: float,
    buckets: float,
    bets: float = BETS,
) -> float:
    """The smallest relative fall that is found within some buckets with a probability of about 1/2.

    Args:
        relative_variance: variance of a bucket over the square of its mean, dispersion included.
        eps: half-width of the null band.
        log_threshold: natural log of A.
        buckets: how many there are to find it in.
        bets: among how many bets the mixture divides.

    Returns:
        A share above 0 and at most 1; NaN where no fall is found in so few buckets.

    >>> round(minimum_detectable_shift(relative_variance=0.002, eps=0.02, log_threshold=11.8, buckets=60), 3)
    0.05
    """
    needed = log_threshold + math.log(bets)
    known = relative_variance > 0 and eps >= 0 and math.isfinite(log_threshold)
    if not known or buckets * CAP * log_threshold < needed:
        return _NOWHERE
    growth = _growth(needed, buckets)
    found = [
        (delta + eps) / 2.0 + relative_variance * growth / (delta - eps)
        for delta in SIZES.tolist()
        if delta > eps
    ]
    smallest = min(found, default=_NOWHERE)
    return smallest if smallest <= 1.0 else _NOWHERE


def volume_factor(
    *,
    shift: float,
    relative_variance: float,
    eps: float,
    log_threshold: float,
    buckets: float,
    bets: float = BETS,
) -> float:
    """By what the volume of a bucket must be multiplied for a shift to be found in some buckets.

    Args:
        shift: its size, a share above 0.
        relative_variance: of a bucket now; it falls as the volume rises.
        eps: half-width of the null band.
        log_threshold: natural log of A.
        buckets: how many there are to find it in.
        bets: among how many bets the mixture divides.

    Returns:
        Above 0, below 1 where less would do; NaN where no volume is enough: the shift lies within the
        band, or there are too few buckets.
    """
    needed = log_threshold + math.log(bets)
    known = relative_variance > 0 and eps >= 0 and math.isfinite(log_threshold)
    if not known or buckets * CAP * log_threshold < needed:
        return _NOWHERE
    worth = [
        (shift - (delta + eps) / 2.0) * (delta - eps) for delta in SIZES.tolist() if delta > eps
    ]
    most = max(worth, default=0.0)
    return relative_variance * _growth(needed, buckets) / most if most > 0 else _NOWHERE


def _growth(needed: float, buckets: float) -> float:
    """The g of a bucket such that `buckets g + log(1 + 1/g) = needed`, on the branch that rises with g."""
    low, high = 1.0 / buckets, needed / buckets
    if high <= low:
        return high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        if buckets * middle + math.log1p(1.0 / middle) < needed:
            low = middle
        else:
            high = middle
    return high

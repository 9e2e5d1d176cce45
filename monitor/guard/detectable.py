"""The minimum detectable shift: how small a fall the guard finds in a given time.

A quiet band may be a blind one. Of a bucket whose relative residual is normal with variance v, the bet on
a fall by delta grows, where the fall is s, by `g = (delta - eps)(2 s - delta - eps) / (2 v)` in the mean:
the expected log likelihood ratio of a fall by delta over one by eps (GUARD.md, the detector). The
alarm is due where the best bet of the grid has grown to A over its share of the mixture. The e-SR sums over all starts of the shift, which is worth a factor of about 1 + 1/g (the median of
the perpetuity that it tends to: Dufresne, Scand. Actuarial J. 1990). So T buckets are enough where
`T g + log(1 + 1/g) = log(A / share)`, which gives g, and g gives s: about the median.
"""

import math

import numpy as np

from monitor.guard.bets import DELTAS, UP, WEIGHTS
from monitor.model.tick import Floats

CAP = 0.5
"""Of log A: the most that the evidence of one bucket may grow by."""
_HALVINGS = 60
_NOWHERE = float("nan")


def minimum_detectable_shift(
    *,
    relative_variance: float,
    eps: float,
    log_threshold: float,
    buckets: float,
    capital: float = 1.0,
) -> float:
    """The smallest relative fall that is found within some buckets with a probability of about 1/2.

    Args:
        relative_variance: variance of a bucket over the square of its mean, dispersion included.
        eps: half-width of the null band.
        log_threshold: natural log of A.
        buckets: how many there are to find it in.
        capital: that the mixture divides, see `bets.capital`.

    Returns:
        A share above 0 and at most 1; NaN where no fall is found in so few buckets.

    >>> round(minimum_detectable_shift(relative_variance=0.002, eps=0.02, log_threshold=11.8, buckets=60), 3)
    0.05
    """
    if not (relative_variance > 0 and eps >= 0 and math.isfinite(log_threshold)):
        return _NOWHERE
    found = [
        (delta + eps) / 2.0 + relative_variance * growth / (delta - eps)
        for delta, growth in _bets(log_threshold, buckets, capital, eps, up=False)
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
    capital: float = 1.0,
    up: bool = False,
) -> float:
    """By what the volume of a bucket must be multiplied for a shift to be found in some buckets.

    Args:
        shift: its size, a share above 0.
        relative_variance: of a bucket now; it falls as the volume rises.
        eps: half-width of the null band.
        log_threshold: natural log of A.
        buckets: how many there are to find it in.
        capital: that the mixture divides, see `bets.capital`.
        up: whether it is a rise.

    Returns:
        Above 0, below 1 where less would do; NaN where no volume is enough: the shift lies within the
        band, or there are too few buckets.
    """
    if not (relative_variance > 0 and eps >= 0 and math.isfinite(log_threshold)):
        return _NOWHERE
    needed = [
        relative_variance * growth / ((shift - (delta + eps) / 2.0) * (delta - eps))
        for delta, growth in _bets(log_threshold, buckets, capital, eps, up=up)
        if shift > (delta + eps) / 2.0
    ]
    return min(needed, default=_NOWHERE)


def shares(*, up: bool, capital: float) -> Floats:
    """What each bet of one side holds of the capital that is divided, in the order of their sizes."""
    of_side: Floats = WEIGHTS[UP if up else ~UP] / capital
    return of_side


def _bets(
    log_threshold: float, buckets: float, capital: float, eps: float, *, up: bool
) -> list[tuple[float, float]]:
    """The bets of one side that can win in so many buckets: size, and what each must grow by a bucket."""
    sizes = np.abs(DELTAS[UP if up else ~UP]).tolist()
    found = []
    for delta, share in zip(sizes, shares(up=up, capital=capital).tolist(), strict=True):
        needed = log_threshold - math.log(share)
        if delta > eps and buckets * CAP * log_threshold >= needed:
            found.append((delta, _growth(needed, buckets)))
    return found


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

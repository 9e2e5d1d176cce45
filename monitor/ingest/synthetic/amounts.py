"""What is measured of single events: amounts of orders, durations of requests."""

import math
from typing import Final

import numpy as np

from monitor.ingest.synthetic.market import Floats, Ints

_AMOUNT: Final = (3.3, 0.7)  # of the logarithm
_RICH: Final = 0.02
"""The share of orders with a heavy tail."""
_TAIL: Final = 3.5
_MOST: Final = 900.0
_DURATION: Final = (math.log(180.0), 0.6)
SLOW: Final = 2.5
"""How much longer robots' requests take."""

# The quantile function of the normal law, by linear interpolation of its distribution function.
_Z: Final[Floats] = np.linspace(-4.5, 4.5, 1801)
_P: Final[Floats] = np.array([0.5 * math.erfc(-z / math.sqrt(2)) for z in _Z.tolist()])


def amounts(rng: np.random.Generator, size: int) -> Floats:
    """Amounts of orders: log-normal, one in fifty times a Pareto factor, none above 900."""
    found = rng.lognormal(*_AMOUNT, size)
    rich = np.flatnonzero(rng.random(size) < _RICH)
    found[rich] *= 2 * (1 + rng.pareto(_TAIL, len(rich)))
    return np.minimum(found, _MOST)


def mean_amounts(rng: np.random.Generator, counts: Ints) -> Floats:
    """The mean amount of `counts` orders, all at least 1, drawn one by one."""
    if not len(counts):
        return np.zeros(0)
    drawn = amounts(rng, int(counts.sum()))
    return np.asarray(np.add.reduceat(drawn, np.cumsum(counts) - counts) / counts)


def durations(rng: np.random.Generator, size: int) -> Floats:
    """Milliseconds of requests: log-normal around 180."""
    return rng.lognormal(*_DURATION, size)


def durations_at(share: Floats) -> Floats:
    """The quantiles of the durations at these shares."""
    mean, spread = _DURATION
    return np.asarray(np.exp(mean + spread * np.interp(share, _P, _Z)))

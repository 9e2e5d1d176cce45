"""An interval that holds at all times at once: a confidence sequence."""

import math

import numpy as np

from monitor.model.tick import Floats


def tuned_for(variance: Floats, alpha: float) -> Floats:
    """The rho with which the sequence is narrowest at this variance.

    Howard, Ramdas, McAuliffe, Sekhon, Time-uniform, nonparametric, nonasymptotic confidence sequences
    (Annals of Statistics 2021): the two-sided normal mixture, its optimum in the closed approximation.
    """
    log = -2.0 * math.log(alpha)
    rho: Floats = variance / (log + math.log1p(log))
    return rho


def half_width(variance: Floats, rho: Floats, alpha: float) -> Floats:
    """Half-width around a sum of that variance so far, never left with probability 1 - alpha.

    The two-sided normal mixture, `sqrt((V + rho) log((V + rho) / (rho alpha^2)))` (ibid.).

    >>> v = np.array([100.0])
    >>> half_width(v, tuned_for(v, 0.05), 0.05).round(1)
    array([30.4])
    """
    total = variance + rho
    width: Floats = np.sqrt(total * (np.log(total / rho) - 2.0 * math.log(alpha)))
    return width

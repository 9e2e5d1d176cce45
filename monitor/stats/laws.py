"""The laws by their codes: expected total, variance at phi = 1, and the likelihood ratio.

A code is an index into `monitor.model.tick.LAWS`.
"""

import numpy as np
from numpy.typing import NDArray

from monitor.model.tick import LAWS, Bools, Floats
from monitor.stats import beta_binomial, negative_binomial, normal

NEGATIVE_BINOMIAL = LAWS.index("negative_binomial")
BETA_BINOMIAL = LAWS.index("beta_binomial")
NORMAL_SUM = LAWS.index("normal_sum")
NORMAL_MEAN = LAWS.index("normal_mean")
QUANTILE = LAWS.index("quantile")

_MEANS = (NORMAL_MEAN, QUANTILE)

SMALLEST_VARIANCE = 1e-6
"""A normal residual is never taken to be more exact than 0.1 %."""

Codes = NDArray[np.int8]


def expected_total(level: Floats, n: Floats, total: Bools) -> Floats:
    """Expected x of a bucket with n units: the level of a total, else level times n."""
    return np.where(total, level, level * n)


def variance(law: Codes, level: Floats, mean: Floats) -> Floats:
    """Variance of x at phi = 1: mean for totals, n p (1 - p) for shares, n level^2 for the others."""
    of_mean = (law == NORMAL_MEAN) | (law == QUANTILE)
    factor = np.where(law == BETA_BINOMIAL, 1.0 - level, np.where(of_mean, np.abs(level), 1.0))
    return np.abs(mean) * factor


def null_inflation(code: int, null: Floats) -> Floats:
    """What a shift does to the variance of a residual under a normal law; never less than 1.

    The variance of a sum follows its mean, that of a mean the square; below the expectation the
    larger variance is kept, so that no null inside the band gains by it.
    """
    grown = np.maximum(1.0 + null, 1.0)
    return grown * grown if code in _MEANS else grown


def log_ratio(
    code: int,
    *,
    x: Floats,
    n: Floats,
    level: Floats,
    mean: Floats,
    phi: Floats,
    null: Floats,
    alternative: Floats,
) -> Floats:
    """Log likelihood ratio of one law, the alternative shift over the null shift; all one shape.

    Of a quantile that of its value, taken to be a mean: what it amounts to and whether it is over are
    judged so; whether it has shifted is judged by shares (`guard.tail_bets`).

    Args:
        code: the law.
        x: observed total.
        n: observed units.
        level: expected value.
        mean: expected x.
        phi: dispersion.
        null: relative shift under the null.
        alternative: relative shift under the alternative.
    """
    if code == NEGATIVE_BINOMIAL:
        return negative_binomial.log_ratio(x, mean, phi, null, alternative)
    if code == BETA_BINOMIAL:
        return beta_binomial.log_ratio(x, n, p=level, phi=phi, null=null, alternative=alternative)
    relative = phi / (n if code in _MEANS else mean)
    spread = np.maximum(relative, SMALLEST_VARIANCE) * null_inflation(code, null)
    return normal.log_ratio(x / mean - 1.0, spread, null, alternative)

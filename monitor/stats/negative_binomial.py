"""Likelihood ratio of counts: negative binomial of variance phi times the mean (GUARD: count)."""

import numpy as np

from monitor.model.tick import Floats

SMALLEST_EXCESS = 1e-12
"""phi - 1 is kept above this: the limit is the Poisson law, reached to full precision."""


def coefficients(phi: Floats, null: Floats, alternative: Floats) -> tuple[Floats, Floats]:
    """`(a, b)` such that the log likelihood ratio of a count x expected to be m is `a x - b m`.

    With mu0 = m (1 + null), mu1 = m (1 + alternative) and r = mu0 / (phi - 1), the ratio
    `x ln(mu1/mu0) - (x + r) ln((mu1 + r)/(mu0 + r))` is linear in x and in m, and its coefficients
    depend on phi and the shifts only.

    Args:
        phi: variance over mean, at least 1.
        null: relative shift under the null.
        alternative: relative shift under the alternative; above -1.
    """
    excess = np.maximum(phi - 1.0, SMALLEST_EXCESS)
    step = (alternative - null) / (1.0 + null)
    damped = np.log1p(step * (excess / (1.0 + excess)))
    return np.log1p(step) - damped, (1.0 + null) * (damped / excess)


def log_ratio(x: Floats, mean: Floats, phi: Floats, null: Floats, alternative: Floats) -> Floats:
    """Log of the likelihood at a mean shifted by `alternative` over that at one shifted by `null`."""
    a, b = coefficients(phi, null, alternative)
    return a * x - b * mean


def log_one_over_empty(mean: Floats, phi: Floats) -> Floats:
    """`-log P(x = 0)` of a count of this mean and dispersion."""
    excess = np.maximum(phi - 1.0, SMALLEST_EXCESS)
    result: Floats = mean * np.log1p(excess) / excess
    return result

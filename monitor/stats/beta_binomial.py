"""Likelihood ratio of x of n: beta-binomial with rho = (phi - 1)/(n - 1) (GUARD: ratio)."""

import numpy as np
from scipy.special import gammaln

from monitor.model.tick import Floats

SMALLEST_EXCESS = 1e-9
"""phi - 1 is kept above this: the limit is the binomial law."""
SMALLEST_SIZE = 1e-6
"""a + b is kept above this: rho cannot exceed 1, where all n do the same."""
STIRLING_FROM = 8.0
"""From this argument on three terms of Stirling's series are exact to 3e-10."""


def log_rising(a: Floats, x: Floats) -> Floats:
    """`ln Gamma(a + x) - ln Gamma(a)`, without the cancellation of a difference of large logs.

    Stirling's series with three terms (Abramowitz and Stegun 6.1.41) written so that `x << a` loses
    nothing; below `STIRLING_FROM` the log gamma function itself.
    """
    top = a + x
    inverse, inverse_top = 1.0 / a, 1.0 / top
    result: Floats = (
        x * np.log(a)
        + ((top - 0.5) * np.log1p(x * inverse) - x)
        + (_series(inverse_top) - _series(inverse))
    )
    small = a < STIRLING_FROM
    if small.any():
        result[small] = gammaln(top[small]) - gammaln(a[small])
    return result


def _series(inverse: Floats) -> Floats:
    square = inverse * inverse
    return inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260)))


def size(n: Floats, phi: Floats) -> Floats:
    """The a + b of the beta distribution under which x of n has phi times the binomial variance."""
    excess = np.maximum(phi - 1.0, SMALLEST_EXCESS)
    result: Floats = np.maximum((n - 1.0 - excess) / excess, SMALLEST_SIZE)
    return result


def log_kernel(x: Floats, n: Floats, p: Floats, total: Floats) -> Floats:
    """Log likelihood of x of n at probability p and size `total`, up to what does not depend on p.

    All arguments have one shape, or `x`, `n` and `total` a last axis of 1.
    """
    a = p * total
    b = total - a
    ones = np.ones_like(p)
    return log_rising(a, x * ones) + log_rising(b, (n - x) * ones)


def log_ratio(
    x: Floats, n: Floats, *, p: Floats, phi: Floats, null: Floats, alternative: Floats
) -> Floats:
    """Log likelihood at `p (1 + alternative)` over that at `p (1 + null)`; both must be in (0, 1)."""
    total = size(n, phi)
    return log_kernel(x, n, p * (1.0 + alternative), total) - log_kernel(
        x, n, p * (1.0 + null), total
    )

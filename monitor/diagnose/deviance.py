"""G^2 / phi: how much better "it moved by its own shift" tells what was seen than "it did not move".

A segment is measured against its *own* learnt level (GUARD.md, where and why). What its level may itself
be off by counts as noise, so that a long incident does not blame the largest series for the error of its baseline.
A share that is all but 1 is known no closer to it than by that error.
"""

import numpy as np

from monitor.diagnose.scope import M, N, V, X
from monitor.model.tick import Floats, Ints
from monitor.stats import laws


def deviance(sums: Floats, law: Ints, sd_level: Floats) -> Floats:
    """G^2 over the dispersion, the error of the level included; 0 where undefined.

    Args:
        sums: x, expected x, n and variance of x. float64[series, 4 or more]
        law: code. int64[series]
        sd_level: relative standard deviation of the level. float64[series]
    """
    x, m, n = sums[:, X], sums[:, M], sums[:, N]
    with np.errstate(all="ignore"):
        variance = sums[:, V] + (sd_level * m) ** 2
        count = 2.0 * (_x_log_ratio(x, m) - (x - m)) * m / variance
        p = np.minimum(m, np.maximum(n - sd_level * m, 0.5 * m))
        share = 2.0 * (_x_log_ratio(x, p) + _x_log_ratio(n - x, n - p))
        share *= np.minimum(p * (1.0 - p / n) / variance, 1.0)
        normal = (x - m) ** 2 / variance
        result = np.where(
            law == laws.NEGATIVE_BINOMIAL, count, np.where(law == laws.BETA_BINOMIAL, share, normal)
        )
    known = np.isfinite(result) & (m > 0)
    return np.where(known, np.maximum(result, 0.0), 0.0)


def pooled(sums: Floats, law: Ints, sd_level: Floats) -> float:
    """The deviance that one shift, common to all of these series, explains."""
    if not len(sums):
        return 0.0
    total = sums.sum(axis=0)[None, :]
    error = np.sqrt(np.sum(np.nan_to_num(sd_level * sums[:, M]) ** 2)) / np.maximum(
        total[0, M], 1e-300
    )
    return float(deviance(total, law[:1], np.array([error]))[0])


def _x_log_ratio(x: Floats, m: Floats) -> Floats:
    return np.where(x > 0, x * np.log(x / m), 0.0)

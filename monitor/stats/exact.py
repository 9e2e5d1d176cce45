"""Sums that do not depend on order, and the rounding that makes them equal."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DIGITS = 12
"""Significant digits of every float that leaves the program (DESIGN.md, exact measures)."""
_EXACT_POWER = 22
"""10**22 is the largest power of ten that a double holds exactly."""


def two_sum(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Sum and rounding error of a + b, exact: a + b = s + e (Knuth, TAOCP 2, 4.2.2).

    >>> two_sum(np.array([1e16]), np.array([1.0]))
    (array([1.e+16]), array([1.]))
    """
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def add_pairs(hi: Floats, lo: Floats, other_hi: Floats, other_lo: Floats) -> tuple[Floats, Floats]:
    """Sum of two arrays of (hi, lo) pairs, normalised; error about 2**-104 relative.

    >>> add_pairs(np.array([1e16]), np.array([0.0]), np.array([1.0]), np.array([0.0]))
    (array([1.e+16]), array([1.]))
    """
    s, e = two_sum(hi, other_hi)
    e = e + (lo + other_lo)
    return two_sum(s, e)


def round_significant(values: Floats) -> Floats:
    """Values rounded to 12 significant digits; whole numbers stay, NaN and infinity too.

    >>> round_significant(np.array([1 / 3, 1234567890123456.0, 2.0000000000001])).tolist()
    [0.333333333333, 1234567890123456.0, 2.0]
    """
    out = np.array(values, dtype=np.float64)
    todo = np.isfinite(out) & (out != np.rint(out))
    if not todo.any():
        return out
    part = out[todo]
    places = DIGITS - 1 - np.floor(np.log10(np.abs(part))).astype(np.int64)
    plain = (places >= 0) & (places <= _EXACT_POWER)
    scale = 10.0 ** np.where(plain, places, 0)
    # An exact integer over an exact power of ten rounds to the double nearest to that decimal.
    rounded = np.rint(part * scale) / scale
    if not plain.all():
        rounded[~plain] = [float(f"{v:.{DIGITS}g}") for v in part[~plain]]
    out[todo] = rounded
    return out


def round_one(value: float) -> float:
    """One value rounded to 12 significant digits.

    >>> round_one(1 / 3)
    0.333333333333
    """
    return float(f"{value:.{DIGITS}g}")

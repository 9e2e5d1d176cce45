"""Sums of floats that do not depend on order: exact by parts, as compensated pairs (hi, lo)."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LARGEST: Final = 1e300
"""Larger numbers are summed as this one, so that no sum of them overflows."""
_SMALLEST: Final = 2.0**-1022
"""Smaller ones are not summed: where a library makes the processor flush them to zero, they would not
go away."""
_MANTISSA_BITS: Final = 53
_ROUNDING: Final = 1.5 * 2.0 ** (_MANTISSA_BITS - 1)
_SMALLEST_EXPONENT: Final = -1074
"""Of the smallest positive float."""


def levels(values: Floats) -> list[Floats]:
    """Parts that add up to the values and that floats add without rounding, in any order.

    Every part is a multiple of a power of two so large that the sum of all of them, or of any
    selection, fits into a float (Rump, Ogita and Oishi 2008, "Accurate floating-point summation",
    extraction with respect to a power of two). Finite numbers up to `LARGEST` are expected.

    >>> [part.tolist() for part in levels(np.array([1.0, 2.0**-60]))]
    [[1.0, 0.0], [0.0, 8.67e-19]]
    """
    parts = []
    rest = np.clip(values, -LARGEST, LARGEST)
    headroom = values.size.bit_length() + 1
    while rest.size and (largest := float(np.abs(rest).max())) >= _SMALLEST:
        exponent = math.frexp(largest)[1] + headroom - _MANTISSA_BITS
        unit = math.ldexp(1.0, max(exponent, _SMALLEST_EXPONENT))
        # adding so many units rounds to whole units; subtracting them again is exact
        shift = unit * _ROUNDING
        part = (rest + shift) - shift
        rest = rest - part
        parts.append(part)
    return parts


def pair(parts: list[Floats], size: int) -> tuple[Floats, Floats]:
    """One (hi, lo) for the sums of every part, largest first; zeros of this size where none."""
    high, low = np.zeros(size), np.zeros(size)
    for part in parts:
        high, error = two_sum(high, part)
        low = low + error
    return two_sum(high, low)


def two_sum(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """The float sum and its exact error (Knuth, The Art of Computer Programming 2, 4.2.2)."""
    total = a + b
    shadow = total - a
    return total, (a - (total - shadow)) + (b - shadow)

"""The bins of a quantile's histogram: whole numbers that merge in any order, about 1 % wide.

A log-linear histogram: every power of two is cut into 64 equal parts. A value comes to its bin by the
exponent and mantissa that it is stored as, without a logarithm, so that every machine agrees.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bins = NDArray[np.int64]

PARTS: Final = 64
"""Bins by power of two: a bin is at most 1/64 of its values wide, its middle within 0.8 % of them."""
_SMALLEST: Final = 2.0**-1022
"""Smaller ones count as zero: where a library makes the processor flush them, they are."""
_LOWEST_EXPONENT: Final = -1021
"""Of `_SMALLEST`, as `frexp` tells it."""
_LARGEST: Final = float(np.finfo(np.float64).max)


def bins(values: Floats) -> Bins:
    """The bin of each value: in the order of the values, 0 for zero, and -b for -v where v has b.

    Args:
        values: finite, of any unit and shape.

    >>> bins(np.array([-1.0, 0.0, 1.0, 1.01, 1.02, 2.0])).tolist()
    [-65409, 0, 65409, 65409, 65410, 65473]
    """
    magnitude = np.abs(values)
    mantissa, exponent = np.frexp(magnitude)
    part = np.floor((mantissa - 0.5) * (2 * PARTS)).astype(np.int64)
    found = (exponent.astype(np.int64) - _LOWEST_EXPONENT) * PARTS + part + 1
    signed: Bins = np.where(values < 0, -found, found)
    signed[magnitude < _SMALLEST] = 0
    return signed


def edges(bins: Bins) -> tuple[Floats, Floats]:
    """Between which values each bin lies, in their unit: (lower, upper); 0 and 0 for zero's.

    The edge that is further from zero belongs to the next bin.

    Args:
        bins: as `bins` gives them.

    >>> edges(np.array([-65409, 0, 65409]))
    (array([-1.015625,  0.      ,  1.      ]), array([-1.      ,  0.      ,  1.015625]))
    """
    place = np.abs(bins)
    exponent, part = np.divmod(place - 1, PARTS)
    unit = exponent + _LOWEST_EXPONENT - 1  # of mantissas from 1 to 2
    near = np.where(place == 0, 0.0, np.ldexp(1 + part / PARTS, unit))
    with np.errstate(over="ignore"):
        beyond = np.minimum(np.ldexp(1 + (part + 1) / PARTS, unit), _LARGEST)
    far = np.where(place == 0, 0.0, beyond)
    return np.where(bins < 0, -far, near), np.where(bins < 0, -near, far)

"""Totals in two bytes, scales in one: logarithms on a grid, with codes for nothing known and for 0."""

import numpy as np
from numpy.typing import NDArray

from monitor.model.tick import Floats

Codes = NDArray[np.uint16]
Bytes = NDArray[np.uint8]

LOWEST_OCTAVE = -20.0
OCTAVES = 64.0
MARK = np.uint16(1 << 15)
"""The bit that `SHORT` leaves free."""
_UNKNOWN, _ZERO, _FIRST = 0, 1, 2


class Grid:
    """A code of some bits.

    Args:
        bits: 15 for steps of .14 %, 16 for steps of .07 %, of values from 1e-6 to 1e13.
        lowest, octaves: log2 of the least value but 0, and how many doublings the grid spans.
    """

    def __init__(self, bits: int, lowest: float = LOWEST_OCTAVE, octaves: float = OCTAVES) -> None:
        self._last, self._lowest = (1 << bits) - 1, lowest
        self._steps = (self._last - _FIRST) / octaves
        codes = np.arange(self._last + 1, dtype=np.float64)
        values = np.exp2((codes - _FIRST) / self._steps + lowest)
        values[_UNKNOWN], values[_ZERO] = np.nan, 0.0
        self._values = values

    def encode(self, values: Floats) -> Codes:
        """Codes of values; below 0 as unknown, beyond the ends of the grid as its ends.

        >>> WIDE.decode(WIDE.encode(np.array([0.0, np.nan, -1.0, 1000.0]))).round(0)
        array([   0.,   nan,   nan, 1000.])
        """
        positive = values > 0
        octaves = np.log2(np.where(positive, values, 1.0)) - self._lowest
        found = np.clip(np.rint(octaves * self._steps) + _FIRST, _FIRST, self._last)
        other = np.where(values == 0, _ZERO, _UNKNOWN)
        codes: Codes = np.where(positive, found, other).astype(np.uint16)
        return codes

    def decode(self, codes: Codes | Bytes) -> Floats:
        """Their values."""
        values: Floats = self._values[codes]
        return values


WIDE, SHORT = Grid(16), Grid(15)
SCALE = Grid(8, lowest=-14.0, octaves=24.0)
"""Standard deviations from 6e-5 to 1e3, in steps of 7 %."""
SQUARE = Grid(8, lowest=-10.0, octaves=40.0)
"""Squares over their variance from 1e-3 to 1e9, in steps of 12 %."""
EXCESS = Grid(8, lowest=-20.0, octaves=22.0)
"""Variances from 1e-6 to 4, in steps of 6 %."""

"""How far the last period is from the one before it that is most like it.

The distance to the nearest neighbour among earlier stretches: large for a discord (Keogh, Lin & Fu 2005;
left neighbours only, as in DAMP, Lu et al. 2022), whatever its values are one by one.
"""

from collections.abc import Sequence
from math import sqrt
from typing import Final

import numpy as np

_POINTS: Final = 24
"""Blocks a period: finer shapes are the business of the other signals."""
SHORTEST: Final = 16
"""Rows that a period needs to have a shape."""
_EVERY: Final = 8
"""Rows between two looks, at least; a look costs some 40 microseconds."""
_LONG, _SHORT, _COARSE = 4_000, 1_000, 4
"""Blocks of the past that are looked through, where a block has four rows at least, and where not."""
_PERIODS: Final = 4
_NAN: Final = float("nan")


class Shape:
    """Block means of a series, and the stretches of one period among them."""

    __slots__ = ("_blocks", "_count", "_every", "_kept", "_rows", "_sum", "_until", "_width")

    def __init__(self, period: int, history: Sequence[float]) -> None:
        """Start with what is known.

        Args:
            period: rows a period, 16 or more.
            history: values so far, oldest first.
        """
        self._rows = rows = max(1, period // _POINTS)
        self._width = round(period / rows)
        self._kept = _LONG if rows >= _COARSE else _SHORT
        self._every = max(1, _EVERY // rows)
        whole = len(history) // rows * rows
        past = np.asarray(history[len(history) - whole :], dtype=np.float64)
        self._blocks: list[float] = past.reshape(-1, rows).mean(axis=1).tolist()
        self._sum = 0.0
        self._count = 0
        self._until = self._every

    def measure(self, value: float) -> float:
        """Root mean square distance to the nearest neighbour, each stretch taken without its mean.

        In units of the value; NaN where the row does not complete a block, or too little is known.
        """
        if self._count + 1 < self._rows or self._until > 1:
            return _NAN
        width = self._width
        if len(self._blocks) < _PERIODS * width:
            return _NAN
        x = np.array([*self._blocks[1 - self._kept :], (self._sum + value) / self._rows])
        x -= x.mean()
        size = float(np.abs(x).max()) or 1.0
        x /= size
        sums = np.cumsum(np.concatenate(([0.0], x)))
        squares = np.cumsum(np.concatenate(([0.0], x * x)))
        means = (sums[width:] - sums[:-width]) / width
        scatter = squares[width:] - squares[:-width] - width * means**2
        products = np.correlate(x[:-width], x[-width:], "valid")
        earlier = len(products)
        shared = products - width * means[:earlier] * means[-1]
        nearest = float((scatter[:earlier] - 2 * shared).min() + scatter[-1])
        return size * sqrt(max(nearest, 0.0) / width)

    def learn(self, value: float) -> None:
        """Take one value in."""
        self._sum += value
        self._count += 1
        if self._count < self._rows:
            return
        self._blocks.append(self._sum / self._rows)
        self._sum, self._count = 0.0, 0
        self._until = self._every if self._until == 1 else self._until - 1
        if len(self._blocks) > 2 * self._kept:
            del self._blocks[: self._kept]

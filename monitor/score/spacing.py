"""The step of a series: how far apart its rows are, and how many are absent in between."""

from collections import deque
from statistics import median
from typing import Final

_REMEMBERED: Final = 101
_ENOUGH: Final = 9
_OFTEN: Final = 50
_WHOLE: Final = 0.05
_REGULAR: Final = 0.8
"""Share of the distances that must be whole multiples of the step."""
_DAY_SECONDS: Final = 86_400
_SHORTEST_DAY: Final = 4
"""Rows that a day needs to have a shape."""


class Spacing:
    """Learns the distance between rows, in seconds.

    Attributes:
        step: the usual distance; NaN while it is unknown or there is none.
        last: the newest time so far; NaN before the first.
    """

    __slots__ = ("_distances", "_rows", "last", "step")

    def __init__(self) -> None:
        self._distances: deque[float] = deque(maxlen=_REMEMBERED)
        self._rows = 0
        self.step = float("nan")
        self.last = float("nan")

    def absent(self, time: float) -> int:
        """Steps without a row between the last row and this one; 0 where that cannot be told."""
        steps = (time - self.last) / self.step
        return max(0, round(steps) - 1) if steps == steps else 0  # noqa: PLR0124 - NaN

    def learn(self, time: float) -> None:
        """Take the time of one row in; NaN where it has none."""
        if time > self.last:
            self._distances.append(time - self.last)
        self._rows += 1
        if len(self._distances) == _ENOUGH or self._rows % _OFTEN == 0:
            self._measure()
        if not time <= self.last:
            self.last = time

    def rows_a_day(self) -> int | None:
        """Where a day holds a whole number of rows, and enough of them."""
        rows = _DAY_SECONDS / self.step
        if rows >= _SHORTEST_DAY and abs(rows - round(rows)) < 1e-6 * rows:
            return round(rows)
        return None

    def _measure(self) -> None:
        if len(self._distances) < _ENOUGH:
            return
        step = median(self._distances)
        whole = sum(
            abs(distance / step - max(1, round(distance / step))) < _WHOLE
            for distance in self._distances
        )
        self.step = step if whole >= _REGULAR * len(self._distances) else float("nan")

"""The shape of a period: a running mean, and the size of residuals, for each of its slots."""

from collections.abc import Sequence
from typing import Final

from monitor.score.scale import clipped

_SLOTS: Final = 48
_LEAST: Final = 3
"""Values that a slot needs before it is believed."""
_RATE: Final = 0.02
_SCATTER_RATE: Final = 0.01
_PRIOR: Final = 10
"""Residuals that the first guess, no difference between slots, counts for."""
_USUAL: Final = 1 / 6
"""First guess of the size of residuals, in units of `limit`."""
_FLOOR: Final = 0.01
"""Added to every residual: where there are none, slots do not differ."""
_WIDEST: Final = 4.0


class Profile:
    """What is expected at each place of the period, from earlier periods."""

    __slots__ = ("_counts", "_means", "_period", "_scatter", "_seen", "_usual")

    def __init__(self, period: int, history: Sequence[float], first: int) -> None:
        """Learn from what is known of earlier periods.

        Args:
            period: rows a period.
            history: values, oldest first.
            first: number of the first of them.
        """
        self._period = period
        slots = min(period, _SLOTS)
        self._means = [0.0] * slots
        self._counts = [0] * slots
        self._scatter = [_USUAL] * slots
        self._seen = [_PRIOR] * slots
        self._usual = _USUAL
        for number, value in enumerate(history, first):
            self.learn(number, value, float("inf"))

    def _slot(self, number: int) -> int:
        place = number % self._period
        return place * _SLOTS // self._period if self._period > _SLOTS else place

    def expected(self, number: int) -> float:
        """The mean at row `number`, between those of its slots; NaN where too little is known."""
        slot, means = self._slot(number), self._means
        if self._counts[slot] < _LEAST:
            return float("nan")
        if self._period <= _SLOTS:
            return means[slot]
        off = number % self._period * _SLOTS / self._period - slot - 0.5
        other = slot - 1 if off < 0 else (slot + 1) % _SLOTS
        if self._counts[other] < _LEAST:
            return means[slot]
        return means[slot] + abs(off) * (means[other] - means[slot])

    def scatter(self, number: int) -> float:
        """How much wider than usual residuals are at row `number`; 1/4 to 4."""
        slot, scatter = self._slot(number), self._scatter
        after = slot + 1 if slot + 1 < len(scatter) else 0
        here = (scatter[slot - 1] + 2 * scatter[slot] + scatter[after]) / 4
        return min(max(here / self._usual, 1 / _WIDEST), _WIDEST)

    def learn_scatter(self, number: int, size: float) -> None:
        """Take in the size of the residual at row `number`, in units of `limit`."""
        slot = self._slot(number)
        self._seen[slot] = seen = self._seen[slot] + 1
        step = max(_SCATTER_RATE, 1 / seen) * (size + _FLOOR - self._scatter[slot])
        self._scatter[slot] += step
        self._usual += step / len(self._scatter)

    def learn(self, number: int, value: float, limit: float) -> None:
        """Move the slot's mean towards a value, by a step that is at most that of `limit`."""
        slot = self._slot(number)
        self._counts[slot] = count = self._counts[slot] + 1
        step = value - self._means[slot]
        if count > _LEAST:
            step = clipped(step, limit)
        self._means[slot] += max(_RATE, 1 / count) * step

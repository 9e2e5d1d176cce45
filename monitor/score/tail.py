"""How rare a value is among its own past: a decaying histogram, and a Pareto tail beyond it."""

from math import log10
from typing import Final

_BINS: Final = 300
_PER_DECADE: Final = 30
_LOWEST: Final = 1e-5
"""Values at or below it are ordinary; they fall into the first bin."""
_OFFSET: Final = 150
"""The bin of 1; the first one begins at 1e-5."""
_GROWTH: Final = 2 ** (1 / 20_000)
"""A row weighs half as much after 20,000 more."""
_SHAPE: Final = 0.2
"""Of the generalised Pareto law: heavier than exponential, as residuals of services are."""
_EXACT: Final = 0.01
_BODY: Final = 0.05
_LEAST_SCALE: Final = 0.02
"""Of the 1 % point: a signal that hardly varies must not make its next change infinitely rare."""
_OFTEN, _SELDOM, _YOUNG = 20, 200, 100
_HEAVY: Final = 1e6


class Tail:
    """The upper tail of a signal that is about 1 where nothing happens.

    Beyond the point that 1 % of the past exceeds, a generalised Pareto law goes on (Pickands 1975),
    its scale from the 5 % and 1 % points.
    """

    __slots__ = ("_counts", "_due", "_evidence", "_edge", "_at_edge", "_scale", "_times", "_weight")

    def __init__(self) -> None:
        self._counts = [0.0] * _BINS
        self._weight = 1.0
        self._due = 0
        self._times = 0
        self._evidence: list[float] = []
        self._edge = 0.0
        self._at_edge = 0.0
        self._scale = 1.0

    def evidence(self, value: float) -> float:
        """-log10 of the share of the past that is at least `value`; 0 where nothing is known."""
        if value <= _LOWEST or not self._evidence:
            return 0.0
        if value > self._edge:
            excess = _SHAPE * (value - self._edge) / self._scale
            return self._at_edge + log10(1 + excess) / _SHAPE
        return self._evidence[int(_PER_DECADE * log10(value) + _OFFSET)]

    def value_at(self, evidence: float) -> float:
        """The value of so much evidence, on the Pareto law; NaN where nothing is known."""
        if not self._evidence:
            return float("nan")
        grown: float = 10 ** (_SHAPE * max(0.0, evidence - self._at_edge))
        return self._edge + self._scale * (grown - 1) / _SHAPE

    def learn(self, value: float) -> None:
        """Count one value."""
        place = 0
        if value > _LOWEST:
            place = int(_PER_DECADE * log10(value) + _OFFSET)
            if place >= _BINS:
                place = _BINS - 1
        self._counts[place] += self._weight
        self._weight *= _GROWTH
        self._due -= 1
        if self._due < 0:
            self._refresh()

    def _refresh(self) -> None:
        self._times += 1
        self._due = _OFTEN if self._times < _YOUNG else _SELDOM
        if self._weight > _HEAVY:
            self._counts = [count / self._weight for count in self._counts]
            self._weight = 1.0
        above = 0.0
        sums = [0.0] * _BINS
        for place in range(_BINS - 1, -1, -1):
            above += self._counts[place]
            sums[place] = above
        exact = _highest(sums, _EXACT * above, _BINS - 1)
        body = _highest(sums, _BODY * above, exact)
        self._evidence = [-log10(count / above) if count > 0 else 0.0 for count in sums]
        self._edge, lower = _value(exact), _value(body)
        self._at_edge = self._evidence[exact]
        scale = (self._edge - lower) * _SHAPE / ((_BODY / _EXACT) ** _SHAPE - 1)
        self._scale = max(scale + _SHAPE * (self._edge - lower), _LEAST_SCALE * self._edge)


def _highest(sums: list[float], least: float, start: int) -> int:
    """The highest bin that is reached by `least` of the past."""
    place = start
    while place > 0 and sums[place] < least:
        place -= 1
    return place


def _value(place: int) -> float:
    result: float = 10 ** ((place - _OFFSET) / _PER_DECADE)
    return result

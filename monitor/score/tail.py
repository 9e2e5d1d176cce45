"""How rare a value is among its own past: a decaying histogram, and a Pareto tail beyond it."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate
from math import log, log10, pi, sqrt
from typing import Final

_BINS: Final = 300
_TOP: Final = _BINS - 1
_PER_DECADE: Final = 30
_LOWEST: Final = 1e-5
"""Values at or below it are ordinary; they fall into the first bin."""
_OFFSET: Final = 150
"""The bin of 1; the first one begins at 1e-5."""
_HIGHEST: Final = 1e5
_GROWTH: Final = 2 ** (1 / 20_000)
"""A row weighs half as much after 20,000 more."""
_SHAPE: Final = 0.2
"""Of the generalised Pareto law: heavier than exponential, as residuals of services are."""
_EXACT: Final = 0.01
_BODY: Final = 0.05
_LEAST_SCALE: Final = 0.02
"""Of the 1 % point: a signal that hardly varies must not make its next change infinitely rare."""
_FEW: Final = 3
"""Values that must have been counted to bound the Pareto law."""
_NEAR: Final = 2 / 3
_LEEWAY: Final = 0.5
"""What goes half as far again beyond the 1 % point as values that were counted is rarer by this at most."""
_OFTEN, _SELDOM = 20, 200
"""Rows between two looks at the histogram; a twentieth of the past in between."""
_HEAVY: Final = 1e6


LOGISTIC: Final = tuple(
    max(0.0, sqrt(3) / pi * log(place / (64 - place))) for place in (row + 0.5 for row in range(64))
)
"""Sixty-four quantiles of the logistic law of variance 1, as 0 where they are negative: what a residual in
units of its scale is like before its own past says more."""


class Tail:
    """The upper tail of a signal that is about 1 where nothing happens.

    Beyond the point that 1 % of the past exceeds, a generalised Pareto law goes on (Pickands 1975),
    its scale from the 5 % and 1 % points. Where rare values are nothing new (a memory that is freed
    once in 120 rows), the count of those that went two thirds as far bounds it.
    """

    __slots__ = ("_at_edge", "_edge", "_least", "_scale", "_sums", "_weight", "counts")

    def __init__(self, prior: Sequence[float] = (), *, least: int = 0) -> None:
        """Start as if the values of `prior` had been seen; silent before `least` values were."""
        self.counts = [0.0] * _BINS
        for value in prior:
            self.counts[_bin(value)] += 1
        self._least = least
        self._sums: list[float] = []
        self._weight = 1.0
        self._edge = self._at_edge = 0.0
        self._scale = 1.0

    def evidence(self, value: float) -> float:
        """-log10 of the share of the past that is at least `value`; 0 where nothing is known."""
        sums = self._sums
        if value <= _LOWEST or not sums or sums[_TOP] < self._least * self._weight:
            return 0.0
        if value > self._edge:
            excess = _SHAPE * (value - self._edge) / self._scale
            evidence = self._at_edge + log10(1 + excess) / _SHAPE
            near = sums[_TOP - _bin(self._edge + _NEAR * (value - self._edge))]
            if near < _FEW * self._weight:
                return evidence
            return min(evidence, log10(sums[_TOP] / near) + _LEEWAY)
        above = sums[_TOP - _bin(value)]
        return log10(sums[_TOP] / above) if above > 0 else self._at_edge

    def value_at(self, evidence: float) -> float:
        """The value of so much evidence, on the Pareto law; NaN where nothing is known."""
        if not self._sums:
            return float("nan")
        grown: float = 10 ** (_SHAPE * max(0.0, evidence - self._at_edge))
        return self._edge + self._scale * (grown - 1) / _SHAPE

    def refresh(self, weight: float) -> None:
        """Look at the counts again; `weight` is that of the newest value among them."""
        # From the highest bin down: ascending, so that a share of the past can be bisected for.
        sums = list(accumulate(reversed(self.counts)))
        if not sums[_TOP] > 0:
            return
        self._sums, self._weight = sums, weight
        exact = bisect_left(sums, _EXACT * sums[_TOP])
        body = bisect_left(sums, _BODY * sums[_TOP])
        self._edge, lower = _value(_BINS - exact), _value(_BINS - body)
        self._at_edge = log10(sums[_TOP] / sums[exact])
        scale = (self._edge - lower) * _SHAPE / ((_BODY / _EXACT) ** _SHAPE - 1)
        self._scale = max(scale + _SHAPE * (self._edge - lower), _LEAST_SCALE * self._edge)


class Tails:
    """The tails of signals that come together, row by row."""

    __slots__ = ("_due", "_rows", "_tails", "_weight")

    def __init__(self, tails: Sequence[Tail]) -> None:
        self._tails = list(tails)
        self._weight = 1.0
        self._rows = 0
        self._due = 0

    def __getitem__(self, place: int) -> Tail:
        return self._tails[place]

    def learn(self, values: Sequence[float], weight: float = 1.0) -> None:
        """Count a row, or so much of one; a signal that is NaN is left out."""
        heavy = self._weight * weight
        for tail, value in zip(self._tails, values, strict=True):
            if value <= _LOWEST:
                tail.counts[0] += heavy
            elif value < _HIGHEST:
                tail.counts[int(_PER_DECADE * log10(value) + _OFFSET)] += heavy
            elif value >= _HIGHEST:
                tail.counts[_TOP] += heavy
        self._weight *= _GROWTH
        self._rows += 1
        self._due -= 1
        if self._due < 0:
            self._refresh()

    def _refresh(self) -> None:
        self._due = max(_OFTEN, min(_SELDOM, self._rows // _OFTEN))
        for tail in self._tails:
            if self._weight > _HEAVY:
                tail.counts = [count / self._weight for count in tail.counts]
        if self._weight > _HEAVY:
            self._weight = 1.0
        for tail in self._tails:
            tail.refresh(self._weight)


def _bin(value: float) -> int:
    if value <= _LOWEST:
        return 0
    return int(_PER_DECADE * log10(value) + _OFFSET) if value < _HIGHEST else _TOP


def _value(place: int) -> float:
    result: float = 10 ** ((place - _OFFSET) / _PER_DECADE)
    return result

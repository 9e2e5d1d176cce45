"""How rare it is that something goes on for so long: equal values, or rows without a value."""

from math import log2, log10
from typing import Final

_EXACT: Final = 15
_PER_DOUBLING: Final = 4
_BINS: Final = 64
_LEAN: Final = 2.0
_ORDINARY: Final = 0.05
"""What goes on nine times in ten is no news, however long."""


class Runs:
    """The chance that a run goes on, by its length, and the evidence of the present one.

    The evidence is -log10 of the product of those chances: a run is rare where runs have seldom come
    that far. A length that was seldom seen leans on the chance over all lengths. No row adds more than `most` to it: rows of one fault are not independent.
    """

    __slots__ = ("_all_on", "_all_seen", "_most", "_on", "_seen", "evidence", "length")

    def __init__(self, most: float) -> None:
        self._most = most
        self._seen = [0] * _BINS
        self._on = [0] * _BINS
        self._all_seen = self._all_on = 0
        self.length = 0
        self.evidence = 0.0

    def if_longer(self) -> float:
        """The evidence that one more row of the run would bring it to."""
        place = _bin(self.length)
        usual = (self._all_on + 0.5) / (self._all_seen + 1)
        chance = (self._on[place] + _LEAN * usual) / (self._seen[place] + _LEAN)
        return self.evidence + min(self._most, max(0.0, -log10(chance) - _ORDINARY))

    def learn(self, *, longer: bool) -> None:
        """One row: the run goes on, or it is over (and a run of length 0 begins)."""
        place = _bin(self.length)
        evidence = self.if_longer() if longer else 0.0
        self._seen[place] += 1
        self._all_seen += 1
        if longer:
            self._all_on += 1
            self._on[place] += 1
            self.length += 1
        else:
            self.length = 0
        self.evidence = evidence


def _bin(length: int) -> int:
    if length <= _EXACT:
        return length
    return min(int(_PER_DOUBLING * log2(length)), _BINS - 1)

"""From evidence to alerts: a threshold that rises with every alert, and one alert an anomaly."""

from typing import Final

_WARM_UP: Final = 100
_THRESHOLD: Final = 3.0
_REFRACTORY: Final = 10
_BUILDING_UP: Final = 5
"""Rows in which evidence of one thing may still grow."""
_STRANGER: Final = 1.0
_RISE: Final = 0.05
_FALL: Final = 0.2 / 1_000


class Alarm:
    """Opens an incident where the evidence is above a threshold.

    The threshold is 3, a chance of 1 in 1,000, and 0.05 higher after every incident; that falls again by
    0.2 within 1,000 rows, so that a series that is strange all the time alarms about four times in 1,000
    rows. An incident is one row: rows above the threshold after it belong to it, and no other one opens
    before 10 rows in a line have been below, but for one that is ten times rarer than all of them.
    """

    __slots__ = ("_below", "_peak", "_raised", "_rows", "_since")

    def __init__(self) -> None:
        self._rows = 0
        self._raised = 0.0
        self._below = self._since = _REFRACTORY + 1
        self._peak = 0.0

    @property
    def threshold(self) -> float:
        """The evidence that opens an incident; -log10 of a chance."""
        return _THRESHOLD + self._raised

    @property
    def warm(self) -> bool:
        """Whether enough rows were seen to open any."""
        return self._rows >= _WARM_UP

    def step(self, evidence: float) -> bool:
        """Judge one row; returns whether an incident opens with it."""
        self._rows += 1
        self._raised = max(0.0, self._raised - _FALL)
        self._below += 1
        self._since += 1
        if not self.warm or evidence < self.threshold:
            return False
        fresh = self._below > _REFRACTORY
        opens = fresh or (self._since > _BUILDING_UP and evidence >= self._peak + _STRANGER)
        if opens:
            self._raised += _RISE
            self._since = 0
        self._peak = evidence if fresh else max(self._peak, evidence)
        self._below = 0
        return opens

    @property
    def above(self) -> bool:
        """Whether the last row was above the threshold."""
        return self._below == 0

"""Residuals of one forecast, in units of their own scale, and their drift."""

from math import isnan, sqrt
from typing import Final

from monitor.score.scale import Scale, clipped

MAD_TO_SD: Final = 1.25
"""Of a normal law, the standard deviation over the mean absolute error."""
_CLIP: Final = 4.0
_YOUNG: Final = 30
_UNKNOWN: Final = (float("nan"), float("nan"), float("nan"))


class Residual:
    """Whether a value is off a forecast, and whether the last ones together are."""

    __slots__ = ("_drift", "_floor", "_rate", "_scale", "_usual")

    def __init__(self, *, rate: float, floor: float) -> None:
        """Start with nothing known.

        Args:
            rate: of the running mean of residuals, the drift.
            floor: share of the series' own scatter that is added to the scale.
        """
        self._rate = rate
        self._floor = floor
        self._scale = Scale()
        self._drift = 0.0
        self._usual = sqrt(rate / (2 - rate))

    def measure(self, error: float, spread: float) -> tuple[float, float, float]:
        """How far above, how far below, and how far adrift; NaN where nothing is known."""
        if isnan(error) or self._scale.count <= _YOUNG:
            return _UNKNOWN
        off = error / self._unit(spread)
        drift = self._drift + self._rate * (clipped(off, _CLIP) - self._drift)
        return off, -off, abs(drift) / self._usual

    def learn(self, error: float, spread: float) -> None:
        """Take one residual in; NaN where there was no forecast."""
        if isnan(error):
            return
        off = clipped(error / self._unit(spread), _CLIP)
        self._drift += self._rate * (off - self._drift)
        self._scale.learn(error)

    def _unit(self, spread: float) -> float:
        return MAD_TO_SD * self._scale.mean + self._floor * spread

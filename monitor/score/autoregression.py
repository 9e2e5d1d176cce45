"""The next value from the ones before it, and from those one and two periods ago."""

from collections.abc import Sequence
from typing import Final

import numpy as np

_NEAR: Final = 8
"""Rows just before."""
_ROWS: Final = 3_000
"""Rows that a fit looks back upon."""
_MARGIN: Final = 20
_SECOND_MARGIN: Final = 300
_ROUNDS: Final = 3
_HUBER: Final = 2.0
"""Robust scales beyond which a row weighs less."""
_RIDGE: Final = 1e-4


class Autoregression:
    """A linear forecast, fitted now and then by iteratively reweighted least squares (Huber)."""

    __slots__ = ("_centre", "_lags", "_weights")

    def __init__(self) -> None:
        self._lags: list[int] = []
        self._weights: list[float] = []
        self._centre = 0.0

    @property
    def ready(self) -> bool:
        """Whether it has been fitted to something that varies."""
        return bool(self._lags)

    def forecast(self, history: Sequence[float]) -> float:
        """The next value; NaN where nothing is fitted."""
        if not self._lags:
            return float("nan")
        centre = self._centre
        total = centre
        for weight, lag in zip(self._weights, self._lags, strict=True):
            total += weight * (history[-lag] - centre)
        return total

    def fit(self, history: Sequence[float], period: int | None) -> None:
        """Fit to the last rows of a history, oldest first.

        Args:
            history: finite values.
            period: rows a period, None where there is none.
        """
        lags = _lags(len(history), period)
        longest = max(lags)
        rows = min(_ROWS, len(history) - longest)
        self._lags = []
        if rows <= 2 * len(lags):
            return
        x = np.asarray(history[len(history) - rows - longest :], dtype=np.float64)
        centre = float(np.median(x[longest:]))
        x = x - centre
        spread = float(np.abs(x).max())
        if not spread > 1e-12 * abs(centre):
            return
        x = x / spread
        target = x[longest:]
        inputs = np.column_stack([x[longest - lag : len(x) - lag] for lag in lags])
        deviation = float(target.std()) + 1e-9
        ridge = np.eye(len(lags)) * (_RIDGE * rows * deviation**2)
        weights = np.ones(rows)
        fitted = np.zeros(len(lags))
        for _ in range(_ROUNDS):
            weighted = inputs * weights[:, None]
            fitted = np.linalg.solve(
                weighted.T @ inputs + ridge * weights.mean(), weighted.T @ target
            )
            errors = np.abs(target - inputs @ fitted)
            scale = 1.483 * float(np.median(errors)) + 1e-9 * deviation
            weights = np.minimum(1.0, _HUBER * scale / np.maximum(errors, 1e-300))
        self._lags, self._weights, self._centre = lags, fitted.tolist(), centre


def _lags(rows: int, period: int | None) -> list[int]:
    lags = list(range(1, _NEAR + 1))
    if period is None or rows <= 2 * period + _MARGIN:
        return lags
    lags += [lag for lag in (period - 1, period, period + 1) if lag > _NEAR]
    if rows > 2 * period + _SECOND_MARGIN:
        lags.append(2 * period)
    return sorted(set(lags))

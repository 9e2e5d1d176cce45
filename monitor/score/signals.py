"""What is looked at in a row: residuals of the forecasts, alone and together with those before.

Every signal is about 1 in size where nothing happens, and larger the stranger the row is.
"""

from collections import deque
from collections.abc import Mapping
from math import sqrt
from typing import Final

from monitor.score.forecasts import Forecasts
from monitor.score.residual import MAD_TO_SD, Residual
from monitor.score.scale import RATE, clipped
from monitor.score.shape import SHORTEST, Shape

_NAN: Final = float("nan")
NAMES: Final = (
    "above", "below", "high", "low", "shift", "volatile", "calm",
    "season_above", "season_below", "season_shift", "sequence_above", "sequence_below",
    "sequence_shift",
    "shape",
)  # fmt: skip
"""The signals, in the order in which they are given."""
RESIDUALS: Final = frozenset(NAMES) - {"volatile", "calm", "shape"}
"""Those that have about variance 1 by their scale."""
MEMORY: Final[Mapping[str, int]] = {
    "shift": 4, "volatile": 8, "calm": 30, "season_shift": 20, "sequence_shift": 10, "shape": 10,
}  # fmt: skip
"""Rows over which a signal looks back: its past is shorter by as much than it has rows."""
_SLOW: Final = 0.0005
_WINSOR: Final = 5.0
_YOUNG: Final = 30
_FEW: Final = 5
_ABSURD: Final = 100
"""Ranges so far by which one value may widen it."""
_CLIP: Final = 6.0
_CALM_CLIP: Final = 3.0
_CALM_RATE: Final = 0.06
_SETTLED: Final = 60
_PERCENT: Final = 100.0
_ROUNDING: Final = 1e-12
_SMALLEST: Final = 1e-300


class Signals:
    """Scales and short memories that turn a value into signals.

    Attributes:
        scale: of the residual of the forecast that is believed, in units of the value.
        high, low: the extremes so far; NaN before the first value.
    """

    __slots__ = (
        "_calm", "_error", "_mean", "_period", "_recent", "_rows", "_season", "_sequence", "_shape", "_spread",
        "_variance", "high", "low", "scale",
    )  # fmt: skip

    def __init__(self) -> None:
        self.scale = _SMALLEST
        self.high = self.low = _NAN
        self._rows = 0
        self._error = self._mean = self._variance = 0.0
        self._season = Residual(rate=0.1, floor=0.05)
        self._sequence = Residual(rate=0.2, floor=0.02)
        self._recent: deque[float] = deque([0.0] * 7, maxlen=7)
        self._calm = 1.0
        self._spread = _SMALLEST
        self._period: int | None = None
        self._shape: Shape | None = None

    @property
    def limit(self) -> float:
        """How far one value may move what is learnt."""
        return _WINSOR * self.scale

    def measure(self, value: float, forecasts: Forecasts, few: float) -> list[float]:
        """The signals of a value, as NAMES orders them; NaN where one is not known yet.

        Args:
            value: finite.
            forecasts: made before the value was known.
            few: how much wider than usual a value of so few units scatters.
        """
        noise = few * forecasts.scatter
        spread = self._spread
        z = (value - forecasts.expected) / (self.scale * noise)
        slow = (value - self._mean) / (spread * few)
        near = clipped(z, _CLIP)
        recent = self._recent
        return [
            z,
            -z,
            slow,
            -slow,
            abs(near + recent[-1] + recent[-2] + recent[-3]) / 2,
            (abs(near) + sum(map(abs, recent))) / (len(recent) + 1),
            1 / (self._calmer(z) + 0.02) if self._rows > _SETTLED else _NAN,
            *self._season.measure((value - forecasts.profile) / noise, spread),
            *self._sequence.measure((value - forecasts.auto) / noise, spread),
            _NAN if self._shape is None else _PERCENT * self._shape.measure(value) / spread,
        ]

    def learn(self, value: float, forecasts: Forecasts, few: float) -> None:
        """Take one value in, before the forecasts learn it."""
        noise = few * forecasts.scatter
        self._rows = rows = self._rows + 1
        if rows == 1:
            self._mean = self.high = self.low = value
            self._renew()
            return
        if forecasts.period != self._period:
            self._period = period = forecasts.period
            self._shape = None
            if period is not None and period >= SHORTEST:
                self._shape = Shape(period, forecasts.history.values)
        if self._shape is not None:
            self._shape.learn(value)
        error = (value - forecasts.expected) / noise
        z = error / self.scale
        self._calm = self._calmer(z)
        self._recent.append(clipped(z, _CLIP))
        spread = self._spread
        self._season.learn((value - forecasts.profile) / noise, spread)
        self._sequence.learn((value - forecasts.auto) / noise, spread)
        size = abs(error) if rows <= _FEW else min(abs(error), self.limit)
        self._error += max(RATE, 1 / rows) * (size - self._error)
        self._learn_spread(value, spread)
        self._renew()

    def _calmer(self, z: float) -> float:
        rate = max(_CALM_RATE, 1 / self._rows)
        return self._calm + rate * (min(abs(z), _CALM_CLIP) - self._calm)

    def _renew(self) -> None:
        largest = max(abs(self.high), abs(self.low))
        # Never 0, so that what is divided by it stays a number.
        self._spread = spread = sqrt(self._variance) + _ROUNDING * largest + _SMALLEST
        self.scale = MAD_TO_SD * self._error + 0.1 * spread + 0.001 * (self.high - self.low)

    def _learn_spread(self, value: float, spread: float) -> None:
        rows = self._rows
        step = value - self._mean
        if rows > _YOUNG:
            step = clipped(step, _WINSOR * spread)
        rate = max(_SLOW, 1 / rows)
        self._mean += rate * step
        self._variance += rate * (step * step - self._variance)
        # One absurd value must not make the range, and with it the scale, absurd for ever.
        if rows > _YOUNG and (reach := _ABSURD * (self.high - self.low)) > 0:
            value = min(max(value, self.low - reach), self.high + reach)
        self.high, self.low = max(self.high, value), min(self.low, value)

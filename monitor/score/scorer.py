"""One series, row by row: how strange a value is given those before it."""

from collections.abc import Mapping
from enum import StrEnum
from math import isfinite, isnan, log10, sqrt
from typing import Final

from msgspec import Struct

from monitor.score.alarm import Alarm
from monitor.score.forecasts import Forecasts
from monitor.score.runs import Runs
from monitor.score.scale import clipped
from monitor.score.signals import MEMORY, NAMES, RESIDUALS, Signals
from monitor.score.spacing import Spacing
from monitor.score.tail import LOGISTIC, Tail, Tails

_NAN: Final = float("nan")
_YOUNG: Final = 30
_MANY_SIGNALS: Final = 0.2
"""Taken from the evidence, because it is that of the strangest of many signals."""
_BEYOND_PAST: Final = 2.0
"""Decades beyond one in all rows so far that the tails may reach."""
_MOST: Final = 15.0
"""1 - 1e-15 is the last number below 1 that a double tells from its neighbours."""
_BAND: Final = 2.7
_LEAST_BREAK: Final = 0.05
_BREAK: Final = 1.5
_STUCK_A_ROW: Final = 0.5
_MISSING_A_ROW: Final = 1.0
_WIDEST: Final = 10.0
_UNITS_RATE: Final = 0.01
_STRANGE: Final = 0.5
"""What a row above the threshold counts in the tails: less, so that one anomaly does not hide the next."""
_SHAPE: Final = NAMES.index("shape")
_SHAPES: Final = 100
"""Looks at the shape before it counts."""
_LESS: Final = tuple(log10(MEMORY.get(name, 1)) for name in NAMES)
"""Decades that signals with a memory reach less far: so much fewer of their values are independent."""
_REMEMBERED: Final = 100
_LARGEST: Final = 1e140
"""Squares of larger values overflow."""


class Reason(StrEnum):
    """What a row was judged by."""

    ORDINARY = ""
    LEARNING = "learning"
    ABOVE = "above"
    BELOW = "below"
    HIGH = "high"
    LOW = "low"
    SHIFT = "shift"
    VOLATILE = "volatile"
    CALM = "calm"
    SEASON_ABOVE = "season_above"
    SEASON_BELOW = "season_below"
    SEASON_SHIFT = "season_shift"
    SEQUENCE_ABOVE = "sequence_above"
    SEQUENCE_BELOW = "sequence_below"
    SEQUENCE_SHIFT = "sequence_shift"
    SHAPE = "shape"
    BEYOND_PAST = "beyond_past"
    STUCK = "stuck"
    MISSING = "missing"


class Judgement(Struct, frozen=True, kw_only=True):
    """One row, judged.

    Attributes:
        expected: forecast from the rows before; NaN before the first value.
        lower, upper: where a value is stranger than 1 in 500; NaN where no scale is known.
        evidence: -log10 of the chance of something as strange; 0 to 15.
        score: 1 - 10^-evidence.
        alert: whether an incident is open.
        reason: what is strange about the row, where something is.
    """

    expected: float
    lower: float
    upper: float
    evidence: float
    score: float
    alert: bool
    reason: Reason


_REASONS: Final = tuple(Reason(name) for name in NAMES)


class SeriesScorer:
    """Scores a series as it comes; a row is judged by the rows before it only.

    `judge` does all. `score_one` and `learn_one` are river's, for use in its pipelines: a row is a
    mapping with `value`, and may have `time` (seconds) and `n` (units behind the value).

    >>> scorer = SeriesScorer()
    >>> for row in range(200):
    ...     scorer.learn_one({"value": row % 7})
    >>> scorer.score_one({"value": 40}) > 0.999
    True
    """

    def __init__(self) -> None:
        self._rows = 0
        self._forecasts = Forecasts()
        self._signals = Signals()
        self._tails = Tails(
            [
                Tail(LOGISTIC if name in RESIDUALS else (), least=_SHAPES if place == _SHAPE else 0)
                for place, name in enumerate(NAMES)
            ]
        )
        self._spacing = Spacing()
        self._stuck = Runs(_STUCK_A_ROW)
        self._missing = Runs(_MISSING_A_ROW)
        self._alarm = Alarm()
        self._last = _NAN
        self._units = _NAN
        self._counts = True

    def score_one(self, x: Mapping[str, float]) -> float:
        """The score of a row, 0 to 1; learns nothing."""
        value, time, n = _row(x)
        value = clipped(value, _LARGEST) if isfinite(value) else _NAN
        return score_of(self._evidence(value, time, self._few(value, n))[0])

    def learn_one(self, x: Mapping[str, float]) -> None:
        """Learn a row."""
        self.judge(*_row(x))

    def judge(self, value: float, time: float = _NAN, n: float = _NAN) -> Judgement:
        """Score one row, then learn it.

        Args:
            value: what was measured; not finite where it is missing.
            time: when, in seconds; NaN where that is unknown.
            n: units behind the value; NaN where that is unknown.
        """
        value = clipped(value, _LARGEST) if isfinite(value) else _NAN
        few = self._few(value, n)
        expected = self._forecasts.expected
        lower, upper = self._band(expected, few)
        evidence, reason, signals = self._evidence(value, time, few)
        alert = self._alarm.step(evidence)
        self._learn(value, time, n, few, signals)
        if not self._alarm.warm and reason is not Reason.MISSING:
            reason = Reason.LEARNING
        elif evidence < self._alarm.threshold and not alert and reason is not Reason.MISSING:
            reason = Reason.ORDINARY
        return Judgement(
            expected=expected,
            lower=lower,
            upper=upper,
            evidence=evidence,
            score=score_of(evidence),
            alert=alert,
            reason=reason,
        )

    def _evidence(self, value: float, time: float, few: float) -> tuple[float, Reason, list[float]]:
        rows = self._rows
        cap = log10(rows + 1) + _BEYOND_PAST
        if not isfinite(value):
            longer = self._missing.if_longer() if rows else 0.0
            return max(0.0, min(longer, cap) - _MANY_SIGNALS), Reason.MISSING, []
        if rows == 0:
            return 0.0, Reason.ORDINARY, []
        signals = self._signals.measure(value, self._forecasts, few)
        best, reason = self._strangest(signals)
        if value == self._last and (found := self._stuck.if_longer()) > best:
            best, reason = found, Reason.STUCK
        best = min(best, cap) - _MANY_SIGNALS
        for found, other in (
            (self._beyond(value, few), Reason.BEYOND_PAST),
            (self._gap(time), Reason.MISSING),
        ):
            if found > best:
                best, reason = found, other
        return min(max(0.0, best), _MOST), reason, signals

    def _strangest(self, signals: list[float]) -> tuple[float, Reason]:
        """The highest evidence of any signal, and which."""
        best, which = 0.0, 0
        if self._rows >= _YOUNG:
            cap = log10(self._rows + 1) + _BEYOND_PAST
            for place, signal in enumerate(signals):
                if signal > 1:
                    found = min(self._tails[place].evidence(signal), cap - _LESS[place])
                    if found > best:
                        best, which = found, place
        return best, _REASONS[which]

    def _beyond(self, value: float, few: float) -> float:
        """Evidence of a value outside all that was seen; 0 inside."""
        if self._rows < _YOUNG:
            return 0.0
        high, low = self._signals.high, self._signals.low
        beyond = max(value - high, low - value) / few
        if not beyond > _LEAST_BREAK * (high - low) > 0:
            return 0.0
        return log10((self._rows + 1) / 2) * min(1 + beyond / (high - low), _BREAK)

    def _gap(self, time: float) -> float:
        """Evidence of rows that are absent between the last row and this one."""
        absent = self._spacing.absent(time)
        if absent == 0 or self._missing.length:
            return 0.0
        most = log10(self._rows + 1) + _BEYOND_PAST
        return min(self._missing.if_longer() * absent, most) - _MANY_SIGNALS

    def _learn(self, value: float, time: float, n: float, few: float, signals: list[float]) -> None:
        absent = self._spacing.absent(time)
        self._spacing.learn(time)
        if absent:
            self._forecasts.skip(absent)
            for _ in range(min(absent, _REMEMBERED)):
                self._missing.learn(longer=True)
        missing = not isfinite(value)
        if self._rows:
            self._missing.learn(longer=missing)
        if missing:
            self._forecasts.skip(1)
            return
        self._learn_units(value, n)
        if self._rows:
            self._tails.learn(signals, _STRANGE if self._alarm.above else 1.0)
            self._stuck.learn(longer=value == self._last)
        self._last = value
        self._rows += 1
        self._signals.learn(value, self._forecasts, few)
        self._forecasts.learn(value, self._signals.limit, self._spacing.rows_a_day())

    def _band(self, expected: float, few: float) -> tuple[float, float]:
        if self._rows < _YOUNG:
            return _NAN, _NAN
        unit = self._signals.scale * self._forecasts.scatter * few
        above, below = self._tails[0].value_at(_BAND), self._tails[1].value_at(_BAND)
        return expected - unit * below, expected + unit * above

    def _few(self, value: float, n: float) -> float:
        """How much wider a value of so few units scatters; a count is its own number of units."""
        if isnan(n) or isnan(self._units) or (self._counts and n == value):
            return 1.0
        return min(max(1.0, sqrt(self._units / max(n, 1e-9))), _WIDEST)

    def _learn_units(self, value: float, n: float) -> None:
        if not n > 0:
            return
        self._counts = self._counts and n == value
        self._units = n if isnan(self._units) else self._units + _UNITS_RATE * (n - self._units)


def score_of(evidence: float) -> float:
    """Evidence as a number from 0 to 1; doubles tell 1 - 1e-12 from 1 - 1e-15, and no more."""
    return 1 - 10**-evidence


def _row(x: Mapping[str, float]) -> tuple[float, float, float]:
    return float(x["value"]), float(x.get("time", _NAN)), float(x.get("n", _NAN))

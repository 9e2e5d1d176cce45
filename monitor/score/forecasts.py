"""Four forecasts of the next value, of which the one that has erred least is believed."""

from math import isnan
from typing import Final

from monitor.score.autoregression import Autoregression
from monitor.score.history import History
from monitor.score.profile import Profile
from monitor.score.scale import RATE, clipped
from monitor.score.season import find_period

_NAN: Final = float("nan")
_LEVEL_RATE: Final = 0.02
_PROFILE_MARGIN: Final = 0.9
_AUTO_MARGIN: Final = 0.95
_AUTO_ROWS: Final = 50
"""Forecasts of the autoregression that are only watched."""
_FIRST_FIT, _FIT_EVERY = 100, 512
_FIRST_SEARCH, _SEARCH_AGAIN = 128, 1.5
_DAYS: Final = 2.5
_NEAR_DAY: Final = 0.1
_SAME: Final = 0.05
_RELEARNT: Final = 6
"""Periods from which a new profile is made."""
_YOUNG: Final = 5
_YOUNG_SCALE: Final = 30
_ABSURD: Final = 20
"""Limits beyond which a value is not remembered as it was: no fit could get over it."""
_WIDE: Final = 2.0
"""Limits that one residual may count for in the scatter of its place."""


class Forecasts:
    """What to expect of the next row.

    Attributes:
        expected: the forecast that is believed; NaN before the first value.
        profile, auto: those of the profile and of the autoregression; NaN where there is none.
        scatter: how much wider than usual residuals are at this place of the period.
        period: rows a period; None where none is known.
        history: values so far.
    """

    __slots__ = (
        "_auto_rows", "_autoregression", "_errors", "_last", "_level", "_next_fit", "_next_search",
        "_profile", "_rows", "auto", "expected", "history", "period", "profile", "scatter",
    )  # fmt: skip

    def __init__(self) -> None:
        self.history = History()
        self.period: int | None = None
        self.expected = self.profile = self.auto = _NAN
        self.scatter = 1.0
        self._level = self._last = _NAN
        self._profile: Profile | None = None
        self._autoregression = Autoregression()
        self._errors = [0.0, 0.0, 0.0, 0.0]
        self._rows = self._auto_rows = 0
        self._next_fit, self._next_search = _FIRST_FIT, _FIRST_SEARCH

    def learn(self, value: float, limit: float, rows_a_day: int | None) -> None:
        """Take one value in, and look ahead.

        Args:
            value: finite.
            limit: how far one value may move a mean.
            rows_a_day: where the step is known and divides a day.
        """
        self._rows = rows = self._rows + 1
        if rows == 1:
            self._level = value
        else:
            self._learn_errors(value, limit)
            step = value - self._level
            if rows > _YOUNG:
                step = clipped(step, limit)
            self._level += max(_LEVEL_RATE, 1 / rows) * step
        self._last = value
        if self._profile is not None:
            off = min(abs(value - self.expected) / limit, _WIDE)
            self._profile.learn_scatter(self.history.next, off)
            self._profile.learn(self.history.next, value, limit)
        if rows > _YOUNG_SCALE:
            value = self.expected + clipped(value - self.expected, _ABSURD * limit)
        self.history.append(value)
        if rows >= self._next_search:
            self._next_search = int(rows * _SEARCH_AGAIN)
            self._search(rows_a_day)
        if rows >= self._next_fit:
            self._next_fit = rows + max(_AUTO_ROWS, min(_FIT_EVERY, rows // 3))
            self._autoregression.fit(self.history.values, self.period)
        self._look_ahead()

    def skip(self, steps: int) -> None:
        """So many steps have no value: those of the period before stand in for them."""
        if self._rows:
            self.history.fill(steps, self._last, self.period)
            self._look_ahead()

    def _learn_errors(self, value: float, limit: float) -> None:
        errors = self._errors
        rate = max(RATE, 1 / self._rows)
        errors[0] += rate * (min(abs(value - self._level), limit) - errors[0])
        errors[1] += rate * (min(abs(value - self._last), limit) - errors[1])
        worst = max(errors[0], errors[1])
        profile = worst if isnan(self.profile) else min(abs(value - self.profile), limit)
        errors[2] += rate * (profile - errors[2])
        auto = worst
        if not isnan(self.auto):
            self._auto_rows += 1
            auto = min(abs(value - self.auto), limit)
        errors[3] += rate * (auto - errors[3])

    def _look_ahead(self) -> None:
        history = self.history
        self.profile = _NAN if self._profile is None else self._profile.expected(history.next)
        self.scatter = 1.0 if self._profile is None else self._profile.scatter(history.next)
        self.auto = self._autoregression.forecast(history.values)
        level, last, profile, auto = self._errors
        self.expected, least = (self._last, last) if last < level else (self._level, level)
        if profile < _PROFILE_MARGIN * least and not isnan(self.profile):
            self.expected, least = self.profile, profile
        if auto < _AUTO_MARGIN * least and self._auto_rows > _AUTO_ROWS and not isnan(self.auto):
            self.expected = self.auto

    def _search(self, rows_a_day: int | None) -> None:
        """Look for a period; a day is one wherever nothing else is seen."""
        found = find_period(self.history.tail())
        day = rows_a_day or 0
        if len(self.history.values) >= _DAYS * day > 0 and (
            found is None or found > (1 - _NEAR_DAY) * day
        ):
            found = day
        if found is None:
            return
        if self.period is None or abs(found - self.period) > _SAME * self.period:
            self.period = found
            known = self.history.values[-_RELEARNT * found :]
            self._profile = Profile(found, known, self.history.next - len(known))
            self._errors[2] = max(self._errors[0], self._errors[1])

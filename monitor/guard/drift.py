"""Slow drifts: the last seven days against the seven before, once a day.

The level of the baseline follows what moves by some percent a day, so that evidence by the bucket does not
see it (GUARD.md: slow drifts are found by comparison with the week before). Every weekday is compared with the
same one a week before; the mean of the seven without the highest and the lowest is taken, so that one odd day
says nothing; the growth that both weeks before had is taken off
(what grows no more does not drift). A level that wanders by 1 % a day moves it by
2.2 %; how far the series' own weeks moved is added to what is known of it, as a t distribution has it.

Once a day the chance of the newest move is compared with the series' share of the budget of drifts: the expected
number of false alarms in T days is at most T times that, whatever the days have in common.
"""

from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

from monitor.model.drift import DAYS, Drifting, Weeks
from monitor.model.table import Column, Table
from monitor.model.tick import Bools, Floats, Traits
from monitor.model.time import DAY
from monitor.stats.robust import minmod_last

WANDER = 0.01
"""A level that wanders by so much a day is not drifting (GUARD.md, measured)."""
OF_WANDER = 231.0 / 49.0
"""Variance of a step between the means of two weeks, of a random walk of variance 1 a day."""
OF_SCATTER = 1.25 / DAYS
"""Variance of a mean of seven without its extremes, of independent values of variance 1."""
PRIOR_WEEKS = 4.0
"""What is known of a series that wanders by `WANDER` counts as much as so many weeks of its own."""
MEMORY_WEEKS = 8.0
WINSOR = 4.0
"""A squared move counts up to this many times its variance."""
LEAST_DAYS = 5
"""Of a week's seven."""
OVER = 0.5
"""A drift is over when less than this share of what it took to find it is left."""
CLEAR_US = 2 * DAYS * DAY
"""A step that was accepted as the new normal is no drift: it must lie outside both weeks."""
_NEVER = -(2.0**62)


class Drift:
    """Drifts of the wholes of a panel, by row."""

    def __init__(self) -> None:
        self.table = Table(
            {
                "squares": Column(dtype="f4"),
                "weeks": Column(dtype="f4"),
                "open": Column(dtype="i1"),
                "trend": Column(dtype="f4"),
                "limit": Column(dtype="f4"),
                "stepped_us": Column(dtype="i8", fill=_NEVER),
            }
        )
        self._judged_us = 0

    def note_steps(self, accepted: Bools, now_us: int) -> None:
        """Shifts of these rows have become the new normal."""
        t = self.table
        t["stepped_us"] = np.where(accepted, now_us, t["stepped_us"])

    def is_due(self, now_us: int) -> bool:
        """Whether a day has ended since the last look."""
        return now_us // DAY > self._judged_us // DAY

    def looked(self, now_us: int) -> None:
        """A day was looked at."""
        self._judged_us = now_us

    def step(self, weeks: Weeks, traits: Traits, log_threshold: Floats) -> Drifting:
        """Judge a day.

        Args:
            weeks: of some rows.
            traits: of all rows.
            log_threshold: natural log of 1 over the chance that is alarming, of the same rows.
        """
        t, rows = self.table, weeks.rows
        with np.errstate(all="ignore"):
            means = _trimmed(weeks.steps)
            scatter = _scatter(weeks.steps[:, 1:], means[:, 1:])
            step = means[:, 0]
            before = minmod_last(means[:, 1:])
            before = np.where(np.isnan(means[:, 1:]).any(axis=1), np.nan, before)
            trend = np.clip(before, np.minimum(step, 0.0), np.maximum(step, 0.0))
            moved = step - trend
            floor = OF_WANDER * WANDER**2 + OF_SCATTER * scatter
            fresh = t["weeks"][rows] == 0
            own = t["squares"][rows].astype(np.float64)
            known = t["weeks"][rows].astype(np.float64)
            first = ((means[:, 1:] - before[:, None]) ** 2).sum(axis=1)
            own, known = np.where(fresh, first, own), np.where(fresh, 2.0, known)
            degrees = PRIOR_WEEKS + known
            variance = np.maximum((PRIOR_WEEKS * floor + own) / degrees, floor)
            sides = traits.up[rows].astype(np.float64) + traits.down[rows]
            chance = np.exp(-log_threshold) / np.maximum(sides, 1.0)
            limit = -stdtrit(degrees, chance) * np.sqrt(variance)
            limit = np.maximum(limit, traits.min_relative_shift[rows])
        clear = weeks.end_us - t["stepped_us"][rows] >= CLEAR_US
        usable = np.isfinite(moved) & np.isfinite(limit) & clear
        way = np.where(moved > 0, 1, -1)
        asked = np.where(way > 0, traits.up[rows], traits.down[rows])
        was = t["open"][rows]
        left = step - t["trend"][rows]
        closed = usable & (was != 0) & (left * was < OVER * t["limit"][rows])
        opened = usable & (was == 0) & asked & (np.abs(moved) >= limit)
        trend = np.where(was != 0, t["trend"][rows], trend)
        t["trend"][rows] = np.where(opened, trend, t["trend"][rows])
        t["limit"][rows] = np.where(opened, limit, t["limit"][rows])
        t["open"][rows] = np.where(opened, way, np.where(closed, 0, was))
        learns = usable & (t["open"][rows] == 0)
        # a day is a seventh of a week's knowledge of how far weeks move
        fade = 1.0 - 1.0 / (DAYS * MEMORY_WEEKS)
        square = np.minimum(moved * moved, WINSOR * variance)
        t["squares"][rows[learns]] = (fade * own + square / DAYS)[learns]
        t["weeks"][rows[learns]] = (fade * known + 1.0 / DAYS)[learns]
        moved = step - trend
        with np.errstate(all="ignore"):
            tail = sides * stdtr(degrees, -np.abs(moved) / np.sqrt(variance))
            surprise = -np.log(np.maximum(tail, np.finfo(float).tiny))
        return Drifting(
            opened=opened,
            closed=closed,
            open=t["open"][rows] != 0,
            moved=moved,
            trend=trend,
            sd=np.sqrt(OF_SCATTER * scatter),
            surprise=surprise,
        )

    def end_history(self) -> None:
        """What is open ends; what was learnt of the series stays."""
        self.table["open"] = np.zeros_like(self.table["open"])

    def dump(self) -> dict[str, Any]:
        """The state as plain values and arrays."""
        return {"table": self.table.dump(), "judged_us": self._judged_us}

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `dump` gave."""
        self.table.load(state["table"])
        self._judged_us = state["judged_us"]


def _trimmed(steps: Floats) -> Floats:
    """Mean of each week's days without the highest and the lowest; NaN where too few are known."""
    known = ~np.isnan(steps)
    count = known.sum(axis=2)
    total = np.where(known, steps, 0.0).sum(axis=2)
    high = np.where(known, steps, -np.inf).max(axis=2)
    low = np.where(known, steps, np.inf).min(axis=2)
    mean: Floats = np.where(count >= LEAST_DAYS, (total - high - low) / (count - 2.0), np.nan)
    return mean


def _scatter(steps: Floats, means: Floats) -> Floats:
    """Variance of a day's step about the mean of its week, over the weeks."""
    known = ~np.isnan(steps)
    square = np.where(known, (steps - means[:, :, None]) ** 2, 0.0).sum(axis=2).sum(axis=1)
    free = np.maximum(known.sum(axis=2) - 1.0, 0.0).sum(axis=1)
    variance: Floats = square / free
    return variance

"""The level by hour for a day, so that a release that is told late finds the one that it began with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.model.tick import Bools, Expectation, Floats, Ints
from monitor.model.time import DAY, HOUR

KEPT_US = DAY + 2 * HOUR
LEAST_KEPT = 3
"""Of buckets that are longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastLevel:
    """What was known at the first bucket of an hour; entries by row, of the rows that there were.

    Attributes:
        start_us: of that bucket.
        level: see `Baseline.levels`; NaN where the row was not ready to be judged.
        sd: relative standard deviation of the level.
    """

    start_us: int
    level: Floats
    sd: Floats


class PastLevels:
    """Those of a lane, oldest first."""

    def __init__(self) -> None:
        self._kept: list[PastLevel] = []

    def note(self, start_us: int, levels: Floats, expectation: Expectation) -> None:
        """Remember the level of the first bucket of every hour."""
        if self._kept and start_us // HOUR == self._kept[-1].start_us // HOUR:
            return
        level = np.where(expectation.ready, levels, np.nan)
        self._kept.append(PastLevel(start_us=start_us, level=level, sd=expectation.sd_level.copy()))
        limit = start_us - KEPT_US
        while len(self._kept) > LEAST_KEPT and self._kept[1].start_us <= limit:
            del self._kept[0]

    def at(self, time_us: int, rows: Ints) -> tuple[Floats, Floats]:
        """Level and its deviation as they were known at a time, of some rows; NaN where nothing was."""
        level, sd = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
        found = next((k for k in reversed(self._kept) if k.start_us <= time_us), None)
        if found is not None:
            there: Bools = rows < len(found.level)
            level[there], sd[there] = found.level[rows[there]], found.sd[rows[there]]
        return level, sd

    def is_forgotten(self, time_us: int) -> bool:
        """Whether it lies before what is kept, and not before all that there was."""
        if not self._kept:
            return False
        first_us, newest_us = self._kept[0].start_us, self._kept[-1].start_us
        return time_us < first_us and newest_us - first_us >= DAY

    def clear(self, rows: Ints) -> None:
        """Forget rows that are given to other series."""
        for kept in self._kept:
            kept.level[rows[rows < len(kept.level)]] = np.nan

    def dump(self) -> list[Any]:
        """The state as plain values and arrays."""
        return [[kept.start_us, kept.level.copy(), kept.sd.copy()] for kept in self._kept]

    def load(self, state: Sequence[Any]) -> None:
        """Take over what `dump` gave."""
        self._kept = [
            PastLevel(start_us=start, level=np.array(level), sd=np.array(sd))
            for start, level, sd in state
        ]

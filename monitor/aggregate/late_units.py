"""Late events of units: kept apart from what was judged, then put together with it.

A judged cohort is counted again with its late starts, and with all later steps, late or not, of the units
that late events name: what comes out is what it would have been, had nothing been late. To that end the
starts of judged cohorts and the later steps stay for the restatement window, up to `MOST` of each; a cohort
older than what is kept is not restated (`unrestated` counts how often one would have been).
"""

from typing import Any

import numpy as np

from monitor.aggregate.cohorts import Came, Cohorts
from monitor.aggregate.starters import Starters
from monitor.aggregate.unit_log import UnitLog
from monitor.aggregate.unit_pile import UnitPile
from monitor.model.tick import Ints
from monitor.stats.distinct import KEPT

MOST = 1 << 20
"""Starts of judged cohorts, and later steps, that are kept for late events: 21 and 24 bytes each."""


class LateUnits:
    """Late events of one metric.

    Args:
        cohorts: of the metric, judged ones among them.

    Attributes:
        oldest_us: no cohort that starts earlier waits to be restated; None where none does.
        unrestated: how often late events found their cohort gone.
    """

    def __init__(self, cohorts: Cohorts) -> None:
        self._cohorts = cohorts
        self._starts = UnitPile(KEPT)
        self.unrestated = 0
        self.oldest_us: int | None = None
        self.clear()

    @property
    def left_out(self) -> int:
        """Starts that were not kept, of units that start very often in one bucket."""
        return self._starts.left_out

    def keep(self, later: Ints) -> None:
        """Keep the later steps of a bucket that closes, columns (step, key, time)."""
        self._log.add(later)

    def add_starts(self, bucket_us: int, starts: Ints) -> None:
        """Keep late starts of a bucket, columns (row, key, time)."""
        self._starts.add(bucket_us, starts)
        self._due.add(bucket_us)
        self._wait(bucket_us)

    def add_later(self, later: Ints) -> None:
        """Keep late later steps, columns (step, key, time)."""
        self._log.add(later)
        self._late.add(later)
        self._keys.append(np.unique(later[1]))
        self._wait(self._cohorts.horizon.earliest_us(int(later[2].min())))

    def _wait(self, since_us: int) -> None:
        self.oldest_us = since_us if self.oldest_us is None else min(self.oldest_us, since_us)

    def judged(self, bucket_us: int) -> None:
        """A cohort was judged: late events that came before are due."""
        if len(self._late) and self._late.of(np.unique(self._cohorts.members(bucket_us)[1])).size:
            self._due.add(bucket_us)
            self._wait(bucket_us)

    def take_due(self, before_us: int) -> list[int]:
        """Judged cohorts, which start before this time, whose units late events name."""
        if self._keys:
            keys = np.unique(np.concatenate(self._keys))
            self._due.update(self._cohorts.holders(keys))
            late = ((bucket, self._starts.get(bucket)[1]) for bucket in self._starts.starts())
            self._due.update(bucket for bucket, of in late if np.isin(of, keys).any())
            self._keys.clear()
        due = sorted(bucket for bucket in self._due if bucket < before_us)
        self._due.difference_update(due)
        self.oldest_us = min(self._due, default=None)
        reach_us = max(self._log.from_us, self._late.from_us, self._cohorts.from_us)
        self.unrestated += sum(bucket < reach_us for bucket in due)
        return [bucket for bucket in due if bucket >= reach_us]

    def came(self, bucket_us: int) -> Came:
        """How far the units of a judged cohort have come."""
        late = self._starts.get(bucket_us)
        row, key, time_us, step = self._cohorts.members(bucket_us)
        units = np.union1d(late[1], key[np.isin(key, self._late.of(np.unique(key))[1])])
        row, key, time_us = np.concatenate([np.stack([row, key, time_us]), late], axis=1)
        step = np.concatenate([step, np.zeros(late.shape[1], dtype=step.dtype)])
        again = np.isin(key, units)
        starters = Starters.of(key[again], time_us[again], steps=self._cohorts.steps)
        steps, keys, times = self._log.of(units)
        for number in range(1, self._cohorts.steps):
            part = slice(*np.searchsorted(steps, [number, number + 1]).tolist())
            starters.advance(number, keys[part], times[part], self._cohorts.horizon)
        step[again] = starters.step
        return _kept(row, key, step.astype(np.int64))

    def let_go(self, before_us: int) -> None:
        """Forget what only cohorts from before this time would need."""
        self._log.let_go(before_us)
        self._late.let_go(before_us)
        for bucket in self._starts.starts():
            if bucket < before_us:
                self._starts.take(bucket)

    def clear(self) -> None:
        """Forget all events."""
        self._log = UnitLog(MOST)
        self._late = UnitLog(MOST)
        self._starts.clear()
        self._due: set[int] = set()
        self._keys: list[Ints] = []
        self.oldest_us = None

    def dump(self) -> dict[str, Any]:
        """The state as plain values and arrays."""
        return {
            "log": self._log.dump(),
            "late": self._late.dump(),
            "starts": self._starts.dump(),
            "due": sorted(self._due),
            "keys": self._keys,
            "oldest": self.oldest_us,
            "unrestated": self.unrestated,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `dump` gave."""
        self._log.load(state["log"])
        self._late.load(state["late"])
        self._starts.load(state["starts"])
        self._due = set(state["due"])
        self._keys = list(state["keys"])
        self.oldest_us = state["oldest"]
        self.unrestated = state["unrestated"]


def _kept(row: Ints, key: Ints, step: Ints) -> Came:
    """The units of these starts; of each row those with the smallest hashes."""
    if not len(row):
        return Came(row=row, key=key, step=step)
    order = np.lexsort((key, row))
    row, key, step = row[order], key[order], step[order]
    new_row = np.r_[True, row[1:] != row[:-1]]
    first = np.flatnonzero(new_row | np.r_[True, key[1:] != key[:-1]])
    best, row, key = np.maximum.reduceat(step, first), row[first], key[first]
    heads = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    place = np.arange(len(row)) - np.repeat(heads, np.diff(np.r_[heads, len(row)]))
    kept = place < KEPT
    return Came(row=row[kept], key=key[kept], step=best[kept])

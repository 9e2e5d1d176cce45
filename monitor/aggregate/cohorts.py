"""The cohorts of a metric: who started in which bucket and series, and how far each unit has come.

While a bucket is open its starts and later steps are collected. When it closes, its starts become a
cohort (of each series the 4,096 units with the smallest hashes, with all their starts), its later steps
let the units of all open cohorts go on, and are dropped: cohorts are sampled, later steps never.
Starts of neighbouring cohorts share a block, so that few searches find a unit in a day of minutes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.aggregate.horizon import Horizon
from monitor.aggregate.starters import Starters
from monitor.aggregate.unit_pile import UnitPile
from monitor.model.tick import Ints
from monitor.model.time import FOREVER, NEVER
from monitor.stats.distinct import KEPT

LARGEST_BLOCK = 1 << 18
"""Blocks do not grow beyond this many starts, so that those of mature cohorts are let go soon."""
_NOTHING: Ints = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """How far the units of a cohort have come, each once a series.

    Attributes:
        row: the series. int64[u]
        key: hash of the unit. int64[u]
        step: the furthest step that it has reached from any of its starts. int64[u]
    """

    row: Ints
    key: Ints
    step: Ints

    def counts(self, steps: int, size: int) -> Ints:
        """Units that have reached each step, by row. int64[steps, size]."""
        at = self.row + size * self.step
        exactly = np.bincount(at, minlength=steps * size).reshape(steps, size)
        counts: Ints = np.cumsum(exactly[::-1], axis=0)[::-1]
        return counts


@dataclass(slots=True, kw_only=True)
class _Cohort:
    """The units of one bucket.

    Attributes:
        block: where its starts are.
        offset: of its first start.
        size: how many.
        row: by unit and series, the series. [u]
        first: by unit and series, where its starts begin in `start`. [u]
        start: places of starts, from `offset` on, by series and unit. [m]
        counts: units by step and row, as far as they were counted last.
    """

    block: "_Block"
    offset: int
    size: int
    row: NDArray[Any]
    first: NDArray[Any]
    start: NDArray[Any]
    counts: Ints | None = None


@dataclass(slots=True, eq=False)
class _Block:
    starters: Starters
    buckets: list[int]


class Cohorts:
    """Follows the units of one metric.

    Args:
        steps: of the metric, the start included.
        horizon: how long a unit may take.

    Attributes:
        steps, horizon: as given.
        from_us: judged cohorts that start earlier were let go before their time.
    """

    def __init__(self, steps: int, horizon: Horizon) -> None:
        self.steps = steps
        self.horizon = horizon
        self._starts = UnitPile(KEPT)
        self._later = UnitPile()
        self._cohorts: dict[int, _Cohort] = {}
        self._blocks: list[_Block] = []
        self._open_from_us = NEVER
        self.from_us = NEVER

    def add_starts(self, bucket_us: int, rows: Ints, keys: Ints, times_us: Ints) -> None:
        """Take in starts of an open bucket, each once for every series that it belongs to."""
        self._starts.add(bucket_us, np.stack([rows, keys, times_us]))

    def add_later(self, bucket_us: int, steps: Ints, keys: Ints, times_us: Ints) -> None:
        """Take in later steps of an open bucket."""
        self._later.add(bucket_us, np.stack([steps, keys, times_us]))

    @property
    def left_out(self) -> int:
        """Starts that were not kept, of units that start very often in one bucket."""
        return self._starts.left_out

    def open_buckets(self) -> list[int]:
        """Buckets that hold anything and have not closed."""
        return sorted({*self._starts.starts(), *self._later.starts()})

    def buckets(self) -> list[int]:
        """Buckets whose cohorts are open."""
        return [bucket for bucket in self._cohorts if bucket >= self._open_from_us]

    def close(self, bucket_us: int) -> Ints:
        """Make a cohort of a bucket's starts, and let units go on by its later steps.

        Buckets close in the order of time.

        Returns:
            The later steps, columns (step, key, time).
        """
        starts = self._starts.take(bucket_us)
        if starts.shape[1]:
            self._begin(bucket_us, starts)
        later = self._later.take(bucket_us)
        steps, keys, times = later
        for step in range(1, self.steps):
            part = slice(*np.searchsorted(steps, [step, step + 1]).tolist())
            for block in self._blocks:
                if block.buckets[-1] < self._open_from_us:
                    continue  # all of its cohorts are judged
                moved = block.starters.advance(step, keys[part], times[part], self.horizon)
                self._touch(block, moved)
        return later

    def _begin(self, bucket_us: int, starts: Ints) -> None:
        row, key, time = starts
        order = np.lexsort((time, key))
        by_key, by_time = key[order], time[order]
        new = np.r_[True, (by_key[1:] != by_key[:-1]) | (by_time[1:] != by_time[:-1])]
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.cumsum(new) - 1
        first = np.flatnonzero(np.r_[True, (row[1:] != row[:-1]) | (key[1:] != key[:-1])])
        starters = Starters.of(by_key[new], by_time[new], steps=self.steps)
        block = _Block(starters, [bucket_us])
        self._cohorts[bucket_us] = _Cohort(
            block=block,
            offset=0,
            size=len(starters),
            row=_small(row[first]),
            first=_small(first),
            start=_small(place),
        )
        self._blocks.append(block)
        self._join_blocks()

    def _join_blocks(self) -> None:
        """Join the newest blocks while they are of like size: each start is moved a few times."""
        while len(self._blocks) > 1:
            one, two = self._blocks[-2:]
            sizes = len(one.starters), len(two.starters)
            if sizes[0] > 2 * sizes[1] or sum(sizes) > LARGEST_BLOCK:
                return
            both = _Block(one.starters.then(two.starters), one.buckets + two.buckets)
            for bucket in both.buckets:
                cohort = self._cohorts.get(bucket)
                if cohort is not None:
                    cohort.offset += 0 if cohort.block is one else sizes[0]
                    cohort.block = both
            self._blocks[-2:] = [both]

    def _touch(self, block: _Block, moved: Ints) -> None:
        """What was counted of the cohorts of these starts holds no more."""
        if not len(moved):
            return
        known = [self._cohorts[b] for b in block.buckets if b in self._cohorts]
        offsets = np.array([cohort.offset for cohort in known], dtype=np.int64)
        touched = np.unique(np.searchsorted(offsets, moved, side="right") - 1)
        for i in touched[touched >= 0].tolist():
            known[i].counts = None

    def counts(self, bucket_us: int, size: int) -> Ints:
        """Units of a cohort that have reached each step, by row. int64[steps, size]."""
        cohort = self._cohorts.get(bucket_us)
        if cohort is None:
            return np.zeros((self.steps, size), dtype=np.int64)
        if cohort.counts is None or cohort.counts.shape[1] < size:
            cohort.counts = self.came(bucket_us).counts(self.steps, size)
        return cohort.counts

    def came(self, bucket_us: int) -> Came:
        """How far the units of a cohort have come."""
        cohort = self._cohorts.get(bucket_us)
        if cohort is None:
            return Came(row=_NOTHING, key=_NOTHING, step=_NOTHING)
        at, first = cohort.offset + cohort.start.astype(np.int64), cohort.first.astype(np.int64)
        starters = cohort.block.starters
        best = np.maximum.reduceat(starters.step[at], first)
        return Came(
            row=cohort.row.astype(np.int64),
            key=starters.key[at[first]],
            step=best.astype(np.int64),
        )

    def judged(self, bucket_us: int) -> None:
        """A bucket was judged: its cohort stays only for late events."""
        self._open_from_us = bucket_us + 1

    def let_go(self, before_us: int, *, most: int) -> None:
        """Let judged cohorts go that start before this time, and the oldest beyond so many starts."""
        judged = [b for b in self._cohorts if b < self._open_from_us]
        total = sum(self._cohorts[b].size for b in judged)
        for bucket in judged:
            if bucket >= before_us:
                if total <= most:
                    break
                self.from_us = max(self.from_us, bucket + 1)
            cohort = self._cohorts.pop(bucket)
            total -= cohort.size
            if bucket == cohort.block.buckets[-1]:
                self._blocks.remove(cohort.block)

    def members(self, bucket_us: int) -> tuple[Ints, Ints, Ints, Ints]:
        """Row, key, time and reached step of every start of a cohort, once a series."""
        cohort = self._cohorts.get(bucket_us)
        if cohort is None:
            return _NOTHING, _NOTHING, _NOTHING, _NOTHING
        sizes = np.diff(np.r_[cohort.first.astype(np.int64), len(cohort.start)])
        at = cohort.offset + cohort.start.astype(np.int64)
        starters = cohort.block.starters
        row = np.repeat(cohort.row.astype(np.int64), sizes)
        return row, starters.key[at], starters.time_us[at], starters.step[at].astype(np.int64)

    def holders(self, keys: Ints) -> list[int]:
        """Judged buckets whose cohorts hold any of these units."""
        out = []
        for block in self._blocks:
            at = block.starters.places(keys)
            known = [b for b in block.buckets if b in self._cohorts]
            if len(at) and known:
                offsets = np.array([self._cohorts[b].offset for b in known], dtype=np.int64)
                found = np.unique(np.searchsorted(offsets, at, side="right") - 1)
                out += [known[i] for i in found[found >= 0].tolist()]
        return [bucket for bucket in out if bucket < self._open_from_us]

    def clear(self) -> None:
        """Forget everything."""
        self._starts.clear()
        self._later.clear()
        self._cohorts.clear()
        self._blocks.clear()

    def first(self, rows: Ints) -> Ints:
        """Start of the first bucket that holds units of each of these rows; FOREVER if none."""
        out = np.full(len(rows), FOREVER)
        held = [(bucket, self._cohorts[bucket].row) for bucket in self.buckets()]
        held += [(bucket, self._starts.get(bucket)[0]) for bucket in self._starts.starts()]
        for bucket, of in held:
            inside = np.isin(rows, of)
            out[inside] = np.minimum(out[inside], bucket)
        return out

    def dump(self) -> dict[str, Any]:
        """The state as plain values and arrays."""
        return {
            "open_from": self._open_from_us,
            "from": self.from_us,
            "starts": self._starts.dump(),
            "later": self._later.dump(),
            "blocks": [
                {
                    "buckets": block.buckets,
                    "key": block.starters.key,
                    "time": block.starters.time_us,
                    "step": block.starters.step,
                    "reached": block.starters.reached_us,
                    "cohorts": [
                        [b, c.offset, c.size, c.row, c.first, c.start]
                        for b in block.buckets
                        if (c := self._cohorts.get(b)) is not None
                    ],
                }
                for block in self._blocks
            ],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `dump` gave."""
        self._open_from_us = state["open_from"]
        self.from_us = state["from"]
        self._starts.load(state["starts"])
        self._later.load(state["later"])
        for held in state["blocks"]:
            key, reached = held["key"], held["reached"]
            starters = Starters(
                key=key,
                time_us=held["time"],
                step=held["step"].copy(),
                reached_us=None if reached is None else reached.copy(),
                order=np.argsort(key, kind="stable").astype(np.int32),
            )
            block = _Block(starters, list(held["buckets"]))
            self._blocks.append(block)
            for bucket, offset, size, row, first, start in held["cohorts"]:
                self._cohorts[bucket] = _Cohort(
                    block=block, offset=offset, size=size, row=row, first=first, start=start
                )


def _small(values: Ints) -> NDArray[Any]:
    """The same whole numbers from 0 on, in as few bytes as hold them."""
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))

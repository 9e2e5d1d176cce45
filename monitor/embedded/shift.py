"""Shifts the rows of one metric as if the shift had happened, in every series that it touches.

A frame holds sums by series and no events, so what is drawn for the finest series that tell is added up
for the coarser ones. Where a configured combination holds the shifted dimension and another one, the
segments of the other one move by what was drawn; where none does, nobody can know how the shifted events
spread over them: they stay as they were (`Shifter.unmoved`).
"""

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.definitions.plan import Form, Law
from monitor.embedded.inject import Injection
from monitor.embedded.shift_entries import Table, coarser_entries, shifted
from monitor.ingest.series import segment
from monitor.model.frame import Bools, Deltas, Floats, Int64s
from monitor.model.segment import parse_segment
from monitor.stats.distinct import KEPT


@dataclass(slots=True)
class _Moved:
    """By row: what its sum changes by, and what of it finer series have told already."""

    change: Floats
    told: Floats
    told_room: Floats


class Shifter:
    """Changes the deltas of one metric from the injection's first bucket on.

    Counts stay whole: of a fall every event is dropped by chance, of a rise events are added by chance
    (numerators that are part of their denominator grow into the rest of it). Other sums scale.

    Args:
        injection: what to shift.
        random: draws; the same seed gives the same history.

    Attributes:
        crowded: rows of coarser series that stay as they were: of more units than are kept, nobody can
            tell which belong to the shifted series.
    """

    def __init__(self, injection: Injection, random: np.random.Generator) -> None:
        metric = injection.metric
        self._shift, self._start_us = injection.shift, injection.start_us
        self._target = injection.dimension, injection.value
        self._random = random
        self._metric = metric
        self._counts = metric.measures[0].value is None
        self._subset = metric.law is Law.BETA_BINOMIAL
        own = [g for g in metric.groupings if self._is_own(g)]
        self._own = sorted(own, key=len, reverse=True)
        self.crowded = 0
        self._source = {g: _finer(g, self._own) for g in metric.groupings}

    def _is_own(self, grouping: tuple[str, ...]) -> bool:
        """Whether series of this grouping shift by themselves."""
        dimension, _ = self._target
        return dimension is None or dimension in grouping

    @property
    def named(self) -> tuple[str, ...]:
        """The grouping of the series that was named: the coarsest that shifts by itself."""
        return self._own[-1]

    @property
    def unmoved(self) -> list[tuple[str, ...]]:
        """Groupings of which nobody can tell how the shift spreads over their segments."""
        return [g for g in self._metric.groupings if not self._is_own(g) and not self._source[g]]

    def is_target(self, dimensions: tuple[str, ...], name: str) -> bool:
        """Whether a series is shifted by itself: the named one, or a combination that holds it."""
        dimension, value = self._target
        if dimension is None:
            return True
        if dimension not in dimensions:
            return False
        return parse_segment(name)[dimensions.index(dimension)] == value

    def apply(self, deltas: Deltas) -> Deltas:
        """The deltas as they would have been."""
        after = deltas.bucket >= self._start_us
        if not after.any():
            return deltas
        groupings = self._metric.groupings
        groups = [groupings[g] for g in deltas.groups.tolist()]
        named = list(zip(groups, deltas.segments, strict=True))
        own = np.array([self.is_target(*one) for one in named], dtype=bool)
        places = _Places(deltas, named)
        if self._metric.measures[0].form is not Form.SUM:
            chosen = after & own[deltas.series]
            return self._entries(deltas, chosen, groups, places)
        total = deltas.hi[:, 0] + deltas.lo[:, 0]
        room = self._room(deltas, total)
        size = len(total)
        moved = _Moved(change=np.zeros(size), told=np.zeros(size), told_room=np.zeros(size))
        for grouping in self._own:
            of_grouping = np.array([g == grouping for g in groups], dtype=bool)
            rows = np.flatnonzero(after & (own & of_grouping)[deltas.series])
            rest = total[rows] - moved.told[rows]
            moved.change[rows] += self._draw(rest, room[rows] - moved.told_room[rows])
            for coarser in groupings:
                if self._source[coarser] == grouping:
                    self._tell(moved, rows, places.of(rows, grouping, coarser), total, room)
        hi = deltas.hi.copy()
        hi[:, 0] += moved.change
        return msgspec.structs.replace(deltas, hi=hi)

    def _entries(
        self,
        deltas: Deltas,
        chosen: Bools,
        groups: list[tuple[str, ...]],
        places: "_Places",
    ) -> Deltas:
        """The deltas of a metric of hashes or histograms: its own series, then the coarser ones."""
        old = deltas.entries
        if old is None:
            return deltas
        table = Table.of(old)
        new = dict.fromkeys(np.flatnonzero(chosen).tolist())
        shift, form = self._shift, self._metric.measures[0].form
        for row in new:
            table.put(row, shifted(form, table.old(row), shift))
        for coarser, finer in self._source.items():
            if finer is None or self._is_own(coarser):
                continue
            of_finer = np.array([g == finer for g in groups], dtype=bool)[deltas.series]
            rows = np.flatnonzero(of_finer)
            at = places.of(rows, finer, coarser)
            for whole in np.unique(at[(at >= 0) & chosen[rows]]).tolist():
                parts = rows[at == whole]
                moved = [table.old(row) for row in parts[chosen[parts]].tolist()]
                others = [table.old(row) for row in parts[~chosen[parts]].tolist()]
                if form is Form.UNIQUES and len(table.old(whole)[0]) >= KEPT:
                    self.crowded += 1
                    continue
                table.put(whole, coarser_entries(form, table.old(whole), moved, others, shift))
        return msgspec.structs.replace(deltas, entries=table.entries())

    def _room(self, deltas: Deltas, total: Floats) -> Floats:
        """What a numerator that is part of its denominator can grow by."""
        if not self._subset:
            return np.zeros_like(total)
        room: Floats = deltas.hi[:, 1] + deltas.lo[:, 1] - total
        return room

    def _draw(self, total: Floats, room: Floats) -> Floats:
        """What sums change by."""
        if not self._counts:
            return total * self._shift
        events = np.maximum(np.rint(total), 0).astype(np.int64)
        if self._shift < 0:
            return -self._random.binomial(events, -self._shift).astype(np.float64)
        if self._subset:
            free = np.maximum(np.rint(room), 0).astype(np.int64)
            chance = np.minimum(self._shift * events / np.maximum(free, 1), 1.0)
            return self._random.binomial(free, chance).astype(np.float64)
        times, part = divmod(self._shift, 1.0)
        return np.asarray(events * times + self._random.binomial(events, part), np.float64)

    @staticmethod
    def _tell(moved: _Moved, rows: Int64s, at: Int64s, total: Floats, room: Floats) -> None:
        """Add what rows changed by to the coarser rows that hold their events."""
        known = at >= 0
        rows, at = rows[known], at[known]
        np.add.at(moved.change, at, moved.change[rows])
        np.add.at(moved.told, at, total[rows])
        np.add.at(moved.told_room, at, room[rows])


class _Places:
    """Finds, of rows of a finer grouping, the rows of a coarser one in the same bucket."""

    def __init__(self, deltas: Deltas, named: list[tuple[tuple[str, ...], str]]) -> None:
        late, bucket = np.asarray(deltas.late), np.asarray(deltas.bucket)
        new: Bools = np.r_[True, (late[1:] != late[:-1]) | (bucket[1:] != bucket[:-1])]
        self._cell: NDArray[np.int64] = np.cumsum(new)
        self._series = deltas.series.astype(np.int64)
        self._named = named
        self._number = {one: i for i, one in enumerate(named)}
        self._keys = self._cell * len(named) + self._series

    def of(self, rows: Int64s, finer: tuple[str, ...], coarser: tuple[str, ...]) -> Int64s:
        """By row, the row of the coarser series that holds it; -1 where there is none."""
        picks = [finer.index(dimension) for dimension in coarser]
        to = np.full(len(self._named), -1)
        for s in np.unique(self._series[rows]).tolist():
            values = parse_segment(self._named[s][1])
            to[s] = self._number.get((coarser, segment([values[i] for i in picks])), -1)
        series = to[self._series[rows]]
        wanted = self._cell[rows] * len(self._named) + series
        at = np.minimum(np.searchsorted(self._keys, wanted), len(self._keys) - 1)
        found: Int64s = np.where((series >= 0) & (self._keys[at] == wanted), at, -1)
        return found


def _finer(grouping: tuple[str, ...], own: list[tuple[str, ...]]) -> tuple[str, ...] | None:
    """The least of the shifted groupings that holds all dimensions of this one, and more."""
    holds = [g for g in own if len(g) > len(grouping) and set(g) >= set(grouping)]
    return min(holds, key=len, default=None)

"""A panel of cohorts: buckets close twice, when their events are there and when their units are mature.

The first time a bucket's starts become a cohort, whose running value is known and judged by nobody: it is
shown then, and again a few times while it grows (`running`). The
second time, at the first edge of a bucket at or after its end plus the horizon, it closes like a bucket of
any other panel: then all later steps of its units that came in time have been seen.

A window's value is that of a cohort as long as the window: a unit that starts in several of its buckets
counts once, and has come as far as from any of its starts. It is exact where no bucket was sampled.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from monitor.aggregate import follower
from monitor.aggregate.closing import Closing
from monitor.aggregate.cohort_rows import CohortRows
from monitor.aggregate.follower import Follower, followers
from monitor.aggregate.horizon import Horizon, Longest
from monitor.aggregate.late import Restatement
from monitor.aggregate.late_units import MOST
from monitor.aggregate.panel import Panel, Tick
from monitor.aggregate.sketches import EMPTY, Sketch, added
from monitor.definitions.calendar import bucket_end, bucket_start, window_start
from monitor.definitions.plan import Calendar, MetricPlan
from monitor.model.frame import Deltas, UnitEvents
from monitor.model.tick import Bools, Floats, Ints

REFRESHED = 4
"""Parts of its horizon: after each, a bucket that is not mature is shown again as it stands."""

TOLD_APART = 1 << 16
"""Units that are told apart in a window that still runs; where it holds more, a unit that starts in several of
its buckets counts in each until they are judged: a shard that catches up must not sort them every minute."""


class CohortPanel(Panel):
    """All series of the metrics that follow units over one calendar and horizon.

    Args:
        state: what `dump` gave, perhaps under other definitions.
    """

    def __init__(
        self,
        calendar: Calendar,
        metrics: Sequence[MetricPlan],
        horizon: Horizon | Longest,
        *,
        cardinality: int,
        restatement_us: int,
        state: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            calendar,
            metrics,
            cardinality=cardinality,
            restatement_us=restatement_us,
            state=None if state is None else state["panel"],
        )
        self.horizon = horizon
        self._restatement_us = restatement_us
        self._front = Closing(calendar)
        self._followers = followers(self.metrics)
        if state is not None:
            self._front.load(state["front"])
            follower.load(self._followers, self.metrics, state["cohorts"])
        self._rows = CohortRows(self.series, self.metrics)

    def note_activity(self, base_starts: Ints) -> None:
        """Take in the base buckets in which any event arrived."""
        for start in self._buckets(base_starts):
            self._note(start)

    def _note(self, start: int) -> None:
        if start >= self._front.open_from_us:
            self._front.note(start)
            self._closing.note(start)

    def merge(self, deltas: Deltas) -> int:
        """Take in what units of a metric did; returns how many rows were taken."""
        index, units = self._index[deltas.metric], deltas.units
        rows = self.series.rows(
            index, deltas.groups.tolist(), deltas.segments, events=lambda: _units_by_series(deltas)
        )
        taken = deltas.bucket >= self._front.floor_us
        late = np.asarray(deltas.late) | (deltas.bucket < self._front.open_from_us)
        for start in np.unique(deltas.bucket[taken & ~late]).tolist():
            self._note(start)
        if units is None or not len(units.row):
            return int(taken.sum())
        self._count_units(index, deltas, units, rows)
        row = rows[deltas.series[units.row]]
        bucket = np.asarray(deltas.bucket)[units.row]
        for of in self._followers:
            if of.metric == index:
                mine = taken[units.row] if of.alone else taken[units.row] & _is_of(of, units)
                own = _own_steps(of, units)
                self._take_in(of, own, bucket, mine & ~late[units.row], row)
                self._take_in_late(of, own, bucket, mine & late[units.row], row)
        return int(taken.sum())

    def _take_in(
        self, of: Follower, units: UnitEvents, bucket: Ints, chosen: Bools, row: Ints
    ) -> None:
        """Give these events to the cohorts, bucket by bucket; bucket and row are by event."""
        cohorts, born = of.cohorts, self.series.table["born_us"]
        starts = np.flatnonzero(chosen & (units.step == 0))
        np.minimum.at(born, row[starts], bucket[starts])
        for at in _by_bucket(starts, bucket):
            cohorts.add_starts(int(bucket[at[0]]), row[at], units.key[at], units.time_us[at])
        for at in _by_bucket(np.flatnonzero(chosen & (units.step > 0)), bucket):
            cohorts.add_later(int(bucket[at[0]]), units.step[at], units.key[at], units.time_us[at])

    def _take_in_late(
        self, of: Follower, units: UnitEvents, bucket: Ints, chosen: Bools, row: Ints
    ) -> None:
        """Keep late events apart; see `_take_in`."""
        late = of.late
        events = np.stack([np.asarray(c).astype(np.int64) for c in (row, units.key, units.time_us)])
        starts = np.flatnonzero(chosen & (units.step == 0))
        for at in _by_bucket(starts, bucket):
            late.add_starts(int(bucket[at[0]]), events[:, at])
        ends = bucket[starts] + self.calendar.width_us
        np.maximum.at(self.series.table["late_us"], row[starts], ends)
        later = np.flatnonzero(chosen & (units.step > 0))
        if len(later):
            events[0] = units.step
            late.add_later(events[:, later])

    def _count_units(self, index: int, deltas: Deltas, units: UnitEvents, rows: Ints) -> None:
        """Count the starts that went to `other`."""
        metric, names = self.metrics[index], self.series.segments
        starts = [of.start for of in self._followers if of.metric == index]
        at = deltas.series[units.row[np.isin(units.step, starts)]]
        held = np.bincount(at, minlength=len(rows))
        for i, (segment, row) in enumerate(zip(deltas.segments, rows.tolist(), strict=True)):
            dimensions = metric.groupings[int(deltas.groups[i])]
            if segment != names[row] and len(dimensions) == 1:
                self.folded[metric.name, dimensions[0]] += int(held[i])

    def next_end(self, until_us: int) -> int | None:
        """End of the next bucket whose events are there, if that is not after `until_us`."""
        return self._front.next_end(until_us)

    def gather(self, until_us: int) -> tuple[int, int]:
        """Make cohorts of the next bucket (see `next_end`), and let all units go on by its events.

        Args:
            until_us: the watermark: how far buckets may close, which bounds a gap.

        Returns:
            Where the bucket begins and ends.
        """
        start = self._front.next_us
        if not self._front.begun:
            self._wholes_are_born(start)
        for of in self._followers:
            of.late.keep(of.cohorts.close(start))
        self._front.move_on(until_us)
        return start, bucket_end(self.calendar, start)

    def running(self, start_us: int, end_us: int) -> Iterator[Tick]:
        """Buckets as they stand whose units have not had their time.

        Args:
            start_us: of the bucket that has just ended. It is given, and so are earlier ones that have
                meanwhile passed another part of their horizon.
            end_us: its end.
        """
        for start in sorted(self._unjudged() - {start_us}):
            end = bucket_end(self.calendar, start)
            part_us = (self.horizon.mature_us(end) - end) / REFRESHED
            if start < start_us and (end_us - end) // part_us > (start_us - end) // part_us:
                yield self._running(start)
        yield self._running(start_us)

    def _wholes_are_born(self, start: int) -> None:
        super()._wholes_are_born(start)
        born = self.series.table["born_us"]
        for rows in self._rows.steps:
            born[rows] = np.minimum(born[rows], start)

    def mature_us(self, limit_us: int) -> int | None:
        """When the next bucket to be judged could be known, if its units have had their time.

        Args:
            limit_us: up to which all later steps were seen.
        """
        if self._closing.next_us >= self._front.open_from_us:
            return None
        mature_us = self.horizon.mature_us(bucket_end(self.calendar, self._closing.next_us))
        if mature_us > limit_us:
            return None
        return max(mature_us, min(bucket_end(self.calendar, mature_us - 1), limit_us))

    def close(self, until_us: int) -> Tick:
        """Close the next bucket of the judged ones and move on to the one after it."""
        start = self._closing.next_us
        sums = self._sums(start)
        rows = np.arange(self.series.size)
        self._open.add(start, rows, sums, np.zeros_like(sums), size=len(rows), repeats=False)
        self._open.add_entries(start, self._entries(start))
        tick = super().close(until_us)
        kept_from_us = tick.observation.end_us - self._restatement_us
        for of in self._followers:
            of.cohorts.judged(start)
            of.late.judged(start)
            of.cohorts.let_go(bucket_start(self.calendar, kept_from_us), most=MOST)
            of.late.let_go(bucket_start(self.calendar, kept_from_us))
        return tick

    @property
    def set_aside(self) -> Counter[str]:
        """Late events of cohorts that were let go before their time; starts of a unit beyond a few."""
        return Counter(
            cohort_gone=sum(of.late.unrestated for of in self._followers),
            too_many_starts=sum(of.cohorts.left_out + of.late.left_out for of in self._followers),
        )

    def is_late_due(self) -> bool:
        """Whether `restatements` must be taken before the next bucket is judged."""
        waiting = [of.late.oldest_us for of in self._followers if of.late.oldest_us is not None]
        if not waiting or not self._closing.begun:
            return False
        end = bucket_end(self.calendar, self._closing.next_us)
        return bucket_end(self.calendar, min(waiting)) <= end - self._restatement_us

    def restatements(self) -> Iterator[Restatement]:
        """Count the judged cohorts again that late events change, and give what changed."""
        if not self._closing.begun:
            return
        rows = np.arange(self.series.size)
        for of in self._followers:
            own = slice(of.first, of.first + 2)
            for start in of.late.take_due(self._closing.next_us):
                came = of.late.came(start)
                change = np.zeros((len(rows), self._values.measures))
                self._rows.put(change, of, came.counts(of.cohorts.steps, len(rows)))
                change[:, own] -= self._closed.sums_of(start, rows)[:, own]
                change[self.series.table["metric"] != of.metric] = 0
                at = np.flatnonzero(change.any(axis=1))
                self._late.add(np.full(len(at), start), at, change[at])
                if of.windowed and len(at):
                    entries = self._rows.entries(of, came).of_rows(at)
                    self._late.add_entries(start, _new(entries, self._closed.sketch(start)))
        yield from super().restatements()

    def _sums(self, start_us: int) -> Floats:
        """Converted units and units of open cohorts as they stand, 0 elsewhere. float64[rows, k]."""
        size = self.series.size
        sums = np.zeros((size, self._values.measures))
        for of in self._followers:
            self._rows.put(sums, of, of.cohorts.counts(start_us, size))
        return sums

    def _entries(self, start_us: int) -> Sketch:
        """The units of an open cohort, of the metrics that have windows."""
        return added(
            [
                self._rows.entries(of, of.cohorts.came(start_us))
                for of in self._followers
                if of.windowed
            ]
        )

    def _unjudged(self) -> set[int]:
        """Buckets that have begun to be shown, and were not judged."""
        return {start for of in self._followers for start in of.cohorts.buckets()}

    def _standing(self, start_us: int) -> tuple[Floats, Sketch]:
        """What a bucket that was not judged holds, without the units that windows tell apart."""
        return self._sums(start_us), EMPTY

    def _running(self, start: int) -> Tick:
        tick = self._tick(start, *self._standing(start), active=True)
        rows = np.arange(self.series.size)
        windows = self._running_windows(tick.observation.end_us, rows, tick.value)
        return replace(tick, sketch=EMPTY, window_value=windows)

    def _running_windows(self, end: int, rows: Ints, value: Floats) -> Floats:
        """Values over the windows that end here: of cohorts that are mature, and of those that are not."""
        out = value.copy()
        lengths = self._values.window_us(rows)
        unjudged = self._unjudged()
        for window in self._closed.windows_us:
            first = window_start(self.calendar, end, window)
            past = [b for b in self._closed.starts() if first <= b < end]
            running = sorted(b for b in unjudged if first <= b < end)
            mine = rows[lengths == window]
            standing = [self._standing(start) for start in running]
            sums = np.zeros((len(mine), self._values.measures))
            for start in past:
                sums += self._closed.sums_of(start, mine)
            for held, _ in standing:
                sums += held[mine]
            units = sums[self._values.forms.told_apart(mine)].sum()
            if units <= TOLD_APART:
                sketches = [*map(self._closed.sketch, past), *(sketch for _, sketch in standing)]
                sketches += map(self._entries, running)
                sums = self._values.forms.measured(mine, sums, added(sketches), window=True)
            elif self._values.forms.any_kept:
                sketches = [*map(self._closed.sketch, past), *(sketch for _, sketch in standing)]
                sums = self._values.forms.measured(mine, sums, added(sketches))
            out[mine] = self._values.read(mine, sums, active=True).value
        return out

    def partials(self) -> Iterator[Tick]:
        """What is left: cohorts whose units had not had their time, then buckets that never ended.

        `is_ended` tells them apart.
        """
        while self._closing.next_us < self._front.open_from_us:
            yield self.close(self._front.open_from_us)
        yield from super().partials()

    def is_ended(self, tick: Tick) -> bool:
        """Whether the bucket had ended at the end of the input."""
        return tick.observation.start_us < self._front.open_from_us

    def end_input(self) -> None:
        """Nothing more comes: let units go on by what the buckets hold that have not ended."""
        for of in self._followers:
            for start in of.cohorts.open_buckets():
                of.late.keep(of.cohorts.close(start))

    def _stale(self, limit_us: int) -> Ints:
        steps = np.concatenate([np.empty(0, np.int64), *self._rows.steps])
        return np.setdiff1d(super()._stale(limit_us), steps)

    def _first_held(self, rows: Ints) -> Ints:
        held = super()._first_held(rows)
        for of in self._followers:
            held = np.minimum(held, of.cohorts.first(rows))
        return held

    def end_history(self) -> None:
        """Forget what was not judged: cohorts that were open belong to the history."""
        floor_us = self._front.open_from_us
        super().end_history()
        for closing in (self._closing, self._front):
            closing.end_history(floor_us)
        for of in self._followers:
            of.cohorts.clear()
            of.late.clear()

    def dump(self) -> dict[str, Any]:
        """The state as plain values and arrays."""
        return {
            "panel": super().dump(),
            "front": self._front.dump(),
            "cohorts": follower.dump(self._followers, self.metrics),
        }


def _is_of(of: Follower, units: UnitEvents) -> Bools:
    """Which events are of its steps."""
    inside: Bools = (units.step >= of.start) & (units.step < of.start + of.cohorts.steps)
    return inside


def _units_by_series(deltas: Deltas) -> Floats:
    """How many unit events each series has."""
    at = np.empty(0, np.int64) if deltas.units is None else deltas.series[deltas.units.row]
    return np.bincount(at, minlength=len(deltas.segments)).astype(np.float64)


def _own_steps(of: Follower, units: UnitEvents) -> UnitEvents:
    """The same events, with steps that count from its start."""
    return msgspec.structs.replace(units, step=units.step - of.start) if of.start else units


def _new(entries: Sketch, known: Sketch) -> Sketch:
    """The entries that are not known yet; other slots may hold counts of events."""
    known = known.of_slots(np.unique(entries.slot))
    twice = Sketch(slot=entries.slot, key=entries.key, count=np.full(len(entries), 2))
    both = added([known, twice])
    fresh = both.at(both.count == 2)  # noqa: PLR2004 - what is known counts one more
    return Sketch(slot=fresh.slot, key=fresh.key, count=np.ones(len(fresh), dtype=np.int64))


def _by_bucket(at: Ints, bucket: Ints) -> Iterator[Ints]:
    """These places, those of one bucket at a time."""
    if not len(at):
        return
    at = at[np.argsort(bucket[at], kind="stable")]
    own = bucket[at]
    edges = np.flatnonzero(np.r_[True, own[1:] != own[:-1], True]).tolist()
    for begin, stop in pairwise(edges):
        yield at[begin:stop]

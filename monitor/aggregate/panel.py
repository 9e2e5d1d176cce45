"""A panel: all series of one bucket width, from deltas to the observation of each closed bucket."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from monitor.aggregate.buckets import OpenBuckets
from monitor.aggregate.closed import ClosedBuckets
from monitor.aggregate.closing import Closing
from monitor.aggregate.late import LateEvents, Restatement
from monitor.aggregate.rows import some_rows
from monitor.aggregate.series import ALL, RETIRE_AFTER_US, Series
from monitor.aggregate.sketches import Sketch, slots_of
from monitor.aggregate.values import Values
from monitor.definitions.calendar import bucket_end, bucket_starts
from monitor.definitions.plan import Calendar, MetricPlan
from monitor.model.frame import Deltas
from monitor.model.tick import Bools, Floats, Ints, Observation
from monitor.model.time import DAY, FOREVER, NEVER
from monitor.stats import laws


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """One closed bucket of a panel.

    Attributes:
        observation: what the baseline and the guard are given.
        measures: sums by row, or what the sketch amounts to. float64[rows, k]
        sketch: of measures that are no sums.
        value, window_value: of the bucket, and of the window that ends with it; NaN where undefined.
        alive: rows whose series was seen by the end of this bucket.
        active: whether any event of any kind arrived in it.
        partial: whether its beginning may be missing: the first one after a history.
    """

    observation: Observation
    measures: Floats
    sketch: Sketch
    value: Floats
    window_value: Floats
    alive: Bools
    active: bool
    partial: bool = False


def panel_calendar(metric: MetricPlan) -> Calendar:
    """The calendar that a metric's panel is found by: time zones matter from a day on only."""
    calendar = metric.calendar
    return calendar if calendar.width_us >= DAY else Calendar(width_us=calendar.width_us)


class Panel:
    """All series of one calendar.

    Args:
        state: what `dump` gave, perhaps under other definitions.

    Attributes:
        series: which row each has.
        gone: rows of `state` whose metric is gone or measures something else now, emptied.
        folded: events that went to `other`, by (metric name, dimension name).
    """

    def __init__(
        self,
        calendar: Calendar,
        metrics: Sequence[MetricPlan],
        *,
        cardinality: int,
        restatement_us: int,
        state: dict[str, Any] | None = None,
    ) -> None:
        self.calendar = calendar
        self.metrics = tuple(metrics)
        self.series = Series(metrics, cardinality)
        self.folded: Counter[tuple[str, str]] = Counter()
        self._index = {m.name: i for i, m in enumerate(self.metrics)}
        self._values = Values(self.metrics, self.series.table)
        self._open = OpenBuckets(self._values.measures, self._values.forms.of_units)
        windows = {m.window_us for m in self.metrics if m.window_us > m.calendar.width_us}
        self._closed = ClosedBuckets(
            calendar,
            windows_us=sorted(windows),
            restatement_us=restatement_us,
            values=self._values,
        )
        self._late = LateEvents(calendar, self.series, self._values, self._closed)
        self._closing = Closing(calendar)
        self.gone = np.empty(0, np.int64) if state is None else self._load(state)
        known = {metric for (metric, group, _), _ in self.series.items() if group == 0}
        for index in sorted(set(range(len(self.metrics))) - known):
            row = self.series.add(index, 0, ALL)
            if self._closing.begun:
                self.series.table["born_us"][row] = self._closing.next_us

    def note_activity(self, base_starts: Ints) -> None:
        """Take in the base buckets in which any event arrived."""
        for start in self._buckets(base_starts):
            if start >= self._closing.open_from_us:
                self._closing.note(start)
            elif start < self._closing.floor_us:
                self._closing.reaches_back()

    def _buckets(self, base_starts: Ints) -> list[int]:
        starts: list[int] = np.unique(bucket_starts(self.calendar, base_starts)).tolist()
        return starts

    @property
    def _arriving(self) -> Closing:
        """The walk over the buckets that events in time may still come for."""
        return self._closing

    def _note(self, start: int) -> None:
        self._closing.note(start)

    def merge(self, deltas: Deltas) -> int:
        """Add a metric's deltas; returns how many rows were taken."""
        return sum(self._merge(part) for part in self._as_they_stand(deltas))

    def _as_they_stand(self, deltas: Deltas) -> Iterator[Deltas]:
        """The deltas without those before the floor; what is on time for a closed bucket is late.

        That happens where a source is new: until it spoke, the others' watermarks closed buckets.
        """
        arriving = self._arriving
        floor_us = arriving.floor_us
        if floor_us > NEVER and (deltas.bucket < floor_us).any():
            deltas = some_rows(deltas, deltas.bucket >= floor_us)
        if not len(deltas.bucket):
            return
        before = arriving.next_us
        closed = ~deltas.late & (deltas.bucket < before) if arriving.begun else None
        if closed is not None and closed[0]:  # sorted: the first row is the oldest on time
            yield some_rows(deltas, closed, late=True)
            deltas = some_rows(deltas, ~closed)
        if len(deltas.bucket):
            yield deltas

    def _merge(self, deltas: Deltas) -> int:
        index = self._index[deltas.metric]
        groups = deltas.groups.tolist()
        rows = self.series.rows(index, groups, deltas.segments, events=lambda: _by_series(deltas))
        repeats = len(np.unique(rows)) < len(rows)
        self._count_folded(index, groups, deltas, rows)
        at = rows[deltas.series]
        split = int(np.searchsorted(deltas.late, 1))  # sorted: on-time rows first
        edges = _edges(deltas.bucket[:split])
        for begin, stop in pairwise(edges):
            self._merge_bucket(deltas, slice(begin, stop), at[begin:stop], repeats)
        self._merge_entries(deltas, at, edges)
        if split < len(at):
            sums = deltas.hi[split:] + deltas.lo[split:]
            self._late.add(deltas.bucket[split:], at[split:], sums)
            ends = deltas.bucket[split:] + self.calendar.width_us
            np.maximum.at(self.series.table["late_us"], at[split:], ends)
        return len(at)

    def _merge_bucket(self, deltas: Deltas, part: slice, rows: Ints, repeats: bool) -> None:
        start = int(deltas.bucket[part.start])
        self._open.add(
            start, rows, deltas.hi[part], deltas.lo[part], size=self.series.size, repeats=repeats
        )
        born = self.series.table["born_us"]
        born[rows] = np.minimum(born[rows], start)
        self._note(start)  # the event may have been late for a shorter bucket

    def _merge_entries(self, deltas: Deltas, rows: Ints, on_time: list[int]) -> None:
        """Add the entries of sketches, bucket by bucket; those of late rows are kept apart."""
        entries = deltas.entries
        if entries is None or not len(entries.row):
            return
        sketch = Sketch(
            slot=slots_of(rows[entries.row], entries.measure), key=entries.key, count=entries.count
        )
        split = on_time[-1]
        late = [split + edge for edge in _edges(deltas.bucket[split:])]
        places = np.searchsorted(entries.row, [*on_time, *late[1:]]).tolist()
        for i, (begin, stop) in enumerate(pairwise(places)):
            target = self._open if i < len(on_time) - 1 else self._late
            if begin < stop:
                bucket = int(deltas.bucket[entries.row[begin]])
                target.add_entries(bucket, sketch.at(slice(begin, stop)))

    def _count_folded(self, index: int, groups: list[int], deltas: Deltas, rows: Ints) -> None:
        metric = self.metrics[index]
        names = self.series.segments
        for i, (segment, row) in enumerate(zip(deltas.segments, rows.tolist(), strict=True)):
            if segment != names[row] and len(metric.groupings[groups[i]]) == 1:
                self.folded[metric.name, metric.groupings[groups[i]][0]] += _events(deltas, i)

    @property
    def set_aside(self) -> Counter[str]:
        """Events of units that a cohort could not count, by reason."""
        return Counter()

    def next_end(self, until_us: int) -> int | None:
        """End of the next bucket to close, if that is not after `until_us`."""
        return self._closing.next_end(until_us)

    def close(self, until_us: int) -> Tick:
        """Close the next bucket (see `next_end`) and move on to the one after it.

        Args:
            until_us: the watermark: how far buckets may close, which bounds a gap.
        """
        start = self._closing.next_us
        if not self._closing.begun:
            self._wholes_are_born(start)
        tick = self._take(start, bucket_end(self.calendar, start))
        self._closing.move_on(until_us)
        return tick

    def _wholes_are_born(self, start: int) -> None:
        born = self.series.table["born_us"]
        for index in range(len(self.metrics)):
            row = self.series.whole(index)
            born[row] = min(born[row], start)

    def _take(self, start: int, end: int) -> Tick:
        """Move what the open bucket holds to the closed ones."""
        rows = np.arange(self.series.size)
        sums, sketch = self._open.take(start, len(rows))
        active = start in self._closing.active
        self._closed.push(start, end, sums, sketch, active=active)
        seen = self.series.table["seen_us"]
        present = (sums != 0).any(axis=1)
        present[sketch.rows()] = True
        seen[present] = np.maximum(seen[present], end)
        tick = self._tick(start, sums, sketch, active=active)
        windows = self._window_values(rows, tick.value)
        return replace(tick, window_value=windows, partial=self._closing.resumed)

    def _tick(self, start: int, sums: Floats, sketch: Sketch, *, active: bool) -> Tick:
        """What a bucket that holds this amounts to; of its window only the bucket itself is known."""
        rows = np.arange(self.series.size)
        alive = self.series.table["born_us"] <= start
        measures = self._values.forms.measured(rows, sums, sketch)
        read = self._values.read(rows, measures, active=active)
        value = np.where(alive, read.value, np.nan)
        return Tick(
            observation=Observation(
                start_us=start,
                end_us=bucket_end(self.calendar, start),
                x=read.x,
                n=read.n,
                observed=alive & read.observed,
            ),
            measures=measures,
            sketch=sketch,
            value=value,
            window_value=value,
            alive=alive,
            active=active,
        )

    @property
    def closed_from_us(self) -> int | None:
        """Start of the oldest bucket whose sums are kept; None where nothing is."""
        return next(iter(self._closed.starts()), None)

    @property
    def closed_until_us(self) -> int:
        """End of the newest closed bucket; `NEVER` before the first."""
        newest_us = self._closed.newest_us
        return NEVER if newest_us == NEVER else bucket_end(self.calendar, newest_us)

    def closed_ticks(self, from_us: int, until_us: int) -> Iterator[Tick]:
        """The closed buckets inside a span again, as late events have left them, without windows."""
        rows = np.arange(self.series.size)
        for start in self._closed.starts():
            if from_us <= start and bucket_end(self.calendar, start) <= until_us:
                sums, sketch = self._closed.sums_of(start, rows), self._closed.sketch(start)
                yield self._tick(start, sums, sketch, active=self._closed.was_active(start))

    def _window_values(self, rows: Ints, value: Floats) -> Floats:
        out = value.copy()
        lengths = self._values.window_us(rows)
        for window in self._closed.windows_us:
            mine = rows[lengths == window]
            measures = self._closed.window(window, mine)
            out[mine] = self._values.read(mine, measures, active=True).value
        return out

    def above(self, tick: Tick, values: Floats) -> Floats:
        """How many events of each quantile lie above three values (see `Forms.above`).

        Args:
            tick: the bucket.
            values: float64[rows, 3].

        Returns:
            float64[rows, 3]; NaN for rows of other laws.
        """
        out = np.full(values.shape, np.nan)
        rows = np.flatnonzero(self.series.table["law"] == laws.QUANTILE)
        out[rows] = self._values.forms.above(rows, tick.sketch, values[rows])
        return out

    def partials(self) -> Iterator[Tick]:
        """What is left in buckets that have not ended, oldest first: judged by nobody."""
        for start in sorted({*self._open.starts(), *self._closing.active}):
            self._closing.next_us = start
            self._closing.note(start)
            yield self.close(start)

    def is_late_due(self) -> bool:
        """Whether `restatements` must be taken before the next bucket closes."""
        closing = self._closing
        return closing.begun and self._late.is_due(bucket_end(self.calendar, closing.next_us))

    def restatements(self) -> Iterator[Restatement]:
        """Apply the late events so far to buckets that have closed, and give what changed."""
        if self._closing.begun:
            yield from self._late.restatements(self._closing.next_us)

    def retire(self, now_us: int) -> Ints:
        """Free the rows of segments unseen for a week; returns them, emptied.

        One that the frames so far hold more of, in buckets that are still open, begins anew there:
        as if it came back later. What late events brought, or may still restate, is not forgotten.
        """
        limit = now_us - max(RETIRE_AFTER_US, self._closed.restatement_us)
        stale = self._stale(limit)
        if not len(stale):
            return stale
        back = self._first_held(stale)
        table = self.series.table
        late = table["late_us"][stale] >= limit
        stays = late | (back < FOREVER)
        begun = ~stays | (table["born_us"][stale] < now_us)
        old = stale[begun & ~late]
        last = np.maximum(table["seen_us"], table["late_us"])[old].max(initial=NEVER)
        self._closed.clear(old, before_us=int(last))
        self._late.clear(old)
        self.series.restart(stale[stays & begun], back[stays & begun])
        self.series.retire(stale[~stays])
        return stale[begun]

    def _stale(self, limit_us: int) -> Ints:
        return self.series.stale(limit_us)

    def _first_held(self, rows: Ints) -> Ints:
        """Start of the first open bucket that holds anything of each row; FOREVER where none."""
        return self._open.first(rows)

    def end_history(self) -> None:
        """Forget what has not closed; the next bucket to close is the first that anything comes for.

        What starts before the last closed bucket's end belongs to the history: it is passed over.
        """
        self._closing.end_history(self._closing.open_from_us)
        self._open = OpenBuckets(self._values.measures, self._values.forms.of_units)
        self._late = LateEvents(self.calendar, self.series, self._values, self._closed)

    def _clear(self, rows: Ints) -> None:
        self._open.clear(rows)
        self._closed.clear(rows)
        self._late.clear(rows)

    def dump(self) -> dict[str, Any]:
        """The state as plain values and arrays."""
        return {
            "series": self.series.dump(),
            "open": self._open.dump(),
            "closed": self._closed.dump(),
            "late": self._late.dump(),
            "closing": self._closing.dump(),
            "folded": [[m, d, count] for (m, d), count in self.folded.items()],
        }

    def _load(self, state: dict[str, Any]) -> Ints:
        gone = self.series.load(state["series"])
        self._open.load(state["open"])
        self._closed.load(state["closed"])
        self._late.load(state["late"])
        self._closing.load(state["closing"])
        self.folded.update({(m, d): count for m, d, count in state["folded"]})
        self._clear(gone)
        return gone


def _edges(buckets: Ints) -> list[int]:
    """Where runs of equal values begin, and the end of the last."""
    if not len(buckets):
        return [0]
    return np.flatnonzero(np.r_[True, buckets[1:] != buckets[:-1], True]).tolist()


def _by_series(deltas: Deltas) -> Floats:
    """Events of every series; of units alone, how many units."""
    size = len(deltas.segments)
    events: Floats = np.bincount(deltas.series, deltas.hi[:, -1], minlength=size).astype(np.float64)
    if deltas.entries is None:
        return events
    units = np.bincount(deltas.series[deltas.entries.row], minlength=size)
    return np.where(events > 0, events, units)


def _events(deltas: Deltas, series: int) -> int:
    """Events of one series: the last measure; of units alone, how many units."""
    mine = deltas.series == series
    events = int(deltas.hi[mine, -1].sum())
    if events or deltas.entries is None:
        return events
    last = deltas.entries.measure == deltas.hi.shape[1] - 1
    return int(np.count_nonzero(mine[deltas.entries.row] & last))

"""Late events: kept apart from the closed bucket's revision 0, then applied as a restatement."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.aggregate.closed import ClosedBuckets
from monitor.aggregate.pile import Pile
from monitor.aggregate.rolling import Rolling
from monitor.aggregate.series import Series
from monitor.aggregate.sketches import Sketch
from monitor.aggregate.values import Values
from monitor.definitions.calendar import bucket_end, window_start
from monitor.definitions.plan import Calendar
from monitor.model.tick import Floats, Ints
from monitor.stats.exact import add_pairs

_NO_ROWS: Ints = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restatement:
    """All rows of a closed bucket that late events changed so far.

    Attributes:
        start_us, end_us: the bucket.
        rows: which rows of the panel, sorted.
        revision: by row, from 1.
        measures, value, n, window_value: by row, as in `Tick`.
    """

    start_us: int
    end_us: int
    rows: Ints
    revision: Ints
    measures: Floats
    value: Floats
    n: Floats
    window_value: Floats


class LateEvents:
    """What late events add, by bucket, until their bucket is closed and can be restated."""

    def __init__(
        self, calendar: Calendar, series: Series, values: Values, closed: ClosedBuckets
    ) -> None:
        self._calendar = calendar
        self._series = series
        self._values = values
        self._closed = closed
        self._pending: dict[int, dict[int, Floats]] = {}
        self._sketches = Pile(values.forms.of_units)
        self._revisions: dict[int, tuple[Ints, Ints]] = {}

    def is_due(self, end_us: int) -> bool:
        """Whether what is kept must be applied before a bucket with this end closes.

        Afterwards the closed bucket that it restates may be gone: a frame may cover a long time.
        """
        limit = end_us - self._closed.restatement_us
        return bool(self._pending) and bucket_end(self._calendar, min(self._pending)) <= limit

    def add(self, buckets: Ints, rows: Ints, sums: Floats) -> None:
        """Keep late deltas: one entry a (bucket, row); `sums` is float64[d, k]."""
        for bucket, row, more in zip(buckets.tolist(), rows.tolist(), sums, strict=True):
            held = self._pending.setdefault(bucket, {})
            if row not in held:
                held[row] = np.zeros(self._values.measures)
            held[row][: len(more)] += more

    def add_entries(self, start_us: int, sketch: Sketch) -> None:
        """Keep late entries of one bucket, of rows that `add` was given."""
        self._sketches.add(start_us, sketch)

    def restatements(self, before_us: int) -> Iterator[Restatement]:
        """Apply what is kept of buckets that start before this time, and give what changed."""
        touched: dict[int, list[Ints]] = {}
        for start in [s for s in sorted(self._pending) if s < before_us]:
            late = self._pending.pop(start)
            rows = np.array(sorted(late), dtype=np.int64)
            sums = self._closed.sums_of(start, rows) + np.stack(
                [late[row] for row in rows.tolist()]
            )
            self._closed.restate(start, rows, sums, self._sketches.take(start))
            touched.setdefault(start, []).append(rows)
            self._touch_later(start, rows, touched)
        if touched:
            yield from self._restated({start: np.concatenate(touched[start]) for start in touched})
        self._forget()

    def _touch_later(self, start: int, rows: Ints, touched: dict[int, list[Ints]]) -> None:
        """Note the later buckets whose window holds a restated one.

        Only their window moves, and only where the series stands in them at all.
        """
        lengths = self._values.window_us(rows)
        born = self._series.table["born_us"][rows]
        kept = self._closed.starts()
        after = kept[bisect_right(kept, start) :]
        for window in self._closed.windows_us:
            mine = lengths == window
            if not mine.any():
                continue
            some, since = rows[mine], born[mine]
            newest = int(since.max())
            for later in after:
                end = bucket_end(self._calendar, later)
                if window_start(self._calendar, end, window) > start:
                    break
                standing = some if newest <= later else some[since <= later]
                if standing.size:
                    touched.setdefault(later, []).append(standing)

    def _restated(self, touched: dict[int, Ints]) -> Iterator[Restatement]:
        windows: list[_Window] = []
        used = np.unique(
            np.concatenate(
                [
                    *touched.values(),
                    *(self._revisions[s][0] for s in touched if s in self._revisions),
                ]
            )
        )
        lengths = self._values.window_us(used)
        for length in self._closed.windows_us:
            rows = used[lengths == length]
            if rows.size:
                windows.append(_Window(self._closed, self._calendar, length, rows, self._values))
        for start in sorted(touched):
            known = self._revisions.get(start, (_NO_ROWS, _NO_ROWS))
            rows = np.union1d(known[0], touched[start])
            revision = np.zeros(len(rows), dtype=np.int64)
            revision[np.searchsorted(rows, known[0])] = known[1]
            revision[np.searchsorted(rows, np.unique(touched[start]))] += 1
            self._revisions[start] = rows, revision
            yield self._restatement(start, rows, revision, windows)

    def clear(self, rows: Ints) -> None:
        """Forget rows that now wait for another series."""
        for row in rows.tolist():
            for sums in self._pending.values():
                sums.pop(row, None)
        self._sketches.clear(rows)
        for start, (known, revision) in self._revisions.items():
            left = ~np.isin(known, rows)
            self._revisions[start] = known[left], revision[left]
        self._pending = {start: sums for start, sums in self._pending.items() if sums}

    def _restatement(
        self, start: int, rows: Ints, revision: Ints, windows: list["_Window"]
    ) -> Restatement:
        end = bucket_end(self._calendar, start)
        sums = self._closed.sums_of(start, rows)
        measures = self._values.forms.measured(rows, sums, self._closed.sketch(start))
        window_value = self._values.read(rows, measures, active=True).value
        lengths = self._values.window_us(rows)
        for window in windows:
            mine = lengths == window.length_us
            if mine.any():
                past = window.at(start, end)[np.searchsorted(window.rows, rows[mine])]
                window_value[mine] = self._values.read(rows[mine], past, active=True).value
        read = self._values.read(rows, measures, active=self._closed.was_active(start))
        return Restatement(
            start_us=start,
            end_us=end,
            rows=rows,
            revision=revision,
            measures=measures,
            value=read.value,
            n=read.n,
            window_value=window_value,
        )

    def _forget(self) -> None:
        reach = self._closed.restatement_us + max(self._closed.windows_us, default=0)
        oldest = self._closed.newest_us - reach
        for start in [s for s in self._revisions if s < oldest]:
            del self._revisions[start]

    def dump(self) -> dict[str, Any]:
        """The state as plain values and arrays."""
        return {
            "pending": [[s, list(rows.items())] for s, rows in sorted(self._pending.items())],
            "sketches": self._sketches.dump(),
            "revisions": [[s, *pair] for s, pair in sorted(self._revisions.items())],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `dump` gave."""
        width = self._values.measures
        self._pending = {
            s: {row: np.resize(np.append(sums, np.zeros(width)), width) for row, sums in rows}
            for s, rows in state["pending"]
        }
        self._sketches.load(state["sketches"])
        self._revisions = {s: (rows, revision) for s, rows, revision in state["revisions"]}


class _Window:
    """The measures over a rolling window of some rows, asked for at one closed bucket after another.

    Attributes:
        length_us: of the window.
        rows: which rows, sorted.
    """

    def __init__(
        self,
        closed: ClosedBuckets,
        calendar: Calendar,
        length_us: int,
        rows: Ints,
        values: Values,
    ) -> None:
        self.length_us = length_us
        self.rows = rows
        self._closed = closed
        self._calendar = calendar
        self._values = values
        self._starts = closed.starts()
        self._begin = self._stop = 0  # the part of `_starts` that is inside
        self._restart()

    def at(self, start_us: int, end_us: int) -> Floats:
        """Measures over the window that ends with this bucket; later than those asked for before."""
        first = window_start(self._calendar, end_us, self.length_us)
        begin, stop = bisect_left(self._starts, first), bisect_right(self._starts, start_us)
        if begin >= self._stop:
            self._restart()
            self._begin = self._stop = begin
        for start in self._starts[self._begin : begin]:
            self._add(start, -1)
        for start in self._starts[self._stop : stop]:
            self._add(start, +1)
        self._begin, self._stop = begin, stop
        return self._values.forms.measured(
            self.rows, self._hi + self._lo, self._rolling, window=True
        )

    def _restart(self) -> None:
        self._hi, self._lo = np.zeros((2, len(self.rows), self._closed.measures))
        self._rolling = Rolling(self._closed.measures)

    def _add(self, start: int, sign: int) -> None:
        sums = sign * self._closed.sums_of(start, self.rows)
        self._hi, self._lo = add_pairs(self._hi, self._lo, sums, np.zeros_like(sums))
        if self._values.forms.any:
            self._rolling.add(self._closed.sketch(start).of_rows(self.rows), sign)

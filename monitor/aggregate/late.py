"""Late events: kept apart from the closed bucket's revision 0, then applied as a restatement."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.aggregate.closed import ClosedBuckets
from monitor.aggregate.series import Series
from monitor.aggregate.values import Values
from monitor.definitions.calendar import bucket_end, bucket_start
from monitor.definitions.plan import Calendar
from monitor.model.tick import Floats, Ints


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
    """Sums of late events by bucket and row, until their bucket is closed and can be restated."""

    def __init__(
        self, calendar: Calendar, series: Series, values: Values, closed: ClosedBuckets
    ) -> None:
        self._calendar = calendar
        self._series = series
        self._values = values
        self._closed = closed
        self._pending: dict[int, dict[int, Floats]] = {}
        self._revisions: dict[int, dict[int, int]] = {}

    def add(self, buckets: Ints, rows: Ints, sums: Floats) -> None:
        """Keep late deltas: one entry a (bucket, row); `sums` is float64[d, k]."""
        for bucket, row, more in zip(buckets.tolist(), rows.tolist(), sums, strict=True):
            held = self._pending.setdefault(bucket, {})
            if row not in held:
                held[row] = np.zeros(self._values.measures)
            held[row][: len(more)] += more

    def restatements(self, before_us: int) -> Iterator[Restatement]:
        """Apply what is kept of buckets that start before this time, and give what changed."""
        touched: dict[int, set[int]] = {}
        for start in [s for s in sorted(self._pending) if s < before_us]:
            late = self._pending.pop(start)
            rows = np.array(sorted(late), dtype=np.int64)
            sums = self._kept(start, rows) + np.stack([late[row] for row in rows.tolist()])
            self._closed.restate(start, rows, sums)
            reach = self._values.window_us(rows) - self._calendar.width_us
            born = self._series.table["born_us"][rows]
            for row, more, since in zip(rows.tolist(), reach.tolist(), born.tolist(), strict=True):
                for later in self._closed_starts(start, start + more):
                    # of later buckets only the window moves: where the series stands in them at all
                    if later == start or since <= later:
                        touched.setdefault(later, set()).add(row)
        for start in sorted(touched):
            revisions = self._revisions.setdefault(start, {})
            for row in sorted(touched[start]):
                revisions[row] = revisions.get(row, 0) + 1
            yield self._restatement(start, revisions)
        self._forget()

    def clear(self, rows: Ints) -> None:
        """Forget rows that now wait for another series."""
        for row in rows.tolist():
            for sums in self._pending.values():
                sums.pop(row, None)
            for revisions in self._revisions.values():
                revisions.pop(row, None)
        self._pending = {start: sums for start, sums in self._pending.items() if sums}

    def _restatement(self, start: int, revisions: dict[int, int]) -> Restatement:
        rows = np.array(sorted(revisions), dtype=np.int64)
        end = bucket_end(self._calendar, start)
        sums = self._kept(start, rows)
        window_value = self._values.whenever(rows, sums)
        lengths = self._values.window_us(rows)
        for window in self._closed.windows_us:
            mine = lengths == window
            if mine.any():
                first = bucket_start(self._calendar, end - window)
                past = self._closed.total(rows[mine], self._closed_starts(first, start))
                window_value[mine] = self._values.whenever(rows[mine], past)
        n = self._values.roles(rows, sums)[1]
        observed = np.ones(len(rows), dtype=bool) if self._closed.was_active(start) else n > 0
        return Restatement(
            start_us=start,
            end_us=end,
            rows=rows,
            revision=np.array([revisions[row] for row in rows.tolist()], dtype=np.int64),
            measures=sums,
            value=self._values.of(rows, sums, observed),
            n=n,
            window_value=window_value,
        )

    def _kept(self, start: int, rows: Ints) -> Floats:
        """Sums of a closed bucket; 0 for what a row held before this series had it."""
        out = np.zeros((len(rows), self._values.measures))
        kept = self._closed.sums(start)
        if kept is not None:
            inside = rows < len(kept)
            out[inside] = kept[rows[inside]]
        return out

    def _closed_starts(self, first: int, last: int) -> list[int]:
        starts = [first]
        while (end := bucket_end(self._calendar, starts[-1])) <= min(last, self._closed.newest_us):
            starts.append(end)
        return starts

    def _forget(self) -> None:
        reach = self._closed.restatement_us + max(self._closed.windows_us, default=0)
        oldest = self._closed.newest_us - reach
        for start in [s for s in self._revisions if s < oldest]:
            del self._revisions[start]

    def dump(self) -> dict[str, Any]:
        """The state as plain values and arrays."""
        return {
            "pending": [[s, list(rows.items())] for s, rows in sorted(self._pending.items())],
            "revisions": [[s, list(rows.items())] for s, rows in sorted(self._revisions.items())],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `dump` gave."""
        width = self._values.measures
        self._pending = {
            s: {row: np.resize(np.append(sums, np.zeros(width)), width) for row, sums in rows}
            for s, rows in state["pending"]
        }
        self._revisions = {s: dict(rows) for s, rows in state["revisions"]}

"""Closed buckets: the rolling window, and what late events may still change.

Buckets inside the longest window are kept as arrays; older ones, down to the restatement window,
compressed.
"""

from bisect import bisect_left, insort
from typing import Any

import numpy as np
import zstandard

from monitor.aggregate.sketch_past import SketchPast
from monitor.aggregate.sketches import Sketch, merged
from monitor.aggregate.values import Values
from monitor.definitions.calendar import bucket_end, window_start
from monitor.definitions.plan import Calendar
from monitor.model.tick import Floats, Ints
from monitor.model.time import FOREVER, NEVER
from monitor.stats.exact import add_pairs


class ClosedBuckets:
    """The buckets of a panel that have closed, as far back as anything may need them.

    Args:
        calendar: of the panel.
        windows_us: the window lengths in use that are longer than a bucket.
        restatement_us: how far back late events are applied.
        values: reads the measures of the panel.

    Attributes:
        measures: sums a row.
    """

    def __init__(
        self, calendar: Calendar, *, windows_us: list[int], restatement_us: int, values: Values
    ) -> None:
        self._calendar = calendar
        self._values = values
        self._sketches = SketchPast(values, windows_us)
        measures = values.measures
        self.windows_us = sorted(windows_us)
        self.restatement_us = restatement_us
        self.measures = measures
        self.newest_us = NEVER
        self._starts: list[int] = []
        self._recent: dict[int, Floats] = {}
        self._old: dict[int, tuple[int, bytes]] = {}
        self._active: set[int] = set()
        self._rolling = {w: np.zeros((2, 0, measures)) for w in self.windows_us}
        self._from = dict.fromkeys(self.windows_us, NEVER)

    def push(
        self, start_us: int, end_us: int, sums: Floats, sketch: Sketch, *, active: bool
    ) -> None:
        """Take in a bucket that has just closed, and let go of what is too old.

        Args:
            start_us: its start; later than that of every bucket before.
            end_us: its end.
            sums: of every row of the panel. float64[rows, k]
            sketch: of measures that are no sums.
            active: whether any event of any kind arrived in it.
        """
        for window in self.windows_us:
            first = window_start(self._calendar, end_us, window)
            begin, stop = (bisect_left(self._starts, t) for t in (self._from[window], first))
            for start in self._starts[begin:stop]:
                self._roll(window, self._recent[start], -1.0)
                self._sketches.roll(window, self._sketches.of(start), -1)
            self._roll(window, sums, +1.0)
            self._sketches.roll(window, sketch, +1)
            self._from[window] = first
        self._starts.append(start_us)
        self._recent[start_us] = sums
        self._sketches.keep(start_us, sketch, recent=True)
        self.newest_us = start_us
        if active:
            self._active.add(start_us)
        self._let_go(end_us)

    def window(self, window_us: int, rows: Ints) -> Floats:
        """Measures of these rows over the window that ends with the newest bucket, float64[r, k]."""
        hi, lo = self._rolling[window_us]
        sums = hi[rows] + lo[rows]
        return self._values.forms.measured(
            rows, sums, self._sketches.rolling(window_us), window=True
        )

    def sums(self, start_us: int) -> Floats | None:
        """Sums of one closed bucket, for rows that existed then; None where it is not kept."""
        recent = self._recent.get(start_us)
        if recent is not None:
            return recent
        old = self._old.get(start_us)
        if old is None:
            return None
        return np.frombuffer(zstandard.decompress(old[1])).reshape(self.measures, old[0]).T

    def sketch(self, start_us: int) -> Sketch:
        """Sketch of one closed bucket; empty where none is kept."""
        return self._sketches.of(start_us)

    def starts(self) -> list[int]:
        """Starts of the buckets whose sums are kept, sorted."""
        return sorted([*self._old, *self._starts])

    def was_active(self, start_us: int) -> bool:
        """Whether any event arrived in time for this bucket."""
        return start_us in self._active

    def restate(self, start_us: int, rows: Ints, sums: Floats, late: Sketch) -> None:
        """Overwrite rows of a closed bucket by what they are with late events.

        A bucket that was never closed (before the first one, or inside a gap) comes into being.

        Args:
            start_us: the bucket.
            rows: which rows.
            sums: what they are. float64[r, k]
            late: what their sketches grow by.
        """
        known = self.sums(start_us)
        old = np.zeros((0, self.measures)) if known is None else known
        size = max(len(old), int(rows.max()) + 1)
        new = np.zeros((size, self.measures))
        new[: len(old)] = old
        change = new.copy()
        new[rows] = sums
        for window, begin in self._from.items():
            if begin <= start_us:
                self._roll(window, change, -1.0)
                self._roll(window, new, +1.0)
        if known is None and start_us >= min(self._from.values(), default=FOREVER):
            insort(self._starts, start_us)  # what was rolled in must be rolled out
            self._recent[start_us] = new
        elif start_us in self._recent:
            self._recent[start_us] = new
        else:
            self._old[start_us] = size, _compress(new)
        if len(late):
            self._restate_sketch(start_us, late)

    def _restate_sketch(self, start_us: int, late: Sketch) -> None:
        old = self._sketches.of(start_us)
        new = merged([old, late], self._values.forms.of_units)
        rows = late.rows()
        for window, begin in self._from.items():
            if begin <= start_us:
                self._sketches.roll(window, old.of_rows(rows), -1)
                self._sketches.roll(window, new.of_rows(rows), +1)
        self._sketches.keep(start_us, new, recent=start_us in self._recent)

    def sums_of(self, start_us: int, rows: Ints) -> Floats:
        """Sums of these rows in one closed bucket, float64[r, k]; 0 where nothing is kept."""
        out = np.zeros((len(rows), self.measures))
        sums = self.sums(start_us)
        if sums is not None:
            there = rows < len(sums)
            out[there] = sums[rows[there]]
        return out

    def clear(self, rows: Ints, *, before_us: int = FOREVER) -> None:
        """Empty rows for another series: what they held before must not enter its windows.

        Args:
            rows: which.
            before_us: buckets that start later hold nothing of them.
        """
        starts = [s for s in (*self._starts, *self._old) if s < before_us]
        self._sketches.clear(rows, starts)
        for start in starts:
            sums = np.array(self.sums(start))
            sums[rows[rows < len(sums)]] = 0
            if start in self._recent:
                self._recent[start] = sums
            else:
                self._old[start] = len(sums), _compress(sums)
        for pair in self._rolling.values():
            pair[:, rows[rows < pair.shape[1]]] = 0

    def _roll(self, window: int, sums: Floats, sign: float) -> None:
        pair = self._rolling[window]
        size = len(sums)
        if size > pair.shape[1]:
            pair = np.pad(pair, ((0, 0), (0, size - pair.shape[1]), (0, 0)))
            self._rolling[window] = pair
        pair[:, :size] = add_pairs(pair[0, :size], pair[1, :size], sign * sums, np.zeros_like(sums))

    def _let_go(self, end_us: int) -> None:
        longest = max(self.windows_us, default=0)
        keep = bisect_left(self._starts, window_start(self._calendar, end_us, longest))
        keep = min(keep, len(self._starts) - 1)
        for start in self._starts[:keep]:
            sums = self._recent.pop(start)
            self._old[start] = len(sums), _compress(sums)
            self._sketches.age(start)
        del self._starts[:keep]
        # the window of the oldest bucket that may be restated reaches back as far again
        limit = window_start(self._calendar, end_us - self.restatement_us, longest)
        while self._old:
            oldest = next(iter(self._old))
            if bucket_end(self._calendar, oldest) > limit:
                break
            del self._old[oldest]
            self._sketches.forget(oldest)
            self._active.discard(oldest)

    def dump(self) -> dict[str, Any]:
        """The state as plain values and arrays."""
        return {
            "newest_us": self.newest_us,
            "recent": [[start, self._recent[start]] for start in self._starts],
            "old": [[start, size, data] for start, (size, data) in self._old.items()],
            "rolling": [[w, self._from[w], pair] for w, pair in self._rolling.items()],
            "active": sorted(self._active),
            "measures": self.measures,
            "sketches": self._sketches.dump(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `dump` gave; a window length that is new starts from the kept buckets."""
        self.newest_us = state["newest_us"]
        self._active = set(state["active"])
        rolling = {window: (begin, pair) for window, begin, pair in state["rolling"]}
        new = [window for window in self.windows_us if window not in rolling]
        if new or state["measures"] != self.measures:
            self._load_all(state)
        else:
            self._old = {start: (size, data) for start, size, data in state["old"]}
            self._recent = dict(state["recent"])
            self._starts = sorted(self._recent)
        for window, (begin, pair) in rolling.items():
            if window in self._rolling:
                self._rolling[window] = _of_width(pair, self.measures)
                self._from[window] = begin
        for window in new:
            for sums in self._recent.values():
                self._roll(window, sums, +1.0)  # the next bucket rolls out those that are too old
        self._sketches.load(state["sketches"], set(self._starts), self._from)

    def _load_all(self, state: dict[str, Any]) -> None:
        """Take over every kept bucket as an array: of more or fewer measures, or for new windows."""
        for start, size, data in state["old"]:
            sums = np.frombuffer(zstandard.decompress(data)).reshape(state["measures"], size).T
            self._recent[start] = _of_width(sums, self.measures)
        for start, sums in state["recent"]:
            self._recent[start] = _of_width(sums, self.measures)
        self._starts = sorted(self._recent)


def _of_width(sums: Floats, measures: int) -> Floats:
    """Sums with so many measures in the last axis: those of a panel whose widest metric changed."""
    out = np.zeros((*sums.shape[:-1], measures))
    width = min(measures, sums.shape[-1])
    out[..., :width] = sums[..., :width]
    return out


def _compress(sums: Floats) -> bytes:
    return zstandard.compress(np.ascontiguousarray(sums.T).tobytes(), 1)

"""Open buckets: sums and sketches that grow until the watermark passes, in whatever order."""

from typing import Any

import numpy as np

from monitor.aggregate.pile import Pile
from monitor.aggregate.sketches import OfUnits, Sketch
from monitor.model.tick import Floats, Ints
from monitor.model.time import FOREVER
from monitor.stats.exact import add_pairs


class OpenBuckets:
    """What the buckets of a panel hold that have not closed: sums as (hi, lo) pairs, and sketches.

    Args:
        of_units: which slots of the sketches hold units.

    Attributes:
        measures: how many sums a row has (those of the widest metric).
    """

    def __init__(self, measures: int, of_units: OfUnits) -> None:
        self.measures = measures
        self._open: dict[int, tuple[Floats, Floats]] = {}
        self._sketches = Pile(of_units)

    def starts(self) -> list[int]:
        """Starts of the buckets that hold anything."""
        return sorted(self._open)

    def add(
        self, start_us: int, rows: Ints, hi: Floats, lo: Floats, *, size: int, repeats: bool
    ) -> None:
        """Add pairs to rows of one bucket.

        Args:
            start_us: the bucket.
            rows: which rows. int64[r]
            hi: what they grow by. float64[r, k] with k at most `measures`
            lo: what `hi` lacks of it. float64[r, k]
            size: rows of the panel now.
            repeats: whether a row may occur more than once (folded series).
        """
        width = hi.shape[1]
        sums_hi, sums_lo = self._bucket(start_us, size)
        for part in _without_repeats(rows) if repeats else [np.s_[:]]:
            at = rows[part]
            new_hi, new_lo = add_pairs(sums_hi[at, :width], sums_lo[at, :width], hi[part], lo[part])
            sums_hi[at, :width] = new_hi
            sums_lo[at, :width] = new_lo

    def add_entries(self, start_us: int, sketch: Sketch) -> None:
        """Add entries to one bucket, in any order and with repeats."""
        self._sketches.add(start_us, sketch)

    def take(self, start_us: int, size: int) -> tuple[Floats, Sketch]:
        """Remove a bucket: its sums, rounded to a double each, float64[size, k], and its sketch."""
        sums_hi, sums_lo = self._bucket(start_us, size)
        del self._open[start_us]
        return sums_hi + sums_lo, self._sketches.take(start_us)

    def look(self, start_us: int, size: int) -> tuple[Floats, Sketch]:
        """What a bucket holds, as `take` would give it, and keep it."""
        out = np.zeros((size, self.measures))
        held = self._open.get(start_us)
        if held is not None:
            out[: len(held[0])] = held[0] + held[1]
        return out, self._sketches.get(start_us)

    def clear(self, rows: Ints) -> None:
        """Forget what these rows hold."""
        for hi, lo in self._open.values():
            inside = rows[rows < len(hi)]
            hi[inside] = 0
            lo[inside] = 0
        self._sketches.clear(rows)

    def first(self, rows: Ints) -> Ints:
        """Start of the first bucket that holds anything of each of these rows; FOREVER if none."""
        out = np.full(len(rows), FOREVER)
        for start, (hi, _) in self._open.items():
            inside = rows < len(hi)
            holds = inside.copy()
            holds[inside] = (hi[rows[inside]] != 0).any(axis=1)
            holds |= np.isin(rows, self._sketches.get(start).rows())
            out[holds] = np.minimum(out[holds], start)
        return out

    def _bucket(self, start_us: int, size: int) -> tuple[Floats, Floats]:
        pair = self._open.get(start_us)
        if pair is None or len(pair[0]) < size:
            hi = np.zeros((size, self.measures))
            lo = np.zeros((size, self.measures))
            if pair is not None:
                hi[: len(pair[0])], lo[: len(pair[1])] = pair
            pair = self._open[start_us] = hi, lo
        return pair

    def dump(self) -> dict[str, Any]:
        """Every open bucket with its sums, and the sketches."""
        sums = [[start, hi, lo] for start, (hi, lo) in sorted(self._open.items())]
        return {"sums": sums, "sketches": self._sketches.dump()}

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `dump` gave."""
        self._sketches.load(state["sketches"])
        for start, hi, lo in state["sums"]:
            width = min(self.measures, hi.shape[1])
            pair = np.zeros((2, len(hi), self.measures))
            pair[:, :, :width] = hi[:, :width], lo[:, :width]
            self._open[start] = pair[0], pair[1]


def _without_repeats(rows: Ints) -> list[Ints]:
    """Positions of `rows`, cut so that no part names a row twice."""
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    occurrence = np.arange(len(rows)) - np.repeat(first, np.diff(np.r_[first, len(rows)]))
    return [order[occurrence == k] for k in range(int(occurrence.max()) + 1)]

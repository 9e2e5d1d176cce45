"""Four weeks and a day of slot totals: what the profile is made of."""

from typing import Any

import numpy as np

from monitor.model.table import Column, Table
from monitor.model.tick import Bools, Floats, Ints

_NAN = float("nan")


class History:
    """A ring of `(x, n)` by slot, with a mark on slots of an incident.

    Sums are kept in single precision: 6e-8 of an hour's total is far below its noise.

    Args:
        length: slots that are kept.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.newest: int | None = None
        self.table = Table(
            {
                "x": Column(dtype="f4", shape=(length,), fill=_NAN),
                "n": Column(dtype="f4", shape=(length,), fill=_NAN),
                "marked": Column(dtype="?", shape=(length,)),
            }
        )

    def push(self, slot: int, x: Floats, n: Floats, marked: Bools) -> None:
        """Add a finished slot; NaN where too little of it was observed. Later than all before."""
        if self.newest is not None:
            for skipped in range(max(self.newest + 1, slot - self.length), slot):
                self._write(skipped, _NAN, _NAN, False)
        self._write(slot, x, n, marked)
        self.newest = slot

    def _write(self, slot: int, x: Any, n: Any, marked: Any) -> None:
        at = slot % self.length
        self.table["x"][:, at] = x
        self.table["n"][:, at] = n
        self.table["marked"][:, at] = marked

    def mark(self, rows: Ints, since: Ints) -> None:
        """Mark what is kept of these rows from the slots `since` on."""
        if self.newest is None or not rows.size:
            return
        marked = self.table["marked"]
        marked[rows] |= self.slots()[None, :] >= since[:, None]

    def slots(self) -> Ints:
        """The slot that stands at each place of the ring (of the newest `length` slots)."""
        newest = -1 if self.newest is None else self.newest
        places = np.arange(self.length)
        result: Ints = newest - (newest - places) % self.length
        return result

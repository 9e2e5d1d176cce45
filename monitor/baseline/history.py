"""Four weeks and a day of slot totals: what the profile is made of."""

from typing import Any

import numpy as np

from monitor.baseline.codes import MARK, SHORT, WIDE
from monitor.model.table import Column, Table
from monitor.model.tick import Bools, Floats, Ints

_NAN = float("nan")


class History:
    """A ring of `(x, n)` by slot, with a mark on slots of an incident.

    Totals are kept as logarithms of two bytes: .03 % of an hour's x and .07 % of its n are far below their
    noise. Totals below 0 are kept as unknown: they have no place on the log scale.

    Args:
        length: slots that are kept.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.newest: int | None = None
        self.table = Table(
            {
                "x": Column(dtype="u2", shape=(length,)),
                "n": Column(dtype="u2", shape=(length,)),
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
        self.table["x"][:, at] = WIDE.encode(np.asarray(x))
        self.table["n"][:, at] = SHORT.encode(np.asarray(n)) | np.where(marked, MARK, np.uint16(0))

    def mark(self, rows: Ints, since: Ints) -> None:
        """Mark what is kept of these rows from the slots `since` on."""
        if self.newest is None or not rows.size:
            return
        inside = self.slots()[None, :] >= since[:, None]
        self.table["n"][rows] |= np.where(inside, MARK, np.uint16(0))

    def read(self, rows: Ints, places: Ints) -> tuple[Floats, Floats, Bools]:
        """x, n and marks of some rows; NaN where unknown.

        Args:
            rows: which.
            places: of the ring, any shape.
        """
        x, n = self.table["x"][rows][:, places], self.table["n"][rows][:, places]
        return WIDE.decode(x), SHORT.decode(n & ~MARK), (n & MARK) > 0

    def units(self, rows: Ints, slot: int | None) -> tuple[Floats, Bools]:
        """What `read` gives of n and the marks, of one slot that is kept; NaN without one."""
        if slot is None:
            return np.full(rows.size, _NAN), np.zeros(rows.size, dtype=np.bool_)
        n = self.table["n"][rows, slot % self.length]
        return SHORT.decode(n & ~MARK), (n & MARK) > 0

    def slots(self) -> Ints:
        """The slot that stands at each place of the ring (of the newest `length` slots)."""
        newest = -1 if self.newest is None else self.newest
        places = np.arange(self.length)
        result: Ints = newest - (newest - places) % self.length
        return result

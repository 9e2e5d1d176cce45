"""A rolling sketch: closed buckets are added to it and taken from it again, exactly.

The count of a unit is the number of buckets inside that hold it: the units of the window are those
with a count above 0. Entries stand in a large sorted table, whose counts change in place, and in a
small one of what is new; the two are merged when the small one has grown, so that a bucket costs what it
holds, not what the window holds.
"""

import numpy as np

from monitor.aggregate.sketches import EMPTY, Sketch, added, measure_of, row_of, slots_of
from monitor.model.tick import Bools, Ints

_SHARE = 4
_LEAST = 4096
"""The new entries are merged once there are more than these, and than a quarter of the others."""


class Rolling:
    """Entries that grow and shrink.

    Args:
        measures: measures a row.
    """

    def __init__(self, measures: int) -> None:
        self._measures = measures
        self._large = self._new = EMPTY
        self._keys: Ints = np.zeros(0, dtype=np.int64)

    def add(self, sketch: Sketch, sign: int) -> None:
        """Add a bucket's entries (sign 1), or take away what was added before (sign -1)."""
        if not len(sketch):
            return
        self._make_room(int(sketch.slot[-1]))
        rest = self._change(self._large, sketch, sign)
        rest = self._change(self._new, rest, sign)
        if not len(rest):
            return
        change = Sketch(slot=rest.slot, key=rest.key, count=sign * rest.count)
        np.add.at(self._keys, self._dense(rest.slot), 1)
        self._new = added([self._new, change])
        if len(self._new) > max(_LEAST, len(self._large) // _SHARE):
            self._large, self._new = added([self._large, self._new]), EMPTY

    def distinct(self, slots: Ints) -> Ints:
        """How many keys each slot has."""
        at = self._dense(slots)
        known = at < len(self._keys)
        out = np.zeros(len(slots), dtype=np.int64)
        out[known] = self._keys[at[known]]
        return out

    def of_slots(self, slots: Ints) -> Sketch:
        """The entries of these slots; `slots` sorted."""
        return added([self._large.of_slots(slots), self._new.of_slots(slots)])

    def nth(self, slots: Ints, place: int) -> Ints:
        """The key at this place of each slot, which must have so many; `slots` sorted."""
        return self.of_slots(slots).nth(slots, place)

    def clear(self, rows: Ints) -> None:
        """Forget these rows."""
        self._large = self._large.of_rows(rows, inside=False)
        self._new = self._new.of_rows(rows, inside=False)
        for measure in range(self._measures):
            at = self._dense(slots_of(rows, np.full(len(rows), measure)))
            self._keys[at[at < len(self._keys)]] = 0

    def _change(self, table: Sketch, sketch: Sketch, sign: int) -> Sketch:
        """Change the counts of what the table has; returns what it has not."""
        if not len(table) or not len(sketch):
            return sketch
        at, found = _find(table, sketch)
        at = at[found]
        before = table.count[at]
        after = before + sign * sketch.count[found]
        table.count[at] = after
        change = (after != 0).astype(np.int64) - (before != 0)
        moved = np.flatnonzero(change)
        np.add.at(self._keys, self._dense(table.slot[at[moved]]), change[moved])
        return sketch.at(~found)

    def _dense(self, slots: Ints) -> Ints:
        dense: Ints = row_of(slots) * self._measures + measure_of(slots)
        return dense

    def _make_room(self, slot: int) -> None:
        missing = (slot >> 16) * self._measures + self._measures - len(self._keys)
        if missing > 0:
            self._keys = np.pad(self._keys, (0, missing))


def _find(table: Sketch, sketch: Sketch) -> tuple[Ints, Bools]:
    """Where each entry of a sketch stands in a table, and whether it does: a binary search of all."""
    low, stop = table.span(sketch.slot)
    high = stop.copy()
    last = len(table) - 1
    for _ in range(int((high - low).max()).bit_length()):
        middle = (low + high) >> 1
        below = (table.key[np.minimum(middle, last)] < sketch.key) & (low < high)
        low = np.where(below, middle + 1, low)
        high = np.where(below, high, middle)
    at = np.minimum(low, last)
    return at, (low < stop) & (table.key[at] == sketch.key)

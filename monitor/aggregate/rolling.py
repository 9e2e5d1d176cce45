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
        np.add.at(self._keys, self._dense(rest.slot), 1)
        change = Sketch(slot=rest.slot, key=rest.key, count=sign * rest.count)
        self._new = _inserted(self._new, change)
        if len(self._new) > max(_LEAST, len(self._large) // _SHARE):
            alive = self._large.at(self._large.count != 0)
            self._large = _inserted(alive, self._new.at(self._new.count != 0))
            self._new = EMPTY

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
        """The key at this place of each slot, which must have so many."""
        found = np.empty(len(slots), dtype=np.int64)
        spans = [(table, *table.span(slots)) for table in (self._large, self._new)]
        for i in range(len(slots)):
            parts = [(table, slice(begin[i], stop[i])) for table, begin, stop in spans]
            keys = np.concatenate([t.key[part][t.count[part] != 0] for t, part in parts])
            found[i] = np.partition(keys, place)[place]
        return found

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
        at, found, _ = _find(table, sketch)
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


def _inserted(table: Sketch, sketch: Sketch) -> Sketch:
    """Both as one; no entry of the sketch is in the table."""
    size = len(table) + len(sketch)
    places = _find(table, sketch)[2] + np.arange(len(sketch))
    old = np.ones(size, dtype=np.bool_)
    old[places] = False
    columns = {}
    for name in ("slot", "key", "count"):
        column = columns[name] = np.empty(size, dtype=np.int64)
        column[places] = getattr(sketch, name)
        column[old] = getattr(table, name)
    return Sketch(**columns)


def _find(table: Sketch, sketch: Sketch) -> tuple[Ints, Bools, Ints]:
    """A binary search for all entries of a sketch at once.

    Returns:
        Where in the table each one stands, whether it does, and before what it would.
    """
    low, stop = table.span(sketch.slot)
    high = stop.copy()
    last = len(table) - 1
    for _ in range(int((high - low).max(initial=0)).bit_length()):
        middle = (low + high) >> 1
        below = (table.key[np.minimum(middle, last)] < sketch.key) & (low < high)
        low = np.where(below, middle + 1, low)
        high = np.where(below, high, middle)
    if last < 0:
        return low, np.zeros(len(low), dtype=np.bool_), low
    at = np.minimum(low, last)
    return at, (low < stop) & (table.key[at] == sketch.key), low

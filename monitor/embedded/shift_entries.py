"""What a shift does to the entries of a row: hashes of units, and bins of a histogram."""

from collections.abc import Sequence

import numpy as np

from monitor.definitions.plan import Form
from monitor.model.frame import Entries, Floats, Int64s
from monitor.stats.distinct import SPAN_BITS
from monitor.stats.histogram import bins, edges

_SPAN = float(1 << SPAN_BITS)
_ODD = 0x9E3779B97F4A7C15


def shifted_units(keys: Int64s, shift: float) -> Int64s:
    """Hashes of as many units more or fewer; a hash gives the same ones wherever it stands.

    Of a fall the hashes are stretched, and those that leave their span are dropped. Of a rise they are
    pressed into a part of it, and the rest is filled with new ones. Either way they stay uniform, so
    that the estimate from the smallest hashes moves by the shift, whether or not all were kept.
    """
    if shift <= -1:
        return keys[:0]
    scaled = keys / (1.0 + shift)
    moved: Int64s = scaled[scaled < _SPAN].astype(np.int64)
    times, part = divmod(max(shift, 0.0), 1.0)
    fresh = [_fresh(keys, copy, shift) for copy in range(int(times))]
    if part:
        chosen = keys[_mixed(keys, -1) < part]
        fresh.append(_fresh(chosen, int(times), shift))
    return np.unique(np.concatenate([moved, *fresh]))


def _fresh(keys: Int64s, copy: int, shift: float) -> Int64s:
    """One more hash for each, in the part of the span that the pressed ones leave free."""
    least = 1.0 / (1.0 + shift)
    place: Int64s = ((least + (1.0 - least) * _mixed(keys, copy)) * (_SPAN - 1024)).astype(np.int64)
    return place


def _mixed(keys: Int64s, copy: int) -> Floats:
    """Uniform from 0 to 1 by hash: splitmix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    z = keys.astype(np.uint64) + np.uint64((_ODD * (copy + 2)) % (1 << 64))
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Floats = ((z ^ (z >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) / float(
        1 << 53
    )
    return mixed


def shifted_bins(keys: Int64s, shift: float) -> Int64s:
    """The bins of values that have moved by a share."""
    low, high = edges(keys)
    return bins((low + high) / 2.0 * (1.0 + shift))


Bag = tuple[Int64s, Int64s]
"""The keys of a row's first measure, sorted, and the count of each."""

_NOTHING: Bag = np.empty(0, np.int64), np.empty(0, np.int64)


def shifted(form: Form, bag: Bag, shift: float) -> Bag:
    """The entries of a series that shifts by itself."""
    keys, counts = bag
    if form is Form.UNIQUES:
        found = shifted_units(keys, shift)
        return found, np.ones_like(found)
    return _added([(shifted_bins(keys, shift), counts)])


def coarser_entries(
    form: Form, bag: Bag, moved: Sequence[Bag], others: Sequence[Bag], shift: float
) -> Bag:
    """The entries of a coarser series, once some of its parts have shifted.

    Args:
        form: of the measure.
        bag: its own.
        moved: of the parts that shift, as they were.
        others: of its other parts; a unit of both stays.
        shift: relative.
    """
    keys, _ = bag
    if form is not Form.UNIQUES:
        gone = [(part, -counts) for part, counts in moved]
        return _added([bag, *gone, *(shifted(form, part, shift) for part in moved)])
    stay, go = _keys(others), _keys(moved)
    only = np.setdiff1d(np.intersect1d(keys, go), stay)
    kept = np.setdiff1d(keys, only)
    found = np.unique(np.concatenate([kept, shifted_units(only, shift)]))
    return found, np.ones_like(found)


def _keys(bags: Sequence[Bag]) -> Int64s:
    return np.concatenate([_NOTHING[0], *(keys for keys, _ in bags)])


def _added(bags: Sequence[Bag]) -> Bag:
    """The sum by key, without what is left at zero."""
    keys, place = np.unique(_keys(bags), return_inverse=True)
    counts = np.zeros(len(keys), np.int64)
    np.add.at(counts, place, np.concatenate([_NOTHING[1], *(counts for _, counts in bags)]))
    return keys[counts > 0], counts[counts > 0]


class Table:
    """Entries by row, as they were and as they become."""

    def __init__(self, entries: Entries, begin: Int64s, stop: Int64s) -> None:
        self._entries, self._begin, self._stop = entries, begin, stop
        self._new: dict[int, Bag] = {}

    @classmethod
    def of(cls, entries: Entries) -> "Table":
        """The entries of the first measure; of a metric that keeps no others."""
        rows = np.arange(int(entries.row.max(initial=-1)) + 1)
        begin = np.searchsorted(entries.row, rows)
        return cls(entries, begin, np.searchsorted(entries.row, rows, side="right"))

    def old(self, row: int) -> Bag:
        """As they were."""
        if row >= len(self._begin):
            return _NOTHING
        part = slice(self._begin[row], self._stop[row])
        return self._entries.key[part], self._entries.count[part]

    def put(self, row: int, bag: Bag) -> None:
        """What they become."""
        self._new[row] = bag

    def entries(self) -> Entries:
        """All of them."""
        old = self._entries
        stays = ~np.isin(old.row, np.array(list(self._new), np.int64))
        rows = [old.row[stays], *(np.full(len(k), r, np.int32) for r, (k, _) in self._new.items())]
        row = np.concatenate(rows)
        order = np.argsort(row, kind="stable")
        parts = self._new.values()
        key = np.concatenate([old.key[stays], *(keys for keys, _ in parts)])
        count = np.concatenate([old.count[stays], *(counts for _, counts in parts)])
        return Entries(
            row=row[order].astype(np.int32),
            measure=np.zeros(len(row), np.int16),
            key=key[order],
            count=count[order],
        )

"""Sketches: what measures hold that are no sums, as sorted columns of all rows at once.

One entry a (row, measure, key). Keys are hashes of units, or bins of a histogram; sketches of the same
bucket merge in any order to the same entries.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import zstandard

from monitor.model.tick import Bools, Floats, Ints
from monitor.stats.distinct import KEPT

MEASURE_BITS = 16
"""A slot is a row and a measure in one number: `row << 16 | measure`."""
_MEASURE = (1 << MEASURE_BITS) - 1

OfUnits = Callable[[Ints], Bools]
"""Which slots hold units; the others hold histograms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """Entries sorted by slot, then key; no pair of them twice.

    Attributes:
        slot: row and measure. int64[e]
        key: hash or bin. int64[e]
        count: of a unit 1; of a bin its events. int64[e]
    """

    slot: Ints
    key: Ints
    count: Ints

    def __len__(self) -> int:
        return len(self.slot)

    def at(self, where: Bools | Ints | slice) -> "Sketch":
        """Some of the entries, in their order."""
        return Sketch(slot=self.slot[where], key=self.key[where], count=self.count[where])

    def rows(self) -> Ints:
        """Rows that have entries, sorted."""
        rows: Ints = np.unique(self.slot >> MEASURE_BITS)
        return rows

    def of_rows(self, rows: Ints, *, inside: bool = True) -> "Sketch":
        """The entries of these rows, or of all others."""
        if not len(self):
            return self
        return self.at(np.isin(self.slot >> MEASURE_BITS, rows, invert=not inside))

    def span(self, slots: Ints) -> tuple[Ints, Ints]:
        """Where the entries of each slot begin and end."""
        return np.searchsorted(self.slot, slots), np.searchsorted(self.slot, slots, side="right")

    def of_slots(self, slots: Ints) -> "Sketch":
        """The entries of these slots; `slots` sorted."""
        begin, stop = self.span(slots)
        return self.at(ranges(begin, stop))

    def distinct(self, slots: Ints) -> Ints:
        """How many keys each slot has."""
        begin, stop = self.span(slots)
        return stop - begin

    def nth(self, slots: Ints, place: int) -> Ints:
        """The key at this place of each slot, which must have so many."""
        return self.key[self.span(slots)[0] + place]


def slots_of(rows: Ints, measures: Ints) -> Ints:
    """The slot of each row and measure."""
    return (rows.astype(np.int64) << MEASURE_BITS) | measures.astype(np.int64)


def row_of(slots: Ints) -> Ints:
    """The row of each slot."""
    return slots >> MEASURE_BITS


def measure_of(slots: Ints) -> Ints:
    """The measure of each slot."""
    return slots & _MEASURE


_NONE: Ints = np.empty(0, dtype=np.int64)
EMPTY = Sketch(slot=_NONE, key=_NONE, count=_NONE)


def added(parts: Sequence[Sketch]) -> Sketch:
    """All entries in order, counts of the same slot and key added; those of 0 are left out."""
    parts = [part for part in parts if len(part)]
    if not parts:
        return EMPTY
    slot, key, count = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("slot", "key", "count")
    )
    order = np.lexsort((key, slot))
    slot, key, count = slot[order], key[order], count[order]
    new = np.r_[True, (slot[1:] != slot[:-1]) | (key[1:] != key[:-1])]
    first = np.flatnonzero(new)
    if len(first) < len(slot):
        slot, key, count = slot[first], key[first], np.add.reduceat(count, first)
    out = Sketch(slot=slot, key=key, count=count)
    return out if count.all() else out.at(count != 0)


def merged(parts: Sequence[Sketch], of_units: OfUnits) -> Sketch:
    """Sketches of one bucket as one: bins add up; of units the `KEPT` smallest hashes are kept.

    Whatever the order, and however often it is done on the way, the result is the same.
    """
    out = added(parts)
    units = of_units(out.slot)
    if not units.any():
        return out
    out = Sketch(slot=out.slot, key=out.key, count=np.where(units, 1, out.count))
    first = np.flatnonzero(np.r_[True, out.slot[1:] != out.slot[:-1]])
    sizes = np.diff(np.r_[first, len(out)])
    if sizes.max() <= KEPT:
        return out
    place = np.arange(len(out)) - np.repeat(first, sizes)
    return out.at(~units | (place < KEPT))


def ranges(begin: Ints, stop: Ints) -> Ints:
    """All places from each begin to its stop, one range after the other."""
    sizes = stop - begin
    ends = np.cumsum(sizes)
    total = int(ends[-1]) if len(ends) else 0
    places: Ints = np.arange(total) + np.repeat(begin - (ends - sizes), sizes)
    return places


def pack(sketch: Sketch) -> bytes:
    """Compressed bytes.

    By key, differences, and byte by byte: a unit of the whole and of its segments is written once,
    and the upper bytes of what is left are 0.
    """
    order = np.lexsort((sketch.slot, sketch.key))
    columns = [
        np.diff(sketch.key[order], prepend=0),
        row_of(sketch.slot)[order],
        measure_of(sketch.slot)[order],
        sketch.count[order],
    ]
    planes = np.stack(columns).astype("<i8").view(np.uint8).reshape(4, -1, 8).transpose(0, 2, 1)
    return zstandard.compress(np.ascontiguousarray(planes).tobytes(), 1)


def unpack(data: bytes) -> Sketch:
    """The sketch that was packed."""
    planes = np.frombuffer(zstandard.decompress(data), np.uint8).reshape(4, 8, -1)
    columns = np.ascontiguousarray(planes.transpose(0, 2, 1)).view("<i8")[..., 0]
    key, row, measure, count = columns.astype(np.int64)
    key, slot = np.cumsum(key), slots_of(row, measure)
    order = np.lexsort((key, slot))
    return Sketch(slot=slot[order], key=key[order], count=count[order])


def counts_above(sketch: Sketch, lower: Floats, upper: Floats, values: Floats) -> Floats:
    """How many events of each entry lie above a value, taken to be spread evenly over their bin."""
    width = upper - lower
    part = np.where(width > 0, (upper - values) / np.where(width > 0, width, 1.0), lower > values)
    counts: Floats = sketch.count * np.clip(part, 0.0, 1.0)
    return counts

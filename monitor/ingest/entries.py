"""Observations to `Entries`: expanded from cells to series, counted by (row, key), few enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.numbering import bits_of, changes, distinct
from monitor.model.frame import Entries
from monitor.stats.distinct import KEPT

Ints = NDArray[np.int64]

_NONE: Final = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """What was observed of one unit or value of an event name, by cell.

    Attributes:
        cell: index of the cell. int64[o]
        rank: which of `keys`. int64[o]
        count: events; None where each observation is one and the same ones need no counting. int64[o]
        keys: the distinct keys, sorted. int64[k]
    """

    cell: Ints
    rank: Ints
    count: Ints | None
    keys: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """The distinct (row, rank of a key) that one measure grew by, sorted so.

    Attributes:
        row: index of the row. int64[e]
        rank: which of `keys`. int64[e]
        count: events; ones where `Keyed` has no counts. int64[e]
        keys: as in `Entries`, or numbers of moments. int64[k]
    """

    row: Ints
    rank: Ints
    count: Ints
    keys: Ints

    @property
    def key(self) -> Ints:
        """By entry, its key. int64[e]."""
        return self.keys[self.rank]


def grown(of: Keyed, chosen: NDArray[np.bool_], rows: Sequence[Ints]) -> Grown:
    """What the rows grow by.

    Args:
        of: the observations.
        chosen: by cell, whether the measure takes its events.
        rows: by grouping and cell, its row; -1 where it has none.
    """
    width = bits_of(of.keys.size)
    places, counts = [], []
    for row in rows:
        own = np.where(chosen, row, -1)[of.cell]
        there = np.flatnonzero(own >= 0)
        places.append(own[there] << width | of.rank[there])
        if of.count is not None:
            counts.append(of.count[there])
    possible = (max(int(row.max(initial=-1)) for row in rows) + 1) << width
    place, total = _counted(np.concatenate(places), possible, counts)
    return Grown(row=place >> width, rank=place & ((1 << width) - 1), count=total, keys=of.keys)


def as_units(of: Grown) -> Grown:
    """The units of each row: only those with the smallest hashes are kept.

    >>> few = Grown(
    ...     row=np.array([0, 0, 2]),
    ...     rank=np.array([0, 1, 0]),
    ...     count=np.array([1, 1, 1]),
    ...     keys=np.array([5, 9]),
    ... )
    >>> as_units(few).key.tolist()
    [5, 9, 5]
    """
    return kept(of, np.arange(of.row.size))


def kept(of: Grown, unit: Ints) -> Grown:
    """Of each row the entries of its first `KEPT` units.

    Args:
        of: the entries.
        unit: by entry the number of its unit, which grows by 1 where another unit or row begins.
    """
    starts = np.flatnonzero(changes(of.row))
    sizes = np.diff(starts, append=of.row.size)
    if sizes.max(initial=0) <= KEPT:
        return of
    few = np.flatnonzero(unit - np.repeat(unit[starts], sizes) < KEPT)
    return Grown(row=of.row[few], rank=of.rank[few], count=of.count[few], keys=of.keys)


_NOTHING: Final = Grown(row=_NONE, rank=_NONE, count=_NONE, keys=_NONE)


def joined(parts: Sequence[tuple[int, Grown]], number: Ints) -> Entries:
    """The entries of a metric's measures, sorted by (row, measure, key).

    Args:
        parts: by measure, its place and what it grew by.
        number: by row of the parts, its index in the `Deltas`; ascending.
    """
    grown = [part for _, part in parts] or [_NOTHING]
    row = np.concatenate([part.row for part in grown])
    key = np.concatenate([part.key for part in grown])
    count = np.concatenate([part.count for part in grown])
    places = np.array([place for place, _ in parts] or [0], np.int16)
    measure = np.repeat(places, [part.row.size for part in grown])
    order = np.lexsort((key, measure, row)) if len(parts) > 1 else slice(None)
    return Entries(
        row=number[row[order]].astype(np.int32),
        measure=measure[order],
        key=key[order],
        count=count[order],
    )


def _counted(place: Ints, possible: int, counts: Sequence[Ints]) -> tuple[Ints, Ints]:
    """The distinct places, sorted, and how many are at each: the sum of their counts, or 1 without any.

    Args:
        place: from 0 on.
        possible: how many different ones there could be.
        counts: by part of the places.
    """
    if not counts:
        place = np.sort(place)
        place = place[changes(place)]
        return place, np.ones(place.size, np.int64)
    count = np.concatenate(counts)
    unique, which = distinct(place, possible)
    return unique, np.bincount(which, count, unique.size).astype(np.int64)

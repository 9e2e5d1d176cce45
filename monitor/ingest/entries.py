"""Observations to `Entries`: expanded from cells to series, counted by (row, key), few enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.model.frame import Entries
from monitor.stats.distinct import KEPT

Ints = NDArray[np.int64]

_NONE: Final = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """The distinct (cell, key) of one unit or value of an event name, sorted so.

    Attributes:
        cell: index of the cell. int64[o]
        rank: which of `keys`. int64[o]
        count: events. int64[o]
        keys: the distinct keys, sorted. int64[k]
    """

    cell: Ints
    rank: Ints
    count: Ints
    keys: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """The distinct (row, key) that one measure grew by, sorted so.

    Attributes:
        row: index of the row. int64[e]
        key: as in `Entries`. int64[e]
        count: events. int64[e]
    """

    row: Ints
    key: Ints
    count: Ints


def keyed(cell: Ints, key: Ints, count: Ints) -> Keyed:
    """Observations by cell and key, the same ones counted together."""
    keys, rank = np.unique(key, return_inverse=True)
    return ranked(cell, rank, count, keys)


def ranked(cell: Ints, rank: Ints, count: Ints, keys: Ints) -> Keyed:
    """Observations by cell and key where the rank of each among the sorted keys is known."""
    place, total = _counted(cell * keys.size + rank, count)
    own_cell, own_rank = np.divmod(place, max(keys.size, 1))
    return Keyed(cell=own_cell, rank=own_rank, count=total, keys=keys)


def grown(of: Keyed, chosen: NDArray[np.bool_], *, row: Ints, cell: Ints) -> Grown:
    """What the rows grow by.

    Args:
        of: the observations.
        chosen: by cell, whether the measure takes its events.
        row: by pair of a row and a cell that belongs to it, the row. int64[p]
        cell: the cell. int64[p]
    """
    sizes = np.bincount(of.cell, minlength=chosen.size) * chosen
    starts = np.searchsorted(of.cell, np.arange(chosen.size))
    own = sizes[cell]
    offsets = np.cumsum(own) - own
    which = np.arange(int(own.sum())) + np.repeat(starts[cell] - offsets, own)
    place = np.repeat(row, own) * of.keys.size + of.rank[which]
    place, total = _counted(place, of.count[which])
    own_row, rank = np.divmod(place, max(of.keys.size, 1))
    return Grown(row=own_row, key=of.keys[rank], count=total)


def as_units(of: Grown) -> Grown:
    """The units of each row: each counted once, and only those with the smallest hashes kept.

    >>> few = Grown(row=np.array([0, 0, 2]), key=np.array([5, 9, 5]), count=np.array([3, 1, 1]))
    >>> as_units(few).count.tolist()
    [1, 1, 1]
    """
    first = np.searchsorted(of.row, of.row)
    kept = np.arange(of.row.size) - first < KEPT
    return Grown(row=of.row[kept], key=of.key[kept], count=np.ones(int(kept.sum()), np.int64))


_NOTHING: Final = Grown(row=_NONE, key=_NONE, count=_NONE)


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


def _counted(place: Ints, count: Ints) -> tuple[Ints, Ints]:
    """The distinct places, sorted, and the sum of the counts at each."""
    order = np.argsort(place)
    ordered = place[order]
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    return ordered[first], np.add.reduceat(count[order], first) if first.size else count[:0]

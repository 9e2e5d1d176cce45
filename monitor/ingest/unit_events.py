"""Who did a step of a cohort's metric, and when: observations to `UnitEvents`, few enough.

A moment is a unit at a time. Moments are numbered by (hash of the unit, time), so that they roll up to
series as any sorted key does (`entries.grown`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from monitor.ingest.cells import Observed
from monitor.ingest.entries import Grown, Ints, Keyed, kept
from monitor.ingest.numbering import bits_of, changes
from monitor.model.frame import UnitEvents
from monitor.model.time import FOREVER

_WIDTH: Final = 63
"""Bits of a key that is sorted by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """The moments of one unit (`actor`, or a dimension) of an event name.

    Attributes:
        by_cell: the moments by cell; one that is seen twice in a cell may be there twice.
        key: by moment, the hash of who. int64[m]
        time_us: by moment, when. int64[m]
    """

    by_cell: Keyed
    key: Ints
    time_us: Ints


def timed(seen: Observed, keys: Ints) -> Timed:
    """The moments that were observed.

    Args:
        seen: by event, its cell, unit and time.
        keys: by rank of a unit, its hash.
    """
    first_us = int(seen.time_us.min(initial=FOREVER))
    past_us = seen.time_us - first_us
    width = bits_of(int(past_us.max(initial=0)) + 1)
    if width + bits_of(keys.size) < _WIDTH:
        order = np.argsort(seen.what << width | past_us)
    else:  # years of an archive in one flush
        order = np.lexsort((past_us, seen.what))
    rank, time_us = seen.what[order], seen.time_us[order]
    first = changes(rank) | changes(time_us)
    key, time_us = keys[rank[first]], time_us[first]
    moment = np.cumsum(first) - 1
    by_cell = Keyed(cell=seen.cell[order], rank=moment, count=None, keys=np.arange(key.size))
    return Timed(by_cell=by_cell, key=key, time_us=time_us)


def as_starts(of: Grown, timed: Timed) -> Grown:
    """The starts of each row: of the units with the smallest hashes all of them, of others none."""
    return kept(of, np.cumsum(changes(of.row) | changes(timed.key[of.rank])))


def joined(parts: Sequence[tuple[int, Timed, Grown]], rows: Sequence[Ints]) -> UnitEvents:
    """The unit events of a metric, sorted by (row, step, key, time).

    Args:
        parts: by step, its number, its event's moments, and those of the step.
        rows: by part and moment of it, its row in the `Deltas`.
    """
    key = np.concatenate([timed.key[part.rank] for _, timed, part in parts])
    time_us = np.concatenate([timed.time_us[part.rank] for _, timed, part in parts])
    numbers = np.array([step for step, _, _ in parts], np.int64)
    steps = int(numbers.max()) + 1
    place = np.concatenate(
        [row * steps + step for (step, _, _), row in zip(parts, rows, strict=True)]
    )
    # a part is sorted by (row, key, time) already: with the index in the sort it stays so
    width = bits_of(place.size)
    sorted_ = np.sort(place << width | np.arange(place.size))
    row, step = np.divmod(sorted_ >> width, steps)
    order = sorted_ & ((1 << width) - 1)
    return UnitEvents(
        row=row.astype(np.int32),
        step=step.astype(np.int16),
        key=key[order],
        time_us=time_us[order],
    )

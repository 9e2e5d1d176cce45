"""Who did a step of a cohort's metric, and when: observations to `UnitEvents`, few enough.

A moment is a unit at a time. Moments are numbered by (hash of the unit, time), so that they roll up to
series as any sorted key does (`entries.grown`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.ingest.cells import Observed
from monitor.ingest.entries import Grown, Ints, Keyed, ranked
from monitor.model.frame import UnitEvents
from monitor.stats.distinct import KEPT


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """The moments of one unit (`actor`, or a dimension) of an event name.

    Attributes:
        by_cell: the distinct (cell, number of the moment).
        key: by moment, the hash of who. int64[m]
        time_us: by moment, when. int64[m]
    """

    by_cell: Keyed
    key: Ints
    time_us: Ints


def timed(seen: Observed, hashes: Ints) -> Timed:
    """The moments that were observed.

    Args:
        seen: by event, its cell, unit and time.
        hashes: by unit.
    """
    key, time_us = hashes[seen.what], seen.time_us
    order = np.lexsort((time_us, key))
    key, time_us = key[order], time_us[order]
    first = _changes(key) | _changes(time_us)
    number = np.empty(key.size, np.int64)
    number[order] = np.cumsum(first) - 1
    numbers = np.arange(int(first.sum()))
    return Timed(
        by_cell=ranked(seen.cell, number, seen.count, numbers),
        key=key[first],
        time_us=time_us[first],
    )


def as_starts(of: Grown, timed: Timed) -> Grown:
    """The starts of each row: of the units with the smallest hashes all of them, of others none."""
    unit = np.cumsum(_changes(of.row) | _changes(timed.key[of.key]))
    first = np.searchsorted(of.row, of.row)
    kept = unit - unit[first] < KEPT
    return Grown(row=of.row[kept], key=of.key[kept], count=of.count[kept])


def joined(parts: Sequence[tuple[int, Timed, Grown]], row: Ints) -> UnitEvents:
    """The unit events of a metric, sorted by (row, step, key, time).

    Args:
        parts: by step, its number, its event's moments, and those of the step.
        row: by moment of the parts, one part after another, its row in the `Deltas`.
    """
    key = np.concatenate([timed.key[part.key] for _, timed, part in parts])
    time_us = np.concatenate([timed.time_us[part.key] for _, timed, part in parts])
    numbers = np.array([step for step, _, _ in parts], np.int16)
    step = np.repeat(numbers, [part.row.size for _, _, part in parts])
    # a part is sorted by (row, key, time) already, and the sort is stable
    order = np.lexsort((step, row))
    return UnitEvents(
        row=row[order].astype(np.int32),
        step=step[order],
        key=key[order],
        time_us=time_us[order],
    )


def _changes(column: Ints) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Where a value differs from the one before; at the first one."""
    changes = np.ones(column.size, np.bool_)
    np.not_equal(column[1:], column[:-1], out=changes[1:])
    return changes

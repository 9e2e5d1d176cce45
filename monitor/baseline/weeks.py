"""The history in local time: as weeks for the profile, and against the profile for the level."""

import numpy as np

from monitor.baseline.codes import WIDE, Bytes
from monitor.baseline.history import History
from monitor.baseline.profile import Weeks, usual_units
from monitor.baseline.slots import ROWS, Slots
from monitor.model.tick import Bools, Floats, Ints, Traits

FITTED = 1 << ROWS
"""Of the flags of a row: its weeks were looked at."""


def newest_weeks(history: History, slots: Slots, rows: Ints, zone: int) -> Weeks:
    """The newest weeks that are old enough for the profile.

    Args:
        history: of all rows.
        slots: their numbering.
        rows: which; all of them in this time zone.
        zone: its index.
    """
    week, newest = slots.week, history.newest or 0
    first = newest - history.length + 1
    local = slots.locals(first, history.length + 1, zone)
    end = int(local[-1]) - slots.lag
    places = np.full(ROWS * week, -1)
    where = local[:-1] - (end - ROWS * week)
    inside = (where >= 0) & (where < ROWS * week)
    places[where[inside]] = np.arange(first, newest + 1)[inside] % history.length
    column = (np.arange(week) - end) % week
    places = places.reshape(ROWS, week)[:, column].T
    # In the order of memory that one row has too: sums over a row must not depend on how many there are.
    read = history.read(rows, np.maximum(places, 0))
    x: Floats = np.ascontiguousarray(read[0])
    n: Floats = np.ascontiguousarray(read[1])
    marked = np.ascontiguousarray(read[2])
    absent = places < 0
    x[:, absent] = np.nan
    n[:, absent] = np.nan
    marked = marked & ~absent
    return Weeks(x=x, n=n, marked=marked, position=(column + 0.5) / week - 0.5)


def units_of(
    history: History, slots: Slots, *, fitted: int, slot: int, full: Bytes, zones: Ints
) -> Floats:
    """A low but common n of a slot, from the weeks that the profiles were last fitted to.

    Args:
        history: of all rows; what it has let go of since has no say.
        slots: their numbering.
        fitted: the newest slot of that time.
        slot: which.
        full: by row the weeks that have enough of their slots, as bits, and `FITTED`.
        zones: index of the time zone by row.

    Returns:
        By row; NaN where no profile was ever tried.
    """
    units = np.full(full.size, np.nan)
    first, week = (history.newest or 0) - history.length + 1, slots.week
    for zone in np.unique(zones).tolist():
        rows = np.flatnonzero(zones == zone)
        start = int(slots.local(fitted + 1)[zone]) - slots.lag - ROWS * week
        start += (int(slots.local(slot)[zone]) - start) % week
        local = slots.locals(first, history.length, zone)
        columns = []
        for number in range(start, start + ROWS * week, week):
            found = np.flatnonzero(local == number)
            columns.append(history.units(rows, first + int(found[-1]) if found.size else None))
        n, marked = (np.stack(of_week, axis=1) for of_week in zip(*columns, strict=True))
        weeks = (full[rows, None] >> np.arange(ROWS, dtype=np.uint8)) & 1 > 0
        # in two bytes, as sums of the history are
        usual = WIDE.decode(WIDE.encode(usual_units(n, marked, weeks)))
        units[rows] = np.where(full[rows] >= FITTED, usual, np.nan)
    return units


def flags_of(full: Bools) -> Bytes:
    """The weeks that have enough of their slots, as bits; with `FITTED`."""
    bits = np.uint8(1) << np.arange(full.shape[1], dtype=np.uint8)
    flags: Bytes = (np.where(full, bits, np.uint8(0)).sum(axis=1) + FITTED).astype(np.uint8)
    return flags


def against_profile(
    history: History, slots: Slots, profile: Floats, rows: Ints, traits: Traits
) -> tuple[Ints, Floats, Floats]:
    """What some rows' x would be at level 1, and what it was.

    Args:
        history: of all rows.
        slots: their numbering.
        profile: log shape of the week, of all rows.
        rows: which.
        traits: of all rows.

    Returns:
        The slots of the columns, x at level 1, and x.
    """
    at = history.slots()
    first = int(at.min())
    at_one = np.empty((rows.size, at.size))
    for zone in np.unique(traits.timezone[rows]).tolist():
        mine = traits.timezone[rows] == zone
        local = slots.locals(first, at.size, zone)[at - first]
        at_one[mine] = np.exp(profile[rows[mine]][:, local % slots.week].astype(np.float64))
    x, n, _ = history.read(rows, np.arange(history.length))
    at_one *= np.where(traits.total[rows][:, None], 1.0, n)
    return at, at_one, x

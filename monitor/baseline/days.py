"""Days of the history against the same weekdays a week before."""

import numpy as np

from monitor.baseline.history import History
from monitor.baseline.slots import ROWS, Slots
from monitor.model.drift import DAYS, STEPS, Weeks
from monitor.model.tick import Bools, Floats, Ints, Traits

LEAST_IN_COMMON = 0.5
"""Two days are compared over at least this share of their slots."""
_KEPT = ROWS * DAYS


def weeks_of(history: History, slots: Slots, rows: Ints, traits: Traits) -> Weeks | None:
    """The newest four weeks that end with a whole day; None where a week has no days.

    Args:
        history: of all rows; it keeps four weeks and a day.
        slots: their numbering.
        rows: which.
        traits: of all rows.
    """
    if history.newest is None or slots.week != DAYS * slots.day:
        return None
    day, end = slots.day, (history.newest + 1) // slots.day * slots.day
    first = end - _KEPT * day
    x, n, marked = history.read(rows, np.arange(first, end) % history.length)
    total = traits.total[rows][:, None]
    known = ~np.isnan(x) & ~marked & (total | (n > 0))
    shape = (rows.size, _KEPT, day)
    x, n = np.ascontiguousarray(x).reshape(shape), np.ascontiguousarray(n).reshape(shape)
    known = np.ascontiguousarray(known).reshape(shape)
    both = known[:, DAYS:] & known[:, :-DAYS]
    newer = _values(x[:, DAYS:], n[:, DAYS:], both, total)
    older = _values(x[:, :-DAYS], n[:, :-DAYS], both, total)
    enough = both.sum(axis=2) >= LEAST_IN_COMMON * day
    with np.errstate(all="ignore"):
        ratio = newer / older
        steps = np.where(enough & (ratio > 0) & np.isfinite(ratio), np.log(ratio), np.nan)
    week = (rows.size, 1, DAYS * day)
    common = (both & enough[:, :, None])[:, -DAYS:].reshape(week)
    x, n = x.reshape(rows.size, -1, DAYS * day), n.reshape(rows.size, -1, DAYS * day)
    count = np.maximum(common.sum(axis=2)[:, 0], 1)
    scale = np.where(total[:, 0], slots.share / count, 1.0)
    return Weeks(
        rows=rows,
        start_us=slots.start(end - DAYS * day),
        end_us=slots.start(end),
        steps=np.ascontiguousarray(steps.reshape(rows.size, STEPS, DAYS)[:, ::-1]),
        value=scale * _values(x[:, -1:], n[:, -1:], common, total)[:, 0],
        before=scale * _values(x[:, -2:-1], n[:, -2:-1], common, total)[:, 0],
        n=np.where(common, n[:, -1:], 0.0).sum(axis=2)[:, 0],
    )


def _values(x: Floats, n: Floats, used: Bools, total: Bools) -> Floats:
    """Sums of x over the last axis; of what is no total, their quotients by those of n."""
    sum_x = np.where(used, x, 0.0).sum(axis=2)
    sum_n = np.where(used, n, 0.0).sum(axis=2)
    with np.errstate(all="ignore"):
        values: Floats = np.where(total, sum_x, sum_x / sum_n)
    return values

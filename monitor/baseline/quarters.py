"""Quarters of an hour: what repeats inside the hours of a day, of working days and of weekends.

The profile knows hours; doors that open at 8:20 do not. A correction by quarter is learnt from how the quarters
of an hour divided it, at the end of the hour and only if the hour as a whole was as expected: a fault must not
be learnt (GUARD.md, the baseline, 4). What may be chance is shrunk away.
"""

import numpy as np

from monitor.model.table import Column, Table
from monitor.model.tick import Bools, Floats, Ints

PARTS = 4
DAY_HOURS = 24
WEEK_HOURS = 168
WEEKEND = (2, 3)
"""Days since a Thursday, which 1970 began with."""
LEAST_GAIN = 0.1
SHRINK = 2.5
"""Of an hour's corrections this many times what chance makes of them is taken off."""
CLIP = 5.0
"""One hour changes them by at most so many standard deviations ..."""
WIDE = 0.25
"""... or by this; the first hours as they are."""
FREE = 5
LARGEST = 3.0
LEAST_FACTOR = 0.02


class Quarters:
    """Corrections by row: factors, less 1, by kind of day, hour and quarter.

    Args:
        per_slot: buckets of an hour; 1 where buckets are an hour or longer, which have no quarters.
    """

    def __init__(self, per_slot: int) -> None:
        self.per_slot = per_slot
        self.parts = min(PARTS, per_slot) if per_slot > 1 else 0
        hours = 2 * DAY_HOURS if self.parts else 0
        self.table = Table(
            {
                "correction": Column(dtype="f2", shape=(hours, self.parts)),
                "hours": Column(dtype="u1", shape=(hours,)),
                "x": Column(dtype="f4", shape=(self.parts,)),
                "expected": Column(dtype="f4", shape=(self.parts,)),
                "buckets": Column(dtype="u1"),
            }
        )

    def part(self, place: int) -> int:
        """The quarter of a bucket, by its place in the hour."""
        return place * self.parts // self.per_slot

    def learn(self, place: int, x: Floats, expected: Floats, used: Bools) -> None:
        """Take in a bucket: x, and what was expected of it with the correction."""
        if not self.parts:
            return
        t, part = self.table, self.part(place)
        t["x"][:, part] += np.where(used, x, 0.0)
        t["expected"][:, part] += np.where(used, expected, 0.0)
        t["buckets"] += used

    def factors(self, local: Ints, noise: Floats) -> Floats | None:
        """Log corrections of the quarters of an hour: float64[rows, parts]; None without quarters.

        Args:
            local: the hour of the local week, by row.
            noise: relative variance of a quarter's share of the hour by chance.
        """
        if not self.parts:
            return None
        at, rows = _hours(local), np.arange(local.size)
        found = self.table["correction"][rows, at].astype(np.float64)
        hours = self.table["hours"][rows, at].astype(np.float64)
        memory = np.minimum(hours, 2.0 / LEAST_GAIN - 1.0)
        chance = noise * self.parts / np.maximum(memory, 1.0)
        power = np.maximum((found * found).sum(axis=1), 1e-12)
        keep = np.maximum(1.0 - SHRINK * chance / power, 0.0)
        known = (hours > 1) & np.isfinite(keep)
        factor = np.maximum(1.0 + keep[:, None] * found, LEAST_FACTOR)
        return np.where(known[:, None], np.log(factor), 0.0)

    def commit(self, local: Ints, in_use: Floats, calm: Bools, noise: Floats) -> None:
        """End an hour.

        Args:
            local: the hour of the local week, by row.
            in_use: what `factors` gave for it.
            calm: rows whose hour was as expected.
            noise: as of `factors`.
        """
        t = self.table
        x, expected = t["x"], t["expected"]
        plain = expected * np.exp(-in_use)
        whole = x.sum(axis=1) / plain.sum(axis=1)
        calm = calm & (t["buckets"] == self.per_slot) & (whole > 0) & (expected > 0).all(axis=1)
        rows = np.flatnonzero(calm & np.isfinite(noise))
        if rows.size:
            at = _hours(local[rows])
            hours = t["hours"][rows, at]
            wide = np.maximum(CLIP * np.sqrt(noise[rows]), WIDE)
            limit = np.where(hours < FREE, LARGEST, wide)[:, None]
            share = x[rows] / (plain[rows] * whole[rows, None])
            old = t["correction"][rows, at].astype(np.float64)
            error = share - 1.0 - old
            t["hours"][rows, at] = np.minimum(hours, 254) + 1
            gain = np.maximum(1.0 / (hours + 1.0), LEAST_GAIN)[:, None]
            new = old + gain * np.minimum(np.maximum(error, -limit), limit)
            t["correction"][rows, at] = np.clip(new, -1.0, LARGEST).astype(np.float16)
        x[:] = 0.0
        expected[:] = 0.0
        t["buckets"] = np.zeros_like(t["buckets"])


def _hours(local: Ints) -> Ints:
    """Place of an hour of the local week: working days first, then weekends."""
    weekend = np.isin(local // DAY_HOURS % 7, WEEKEND)
    return np.where(weekend, DAY_HOURS, 0) + local % DAY_HOURS

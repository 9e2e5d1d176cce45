"""Quarters of an hour: what repeats inside the hours of a day, of working days and of weekends.

The profile knows hours; doors that open at 8:20 do not. A correction by quarter is learnt from how the quarters
of an hour divided it, at the end of the hour and only if the hour as a whole was as expected: a fault must not
be learnt (GUARD.md, the baseline, 4). What may be chance is shrunk away.

Where a flank lies inside a quarter its buckets cannot be as expected; what they are off by, beyond chance, is
learnt beside the correction as the quarter's roughness, and added to the variance of its buckets.
"""

import numpy as np

from monitor.baseline.codes import EXCESS
from monitor.model.table import Column, Table
from monitor.model.tick import Bools, Floats, Ints

PARTS = 4
DAY_HOURS = 24
WEEK_DAYS = 7
SATURDAY = 2
"""The first day of the weekend where nothing else is known, in days since a Thursday, which 1970 began with."""
CLEARLY = 0.5
"""Two other days are the weekend where that leaves less than this share of the squared distances of days to
their kind ..."""
LEAST_STEP = 0.05
"""... and takes off as much as hours that are off by 5 % would add."""
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
ROUGH = 1.0
"""A quarter is rough where its buckets' squared errors exceed chance by more than this many times chance."""
LARGEST_SQUARE = 4.0
_CHUNK = 1024
"""Rows that are looked at together."""


class Quarters:
    """Corrections by row: factors, less 1, by kind of day, hour and quarter.

    Args:
        per_slot: buckets of an hour; 1 where buckets are an hour or longer, which have no quarters.
    """

    def __init__(self, per_slot: int) -> None:
        self.per_slot = per_slot
        self.parts = min(PARTS, per_slot) if per_slot > 1 else 0
        self.has_rough = per_slot > self.parts > 0
        places = np.arange(per_slot if self.parts else 0)
        self._sizes = np.bincount(places * self.parts // per_slot)
        hours = 2 * DAY_HOURS if self.parts else 0
        parts, rough = (self.parts,), (self.parts if self.has_rough else 0,)
        self.table = Table(
            {
                "correction": Column(dtype="f2", shape=(hours, *parts)),
                "rough": Column(dtype="u1", shape=(hours if self.has_rough else 0, *rough)),
                "hours": Column(dtype="u1", shape=(hours,)),
                "weekend": Column(dtype="i1", fill=SATURDAY),
                "x": Column(dtype="f4", shape=parts),
                "expected": Column(dtype="f4", shape=parts),
                "square": Column(dtype="f4", shape=rough),
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
        if self.has_rough:
            error = np.where(used, x / expected - 1.0, 0.0)
            t["square"][:, part] += np.minimum(error * error, LARGEST_SQUARE)

    def factors(self, local: Ints, noise: Floats) -> Floats | None:
        """Log corrections of the quarters of an hour: float64[rows, parts]; None without quarters.

        Args:
            local: the hour of the local week, by row.
            noise: relative variance of a quarter's share of the hour by chance.
        """
        if not self.parts:
            return None
        at, rows = self._hours(local), np.arange(local.size)
        found = self.table["correction"][rows, at].astype(np.float64)
        hours = self.table["hours"][rows, at].astype(np.float64)
        memory = np.minimum(hours, 2.0 / LEAST_GAIN - 1.0)
        chance = noise * self.parts / np.maximum(memory, 1.0)
        power = np.maximum((found * found).sum(axis=1), 1e-12)
        keep = np.maximum(1.0 - SHRINK * chance / power, 0.0)
        known = (hours > 1) & np.isfinite(keep)
        factor = np.maximum(1.0 + keep[:, None] * found, LEAST_FACTOR)
        return np.where(known[:, None], np.log(factor), 0.0)

    def roughness(self, local: Ints, noise: Floats, wander: Floats) -> Floats | None:
        """By how many times the variance of a quarter's buckets is larger than chance, at least 1.

        Args:
            local: the hour of the local week, by row.
            noise: relative variance of the hour's buckets by chance, by quarter. float64[rows, parts]
            wander: by what is carried on from bucket to bucket, by row.

        Returns:
            float64[rows, parts]; None where a quarter is a bucket, or there are none.
        """
        if not self.has_rough:
            return None
        at, rows = self._hours(local), np.arange(local.size)
        excess = EXCESS.decode(self.table["rough"][rows, at])
        known = (self.table["hours"][rows, at] > 1)[:, None]
        known = known & (excess > ROUGH * (noise + wander[:, None]))
        return np.where(known, 1.0 + excess / noise, 1.0)

    def commit(
        self, local: Ints, in_use: Floats, calm: Bools, noise: Floats, of_bucket: Floats
    ) -> None:
        """End an hour.

        Args:
            local: the hour of the local week, by row.
            in_use: what `factors` gave for it.
            calm: rows whose hour was as expected.
            noise: as of `factors`.
            of_bucket: as `noise` of `roughness`, what is carried on included.
        """
        t = self.table
        x, expected = t["x"], t["expected"]
        plain = expected * np.exp(-in_use)
        whole = x.sum(axis=1) / plain.sum(axis=1)
        calm = calm & (t["buckets"] == self.per_slot) & (whole > 0) & (expected > 0).all(axis=1)
        rows = np.flatnonzero(calm & np.isfinite(noise))
        if rows.size:
            at = self._hours(local)[rows]
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
            if self.has_rough:
                excess = self._scatter(rows) - of_bucket[rows]
                self._learn_rough(rows, at, hours, excess)
        for name in ("x", "expected", "square"):
            t[name][:] = 0.0
        t["buckets"] = np.zeros_like(t["buckets"])

    def _scatter(self, rows: Ints) -> Floats:
        """Mean squared relative error of each quarter's buckets, the hour's own error taken out."""
        t = self.table
        mean = t["x"][rows] / t["expected"][rows] - 1.0
        square = t["square"][rows] / self._sizes
        total = t["x"][rows].sum(axis=1, keepdims=True)
        total = total / t["expected"][rows].sum(axis=1, keepdims=True)
        off = 1.0 - total
        scatter: Floats = (square + 2.0 * off * mean + off * off) / (total * total)
        return scatter

    def _learn_rough(self, rows: Ints, at: Ints, hours: Ints, excess: Floats) -> None:
        """What the quarters' scatter is beyond chance, of hours whose correction was in use."""
        t = self.table
        old = np.nan_to_num(EXCESS.decode(t["rough"][rows, at]))
        gain = np.maximum(1.0 / np.maximum(hours - 1.0, 1.0), LEAST_GAIN)[:, None]
        new = np.where((hours > 1)[:, None], old + gain * (excess - old), 0.0)
        t["rough"][rows, at] = EXCESS.encode(np.clip(new, 0.0, LARGEST_SQUARE))

    def find_weekends(self, profile: Floats) -> None:
        """The weekend of every row: two days in a row that leave the others, and each other, most alike.

        Saturday and Sunday, until two others do so clearly better. Where it moves, corrections that mixed
        the days are learnt anew.

        Args:
            profile: log values by hour of the local week; NaN where unknown. float64[rows, 168]
        """
        if not self.parts:
            return
        t = self.table
        for start in range(0, len(profile), _CHUNK):
            rows = np.arange(start, min(start + _CHUNK, len(profile)))
            days = profile[rows].astype(np.float64).reshape(rows.size, WEEK_DAYS, -1)
            left = _within(days)
            best, every = np.argmin(left, axis=1), np.arange(rows.size)
            now, after = left[every, t["weekend"][rows]], left[every, best]
            # of a profile that is not known nothing is clear
            clear = (after < CLEARLY * now) & (now - after > LEAST_STEP**2 * profile.shape[1])
            t["weekend"][rows[clear]] = best[clear]
            t["hours"][rows[clear]] = 0

    def _hours(self, local: Ints) -> Ints:
        """Place of an hour of the local week: working days first, then weekends."""
        day = (local // DAY_HOURS - self.table["weekend"]) % WEEK_DAYS
        return np.where(day <= 1, DAY_HOURS, 0) + local % DAY_HOURS


def _within(days: Floats) -> Floats:
    """Squared distances of the days to the mean of their kind, by the first day of the weekend.

    Args:
        days: values of each day. float64[rows, 7, hours]

    Returns:
        float64[rows, 7]
    """
    products = np.matmul(days, days.transpose(0, 2, 1))
    total = np.zeros((len(days), WEEK_DAYS))
    for first in range(WEEK_DAYS):
        weekend = [first, (first + 1) % WEEK_DAYS]
        for kind in (weekend, [day for day in range(WEEK_DAYS) if day not in weekend]):
            mine = products[:, kind][:, :, kind]
            own = np.trace(mine, axis1=1, axis2=2)
            total[:, first] += own - mine.sum(axis=2).sum(axis=1) / len(kind)
    return total

"""sd_b: how far the baseline itself may be off, from its own realised errors.

`sd_b^2 = max(analytic, hour, day)`: what the noise it was learnt from implies, and what its forecasts
of an hour and of a day missed beyond chance (GUARD.md, the baseline, 7). All of it is robust: an
outage does not widen the band for weeks.
"""

import numpy as np

from monitor.baseline.codes import SCALE, SQUARE
from monitor.model.table import Column, Table
from monitor.model.tick import Bools, Floats
from monitor.stats.robust import NORMAL_MAD, count_last, median_last

HOURS = 168
LEAST_HOURS = 28
DAYS = 14
LEAST_DAYS = 4
"""Fewer days say nothing."""
HOUR_SLACK = 0.93
DAY_SLACK = 0.75
WINSOR = 4.0
"""Squared hourly errors count up to this many times their median ..."""
WINSORISED = 0.7117
"""... of which a normal error keeps this: E min(Z^2, 4 median Z^2)."""
SMALLEST = 1e-12
LARGEST = 60_000.0
"""Errors of days are kept in half precision, which ends here."""
_NAN = float("nan")


class Band:
    """Realised errors of the forecasts by row: the newest hours and days.

    Args:
        slots_a_day: of buckets of a day or longer there is no separate day.
        week: slots of a week.
    """

    def __init__(self, slots_a_day: int, week: int) -> None:
        self.slots_a_day = slots_a_day
        self.hours = min(HOURS, max(week, LEAST_HOURS))
        ring = Column(dtype="u1", shape=(self.hours,))
        days = Column(dtype="f4", shape=(DAYS,), fill=_NAN)
        self.table = Table(
            {
                "square": ring,
                "noise_sd": ring,
                "hour_at": Column(dtype="u1"),
                "day_error": Column(dtype="f2", shape=(DAYS,), fill=_NAN),
                "day_noise": days,
                "day_at": Column(dtype="u1"),
                "day_x": Column(dtype="f8"),
                "day_expected": Column(dtype="f8"),
                "day_variance": Column(dtype="f8"),
                "day_slots": Column(dtype="u1"),
                "realised": Column(dtype="f8"),
            }
        )

    def learn(self, x: Floats, expected: Floats, variance: Floats, used: Bools) -> None:
        """Take in the total, its forecast and its variance by chance, of one finished slot."""
        t = self.table
        rows = np.flatnonzero(used)
        at = t["hour_at"][rows]
        error = x[rows] / expected[rows] - 1.0
        noise = np.maximum(variance[rows] / expected[rows] ** 2, SMALLEST)
        t["square"][rows, at] = SQUARE.encode(error * error / noise)
        t["noise_sd"][rows, at] = SCALE.encode(np.sqrt(noise))
        t["hour_at"][rows] = (at + 1) % self.hours
        t["day_x"] += np.where(used, x, 0.0)
        t["day_expected"] += np.where(used, expected, 0.0)
        t["day_variance"] += np.where(used, variance, 0.0)
        t["day_slots"] += used

    def close_day(self) -> None:
        """End a day: keep its error where at least half of it was used, and fit the scales."""
        t = self.table
        if self.slots_a_day > 1:
            rows = np.flatnonzero(t["day_slots"] >= 0.5 * self.slots_a_day)
            at = t["day_at"][rows]
            expected = t["day_expected"][rows]
            error = np.minimum(t["day_x"][rows] / expected - 1.0, LARGEST)
            t["day_error"][rows, at] = error.astype(np.float16)
            t["day_noise"][rows, at] = (t["day_variance"][rows] / expected**2).astype(np.float32)
            t["day_at"][rows] = (at + 1) % DAYS
        for name in ("day_x", "day_expected", "day_variance", "day_slots"):
            t[name] = np.zeros_like(t[name])
        t["realised"] = np.maximum(self._hour(), self._day())

    def _hour(self) -> Floats:
        """Squared error of the baseline that the hours imply: mean q = 1 + b^2 mean(1/noise)."""
        t = self.table
        noise = SCALE.decode(t["noise_sd"]) ** 2
        q = SQUARE.decode(t["square"])
        limit = WINSOR * median_last(q)[:, None]
        known, count = ~np.isnan(q), np.maximum(count_last(q), 1)
        kept = np.where(known, np.minimum(q, limit), 0.0).sum(axis=1) / count
        precision = np.where(known, 1.0 / np.where(known, noise, 1.0), 0.0).sum(axis=1) / count
        excess = np.maximum(HOUR_SLACK * kept / WINSORISED - 1.0, 0.0)
        return np.where(precision > 0, excess / np.maximum(precision, SMALLEST), 0.0)

    def _day(self) -> Floats:
        t = self.table
        error = t["day_error"].astype(np.float64)
        scale = NORMAL_MAD * median_last(np.abs(error))
        noise = median_last(t["day_noise"].astype(np.float64))
        enough = count_last(error) >= LEAST_DAYS
        return np.where(enough, np.maximum(DAY_SLACK * scale * scale - noise, 0.0), 0.0)

    def variance(self, profile: Floats, level: Floats, autocorrelated: Bools) -> Floats:
        """sd_b^2 in a slot.

        Args:
            profile: relative variance of the profile there, by chance.
            level: relative variance of the level.
            autocorrelated: rows whose realised errors the autocorrelation explains.
        """
        analytic = profile + level
        result: Floats = np.maximum(analytic, np.where(autocorrelated, 0.0, self.table["realised"]))
        return result

"""Evidence of silence: a bet on emptiness, whose patience follows the series' own volume.

`L = 1 / P(no unit | expected units)` for an empty bucket, 0 for any other: its expectation is 1 while
units come as expected, whatever their law, as long as P is not too small. P is that of a negative binomial law
(`volume.Volume` says of which mean and dispersion).
"""

import numpy as np

from monitor.model.table import Column, Table
from monitor.model.tick import Bools, Floats
from monitor.stats.e_detector import grow
from monitor.stats.negative_binomial import log_one_over_empty


class Silence:
    """One more bet of each row, on nothing arriving."""

    def __init__(self) -> None:
        self.table = Table(
            {
                "r": Column(dtype="f8"),
                "start_us": Column(dtype="i8"),
                "expected": Column(dtype="f8"),
                "variance": Column(dtype="f8"),
            }
        )

    def update(
        self,
        *,
        units: Floats,
        phi: Floats,
        empty: Bools,
        heard: Bools,
        cap: Floats,
        mean: Floats,
        variance: Floats,
        start_us: int,
    ) -> None:
        """Take in one bucket.

        Args:
            units: expected units of the bucket.
            phi: dispersion of the units.
            empty: rows that are judged and hold nothing.
            heard: rows that hold something: the bet is lost.
            cap: the most that log L may be.
            mean: expected x of the bucket.
            variance: of x.
            start_us: start of the bucket.
        """
        t = self.table
        first = empty & (t["r"] <= 0)
        payoff = log_one_over_empty(units, phi)
        r = np.where(empty, grow(t["r"], payoff, cap), t["r"])
        t["r"] = np.where(heard, 0.0, r)
        t["start_us"] = np.where(first, start_us, t["start_us"])
        for name, value in (("expected", mean), ("variance", variance)):
            kept = np.where(first | heard, 0.0, t[name])
            t[name] = kept + np.where(empty, value, 0.0)

    def forget(self, rows: Bools) -> None:
        """Start anew."""
        if rows.any():
            self.table.clear(np.flatnonzero(rows))

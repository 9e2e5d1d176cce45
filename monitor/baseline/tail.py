"""What share of a quantile's events lies above its expected value, and how much that share varies.

It should be 1 - q, but the mean of sample quantiles is not the quantile (`stats.tail.share_above`), nor is
the centre of a season: so the share is learnt, as a shift of its log odds.
"""

import numpy as np

from monitor.baseline.dispersion import Dispersion
from monitor.model.table import Column, Table
from monitor.model.tick import Bools, Floats, TailExpectation, Traits
from monitor.stats import laws
from monitor.stats.tail import log_odds, share_above, share_of

PRIOR_EVENTS = 100.0
"""The share is taken to have been seen in so many events before the first."""
_NAN = float("nan")


class Tail:
    """Running estimate by row.

    Args:
        bucket_us: width of a bucket; 7 days are remembered.
        share: what a bucket is of its slot.

    Attributes:
        on: whether it keeps anything: a panel without quantiles has no rows here.
    """

    def __init__(self, bucket_us: int, share: float) -> None:
        self._dispersion = Dispersion(bucket_us, share)
        self._keep = 1.0 - 1.0 / self._dispersion.memory
        self.on = False
        self.table = Table(
            {
                "above": Column(dtype="f8"),
                "expected": Column(dtype="f8"),
                "events": Column(dtype="f8"),
            }
        )

    def begin(self, size: int) -> None:
        """Keep so many rows from now on, if it does not yet."""
        if self.on:
            return
        self.on = True
        for table in (self.table, self._dispersion.table):
            table.append(size)

    def tables(self) -> dict[str, Table]:
        """Its state; nothing before `begin`."""
        found = {"tail": self.table, "tail_dispersion": self._dispersion.table}
        return found if self.on else {}

    def learn(self, above: Floats, n: Floats, tail: Floats, used: Bools) -> None:
        """Take in a bucket.

        Args:
            above: events above the expected value.
            n: events.
            tail: 1 - q.
            used: rows that learn.
        """
        t = self.table
        usual = share_above(tail, n)
        p = share_of(log_odds(usual) + self.shift(tail))
        mean = n * p
        used = used & (n > 0) & ~np.isnan(above)
        self._dispersion.learn((above - mean) / np.sqrt(mean * (1.0 - p)), used)
        for name, more in (("above", above), ("expected", n * usual), ("events", n)):
            t[name] = np.where(used, self._keep * t[name] + more, t[name])

    def forget_previous(self) -> None:
        """The next bucket does not follow on the last."""
        if not self.on:
            return
        self._dispersion.forget_previous()

    def expected(self, traits: Traits) -> TailExpectation | None:
        """What is expected of the shares; None where no row is a quantile."""
        if not (traits.law == laws.QUANTILE).any():
            return None
        self.begin(traits.law.size)
        phi = self.phi()
        return TailExpectation(
            shift=self.shift(traits.tail), deviation=self.deviation(traits.tail, phi), phi=phi
        )

    def shift(self, tail: Floats) -> Floats:
        """Log odds of the share above the expected value, less those of `share_above`."""
        t, prior = self.table, PRIOR_EVENTS * tail
        events = t["events"] + PRIOR_EVENTS
        found = log_odds((t["above"] + prior) / events)
        shift: Floats = found - log_odds((t["expected"] + prior) / events)
        return shift

    def deviation(self, tail: Floats, phi: Floats) -> Floats:
        """Standard deviation of `shift` by chance."""
        t = self.table
        p = share_of(log_odds(tail) + self.shift(tail))
        deviation: Floats = np.sqrt(phi / ((t["events"] + PRIOR_EVENTS) * p * (1.0 - p)))
        return deviation

    def phi(self) -> Floats:
        """Dispersion of the share, at least 1; NaN before the first differences."""
        size = self.table.size
        none = np.zeros(size, dtype=np.int64)
        return self._dispersion.value(np.ones(size), none, np.ones(size))[0]

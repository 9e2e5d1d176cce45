"""How many units come of late, against those that the season expects: the patience with silence follows it.

A series that fades (the app version before the newest) has weeks of more traffic behind it: what its profile
expects of an hour is not what it still gets. Of the last day, the units that came over those expected
are that share; never more than 1, so that growth makes nobody impatient. A gap counts once it has ended:
while a series is silent, nothing is learnt of it. How unevenly units come (lines that stand for many at
once, users who do much) is learnt beside it: an empty bucket means less where they come in heaps.

A segment whose last days hold less than a quarter of its best ones has faded: what is left of an app version that
hardly anybody runs any more behaves like nobody's, ends one day, and is no reason to wake anybody.
"""

import numpy as np

from monitor.model.table import Column, Table
from monitor.model.tick import Bools, Floats
from monitor.model.time import DAY, WEEK

PRIOR_UNITS = 10.0
"""So many units are taken to have come as expected before the first."""
FADED = 0.25
"""Of the best days: a series below has faded."""
LAST_US = 3 * DAY
"""Memory of the last days: after the weekend of an office 0.4 is left, after four days 0.29."""
BEST_US = 8 * WEEK
"""Memory of the best ones."""
LEAST_PHI = 10.0
"""Units cluster more than values do: their dispersion is taken to be this at least."""


class Volume:
    """Running share by row.

    Args:
        bucket_us: width of a bucket; a day is remembered.
    """

    def __init__(self, bucket_us: int) -> None:
        self._keep = float(np.exp(-bucket_us / max(DAY, bucket_us)))
        self._keep_last = float(np.exp(-bucket_us / max(LAST_US, bucket_us)))
        self._keep_best = float(np.exp(-bucket_us / max(BEST_US, bucket_us)))
        self.table = Table(
            {
                "came": Column(dtype="f8"),
                "expected": Column(dtype="f8"),
                "waiting": Column(dtype="f8"),
                "waited": Column(dtype="i4"),
                "phi": Column(dtype="f8", fill=LEAST_PHI),
                "last": Column(dtype="f8"),
                "best": Column(dtype="f8"),
            }
        )

    def share(self) -> Floats:
        """Units that come, over those of the season; at most 1."""
        t = self.table
        share = (t["came"] + PRIOR_UNITS) / (t["expected"] + PRIOR_UNITS)
        result: Floats = np.minimum(share, 1.0)
        return result

    def phi(self) -> Floats:
        """Dispersion of the units of a bucket, at least `LEAST_PHI`."""
        result: Floats = np.maximum(self.table["phi"], LEAST_PHI)
        return result

    def faded(self) -> Floats:
        """Units of the last days over those of the best ones; NaN where that is no less than `FADED`."""
        t = self.table
        share = np.divide(t["last"], t["best"], out=np.ones(t.size), where=t["best"] > 0)
        result: Floats = np.where(share < FADED, share, np.nan)
        return result

    def learn(self, n: Floats, units: Floats, *, heard: Bools, counts: Bools) -> None:
        """Take in a bucket.

        Args:
            n: units that came.
            units: those that the season expects.
            heard: rows that hold something.
            counts: rows that learn; others keep what they know, and their gap is not counted.
        """
        t, mean = self.table, units * self.share()
        phi = np.where(counts & (mean > 0), (n - mean) ** 2 / mean, t["phi"])
        t["phi"] += (1.0 - self._keep) * (phi - t["phi"])
        t["waiting"] += np.where(counts, units, 0.0)
        t["waited"] += counts
        ended = counts & heard
        keep = self._keep ** t["waited"]
        for name, more in (("came", n), ("expected", t["waiting"])):
            t[name] = np.where(ended, keep * t[name] + more, t[name])
        t["waiting"] = np.where(ended, 0.0, t["waiting"])
        t["waited"] = np.where(ended, 0, t["waited"])
        t["last"] = self._keep_last * t["last"] + np.where(heard, n, 0.0)
        t["best"] = np.maximum(self._keep_best * t["best"], t["last"])

"""What the segments of a whole have held since the whole's shift began: what a diagnosis asks for.

A segment's own evidence is summed since its own start. To say where a whole's shift is, all of its
segments must be summed over the same buckets as the whole: since the start that each of the *whole's*
bets estimates, and from its alert on, over its incident.
"""

import numpy as np

from monitor.guard.bets import DELTAS
from monitor.guard.incident import Bucket
from monitor.model.table import Column, Table
from monitor.model.tick import Bools, Floats, Ints
from monitor.model.time import DAY

SUMS = 5
"""x, expected x, n, the variance of x, expected n."""
EXACT = 3
"""Of a start that is only suspected so many are kept exactly; of the variance its root, in half the bytes, which has
room for sums up to 1e38, and expected n likewise."""
_MOST = 1e38
MEMORY_US = 3 * DAY
LEAST_MEMORY = 8.0
"""The usual share of a segment is that of about these days, or buckets if they are more."""


class Families:
    """Sums of every row over the buckets of its whole's shift.

    Args:
        bucket_us: width of a bucket.
    """

    def __init__(self, bucket_us: int) -> None:
        self._gain = 1.0 / max(MEMORY_US / bucket_us, LEAST_MEMORY)
        self.table = Table(
            {
                "since": Column(dtype="f8", shape=(EXACT, DELTAS.size)),
                "deviation": Column(dtype="f4", shape=(DELTAS.size,)),
                "units": Column(dtype="f4", shape=(DELTAS.size,)),
                "incident": Column(dtype="f8", shape=(SUMS,)),
                "usual_n": Column(dtype="f8"),
                "usual_units": Column(dtype="f8"),
            }
        )

    def update(self, bucket: Bucket, *, active: Bools, goes_on: Bools, is_open: Bools) -> None:
        """Take in one bucket.

        Args:
            bucket: as judged.
            active: the bets that are placed. bool[rows, bets]
            goes_on: the bets whose CUSUM had not been at 0 before. bool[rows, bets]
            is_open: rows with an open incident.
        """
        t, whole = self.table, _whole(bucket.traits.parent)
        sums = _sums(bucket)
        takes = active[whole]
        ends = takes & ~goes_on[whole]
        since, deviation, units = t["since"], t["deviation"], t["units"]
        if ends.any():
            np.copyto(since, 0.0, where=ends[:, None, :])
            for short in (deviation, units):
                np.copyto(short, 0.0, where=ends)
        since += sums[:, :EXACT, None] * takes[:, None, :]
        more = np.minimum([np.sqrt(sums[:, 3]), sums[:, 4]], _MOST).astype(np.float32)[:, :, None]
        np.hypot(deviation, more[0] * takes, out=deviation)
        units += more[1] * takes
        inside = is_open[whole]
        if inside.any():
            adds = inside & bucket.judged[whole]
            t["incident"] = t["incident"] + np.where(adds[:, None], sums, 0.0)
        learns = np.where(inside, 0.0, self._gain)
        t["usual_n"] += learns * (sums[:, 2] - t["usual_n"])
        t["usual_units"] += learns * (sums[:, 4] - t["usual_units"])

    def open(self, opened: Bools, bet: Ints, parent: Ints, silent: Bools) -> None:
        """Begin the incidents of these wholes: with what was summed since their winning bet's start."""
        whole = _whole(parent)
        rows = np.flatnonzero(opened[whole])
        best = bet[whole[rows]]
        t = self.table
        short = np.stack(
            [t["deviation"][rows, best].astype(float) ** 2, t["units"][rows, best]], axis=1
        )
        found = np.concatenate([t["since"][rows, :, best], short], axis=1)
        self.table["incident"][rows] = np.where(silent[whole[rows]][:, None], 0.0, found)

    def sums(self) -> Floats:
        """Of each row over its whole's incident: float64[rows, 5], see `Decision.family`.

        What was expected of n is brought to the present share of the series: the profile that it is
        taken from is a median of weeks, and shares drift.
        """
        t = self.table
        result: Floats = t["incident"].copy()
        with np.errstate(all="ignore"):
            drift = t["usual_n"] / t["usual_units"]
        result[:, 4] *= np.where(np.isfinite(drift), drift, 1.0)
        return result


def _whole(parent: Ints) -> Ints:
    """By row, the row of its whole: of a whole, itself."""
    rows: Ints = np.where(parent >= 0, parent, np.arange(parent.size))
    return rows


def _sums(bucket: Bucket) -> Floats:
    """x, expected x, n, variance, expected n; 0 of rows of which nothing is expected yet."""
    seen, expected = bucket.seen, bucket.expected
    units = np.where(np.isfinite(expected.units), expected.units, 0.0)
    known = expected.ready & np.isfinite(bucket.sums).all(axis=1)
    heard = known & seen.observed
    first = np.where(heard[:, None], bucket.sums, 0.0)
    sums: Floats = np.concatenate([first, np.where(known, units, 0.0)[:, None]], axis=1)
    return sums

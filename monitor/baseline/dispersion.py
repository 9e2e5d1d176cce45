"""phi: how much more than its law a series varies from bucket to bucket.

Half the mean squared *successive difference* of standardised residuals, over 1 and over 4 buckets;
the larger, times 1.02 (GUARD.md, the baseline, 6). Differences do not see errors of the baseline.
"""

import numpy as np

from monitor.model.table import Column, Table
from monitor.model.tick import Bools, Floats, Ints
from monitor.model.time import WEEK

MARGIN = 1.02
WINSOR = 9.0
"""Squared differences count up to this many times their mean, or more where there are many: """
WINSOR_SHARE = 0.05
"""one alone raises phi by this share at most; of heavy tails most of the variance is in the largest."""
BLOCK = 4
LEAST_MEMORY = 28.0
"""Buckets that are remembered at least."""
FREE = 10.0
"""The first differences count as they are: nothing is known yet that they could be clipped at."""
LEAST_COUNT = 4.0
"""Differences before which there is no estimate ..."""
FEW = 2.0
"""... and how many more it is taken to lack: few differences may look calm by chance."""
PROFILE_NOISE = np.array([0.0, 1.0, 0.5, 0.4487, 0.2982])
"""Variance of a median of that many normal values, over that of one."""
SMALLEST = 1e-12
_NAN = float("nan")


class Dispersion:
    """Running estimate by row.

    Args:
        bucket_us: width of a bucket; 7 days are remembered.
        share: what a bucket is of its slot.
    """

    def __init__(self, bucket_us: int, share: float) -> None:
        self.share = share
        self.memory = max(WEEK / bucket_us, LEAST_MEMORY)
        self.table = Table(
            {
                "previous": Column(dtype="f8", fill=_NAN),
                "block": Column(dtype="f8"),
                "block_size": Column(dtype="f8"),
                "block_previous": Column(dtype="f8", fill=_NAN),
                "one": Column(dtype="f8"),
                "one_count": Column(dtype="f8"),
                "four": Column(dtype="f8"),
                "four_count": Column(dtype="f8"),
            }
        )

    def learn(self, residual: Floats, used: Bools) -> None:
        """Take in the standardised residuals of one bucket; where not `used` the chain breaks."""
        t = self.table
        z = np.where(used, residual, np.nan)
        self._update("one", z - t["previous"], self.memory)
        t["previous"] = z
        t["block"] = np.where(used, t["block"] + z, 0.0)
        t["block_size"] = np.where(used, t["block_size"] + 1.0, 0.0)
        full = t["block_size"] >= BLOCK
        if full.any():
            mean = np.where(full, t["block"] / np.sqrt(BLOCK), np.nan)
            self._update("four", mean - t["block_previous"], self.memory / BLOCK)
            t["block_previous"] = np.where(full, mean, t["block_previous"])
            t["block"] = np.where(full, 0.0, t["block"])
            t["block_size"] = np.where(full, 0.0, t["block_size"])
        t["block_previous"] = np.where(used, t["block_previous"], np.nan)

    def _update(self, name: str, difference: Floats, memory: float) -> None:
        t = self.table
        mean, count = t[name], t[name + "_count"]
        square = 0.5 * difference * difference
        known = ~np.isnan(square)
        limit = np.maximum(WINSOR, WINSOR_SHARE * count) * mean
        square = np.where((count > FREE) & (mean > 0), np.minimum(square, limit), square)
        count = np.minimum(count + known, memory)
        rate = 1.0 / np.maximum(count, 1.0)
        t[name] = np.where(known, mean + rate * (square - mean), mean)
        t[name + "_count"] = count

    def value(self, at_least: Floats, weeks: Ints, left: Floats) -> tuple[Floats, Floats]:
        """phi, no lower than `at_least`; NaN before the first differences.

        Second, what the differences over one bucket say alone.

        A profile of few weeks has noise of its own from slot to slot, which differences do see where
        they cross from one slot to the next: it belongs to the band, and is taken out here.

        Args:
            at_least: by row.
            weeks: of which each row's profile is made.
            left: share of its noise that smoothing has left.
        """
        t = self.table
        count, noise = (
            t["one_count"],
            left * PROFILE_NOISE[np.minimum(weeks, len(PROFILE_NOISE) - 1)],
        )
        one = t["one"] / (1.0 + noise * min(self.share, 1.0) ** 2)
        four = t["four"] / (1.0 + noise * min(self.share * BLOCK, 1.0) ** 2)
        four = np.where(t["four_count"] > FREE, four, 0.0)
        margin = MARGIN * (1.0 + FEW / count)
        phi = np.maximum(np.maximum(margin * np.maximum(one, four), at_least), SMALLEST)
        return np.where(count >= LEAST_COUNT, phi, np.nan), margin * one

    def forget_previous(self) -> None:
        """Break the chain: the next bucket does not follow on the last."""
        t = self.table
        t["previous"] = np.full(t.size, np.nan)
        t["block_previous"] = np.full(t.size, np.nan)
        t["block"] = np.zeros(t.size)
        t["block_size"] = np.zeros(t.size)

"""The level: where a series stands against its profile, by six competing forecasts.

Memories of 24, 72 and 168 hours, each without a trend and with one; the forecast with the least
realised error is in use (GUARD.md, the baseline, 5). The mean is a ratio of weighted sums on the
natural scale, so that it is not biased where a bucket holds 0 to 3 events.
"""

import numpy as np

from monitor.model.table import Column, Table
from monitor.model.tick import Bools, Floats, Ints
from monitor.stats.robust import NORMAL_MAD, median_last

MEMORIES_HOURS = (24, 72, 168)
LEAST_MEMORIES = (4, 8, 16)
"""The same in slots, where slots are so long that the memories would hold almost none."""
FLOOR = 1e-4
"""Squared relative error that an hour is never believed to be below: 1 %."""
CLIP = 2.5
"""Steps are clipped at this many standard deviations."""
CLIP_SKEW = 0.875
"""(CLIP^2 - 1)/6: the Cornish-Fisher correction for a skewness equal to the relative deviation."""
FIRST_CLIP = 4.0
"""The slots of which a first level is made are clipped at this many robust deviations."""
WINSOR = 6.0
"""Squared errors count up to this many times their variance."""
MOST_AHEAD = 24.0
"""Slots over which a trend is carried on."""
TREND_LIMITS = (0.5, 2.0)
"""A forecast with a trend stays within these multiples of the one without."""
LEAST_SPREAD = 1e-3
"""Variance of the slots' ages, in slots squared, from which on a trend is looked for."""
_LOSS_MEMORY = 168.0
_START = 1
"""The choice before errors were seen: 72 h without a trend."""
_TREND_COST = 2.5
"""Variance of an extrapolated line over that of a mean of the same memory."""
_REBASED = 0.25
"""Weight left to the past when the level is put somewhere else."""
_NAN = float("nan")
_K = len(MEMORIES_HOURS)


class Level:
    """Discounted least squares of the relative level `y`, weighted by precision.

    Args:
        slot_hours: length of a slot.
        rebuild: how many slots a first level is made of.
    """

    def __init__(self, slot_hours: float) -> None:
        pairs = zip(MEMORIES_HOURS, LEAST_MEMORIES, strict=True)
        self.memories = np.array([max(hours / slot_hours, least) for hours, least in pairs])
        sums = {name: Column(dtype="f8", shape=(_K,)) for name in ("s0", "s1", "s2", "t0", "t1")}
        self.table = Table(
            {
                **sums,
                "last": Column(dtype="i4"),
                "loss": Column(dtype="f4", shape=(2 * _K,)),
                "loss_weight": Column(dtype="f8"),
                "choice": Column(dtype="i1", fill=_START),
                "base": Column(dtype="f8", fill=_NAN),
                "pending": Column(dtype="f8", fill=_NAN),
                "pending_weight": Column(dtype="f8"),
                "pending_slot": Column(dtype="i4"),
            }
        )

    def forecasts(self, slot: int) -> Floats:
        """The six forecasts of the level in a slot: three without a trend, three with one."""
        t = self.table
        s0, s1, s2, t0, t1 = (t[name] for name in ("s0", "s1", "s2", "t0", "t1"))
        plain = t0 / s0
        spread = s0 * s2 - s1 * s1
        trend = (s0 * t1 - s1 * t0) / spread
        ahead = np.minimum(slot - t["last"], MOST_AHEAD)[:, None]
        line = (t0 - trend * s1) / s0 + trend * ahead
        line = np.clip(line, TREND_LIMITS[0] * plain, TREND_LIMITS[1] * plain)
        enough = spread > LEAST_SPREAD * s0 * s0
        return np.concatenate([plain, np.where(enough, line, plain)], axis=1)

    def chosen(self, forecasts: Floats) -> Floats:
        """The forecast in use, of the six."""
        choice = self.table["choice"].astype(np.int64)
        result: Floats = np.take_along_axis(forecasts, choice[:, None], axis=1)[:, 0]
        return result

    def variance(self) -> Floats:
        """Relative variance of the forecast in use, from the noise of what it was made of."""
        choice = self.table["choice"].astype(np.int64)
        weight = np.take_along_axis(self.table["s0"], (choice % _K)[:, None], axis=1)[:, 0]
        result: Floats = 0.5 * np.where(choice >= _K, _TREND_COST, 1.0) / weight
        return result

    def memory(self) -> Floats:
        """In how many slots the forecast in use forgets; a trend follows what is new the faster."""
        choice = self.table["choice"].astype(np.int64)
        result: Floats = self.memories[choice % _K] / np.where(choice >= _K, _TREND_COST, 1.0)
        return result

    def commit(self, slot: int, y: Floats, noise: Floats, error: Floats, held: Bools) -> None:
        """Take in a finished slot; what it says enters the forecasts one slot later.

        Args:
            slot: which.
            y: observed over expected at level 1; NaN where not observed.
            noise: relative variance of y by chance alone.
            error: relative variance of the forecast in use.
            held: rows that do not learn; they also drop the slot that waits.
        """
        t = self.table
        base, known = t["base"], ~np.isnan(y) & ~held
        sd = np.sqrt(noise + error)
        up, skew = CLIP * sd, CLIP_SKEW * sd * sd
        # The correction is a parabola in sd: past its vertex (sd 1.4) it would lift the lower clip.
        low = np.maximum(1.0 - up + np.minimum(skew, 0.5 * up), 0.0)
        relative = y / base
        self._judge(self.forecasts(slot) / base[:, None], relative, sd, known)
        clipped = base * np.clip(relative, low, 1.0 + up + skew)
        ready = ~np.isnan(t["pending"]) & ~held
        self._push(ready, t["pending_slot"], t["pending"], t["pending_weight"])
        t["pending"] = np.where(known, clipped, np.nan)
        t["pending_weight"] = np.where(known, 1.0 / (noise + FLOOR), 0.0)
        t["pending_slot"] = np.where(known, slot, t["pending_slot"])

    def _judge(self, candidates: Floats, relative: Floats, sd: Floats, known: Bools) -> None:
        t = self.table
        error = np.minimum((relative[:, None] - candidates) ** 2, (WINSOR * sd * sd)[:, None])
        weight = np.where(known, 1.0 / (sd * sd + FLOOR), 0.0)
        keep = np.where(known, 1.0 - 1.0 / _LOSS_MEMORY, 1.0)
        fresh = np.where(known[:, None], weight[:, None] * error, 0.0)
        t["loss"] = keep[:, None] * t["loss"] + fresh
        t["loss_weight"] = keep * t["loss_weight"] + weight

    def _push(self, rows: Bools, slot: Ints, y: Floats, weight: Floats) -> None:
        t = self.table
        gap = np.where(rows, slot - t["last"], 0).astype(np.float64)[:, None]
        fade = np.exp(-gap / self.memories)
        w = np.where(rows, weight, 0.0)[:, None]
        wy = w * np.where(rows, y, 0.0)[:, None]
        s0, s1, s2, t0, t1 = (t[name] for name in ("s0", "s1", "s2", "t0", "t1"))
        t["s2"] = fade * (s2 - 2.0 * gap * s1 + gap * gap * s0)
        t["s1"] = fade * (s1 - gap * s0)
        t["t1"] = fade * (t1 - gap * t0)
        t["s0"] = fade * s0 + w
        t["t0"] = fade * t0 + wy
        t["last"] = np.where(rows, slot, t["last"])

    def choose(self) -> None:
        """Put the forecast with the least realised error into use."""
        t = self.table
        seen = t["loss_weight"] > 0
        t["choice"] = np.where(seen, np.argmin(t["loss"], axis=1), t["choice"]).astype(np.int8)

    def set_base(self, slot: int) -> None:
        """Fix the level in use for a slot."""
        self.table["base"] = self.chosen(self.forecasts(slot))

    def start(self, rows: Ints, slots: Ints, y: Floats, weight: Floats) -> None:
        """First level of some rows, from their history.

        Args:
            rows: which.
            slots: the slots of the columns of `y`, any order. int64[k]
            y: observed over expected at level 1; NaN where unknown. float64[rows, k]
            weight: what each counts, relative. float64[rows, k]
        """
        known = ~np.isnan(y)
        weight = np.where(known, weight, 0.0)
        middle = median_last(y)[:, None]
        spread = NORMAL_MAD * median_last(np.abs(y - middle))[:, None]
        wide = np.where(
            spread > 0, FIRST_CLIP * spread, np.inf
        )  # 0: most slots are alike, or empty
        clipped = np.where(known, np.clip(y, middle - wide, middle + wide), 0.0)
        total = weight.sum(axis=1)[:, None]
        mean = (weight * clipped).sum(axis=1)[:, None] / total
        square = (weight * (clipped - mean) ** 2).sum(axis=1)[:, None] / total
        w = weight / np.where(mean > 0, square / (mean * mean) + FLOOR, 1.0 / FLOOR)
        newest = int(slots.max())
        age = (slots - newest).astype(np.float64)
        t = self.table
        for k, memory in enumerate(self.memories):
            v = w * np.exp(age / memory)
            t["s0"][rows, k] = v.sum(axis=1)
            t["s1"][rows, k] = (v * age).sum(axis=1)
            t["s2"][rows, k] = (v * age * age).sum(axis=1)
            t["t0"][rows, k] = (v * clipped).sum(axis=1)
            t["t1"][rows, k] = (v * age * clipped).sum(axis=1)
        t["last"][rows] = newest
        t["choice"][rows] = _START

    def put(self, rows: Bools, level: Floats) -> None:
        """Move rows to another level at once, without a trend; their past counts less."""
        t = self.table
        column = rows[:, None]
        for name in ("s0", "s1", "s2"):
            t[name] = np.where(column, _REBASED * t[name], t[name])
        t["t0"] = np.where(column, level[:, None] * t["s0"], t["t0"])
        t["t1"] = np.where(column, level[:, None] * t["s1"], t["t1"])
        t["base"] = np.where(rows, level, t["base"])
        t["pending"] = np.where(rows, np.nan, t["pending"])

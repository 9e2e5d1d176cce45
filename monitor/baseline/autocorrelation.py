"""What a series carries on from bucket to bucket beyond its profile: a wandering factor, predicted.

The relative residual is taken for an AR(1) process of variance tau^2 and coefficient rho, seen through the
noise of its law. Both are learnt from autocovariances; where there is no such process, tau^2 is 0
(GUARD.md, autocorrelation). The prediction is a Kalman filter's: prediction `ahead`, of variance `variance`.
"""

from dataclasses import dataclass

import numpy as np

from monitor.model.table import Column, Table
from monitor.model.tick import Bools, Floats, Wander
from monitor.model.time import WEEK

LAGS = (0, 1, 2, 4, 8, 16, 32)
REACH = LAGS[-1]
RHOS = np.array([0.8, 0.85, 0.9, 0.93, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.995])
_POWERS = RHOS[:, None] ** np.array(LAGS[1:])
LEAST_MEMORY = 28.0
CLIP = 5.0
"""Residuals count up to this many standard deviations."""
LARGEST = 2.0
"""... and to this: where the expectation is far too low they say nothing of what follows."""
MOST_NOISE = 4.0
"""Buckets that vary by more than this times the usual (a night's, of almost nothing) have no say."""
CERTAIN = 4.0
"""tau^2 must be this many standard errors of an autocovariance ..."""
LEAST_SHARE = 0.05
"""... and this share of the noise, or there is no process."""
INNOVATION_CLIP = 3.0
"""The filter follows errors of up to this many standard deviations: an outlier is not carried on."""
MOST_AHEAD = 0.9
"""A prediction stays above -90 %."""
LEAST_NOISE = 0.02
"""Of the differences at least this share is noise."""
FREE = 100.0
"""Innovations before which their size is taken as predicted."""
WINSOR = 9.0
WINSOR_SHARE = 0.05
"""As of `dispersion`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What the residuals follow, by row; all 0 where no process was found.

    Attributes:
        tau2: relative variance of the wandering factor.
        rho: its correlation from bucket to bucket.
        slot: relative variance of its mean over a slot.
        long: relative variance of its mean over many slots, times their number.
    """

    tau2: Floats
    rho: Floats
    slot: Floats
    long: Floats


class Autocorrelation:
    """Running autocovariances of the relative residuals, and the filter, by row.

    Args:
        bucket_us: width of a bucket; 7 days are remembered.
        share: what a bucket is of its slot.
    """

    def __init__(self, bucket_us: int, share: float) -> None:
        self.bucket_us, self.share = bucket_us, share
        self.memory = max(WEEK / bucket_us, LEAST_MEMORY)
        self.per_slot = max(1, round(1.0 / share))
        lags = Column(dtype="f4", shape=(len(LAGS),))
        self.table = Table(
            {
                "recent": Column(dtype="f2", shape=(REACH + self.per_slot,), fill=float("nan")),
                "products": lags,
                "pairs": lags,
                "precision": Column(dtype="f8"),
                "tau2": Column(dtype="f8"),
                "rho": Column(dtype="f8"),
                "ahead": Column(dtype="f8"),
                "variance": Column(dtype="f8"),
                "size": Column(dtype="f8", fill=1.0),
                "sizes": Column(dtype="f8"),
            }
        )
        self._any = False

    @property
    def on(self) -> Bools:
        """Rows that have a process."""
        found: Bools = self.table["tau2"] > 0
        return found

    def process(self) -> Process:
        """What was found."""
        tau2, rho = self.table["tau2"], self.table["rho"]
        long = tau2 * (1.0 + rho) / (1.0 - rho) / self.per_slot
        return Process(tau2=tau2, rho=rho, slot=np.minimum(tau2, long), long=long)

    def predict(self, gap: int) -> Wander | None:
        """What is carried on into a bucket, so many buckets after the next; None where nothing is."""
        t = self.table
        if not self._any:
            return None
        ahead, variance, rho = t["ahead"].copy(), t["variance"].copy(), t["rho"]
        if gap > 0:
            fade = rho**gap
            ahead *= fade
            variance = fade * fade * variance + (1.0 - fade * fade) * t["tau2"]
        return Wander(
            ahead=ahead,
            variance=variance,
            tau2=t["tau2"].copy(),
            rho=rho.copy(),
            size=t["size"].copy(),
        )

    def learn(
        self,
        at: int,
        residual: Floats,
        noise: Floats,
        law_noise: Floats,
        *,
        learns: Bools,
        used: Bools,
        wander: Wander | None,
    ) -> None:
        """Take in one bucket.

        Args:
            at: which bucket of its slot.
            residual: x / expected - 1.
            noise: its variance by chance.
            law_noise: the same at a dispersion of 1.
            learns: rows whose autocovariances learn.
            used: rows whose bucket says anything: their filter follows.
            wander: what was predicted.
        """
        t = self.table
        pairs = np.maximum(t["pairs"][:, 0], 1.0)
        limit = CLIP * np.sqrt(np.maximum(noise, t["products"][:, 0] / pairs))
        limit = np.minimum(limit, LARGEST)
        known = learns & (noise > 0)
        rate = np.where(known, 1.0 / np.minimum(pairs + at + 1.0, self.memory), 0.0)
        t["precision"] += rate * (np.where(known, 1.0 / law_noise, 0.0) - t["precision"])
        known &= law_noise * t["precision"] <= MOST_NOISE
        clipped = np.minimum(np.maximum(residual, -limit), limit)
        t["recent"][:, REACH + at] = np.where(known, clipped, np.nan)
        if wander is not None:
            self._follow(residual, noise, learns, used & (noise > 0), wander)

    def _follow(
        self, residual: Floats, noise: Floats, learns: Bools, used: Bools, wander: Wander
    ) -> None:
        t = self.table
        rows = np.flatnonzero(t["tau2"] > 0)
        if not rows.size:
            return
        seen, tau2, rho = used[rows], t["tau2"][rows], t["rho"][rows]
        ahead, variance = wander.ahead[rows], wander.variance[rows]
        size, sizes = t["size"][rows], t["sizes"][rows]
        spread = variance + np.where(seen, noise[rows], 1.0)
        limit = INNOVATION_CLIP * np.sqrt(spread * size)
        error = np.where(seen, residual[rows] - ahead, 0.0)
        most = np.maximum(WINSOR, WINSOR_SHARE * sizes) * size
        square = np.minimum(error * error / spread, most)
        gain = np.where(seen, variance / spread, 0.0)
        error = np.minimum(np.maximum(error, -limit), limit)
        t["ahead"][rows] = np.maximum(rho * (ahead + gain * error), -MOST_AHEAD)
        t["variance"][rows] = rho * rho * variance * (1.0 - gain) + tau2 * (1.0 - rho * rho)
        counted = seen & learns[rows]
        sizes = np.minimum(sizes + counted, self.memory)
        rate = np.where(counted, 1.0 / (sizes + FREE), 0.0)
        t["size"][rows] = size + rate * (square - size)
        t["sizes"][rows] = sizes

    def commit(self, phi: Floats, may: Bools) -> None:
        """End a slot: autocovariances, and what they say.

        Args:
            phi: dispersion by row, at most that of the whole residual.
            may: rows that are judged by their residual.
        """
        t = self.table
        recent = t["recent"].astype(np.float64)
        newest = recent[:, REACH:]
        keep = float(np.exp(-self.per_slot / self.memory))
        for i, lag in enumerate(LAGS):
            product = newest * recent[:, REACH - lag : REACH - lag + self.per_slot]
            known = ~np.isnan(product)
            total = np.where(known, product, 0.0).sum(axis=1)
            t["products"][:, i] = keep * t["products"][:, i] + total
            t["pairs"][:, i] = keep * t["pairs"][:, i] + known.sum(axis=1)
        t["recent"][:, :REACH] = t["recent"][:, self.per_slot :]
        t["recent"][:, REACH:] = np.nan
        self._fit(phi, may)

    def _fit(self, phi: Floats, may: Bools) -> None:
        t = self.table
        pairs = t["pairs"].astype(np.float64)
        covariance = t["products"] / np.maximum(pairs, 1.0)
        projected = np.stack([(covariance[:, 1:] * p).sum(axis=1) for p in _POWERS], axis=1)
        norm = (_POWERS * _POWERS).sum(axis=1)
        best = np.argmax(np.maximum(projected, 0.0) ** 2 / norm, axis=1)
        tau2 = np.take_along_axis(projected, best[:, None], axis=1)[:, 0] / norm[best]
        total = covariance[:, 0]
        tau2 = np.minimum(tau2, total)
        count = pairs.min(axis=1)
        found = (
            may & (count > 2 * REACH) & (tau2 > CERTAIN * total / np.sqrt(np.maximum(count, 1.0)))
        )
        found &= tau2 > LEAST_SHARE * np.where(np.isnan(phi), np.inf, phi) / t["precision"]
        new = found & (t["tau2"] <= 0)
        t["tau2"] = np.where(found, tau2, 0.0)
        t["rho"] = np.where(found, RHOS[best], 0.0)
        t["variance"] = np.where(new, tau2, np.where(found, t["variance"], 0.0))
        t["ahead"] = np.where(found & ~new, t["ahead"], 0.0)
        for name, first in (("size", 1.0), ("sizes", 0.0)):
            t[name] = np.where(found, t[name], first)
        self._any = bool(found.any())

    def dispersion(self, plain: Floats, one: Floats, at_least: Floats) -> Floats:
        """Phi of the noise alone: of differences over one bucket, less what the process adds to them."""
        t = self.table
        added = t["tau2"] * (1.0 - t["rho"]) * t["precision"]
        return np.where(
            self.on, np.maximum(one - added, np.maximum(at_least, LEAST_NOISE * one)), plain
        )

    def forget_previous(self) -> None:
        """The next bucket does not follow on the last."""
        self.table["recent"] = np.full_like(self.table["recent"], np.nan)

    def loaded(self) -> None:
        """The table was replaced."""
        self._any = bool(self.on.any())

"""What is expected within one slot, worked out once and read for each of its buckets."""

from dataclasses import dataclass

import numpy as np

from monitor.model.tick import Bools, Expectation, Floats, Ints, TailExpectation, Wander


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The baseline's view of one slot, by row.

    Attributes:
        start_us, width_us: the slot.
        share: what one bucket is of it.
        mean: expected value of the mean bucket of the slot.
        slope, curve: the parabola in log space inside the slot; see `profile.interpolate`.
        parts: log corrections of the quarters of the slot; None where it has none.
        rough: how many times larger than chance the variance of the quarters' buckets is; None where a
            quarter is a bucket.
        noise: relative variance of a bucket by chance.
        ceiling: values that cannot be exceeded (a share: just below 1).
        count: rows whose value is their number of units.
        units: expected units of a bucket, of the other rows.
        phi, sd_level, ready, tail: as in `Expectation`.
        holiday: rows of which the day is one; None where no row's is.
        ready_us: when a row that is not ready is expected to be.
    """

    start_us: int
    width_us: int
    share: float
    mean: Floats
    slope: Floats
    curve: Floats
    parts: Floats | None
    rough: Floats | None
    noise: Floats
    ceiling: Floats
    count: Bools
    units: Floats
    phi: Floats
    sd_level: Floats
    ready: Bools
    ready_us: Ints
    tail: TailExpectation | None = None
    holiday: Bools | None = None

    def bucket(self, start_us: int, end_us: int, wander: Wander | None = None) -> Expectation:
        """The expectation of one bucket of the slot, with what is carried on into it."""
        u = ((start_us + end_us) / 2 - self.start_us) / self.width_us - 0.5
        u = u if self.share < 1.0 else 0.0  # a day may be an hour longer than its slot
        bend = u * u + (self.share * self.share - 1.0) / 12.0
        shape, phi = u * self.slope + bend * self.curve, self.phi
        if self.parts is not None:
            part = self._part(u)
            shape = shape + self.parts[:, part]
            phi = phi if self.rough is None else phi * self.rough[:, part]
        shape = np.exp(shape)
        level = np.minimum(self.mean * shape, self.ceiling)
        left = np.maximum(self.ready_us - end_us, end_us - start_us)
        return Expectation(
            level=level,
            units=np.where(self.count, level, self.units),
            phi=phi,
            sd_level=self.sd_level,
            ready=self.ready,
            learning_us=np.where(self.ready, 0, left),
            tail=self.tail,
            wander=wander,
            holiday=self.holiday,
        )

    def _part(self, u: float) -> int:
        """The quarter of the bucket with this middle, as it is learnt: by the place of the whole bucket."""
        per_slot, parts = round(1.0 / self.share), 0 if self.parts is None else self.parts.shape[1]
        place = min(max(round((u + 0.5) * per_slot - 0.5), 0), per_slot - 1)
        return place * parts // per_slot

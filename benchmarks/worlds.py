"""Simulated worlds: streams of one kind, through baseline and guard as in the service."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from monitor.baseline import Baseline
from monitor.guard import Drift, Guard
from monitor.model.drift import Weeks
from monitor.model.tick import LAWS, Expectation, Floats, Observation, Reason, Traits
from monitor.model.time import DAY, FOREVER, MINUTE

START_US = 1_767_571_200_000_000  # 2026-01-05, a Monday: the weekends of the worlds are real ones
READY_DAY = 18
TARGET_DAYS = 90


@dataclass(frozen=True, kw_only=True)
class World:
    """A stream of one kind; `n` is the mean of counts, or of units, per bucket (or by row)."""

    name: str
    law: str = "negative_binomial"
    n: float | np.ndarray = 1000
    p: float = 0.2
    phi: float = 2.0
    amplitude: float = 0.15
    weekend: float = -0.1
    growth: float = 0.0  # a day
    wander: float = 0.0  # standard deviation of a day's random walk
    office: float | None = None  # busy from this hour on, for ten hours of a working day
    rest: tuple[int, ...] = (5, 6)  # days of the weekend, in days since a Monday
    ar: float = 0.0  # standard deviation of an AR(rho) factor by bucket
    rho: float = 0.95
    heavy: bool = False  # log-normal values of which a few make up most of a bucket
    min_units: float = 10.0


@dataclass
class Run:
    """What came of one simulation."""

    alarms: list[tuple[float, int, int]] = field(default_factory=list)  # day, row, direction
    closed: list[tuple[float, int, Reason]] = field(default_factory=list)
    seconds: float = 0.0
    ticks: int = 0
    bands: dict[int, float] = field(default_factory=dict)  # day to median sd_level
    dispersion: float = float("nan")
    expected: Expectation | None = None
    drifts: list[tuple[float, int, bool]] = field(default_factory=list)  # day, row, up


def traits_of(world: World, series: int, per_period: float) -> Traits:
    def full(value: float, kind: type) -> np.ndarray:
        return np.full(series, value, dtype=kind)

    return Traits(
        law=full(LAWS.index(world.law), np.int8),
        total=full(world.law in ("negative_binomial", "normal_sum"), bool),
        tail=full(np.nan, float),
        log_threshold=full(np.log(per_period), float),
        min_relative_shift=full(0.02, float),
        min_units=full(world.min_units, float),
        up=full(True, bool),
        down=full(True, bool),
        page_no_data=full(True, bool),
        accept_after_us=full(DAY, np.int64),
        parent=full(-1, np.int64),
        covers=np.empty((series, 0), np.int64),
        timezone=full(0, np.int16),
    )


class Source:
    """Draws the buckets of a world."""

    def __init__(self, world: World, series: int, minutes: int, seed: int) -> None:
        self.world, self.minutes = world, minutes
        self.random = np.random.default_rng(seed)
        self.level, self.noise = np.ones(series), np.zeros(series)

    def season(self, day: float) -> float:
        minute = round(day * 1440)  # whole: a flank must not move by rounding
        world, hour, weekday = self.world, minute % 1440 / 60, minute // 1440 % 7
        if world.office is not None:
            busy = world.office <= hour < world.office + 10 and weekday not in world.rest
            return 1.0 if busy else 0.25
        daily = 1 + world.amplitude * np.sin(2 * np.pi * (hour - 6) / 24)
        return float(daily * (1 + (world.weekend if weekday in world.rest else 0)))

    def draw(self, day: float, shift: Floats | float) -> tuple[Floats, Floats]:
        world, rng, size = self.world, self.random, self.level.size
        step = world.wander * np.sqrt(self.minutes / 1440)
        if step:
            self.level = self.level * np.exp(step * rng.standard_normal(size))
        if world.ar:
            fresh = np.sqrt(1 - world.rho**2) * rng.standard_normal(size)
            self.noise = world.rho * self.noise + fresh
        factor = self.level * np.exp(world.growth * day + world.ar * self.noise)
        busy = self.season(day)
        if world.law == "negative_binomial":
            mean = world.n * busy * factor * shift
            x = _count(rng, mean, world.phi).astype(float)
            return x, x
        n = rng.poisson(world.n * busy, size).astype(float)
        if world.heavy:
            n = rng.poisson(world.n * busy * shift, size).astype(float)
            return np.array([rng.lognormal(3, 1.5, int(k)).sum() for k in n]), n
        value = world.p * factor * shift * (1 + 0.3 * (busy - 1))
        if world.law == "beta_binomial":
            share = value
            if world.phi > 1:
                total = np.maximum((n - world.phi) / (world.phi - 1), 1e-3)
                share = rng.beta(value * total, (1 - value) * total)
            return rng.binomial(n.astype(int), share).astype(float), n
        return n * value * (1 + np.sqrt(world.phi / n) * rng.standard_normal(size)), n


def _count(rng: np.random.Generator, mean: Floats, phi: float) -> Floats:
    if phi <= 1:
        return rng.poisson(mean).astype(float)
    return rng.negative_binomial(mean / (phi - 1), 1 / phi).astype(float)


def simulate(
    world: World,
    *,
    series: int,
    days: float,
    minutes: int,
    shift: Callable[[float], Floats | float] = lambda _: 1.0,
    seed: int = 1,
    per_period: float = 0.0,
    timed_from: float = 0.0,
) -> Run:
    """A world from nothing; the threshold is that of one false alarm per series and 90 days."""
    width = minutes * MINUTE
    baseline = Baseline(bucket_us=width, timezones=["UTC"])
    guard = Guard(bucket_us=width)
    baseline.append(series)
    guard.append(series)
    traits = traits_of(world, series, per_period or TARGET_DAYS * 1440 / minutes)
    source, out = Source(world, series, minutes, seed), Run()
    drift = Drift()
    drift.table.append(series)
    everywhere = np.ones(series, bool)
    expected: Expectation | None = None
    for k in range(int(days * 1440 / minutes)):
        start, day = START_US + k * width, k * minutes / 1440
        x, n = source.draw(day, shift(day))
        observed = everywhere if traits.total[0] else n > 0
        seen = Observation(start_us=start, end_us=start + width, x=x, n=n, observed=observed)
        began = time.perf_counter()
        expected = baseline.expect(start, start + width, traits)
        decision = guard.step(seen, expected, traits)
        accepted = decision.closed & (decision.reason == Reason.NEW_NORMAL)
        baseline.learn(
            seen,
            expected,
            traits,
            hold=decision.open | decision.pending,
            incident_start_us=np.where(decision.open, decision.start_us, FOREVER),
            accepted=accepted,
        )
        drift.note_steps(accepted, seen.end_us)
        if drift.is_due(seen.end_us):
            drift.looked(seen.end_us)
            out.drifts += _drifts(drift, baseline.weeks(np.arange(series), traits), traits, day)
        if day >= timed_from:
            out.seconds += time.perf_counter() - began
            out.ticks += series
        for r in np.flatnonzero(decision.opened).tolist():
            out.alarms.append((day, r, int(decision.direction[r])))
        for r in np.flatnonzero(decision.closed).tolist():
            out.closed.append((day, r, Reason(int(decision.reason[r]))))
        if k % (1440 // minutes) == 0:
            out.bands[int(day)] = float(np.median(expected.sd_level))
    if expected is not None:
        out.dispersion = float(np.median(expected.phi))
    out.expected = expected
    return out


def _drifts(
    drift: Drift, weeks: Weeks | None, traits: Traits, day: float
) -> list[tuple[float, int, bool]]:
    """The drifts that a day brings, at one false a series in the target's days."""
    if weeks is None:
        return []
    told = drift.step(weeks, traits, np.full(weeks.rows.size, np.log(TARGET_DAYS)))
    return [(day, r, bool(told.moved[r] > 0)) for r in np.flatnonzero(told.opened).tolist()]


def found(run: Run, rows: range, begin: float, minutes: int) -> Floats:
    """Delay in buckets by row, from the start of the shift; infinite where it was not found."""
    first = dict.fromkeys(rows, np.inf)
    for day, row, _ in run.alarms:
        if day >= begin - 1e-9 and row in first:
            first[row] = min(first[row], round((day - begin) * 1440 / minutes) + 1)
    return np.array([*first.values()])

"""Baseline and guard on simulated worlds: false alarms, delays, width of the band, speed.

    python benchmarks/guard.py [--fast]

Everything is learnt online from nothing, as in the service. The threshold is that of one false alarm
per series and 90 days. `--fast` takes fewer series and 5-minute buckets only.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from monitor.baseline import Baseline
from monitor.guard import Guard
from monitor.model.tick import LAWS, Expectation, Floats, Observation, Reason, Traits
from monitor.model.time import DAY, FOREVER, MINUTE

START_US = 1_767_225_600_000_000  # 2026-01-01, a Thursday
READY_DAY = 18
TARGET_DAYS = 90


@dataclass(frozen=True, kw_only=True)
class World:
    """A stream of one kind; `n` is the mean of counts, or of units, per bucket."""

    name: str
    law: str = "negative_binomial"
    n: float = 1000
    p: float = 0.2
    phi: float = 2.0
    amplitude: float = 0.15
    weekend: float = -0.1
    growth: float = 0.0  # a day
    wander: float = 0.0  # standard deviation of a day's random walk
    office: bool = False
    ar: float = 0.0  # standard deviation of an AR(rho) factor by bucket
    rho: float = 0.95


@dataclass
class Run:
    """What came of one simulation."""

    alarms: list[tuple[float, int, int]] = field(default_factory=list)  # day, row, direction
    seconds: float = 0.0
    ticks: int = 0
    bands: dict[int, float] = field(default_factory=dict)  # day to median sd_level
    dispersion: float = float("nan")


def traits_of(world: World, series: int, per_period: float) -> Traits:
    def full(value: float, kind: type) -> np.ndarray:
        return np.full(series, value, dtype=kind)

    return Traits(
        law=full(LAWS.index(world.law), np.int8),
        total=full(world.law in ("negative_binomial", "normal_sum"), bool),
        tail=full(np.nan, float),
        log_threshold=full(np.log(per_period), float),
        min_relative_shift=full(0.02, float),
        min_units=full(10, float),
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
        if world.office:
            busy = 8 <= hour < 18 and weekday < 5
            return 1.0 if busy else 0.25
        daily = 1 + world.amplitude * np.sin(2 * np.pi * (hour - 6) / 24)
        return float(daily * (1 + (world.weekend if weekday >= 5 else 0)))

    def draw(self, day: float, shift: float) -> tuple[Floats, Floats]:
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
        return rng.poisson(mean)
    return rng.negative_binomial(mean / (phi - 1), 1 / phi)


def simulate(
    world: World,
    *,
    series: int,
    days: float,
    minutes: int,
    shift: Callable[[float], float] = lambda _: 1.0,
    seed: int = 1,
    timed_from: float = 0.0,
) -> Run:
    width = minutes * MINUTE
    baseline = Baseline(bucket_us=width, timezones=["UTC"])
    guard = Guard(bucket_us=width)
    baseline.append(series)
    guard.append(series)
    traits = traits_of(world, series, TARGET_DAYS * 1440 / minutes)
    source, out = Source(world, series, minutes, seed), Run()
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
        baseline.learn(
            seen,
            expected,
            traits,
            hold=decision.open | decision.pending,
            incident_start_us=np.where(decision.open, decision.start_us, FOREVER),
            accepted=decision.closed & (decision.reason == Reason.NEW_NORMAL),
        )
        if day >= timed_from:
            out.seconds += time.perf_counter() - began
            out.ticks += series
        out.alarms += [
            (day, int(r), int(decision.direction[r])) for r in np.flatnonzero(decision.opened)
        ]
        if k % (1440 // minutes) == 0:
            out.bands[int(day)] = float(np.median(expected.sd_level))
    if expected is not None:
        out.dispersion = float(np.median(expected.phi))
    return out


def false_alarms(worlds: list[World], *, series: int, days: int, minutes: int) -> None:
    print(f"\nFalse alarms per series and {TARGET_DAYS} days (target 1), {minutes}-minute buckets,")
    print(f"{series} series, days {READY_DAY} to {days} of a null world")
    for world in worlds:
        run = simulate(world, series=series, days=days, minutes=minutes)
        rate = len(run.alarms) / series / (days - READY_DAY) * TARGET_DAYS
        bands = " ".join(f"{d}: {run.bands[d]:.2%}" for d in (19, 26, days - 1) if d in run.bands)
        print(
            f"  {world.name:44s} {rate:7.3f} ({len(run.alarms)})   phi {run.dispersion:.2f}"
            f"   sd_level by day {bands}",
            flush=True,
        )


def delays(worlds: list[World], *, series: int, minutes: int, shifts: list[float]) -> None:
    print(f"\nDelay in {minutes}-minute buckets from the start of the shift (day 26, 09:00);")
    print("share found in 3 days, median, mean, worst; up to 3 are the cap per bucket")
    begin = 26 + 9 / 24
    for world in worlds:
        for shift in shifts:
            run = simulate(
                world,
                series=series,
                days=begin + 3,
                minutes=minutes,
                shift=lambda day, s=shift: 1 + s if day >= begin - 1e-9 else 1.0,  # type: ignore[misc]
            )
            first: dict[int, float] = {}
            for day, row, _ in run.alarms:
                if day >= begin - 1e-9:
                    first.setdefault(row, (day - begin) * 1440 / minutes + 1)
            took = np.array([*first.values()]) if first else np.array([np.nan])
            print(
                f"  {world.name:34s} {shift:+.0%}: {len(first) / series:5.0%}  "
                f"{np.median(took):6.1f} {np.mean(took):6.1f} {np.max(took):6.1f}",
                flush=True,
            )


def speed() -> None:
    print("\nSeries-ticks a second, one core, 5-minute buckets, from day 18 on (target 50,000)")
    for law in LAWS:
        for series in (100, 1000):
            world = World(name=law, law=law)
            run = simulate(world, series=series, days=20, minutes=5, timed_from=READY_DAY)
            print(f"  {law:18s} {series:5d} series: {run.ticks / run.seconds:10,.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fast", action="store_true", help="fewer series, 5-minute buckets only")
    fast = parser.parse_args().fast
    count, ratio = World(name="count, n = 1000"), World(name="ratio, n = 1000", law="beta_binomial")
    mean = World(name="mean, n = 1000", law="normal_mean", p=20.0)
    worlds = [
        count,
        ratio,
        mean,
        World(name="count, n = 100", n=100),
        World(name="ratio, n = 100", n=100, law="beta_binomial"),
        World(name="count, n = 20", n=20),
        World(name="count, n = 10,000", n=10_000),
        World(name="count, phi = 1", phi=1.0),
        World(name="count, phi = 10", phi=10.0),
        World(name="count, season 60 %, weekend -40 %", amplitude=0.6, weekend=-0.4),
        World(name="count, growth 1 % a day", growth=0.01),
        World(name="count, wander 1 % a day", wander=0.01),
        World(name="count, office hours, sharp flanks", office=True),
        World(name="count, AR(.95) of 2 % (no whitening yet)", ar=0.02),
    ]
    print(f"numpy {np.__version__}, python {sys.version.split()[0]}")
    if fast:
        false_alarms(worlds, series=40, days=48, minutes=5)
    else:
        false_alarms(worlds, series=100, days=78, minutes=5)
        false_alarms([count, ratio], series=40, days=48, minutes=1)
    delays([count, ratio], series=40, minutes=5, shifts=[-0.1, -0.2, -0.5])
    if not fast:
        delays([count, ratio], series=40, minutes=1, shifts=[-0.1, -0.2, -0.5])
    speed()


if __name__ == "__main__":
    main()

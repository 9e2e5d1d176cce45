"""Releases on simulated worlds: false regressions, what is found and when, intervals, canaries.

    python benchmarks/releases.py [--fast]

Everything is learnt online from nothing, as in the service; releases begin on day 21, one after the other,
and each is looked at every minute for 6 h. A release is judged through the same code as in the core, with
the level frozen at its start. Targets: alpha = 1 % false regressions a release; of falls of 20 % at 1,000 a
minute 80 % found within 30 minutes; the interval holds 95 %; canaries alpha.
"""

import argparse
import sys
import time
from dataclasses import dataclass, replace

import numpy as np
from worlds import START_US, Source, World, traits_of

from monitor.baseline import Baseline
from monitor.core.frozen import bet
from monitor.guard import Guard
from monitor.guard.bets import BAND_SDS, UP, WEIGHTS, Bets
from monitor.model.tick import LAWS, Expectation, Floats, Observation, Reason, Traits
from monitor.model.time import DAY, FOREVER, HOUR, MINUTE
from monitor.release.arms import EPS, Arms
from monitor.release.evidence import BAND_Z
from monitor.release.watch import INTERVAL_ALPHA, LOG_ALPHA, Watch
from monitor.stats.confidence_sequence import half_width

FIRST_DAY = 21
LOOKS = 360


@dataclass(kw_only=True)
class Batch:
    """Releases of one world, one a series, that began together."""

    watch: Watch
    begin_us: int
    found_after: Floats  # minutes; NaN where nothing was found
    improved: Floats
    held: np.ndarray


def watch_of(size: int, begin_us: int, level: Floats, sd: Floats, least: float) -> Watch:
    watch = Watch(UP, begin_us=begin_us, halved=False, weights=WEIGHTS)
    watch.add(
        row=np.arange(size),
        share=np.ones(size),
        base=level,
        sd=sd,
        eps=np.maximum(least, BAND_SDS * sd),
        ready=np.isfinite(level),
    )
    return watch


def note(batch: Batch, end_us: int, shift: float) -> None:
    """Look at a batch: what is found by now, and whether every interval holds what is true."""
    t = batch.watch.table
    minutes = (end_us - batch.begin_us) / MINUTE
    for found, column in ((batch.found_after, "down"), (batch.improved, "up")):
        new = np.isnan(found) & (t[column] >= -LOG_ALPHA)
        found[new] = minutes
    ratio = t["x"] / t["mean"]
    noise = half_width(t["variance"], t["rho"], INTERVAL_ALPHA) / t["mean"]
    half = noise * np.maximum(ratio, 1.0) + BAND_Z * t["sd"] * ratio
    batch.held &= np.abs(ratio - 1.0 - shift) <= half


class Run:
    """One world, learnt, with a batch of releases every 7 hours."""

    def __init__(self, world: World, *, series: int, minutes: int, seed: int) -> None:
        self.width = minutes * MINUTE
        self.baseline = Baseline(bucket_us=self.width, timezones=["UTC"])
        self.guard = Guard(bucket_us=self.width)
        self.baseline.append(series)
        self.guard.append(series)
        self.traits = traits_of(world, series, 90 * 1440 / minutes)
        self.source = Source(world, series, minutes, seed)
        self.world, self.series, self.k = world, series, 0
        self.bets = Bets()

    def draw(self, shift: float) -> Observation:
        start = START_US + self.k * self.width
        x, n = self.source.draw(self.k * self.width / DAY, 1.0 + shift)
        seen = n > 0 if not self.traits.total[0] else np.ones(self.series, bool)
        self.k += 1
        return Observation(start_us=start, end_us=start + self.width, x=x, n=n, observed=seen)

    def step(self, seen: Observation) -> Expectation:
        expected = self.baseline.expect(seen.start_us, seen.end_us, self.traits)
        decision = self.guard.step(seen, expected, self.traits)
        self.baseline.learn(
            seen,
            expected,
            self.traits,
            hold=decision.open | decision.pending,
            incident_start_us=np.where(decision.open, decision.start_us, FOREVER),
            accepted=decision.closed & (decision.reason == Reason.NEW_NORMAL),
        )
        return expected

    def frozen(self, watch: Watch, expected: Expectation) -> Expectation:
        level = expected.level * (watch.table["base"] / self.baseline.levels)
        counts = self.traits.law == LAWS.index("negative_binomial")
        units = np.where(counts, level, expected.units)
        return replace(expected, level=level, units=units, sd_level=watch.table["sd"])

    def releases(self, batches: int, shift: float) -> list[Batch]:
        """Releases with this effect (0: none), every 7 h from day 21 on.

        With an effect the state is not put back in between: one batch is all there can be.
        """
        done = []
        while self.k * self.width < FIRST_DAY * DAY + 9 * HOUR:
            self.step(self.draw(0.0))
        for _ in range(batches):
            begin = START_US + self.k * self.width
            seen = self.draw(shift)
            expected = self.baseline.expect(seen.start_us, seen.end_us, self.traits)
            watch = watch_of(
                self.series,
                begin,
                np.where(expected.ready, self.baseline.levels, np.nan),
                expected.sd_level,
                float(self.traits.min_relative_shift[0]),
            )
            nothing = np.full(self.series, np.nan)
            batch = Batch(
                watch=watch,
                begin_us=begin,
                found_after=nothing.copy(),
                improved=nothing.copy(),
                held=np.ones(self.series, bool),
            )
            looks = LOOKS * MINUTE // self.width
            for _ in range(looks):
                expected = self.baseline.expect(seen.start_us, seen.end_us, self.traits)
                bucket = bet(
                    seen,
                    self.frozen(watch, expected),
                    self.traits,
                    self.bets,
                    usable=np.ones(self.series, bool),
                    suspect=np.zeros(self.series, bool),
                )
                watch.take(bucket, self.width)
                note(batch, seen.end_us, shift)
                self.step(seen)
                seen = self.draw(shift)
            self.k -= 1  # what was drawn last was not used
            done.append(batch)
            for _ in range(HOUR // self.width):
                self.step(self.draw(shift))
        return done


def rates(batches: list[Batch]) -> tuple[int, int, int, int]:
    judged = sum(int(b.watch.can_judge.sum()) for b in batches)
    worse = sum(int(np.isfinite(b.found_after).sum()) for b in batches)
    better = sum(int(np.isfinite(b.improved).sum()) for b in batches)
    held = sum(int((b.held & b.watch.can_judge).sum()) for b in batches)
    return judged, worse, better, held


def null_releases(worlds: list[World], *, series: int, batches: int, minutes: int) -> None:
    print(f"\nNull releases, looked at every {minutes} min for 6 h, alpha = 1 %")
    print("target: regressed <= 1.0 %, interval held at all times >= 95 %")
    for world in worlds:
        began = time.perf_counter()
        run = Run(world, series=series, minutes=minutes, seed=3)
        found = run.releases(batches, 0.0)
        judged, worse, better, held = rates(found)
        band = float(np.median([np.median(b.watch.table["eps"]) for b in found]))
        print(
            f"  {world.name:38s} {judged:5d} releases: regressed {worse / judged:6.2%}, improved "
            f"{better / judged:6.2%}, interval {held / judged:6.1%}, null band {band:.1%}"
            f"   ({time.perf_counter() - began:.0f} s)",
            flush=True,
        )


def drops(worlds: list[World], *, series: int, minutes: int, shifts: list[float]) -> None:
    print(f"\nReleases with an effect, {minutes}-minute buckets; target at 1,000 a minute, -20 %:")
    print("80 % found within 30 minutes")
    for world in worlds:
        for shift in shifts:
            run = Run(world, series=series, minutes=minutes, seed=5)
            found = run.releases(1, shift)
            judged, _, _, held = rates(found)
            after = (found[0].found_after if shift < 0 else found[0].improved)[: run.series]
            soon = float((after <= 30).mean())
            print(
                f"  {world.name:30s} {shift:+.0%}: in 30 min {soon:6.1%}, in 6 h "
                f"{float(np.isfinite(after).mean()):6.1%}, median {np.nanmedian(after):5.0f} min, "
                f"interval {held / judged:.1%}",
                flush=True,
            )


def canaries(*, runs: int, n: tuple[int, int], p: float, phi: float, shift: float) -> None:
    rng = np.random.default_rng(11)
    world = World(name="", amplitude=0.3)
    season = Source(world, 1, 1, 0).season
    arms, size, bets = Arms(), runs, Bets()
    arms.add([0] * size)
    watch = watch_of(size, 0, np.ones(size), np.zeros(size), EPS)
    traits: Traits = traits_of(World(name="", law="beta_binomial"), size, 1.0)
    small = replace(traits, min_relative_shift=np.full(size, EPS), min_units=np.zeros(size))
    first = np.full(size, np.nan)
    held = np.ones(size, bool)
    for k in range(LOOKS):
        rate = p * season(k / 1440)
        counts = [rng.poisson(each * season(k / 1440), size) for each in n]
        drawn = []
        for units, value in zip(counts, (rate * (1 + shift), rate), strict=True):
            total = np.maximum((units - phi) / max(phi - 1, 1e-9), 1e-3)
            share = rng.beta(value * total, (1 - value) * total) if phi > 1 else value
            drawn.append((rng.binomial(units, share).astype(float), units.astype(float)))
        compared = arms.compare(
            treatment=drawn[0],
            control=drawn[1],
            law=traits.law,
            phi=np.full(size, np.nan),
            min_units=traits.min_units,
        )
        expected = Expectation(
            level=compared.level,
            units=compared.n,
            phi=compared.phi,
            sd_level=np.zeros(size),
            ready=np.ones(size, bool),
            learning_us=np.zeros(size, np.int64),
        )
        seen = Observation(
            start_us=k * MINUTE,
            end_us=(k + 1) * MINUTE,
            x=compared.x,
            n=compared.n,
            observed=compared.usable,
        )
        none = np.zeros(size, bool)
        watch.take(bet(seen, expected, small, bets, usable=~none, suspect=none), MINUTE)
        t = watch.table
        column = "down" if shift <= 0 else "up"
        first[np.isnan(first) & (t[column] >= -LOG_ALPHA)] = k + 1
        with np.errstate(all="ignore"):
            ratio = t["x"] / t["mean"]
            half = half_width(t["variance"], t["rho"], INTERVAL_ALPHA) / t["mean"]
        held &= ~(np.abs(ratio - 1 - shift) > half * np.maximum(ratio, 1.0))
    told = f"treatment {n[0]}, control {n[1]} a minute, p {p}, phi {phi}, effect {shift:+.0%}"
    found = np.isfinite(first)
    median = float(np.median(first[found])) if found.any() else float("nan")
    print(
        f"  {told:72s} called {found.mean():6.2%}, median {median:4.0f} min, "
        f"interval {held.mean():.1%}",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fast", action="store_true", help="5-minute buckets, fewer releases")
    fast = parser.parse_args().fast
    wandering = World(name="counts, season, wander 1 % a day", n=1000, wander=0.01)
    shares = World(name="shares, season, wander 1 % a day", law="beta_binomial", wander=0.01)
    plain = World(name="counts, season", n=1000)
    autocorrelated = World(name="counts, AR(.95) .02", n=1000, ar=0.02)
    print("Canaries: 2,000 runs, looked at every minute for 6 h under a season both share;")
    print("target: called without an effect <= 1.0 %")
    runs = 500 if fast else 2000
    for n, p, phi, shift in (
        ((100, 900), 0.2, 2.0, 0.0),
        ((500, 500), 0.2, 2.0, 0.0),
        ((100, 100), 0.05, 1.0, 0.0),
        ((10, 90), 0.05, 1.0, 0.0),
        ((900, 100), 0.2, 2.0, 0.0),
        ((100, 900), 0.2, 2.0, -0.2),
        ((500, 500), 0.2, 2.0, -0.1),
    ):
        canaries(runs=runs, n=n, p=p, phi=phi, shift=shift)
    width = 5 if fast else 1
    scale = replace(wandering, n=1000 * width), replace(shares, n=1000 * width)
    series = 100 if fast else 250
    null_releases(list(scale), series=series, batches=8, minutes=width)
    others = [replace(world, n=5000) for world in (plain, autocorrelated)]
    null_releases(others, series=100, batches=8, minutes=5)
    drops(list(scale), series=100, minutes=width, shifts=[-0.2] if fast else [-0.2, -0.1])
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Where a shift is: the first segment of each alert against the place of a simulated fault.

    python benchmarks/attribution.py [--trials 900] [--seed 1]

A panel of 12 countries (of very different size), 3 platforms, 5 versions and the combinations of country and
platform; one fault of 15 to 50 % in one of them (or in all alike), up or down; counts and shares; 30 to
30,000 events a bucket. The learnt levels are off by as much as a baseline of some weeks is. Judged at the first
alert of the whole or of a segment. Beside it, on the same sums: the largest relative drop, and the largest
change of the total.
"""

import argparse
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace

import numpy as np
import worlds

from monitor.definitions.plan import Calendar, Law, MetricPlan
from monitor.diagnose import Diagnosis, Scope, diagnose, scope_of
from monitor.diagnose.scope import M, X
from monitor.guard import Guard
from monitor.model.tick import Expectation, Observation, Traits
from monitor.model.time import DAY, MINUTE

COUNTRIES, PLATFORMS, VERSIONS = 12, 3, 5
GROUPINGS = ((), ("country",), ("platform",), ("version",), ("country", "platform"))
KINDS = ("count", "share")
VOLUMES = (30, 300, 3_000, 30_000)
PHI, RATE, WIDTH = 2.0, 0.2, 5 * MINUTE
BUCKETS = 288
BEFORE = 12
ALONE = 2
"""Of four trials, those in which only the whole can be paged: a place must be told without its own evidence."""


@dataclass(frozen=True, kw_only=True)
class World:
    """The cells of the panel, and which of them each series holds: bool[series, cells]."""

    share: np.ndarray
    holds: np.ndarray
    group: np.ndarray
    covers: np.ndarray


def world(random: np.random.Generator) -> World:
    sizes = [random.dirichlet(np.full(k, 0.8)) for k in (COUNTRIES, PLATFORMS, VERSIONS)]
    cells = np.array(
        [(c, p, v) for c in range(COUNTRIES) for p in range(PLATFORMS) for v in range(VERSIONS)]
    )
    share = np.prod([size[cells[:, i]] for i, size in enumerate(sizes)], axis=0)
    holds, group, covers = [np.ones(len(cells), bool)], [0], [(-1, -1)]
    for i, count in enumerate((COUNTRIES, PLATFORMS, VERSIONS)):
        for value in range(count):
            holds.append(cells[:, i] == value)
            group.append(i + 1)
            covers.append((-1, -1))
    for c in range(COUNTRIES):
        for p in range(PLATFORMS):
            holds.append((cells[:, 0] == c) & (cells[:, 1] == p))
            group.append(4)
            covers.append((1 + c, 1 + COUNTRIES + p))
    return World(
        share=share / share.sum(),
        holds=np.array(holds),
        group=np.array(group),
        covers=np.array(covers),
    )


def draw(
    random: np.random.Generator, kind: str, n: np.ndarray, factor: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """x and n of every cell of one bucket."""
    if kind == "count":
        mean = np.maximum(n * factor, 1e-9)
        x = random.negative_binomial(mean / (PHI - 1), 1 / PHI).astype(float)
        return x, x
    units = random.poisson(n)
    p = np.clip(RATE * factor, 0, 1)
    total = np.maximum((units - PHI) / (PHI - 1), 0.05)
    share = np.where(units > PHI, random.beta(p * total, (1 - p) * total + 1e-12), p)
    return random.binomial(units, np.clip(share, 0, 1)).astype(float), units.astype(float)


def traits_of(one: World, kind: str, *, alone: bool) -> Traits:
    """Traits of the panel; with `alone` only its whole can be paged."""
    law = "negative_binomial" if kind == "count" else "beta_binomial"
    alike = worlds.traits_of(worlds.World(name=kind, law=law), len(one.group), 1.0)
    own = np.inf if alone else np.log(51 * 3 + 500)
    whole = np.log(30 * DAY / WIDTH / 0.5)
    return replace(
        alike,
        log_threshold=np.where(one.group == 0, whole, whole + own),
        parent=np.where(one.group == 0, -1, 0),
        covers=one.covers,
    )


@dataclass(frozen=True, kw_only=True)
class Found:
    """The first alert of a trial: its scope, and what was said of it."""

    scope: Scope
    diagnosis: Diagnosis


def trial(
    random: np.random.Generator,
    one: World,
    traits: Traits,
    *,
    volume: float,
    target: int,
    shift: float,
) -> Found | None:
    """One fault; None where nothing was paged within a day."""
    kind, size = "count" if traits.total[0] else "share", len(one.group)
    cells = volume * one.share
    units = one.holds @ cells
    relative = PHI / np.maximum(units, 1e-9) * (1.0 if kind == "count" else (1 - RATE) / RATE)
    sd = np.sqrt(0.005**2 + relative / 1000)
    error = 1 + sd * random.standard_normal(size)
    level = (units if kind == "count" else np.full(size, RATE)) * np.maximum(error, 0.01)
    if kind == "share":
        level = np.minimum(level, 0.99)
    expected = Expectation(
        level=level,
        units=level if kind == "count" else units,
        phi=np.full(size, PHI),
        sd_level=sd,
        ready=np.full(size, True),
        learning_us=np.zeros(size, np.int64),
    )
    guard = Guard(bucket_us=WIDTH)
    guard.append(size)
    for k in range(BEFORE + BUCKETS):
        factor = np.where(one.holds[target] & (k >= BEFORE), 1 + shift, 1.0)
        x, n = draw(random, kind, cells, factor)
        x, n = one.holds @ x, one.holds @ n
        seen = Observation(
            start_us=k * WIDTH,
            end_us=(k + 1) * WIDTH,
            x=x,
            n=n,
            observed=np.full(size, True) if kind == "count" else n > 0,
        )
        decision = guard.step(seen, expected, traits)
        if decision.open.any() and k >= BEFORE:
            row = int(np.flatnonzero(decision.open)[0])
            scope = scope_of(
                row,
                plan=plan_of(kind),
                group=one.group,
                decision=decision,
                expectation=expected,
                traits=traits,
                bucket=(seen.end_us, WIDTH),
            )
            return Found(scope=scope, diagnosis=diagnose(scope))
    return None


def plan_of(kind: str) -> MetricPlan:
    return MetricPlan(
        name="m",
        kind="ratio" if kind == "share" else kind,
        measures=(),
        groupings=GROUPINGS,
        calendar=Calendar(width_us=WIDTH),
        window_us=WIDTH,
        season_timezone="UTC",
        law=Law.BETA_BINOMIAL if kind == "share" else Law.NEGATIVE_BINOMIAL,
        severity="page",
        direction="both",
        min_relative_shift=0.02,
        min_units=10,
        no_data="alert",
        accept_after_us=DAY,
        log_threshold=(0.0,) * len(GROUPINGS),
        formula="f",
    )


def naive(found: Found) -> tuple[int, int]:
    """Row of the largest relative shift of at least 20 expected, and of the largest change."""
    scope = found.scope
    x, m = scope.sums[:, X], scope.sums[:, M]
    parts = (scope.group > 0) & (m > 20)
    with np.errstate(all="ignore"):
        drop = np.where(parts, (x / m - 1) * scope.direction, -np.inf)
    size = np.where(parts, (x - m) * scope.direction, -np.inf)
    return int(scope.rows[np.argmax(drop)]), int(scope.rows[np.argmax(size)])


@dataclass
class Tally:
    """What came of the trials."""

    right: dict[str, list[bool]] = field(default_factory=lambda: defaultdict(list))
    unpaged: int = 0
    listed: int = 0
    still: int = 0
    alike: int = 0
    told: int = 0
    seconds: list[float] = field(default_factory=list)

    def take(self, found: Found, one: World, target: int, names: tuple[str, ...]) -> None:
        """One alert; `names` are the classes that it counts in."""
        began = time.perf_counter()
        diagnose(found.scope)
        self.seconds.append(time.perf_counter() - began)
        segments = found.diagnosis.segments
        confidence = segments[0][1]["confidence"] if segments else None
        if target == 0:
            self.alike += 1
            self.told += confidence is not None
            return
        first = segments[0][0] if segments else -1
        drop, size = naive(found)
        for name in ("0 all", *names, f"confidence {confidence or 'none: no place told'}"):
            self.right[name].append(first == target)
        self.right["1 (largest relative drop)"].append(drop == target)
        self.right["1 (largest change)"].append(size == target)
        self.listed += len(segments)
        self.still += sum(not (one.holds[r] & one.holds[target]).any() for r, _ in segments)

    def report(self, trials: int) -> None:
        """Print it."""
        print(f"{trials} faults of 15-50 %, {self.unpaged} of them not paged within a day")
        print("top-1 right:")
        for name, hits in sorted(self.right.items()):
            print(f"  {name:36s} {np.mean(hits):7.1%} of {len(hits)}")
        print(f"listed series that did not move: {self.still} of {self.listed}")
        print(f"faults of all alike: {self.alike} paged, {self.told} told to be in one place")
        print(f"a diagnosis takes {1e6 * np.median(self.seconds):.0f} us")


def measure(trials: int, seed: int) -> Tally:
    """So many faults, every third in any series, every sixth in all alike."""
    random, tally = np.random.default_rng(seed), Tally()
    for i in range(trials):
        one, kind = world(random), KINDS[i % 2]
        volume = VOLUMES[i // 4 % len(VOLUMES)]
        shift = float(random.uniform(0.15, 0.5)) * (-1 if random.random() < 0.75 else 1)
        places = len(one.group) if i % 3 == 2 else 1 + COUNTRIES + PLATFORMS + VERSIONS
        target = 0 if i % 6 == 5 else int(random.integers(1, places))
        traits = traits_of(one, kind, alone=i % 4 < ALONE)
        found = trial(random, one, traits, volume=volume, target=target, shift=shift)
        if found is None:
            tally.unpaged += 1
            continue
        paged = "the whole paged" if found.scope.group[0] == 0 else "a segment paged"
        names = (kind, f"n = {volume:,}", " x ".join(GROUPINGS[one.group[target]]), paged)
        tally.take(found, one, target, names)
    return tally


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--trials", type=int, default=900)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    measure(given.trials, given.seed).report(given.trials)


if __name__ == "__main__":
    main()

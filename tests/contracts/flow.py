"""Baseline and guard put together as the core does it, for tests: values in, decisions out."""

from dataclasses import replace
from typing import Any

import numpy as np

from monitor.baseline import Baseline
from monitor.guard import Guard, band_edges
from monitor.model.tick import LAWS, Decision, Expectation, Floats, Observation, Reason, Traits
from monitor.model.time import DAY, FOREVER, HOUR, MINUTE

T0 = 1_767_571_200_000_000  # Monday 2026-01-05
A_90_DAYS = 129_600.0
COUNT, SHARE, SUM, MEAN, QUANTILE = LAWS


def make_traits(size: int, law: str = COUNT, **changes: Any) -> Traits:
    """Traits of equal rows; `changes` are scalars or arrays by field."""
    fields: dict[str, tuple[Any, Any]] = {
        "law": (LAWS.index(law), np.int8),
        "total": (law in {COUNT, SUM}, bool),
        "tail": (0.05 if law == QUANTILE else np.nan, float),
        "log_threshold": (np.log(A_90_DAYS), float),
        "min_relative_shift": (0.02, float),
        "min_units": (10.0, float),
        "up": (True, bool),
        "down": (True, bool),
        "page_no_data": (True, bool),
        "accept_after_us": (DAY, np.int64),
        "parent": (-1, np.int64),
        "timezone": (0, np.int16),
    }
    arrays = {
        name: np.array(np.broadcast_to(changes.get(name, default), size), dtype=kind)
        for name, (default, kind) in fields.items()
    }
    covers = np.array(changes.get("covers", np.empty((size, 0))), dtype=np.int64)
    return Traits(**arrays, covers=covers)


def make_expectation(size: int, **values: Any) -> Expectation:
    """What a baseline without error expects: every row ready."""
    fields: dict[str, tuple[Any, Any]] = {
        "level": (1000.0, float),
        "units": (values.get("level", 1000.0), float),
        "phi": (1.0, float),
        "sd_level": (0.0, float),
        "ready": (True, bool),
        "learning_us": (0, np.int64),
    }
    arrays: dict[str, Any] = {
        name: np.array(np.broadcast_to(values.get(name, default), size), dtype=kind)
        for name, (default, kind) in fields.items()
    }
    return Expectation(**arrays)


def observe(
    k: int, x: Any, n: Any = None, *, width: int = MINUTE, observed: Any = True
) -> Observation:
    """The k-th bucket since T0."""
    x = np.asarray(x, dtype=float)
    n = x if n is None else np.asarray(np.broadcast_to(n, x.shape), dtype=float)
    start = T0 + k * width
    seen = np.array(np.broadcast_to(observed, x.shape), dtype=bool)
    return Observation(start_us=start, end_us=start + width, x=x, n=n, observed=seen)


def draw_counts(rng: np.random.Generator, mean: Any, phi: float, size: int) -> Floats:
    """Counts of variance phi times the mean."""
    mean = np.broadcast_to(mean, size)
    drawn = rng.poisson(mean) if phi <= 1 else rng.negative_binomial(mean / (phi - 1), 1 / phi)
    counts: Floats = drawn.astype(float)
    return counts


def draw_shares(rng: np.random.Generator, n: Any, p: Any, phi: float, size: int) -> Floats:
    """x of n with phi times the binomial variance."""
    n = np.broadcast_to(n, size).astype(np.int64)
    share = np.broadcast_to(p, size)
    if phi > 1:
        total = (n - phi) / (phi - 1)
        share = rng.beta(share * total, (1 - share) * total)
    drawn: Floats = rng.binomial(n, share).astype(float)
    return drawn


class Flow:
    """One panel: expects, judges, learns."""

    def __init__(
        self, traits: Traits, *, width: int, timezones: tuple[str, ...] = ("UTC",)
    ) -> None:
        self.traits, self.width = traits, width
        self.baseline = Baseline(bucket_us=width, timezones=list(timezones))
        self.guard = Guard(bucket_us=width)
        self.baseline.append(traits.law.size)
        self.guard.append(traits.law.size)

    def step(self, seen: Observation) -> tuple[Expectation, Decision]:
        """One bucket through all stages."""
        expected = self.baseline.expect(seen.start_us, seen.end_us, self.traits)
        if expected.tail is not None and seen.above is None:
            seen = replace(seen, above=self.events_above(seen, expected))
        decision = self.guard.step(seen, expected, self.traits)
        parent = self.traits.parent
        child, above = parent >= 0, np.maximum(parent, 0)
        hold = decision.open | decision.pending
        start = np.where(decision.open, decision.start_us, FOREVER)
        self.baseline.learn(
            seen,
            expected,
            self.traits,
            hold=hold | (child & hold[above]),
            incident_start_us=np.minimum(start, np.where(child, start[above], FOREVER)),
            accepted=decision.closed & (decision.reason == Reason.NEW_NORMAL),
        )
        return expected, decision

    def events_above(self, seen: Observation, expected: Expectation) -> Floats:
        """How many events of quantiles lie above the edges, if their tails are exponential."""
        with np.errstate(all="ignore"):
            value = (seen.x / seen.n)[:, None]
            share = self.traits.tail[:, None] ** (band_edges(expected, self.traits) / value)
        counts: Floats = np.rint(seen.n[:, None] * np.minimum(share, 1.0))
        return counts

    def run(
        self, k: int, x: Any, n: Any = None, observed: Any = True
    ) -> tuple[Expectation, Decision]:
        """The k-th bucket since T0."""
        return self.step(observe(k, x, n, width=self.width, observed=observed))


def season(k: int, width: int, amplitude: float = 0.15, weekend: float = -0.1) -> float:
    """The factor of the k-th bucket in a week with a daily wave and a quieter weekend."""
    hour = (k + 0.5) * width / HOUR
    wave = 1 + amplitude * np.sin(2 * np.pi * (hour - 6) / 24)
    return float(wave * (1 + (weekend if hour // 24 % 7 >= 5 else 0)))

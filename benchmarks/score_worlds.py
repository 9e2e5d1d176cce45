"""`monitor score` on simulated series of many kinds: what it finds, and how often it cries wolf.

    python benchmarks/score_worlds.py [--seeds 12]

Every world is a function of a random generator: it gives the seconds between rows, the values, and the rows
that are anomalous. "Within 8 rows" and "at all" are shares of the anomalies that an alert falls on; an alert is
false if it is neither on one nor within 30 rows after it.
"""

import argparse
from collections.abc import Callable

import numpy as np

from monitor.score import SeriesScorer

Labelled = tuple[float, np.ndarray, list[tuple[int, int]]]
AFTER = 30
FIRST = 8


def wave(rng: np.random.Generator, rows: int, period: int, harmonics: int = 3) -> np.ndarray:
    """A periodic shape of mean 0 and deviation 1."""
    at = 2 * np.pi * np.arange(rows) / period
    shape = sum(
        rng.normal() / k * np.sin(k * at + rng.uniform(0, 6.28)) for k in range(1, harmonics + 1)
    )
    return shape / shape.std()


def wander(rng: np.random.Generator, rows: int, rho: float) -> np.ndarray:
    """AR(1) of deviation 1."""
    steps = rng.normal(size=rows) * np.sqrt(1 - rho**2)
    values = np.zeros(rows)
    for row in range(1, rows):
        values[row] = rho * values[row - 1] + steps[row]
    return values


def sign(rng: np.random.Generator) -> float:
    return float(rng.choice([-1, 1]))


def somewhere(rng: np.random.Generator, rows: int, length: int) -> tuple[int, int]:
    begin = int(rng.integers(rows // 2, rows - length - 40))
    return begin, begin + length


def apart(rng: np.random.Generator, rows: int, count: int, length: int) -> list[tuple[int, int]]:
    places = np.sort(rng.choice(np.arange(4, rows // 100 - 1), count, replace=False))
    return [(int(p) * 100, int(p) * 100 + length) for p in places]


def shift(rng: np.random.Generator) -> Labelled:
    x = 100 + 5 * wander(rng, 1500, 0.5)
    part = somewhere(rng, 1500, 80)
    x[slice(*part)] += sign(rng) * rng.uniform(15, 25)
    return 300, x, [part]


def shift_in_season(rng: np.random.Generator) -> Labelled:
    x = 100 + 30 * wave(rng, 4000, 144) + 4 * wander(rng, 4000, 0.5)
    part = somewhere(rng, 4000, 80)
    x[slice(*part)] *= rng.choice([0.6, 0.7, 1.4])
    return 600, x, [part]


def spikes(rng: np.random.Generator) -> Labelled:
    x = 100 + 20 * wave(rng, 3000, 288) + 3 * wander(rng, 3000, 0.3)
    parts = apart(rng, 3000, 4, 2)
    for part in parts:
        x[slice(*part)] += sign(rng) * rng.uniform(18, 40)
    return 300, x, parts


def hourly_outliers(rng: np.random.Generator) -> Labelled:
    noise = rng.uniform(10, 100)
    x = sum(rng.uniform(200, 1500) * wave(rng, 1600, p, 1) for p in (12, 24, 168))
    x = x + rng.uniform(-3, 3) * np.arange(1600) + noise * rng.normal(size=1600)
    parts = apart(rng, 1600, 6, 1)
    for begin, _ in parts:
        x[begin] += sign(rng) * rng.uniform(5, 12) * noise
    return 3600, x, parts


def busier(rng: np.random.Generator) -> Labelled:
    x = wander(rng, 2000, 0.3)
    part = somewhere(rng, 2000, 100)
    x[slice(*part)] *= rng.uniform(3, 5)
    return 300, 50 + 4 * x, [part]


def calmer(rng: np.random.Generator) -> Labelled:
    x = rng.normal(size=2000)
    part = somewhere(rng, 2000, 100)
    x[slice(*part)] *= rng.uniform(0.05, 0.15)
    return 300, 50 + 4 * x, [part]


def other_shape(rng: np.random.Generator) -> Labelled:
    shape = wave(rng, 1440, 24)
    x = 100 + 30 * shape + 3 * wander(rng, 1440, 0.4)
    begin = 24 * int(rng.integers(30, 55))
    x[begin : begin + 24] = 100 + 30 * shape[begin : begin + 24][::-1] + 3 * rng.normal(size=24)
    return 3600, x, [(begin, begin + 24)]


def beat(rng: np.random.Generator) -> Labelled:
    """A wave whose rate drifts, like a pulse; one beat is too fast."""
    period = int(rng.integers(60, 300))
    phase = np.cumsum(1 + 0.02 * wander(rng, 6000, 0.999))
    part = somewhere(rng, 6000, int(0.8 * period))
    phase[slice(*part)] = phase[part[0]] + 1.6 * (phase[slice(*part)] - phase[part[0]])
    shape = wave(rng, period, period, 5)
    x = np.interp(phase % period, np.arange(period + 1), np.append(shape, shape[0]))
    return 1, x + 0.02 * rng.normal(size=6000), [part]


def stuck(rng: np.random.Generator) -> Labelled:
    x = 100 + 10 * wave(rng, 2000, 288) + 3 * wander(rng, 2000, 0.5)
    part = somewhere(rng, 2000, 60)
    x[slice(*part)] = x[part[0]]
    return 300, x, [(part[0] + 2, part[1])]


def missing(rng: np.random.Generator) -> Labelled:
    x = 100 + 3 * wander(rng, 2000, 0.5)
    x[rng.random(2000) < 0.02] = np.nan
    part = somewhere(rng, 2000, 60)
    x[slice(*part)] = np.nan
    return 300, x, [part]


def counts(rng: np.random.Generator) -> Labelled:
    mean = 8 * np.exp(0.5 * wave(rng, 4000, 144, 2))
    x = rng.poisson(mean).astype(float)
    part = somewhere(rng, 4000, 60)
    x[slice(*part)] = rng.poisson(mean[slice(*part)] * rng.choice([0, 3]))
    return 600, x, [part]


def heavy_tails(rng: np.random.Generator) -> Labelled:
    x = 100 + 3 * rng.standard_t(3, 3000)
    part = somewhere(rng, 3000, 60)
    x[slice(*part)] += sign(rng) * rng.uniform(15, 25)
    return 60, x, [part]


def random_walk(rng: np.random.Generator) -> Labelled:
    x = 1000 + np.cumsum(rng.normal(size=3000))
    part = somewhere(rng, 3000, 20)
    x[slice(*part)] += sign(rng) * rng.uniform(8, 12)
    return 3600, x, [part]


def growing(rng: np.random.Generator) -> Labelled:
    x = 1000 * 1.0008 ** np.arange(1500) * np.exp(0.4 * wave(rng, 1500, 24))
    x *= np.exp(0.04 * wander(rng, 1500, 0.5))
    part = somewhere(rng, 1500, 10)
    x[slice(*part)] *= rng.choice([0.6, 1.5])
    return 3600, x, [part]


def daily(rng: np.random.Generator) -> Labelled:
    x = 1000 + 3 * np.arange(400) + 100 * wave(rng, 400, 7, 2) + 30 * rng.normal(size=400)
    part = somewhere(rng, 400, 5)
    x[slice(*part)] += sign(rng) * rng.uniform(180, 300)
    return 86_400, x, [part]


def weeks_of_a_server(rng: np.random.Generator) -> Labelled:
    """Two weeks of 5 minutes, occasional bursts; a tenth of the rows in two long anomalies."""
    x = (
        50
        + rng.uniform(0, 10) * wave(rng, 4032, 288)
        + rng.uniform(0.5, 3) * wander(rng, 4032, 0.5)
    )
    x += (rng.random(4032) < 0.004) * rng.uniform(3, 12, 4032)
    parts = [(begin, begin + 200) for begin in (1500, 3000)]
    for part in parts:
        x[slice(*part)] += rng.choice([-1, 1]) * rng.uniform(8, 15)
    return 300, x, parts


def nothing(values: Callable[[np.random.Generator], np.ndarray]) -> Callable[..., Labelled]:
    return lambda rng: (300, values(rng), [])


WORLDS: dict[str, Callable[[np.random.Generator], Labelled]] = {
    "level shift, AR(.5)": shift,
    "level shift, daily season": shift_in_season,
    "spikes, daily season": spikes,
    "single outliers, three seasons, hourly": hourly_outliers,
    "variance x 3 to 5": busier,
    "variance / 7 to 20": calmer,
    "a day the wrong way round, hourly": other_shape,
    "one beat too fast": beat,
    "flat line": stuck,
    "missing values, 2 % anyway": missing,
    "counts, 0 or threefold": counts,
    "level shift, t(3) noise": heavy_tails,
    "jump of a random walk": random_walk,
    "multiplicative season and growth": growing,
    "400 days": daily,
    "two weeks of a server": weeks_of_a_server,
    "nothing: independent": nothing(lambda r: r.normal(size=4000)),
    "nothing: AR(.98)": nothing(lambda r: wander(r, 4000, 0.98)),
    "nothing: random walk": nothing(lambda r: r.normal(size=4000).cumsum()),
    "nothing: season": nothing(lambda r: 10 * wave(r, 4000, 288) + wander(r, 4000, 0.3)),
    "nothing: trend": nothing(lambda r: 0.01 * np.arange(4000) + r.normal(size=4000)),
    "nothing: t(2.5) noise": nothing(lambda r: r.standard_t(2.5, 4000)),
    "nothing: variance wanders": nothing(
        lambda r: r.normal(size=4000) * np.exp(wander(r, 4000, 0.99) / 2)
    ),
    "nothing: constant": nothing(lambda _: np.full(4000, 7.0)),
}


def judge(world: Labelled) -> np.ndarray:
    """Anomalies, those found within 8 rows, those found at all, false alerts, rows."""
    step, values, parts = world
    scorer = SeriesScorer()
    alerts = np.array(
        [scorer.judge(v, 1.7e9 + step * row).alert for row, v in enumerate(values.tolist())]
    )
    around = np.zeros(len(values), dtype=bool)
    early = found = 0
    for begin, end in parts:
        around[begin : end + AFTER] = True
        early += alerts[begin : min(end, begin + FIRST)].any()
        found += alerts[begin:end].any()
    return np.array([len(parts), early, found, (alerts & ~around).sum(), len(values)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=12)
    seeds = parser.parse_args().seeds
    print("| world | within 8 rows | at all | false alerts per 1,000 rows |")
    print("|---|---:|---:|---:|")
    for place, (name, world) in enumerate(WORLDS.items()):
        rngs = [np.random.default_rng([place, seed]) for seed in range(seeds)]
        total = sum(judge(world(rng)) for rng in rngs)
        anomalies, early, found, false, rows = total
        shares = f"{early / anomalies:.0%} | {found / anomalies:.0%}" if anomalies else " | "
        print(f"| {name} | {shares} | {1000 * false / rows:.2f} |", flush=True)


if __name__ == "__main__":
    main()

"""`monitor score` on simulated series in the manner of the public benchmarks, beside a rolling z-score.

    PYTHONPATH=. python benchmarks/score_manners.py [--half seen|held] [--seeds 4]

A series is a base (web traffic by the hour, a server's CPU, a KPI by the minute, ...) in which anomalies of
several kinds are planted, from its first sixth on. The bases are in two halves: the *seen* ones were looked at
while `monitor score` was made, the *held* ones, of other seeds too, only to confirm. The figure is the
point-adjusted F1 with k = 7, and no grace: an alert outside the labels is a false row, also right after one. The
rolling z-score has the window, the threshold and the rows between alerts that are best on these labels.
"""

import argparse
from collections.abc import Callable
from itertools import product

import numpy as np

from benchmarks.score import REFRACTORIES, Series, apart, counted, f1, own, rolling_z
from benchmarks.score_bases import BASES, Base

HALVES = ("seen", "held")
WINDOWS = (20, 60, 240)


Kind = Callable[[np.random.Generator, np.ndarray, int, Base], int]
"""Plants one anomaly at a row; gives its length."""


def spike(rng: np.random.Generator, x: np.ndarray, at: int, base: Base) -> int:
    rows = int(rng.integers(1, 4))
    x[at : at + rows] += float(rng.choice(base.up)) * rng.uniform(8, 16) * base.noise
    return rows


def burst(rng: np.random.Generator, x: np.ndarray, at: int, base: Base) -> int:
    rows = int(rng.integers(5, 15))
    x[at : at + rows] += base.up[-1] * rng.uniform(6, 14, rows) * base.noise
    return rows


def shift(rng: np.random.Generator, x: np.ndarray, at: int, base: Base) -> int:
    rows = int(rng.integers(25, 90))
    x[at : at + rows] += float(rng.choice(base.up)) * rng.uniform(5, 9) * base.noise
    return rows


def lasting(rng: np.random.Generator, x: np.ndarray, at: int, base: Base) -> int:
    """A level that stays; its first 20 rows are labelled."""
    x[at:] += float(rng.choice(base.up)) * rng.uniform(7, 12) * base.noise
    return 20


def ramp(rng: np.random.Generator, x: np.ndarray, at: int, base: Base) -> int:
    rows = int(rng.integers(30, 80))
    x[at : at + rows] += float(rng.choice(base.up)) * 10 * base.noise * np.linspace(0.2, 1, rows)
    return rows


def drop(_: np.random.Generator, x: np.ndarray, at: int, base: Base) -> int:
    """Nearly nothing comes: what a failed upstream looks like."""
    low = max(base.least, float(x.min()) - 0.1 * float(np.ptp(x)))
    x[at : at + 12] = low + 0.1 * (x[at : at + 12] - low)
    return 12


def wider(rng: np.random.Generator, x: np.ndarray, at: int, base: Base) -> int:
    rows = int(rng.integers(40, 100))
    x[at : at + rows] += rng.uniform(3, 5) * base.noise * rng.normal(size=rows)
    return rows


def flat(rng: np.random.Generator, x: np.ndarray, at: int, _: Base) -> int:
    rows = int(rng.integers(30, 80))
    x[at : at + rows] = x[at]
    return rows


def absent(rng: np.random.Generator, x: np.ndarray, at: int, _: Base) -> int:
    rows = int(rng.integers(10, 40))
    x[at : at + rows] = np.nan
    return rows


def wrong_time(rng: np.random.Generator, x: np.ndarray, at: int, base: Base) -> int:
    """Values of another time of day."""
    period = base.period or 0
    rows = max(3, period // 8)
    x[at : at + rows] = base.values[at - period // 2 :][:rows] + 0.3 * base.noise * rng.normal(
        size=rows
    )
    return rows


def turned(_: np.random.Generator, x: np.ndarray, at: int, base: Base) -> int:
    """A period the wrong way round."""
    period = base.period or 0
    x[at : at + period] = x[at : at + period][::-1].copy()
    return period


KINDS: dict[str, Kind] = {
    f.__name__: f
    for f in (
        spike, burst, shift, lasting, ramp, drop, wider, flat, absent, wrong_time, turned,
    )
}  # fmt: skip


def planted(name: str, base: Base, rng: np.random.Generator) -> Series:
    """The base with its anomalies, evenly spread with some chance, from the first sixth of the rows on."""
    x, labels = base.values.copy(), np.zeros(len(base.values), dtype=int)
    begin = len(x) // 6
    room = (len(x) - begin) // len(base.kinds)
    for place, kind in enumerate(rng.permutation(base.kinds)):
        longest = min(room // 2, 100 if base.period is None else max(100, base.period))
        at = begin + place * room + int(rng.integers(0, max(1, room - longest - 5)))
        rows = KINDS[str(kind)](rng, x, at, base)
        labels[at : at + rows] = 1
    x = np.clip(x, base.least, base.most)
    return Series(
        name=name,
        times=1.7e9 + base.step * np.arange(len(x)),
        values=np.round(x) if base.whole else x,
        labels=labels,
        judged_from=begin,
    )


def family(half: str, seeds: int) -> list[Series]:
    return [
        planted(make.__name__, make(rng), rng)
        for place, make in enumerate(BASES[half])
        for seed in range(seeds)
        for rng in [np.random.default_rng([HALVES.index(half), place, seed])]
    ]


def judged(series: Series, alerts: np.ndarray) -> np.ndarray:
    return counted(alerts[series.judged_from :], series.labels[series.judged_from :])


def z_scores(window: int, series: Series) -> np.ndarray:
    """A missing value is the last one there was, for want of better."""
    at = np.maximum.accumulate(np.where(np.isnan(series.values), 0, np.arange(len(series.values))))
    filled = Series(
        name=series.name, times=series.times, values=series.values[at], labels=series.labels,
        judged_from=series.judged_from,
    )  # fmt: skip
    return rolling_z(window)(filled)


def by_base(counts: list[np.ndarray], all_series: list[Series]) -> dict[str, np.ndarray]:
    sums: dict[str, np.ndarray] = {}
    for series, found in zip(all_series, counts, strict=True):
        sums[series.name] = sums.get(series.name, 0) + found
    return sums


def best_z(all_series: list[Series]) -> tuple[dict[str, np.ndarray], str]:
    """The rolling z-score with the window, threshold and rows between alerts of the best mean F1."""
    tried = []
    for window in WINDOWS:
        scores = [z_scores(window, s) for s in all_series]
        for threshold, rows in product(np.arange(2, 15, 0.5), REFRACTORIES):
            counts = [
                judged(s, apart(z >= threshold, rows))
                for s, z in zip(all_series, scores, strict=True)
            ]
            sums = by_base(counts, all_series)
            mean = np.mean([f1(c) for c in sums.values()])
            tried.append((mean, sums, f"window {window}; >= {threshold:g}, {rows} rows"))
    _, sums, preset = max(tried, key=lambda t: t[0])
    return sums, preset


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=HALVES, action="append")
    parser.add_argument("--seeds", type=int, default=4)
    options = parser.parse_args()
    for half in options.half or HALVES:
        all_series = family(half, options.seeds)
        mine = by_base([judged(s, own(s)[1]) for s in all_series], all_series)
        other, preset = best_z(all_series)
        rows = dict.fromkeys(mine, 0)
        for s in all_series:
            rows[s.name] += len(s.values) - s.judged_from
        print(
            f"| {half} | F1 | hit | false per 1,000 rows | F1, rolling z | hit | false per 1,000 rows |"
        )
        print("|---|---:|---:|---:|---:|---:|---:|")
        for name in mine:
            cells = " | ".join(
                f"{f1(c):.3f} | {c[3]} of {c[4]} | {1000 * c[1] / rows[name]:.2f}"
                for c in (mine[name], other[name])
            )
            print(f"| {name.replace('_', ' ')} | {cells} |")
        cells = " | ".join(
            f"{np.mean([f1(c) for c in sums.values()]):.3f} | {total[3]} of {total[4]} "
            f"| {1000 * total[1] / sum(rows.values()):.2f}"
            for sums in (mine, other)
            for total in [sum(sums.values())]
        )
        print(f"| **mean** ({preset}) | {cells} |\n", flush=True)


if __name__ == "__main__":
    main()

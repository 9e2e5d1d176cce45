"""What the guard finds where little comes: rises to a multiple and falls of rare ratios and small counts.

    python benchmarks/low_volume.py [--series 40]

Everything is learnt online from nothing, as in the service, at a threshold of one false alarm per series and
90 days. A shift starts at 9:00 of day 26 and lasts 20 hours; the two days after it tell what it leaves behind.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from worlds import READY_DAY, TARGET_DAYS, World, found, simulate

SHARE = "beta_binomial"
FACTORS = (1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 0.5, 0.2, 0.0)
BEGIN = 26 + 9 / 24
LASTS_DAYS, AFTER_DAYS = 20 / 24, 2.0


@dataclass(frozen=True, kw_only=True)
class Low:
    """A world, and the width of its buckets."""

    world: World
    minutes: int


def rate(name: str, p: float, n: float, minutes: int, **changes: float) -> Low:
    least = min(10.0, 0.5 * n)
    return Low(
        world=World(name=name, law=SHARE, p=p, n=n, phi=1.0, min_units=least, **changes),
        minutes=minutes,
    )


def count(name: str, n: float, minutes: int, **changes: float) -> Low:
    least = min(10.0, 0.25 * n)
    return Low(world=World(name=name, n=n, phi=1.0, min_units=least, **changes), minutes=minutes)


WORLDS = [
    rate("4 % of 120 an hour, by the hour", 0.04, 120, 60),
    rate("0.5 % of 120 an hour, by the hour", 0.005, 120, 60),
    rate("4 % of 120 an hour, by 5 minutes", 0.04, 10, 5),
    rate("1 % of 1,200 an hour, by 5 minutes", 0.01, 100, 5),
    rate("4 % of 1,200 an hour, by 5 minutes", 0.04, 100, 5),
    rate("20 % of 120 an hour, by 5 minutes", 0.2, 10, 5),
    count("5 an hour, by the hour", 5, 60),
    count("12 an hour, by 5 minutes", 1, 5),
    count("60 an hour, by 5 minutes", 5, 5),
]


def measure(say: Callable[[str], None], *, series: int, chosen: list[Low]) -> None:
    """The table, a line a world."""
    say(
        "| world | false alarms | "
        + " | ".join(f"x {f:g}" for f in FACTORS[1:])
        + " | pages after it | sd_b |"
    )
    say("|---|---:|" + "---:|" * (len(FACTORS) + 1))
    for low in chosen:
        say(_line(low, series))


def _line(low: Low, each: int) -> str:
    by_row = np.repeat(np.array(FACTORS), each)
    if low.world.law == SHARE:
        by_row = np.minimum(by_row, 0.9 / low.world.p)
    end = BEGIN + LASTS_DAYS

    def shift(day: float) -> np.ndarray:
        return np.where(BEGIN - 1e-9 <= day < end - 1e-9, by_row, 1.0)

    run = simulate(
        low.world, series=by_row.size, days=end + AFTER_DAYS, minutes=low.minutes, shift=shift
    )
    idle = [(day, row) for day, row, _ in run.alarms if day < BEGIN - 1e-9 or row < each]
    exposed = by_row.size * (BEGIN - READY_DAY) + each * (LASTS_DAYS + AFTER_DAYS)
    cells, within = [], round(LASTS_DAYS * 1440 / low.minutes)
    for k in range(1, len(FACTORS)):
        delay = found(run, range(k * each, (k + 1) * each), BEGIN, low.minutes)
        there = delay[delay <= within]
        hours = f"{np.median(there) * low.minutes / 60:.1f} h" if there.size else "-"
        cells.append(f"{there.size / each:.0%}, {hours}")
    after = sum(day >= end - 1e-9 and row >= each for day, row, _ in run.alarms)
    return (
        f"| {low.world.name} | {len(idle) / exposed * TARGET_DAYS:.2f} ({len(idle)}) | "
        + " | ".join(cells)
        + f" | {after / (by_row.size - each):.2f} | {run.bands[int(BEGIN)]:.1%} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=40, help="of each world and factor")
    parser.add_argument("--only", nargs="*", type=int, help="worlds by their number")
    args = parser.parse_args()
    began = time.perf_counter()
    chosen = WORLDS if args.only is None else [WORLDS[i] for i in args.only]
    measure(lambda line: print(line, flush=True), series=args.series, chosen=chosen)
    print(f"\n{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()

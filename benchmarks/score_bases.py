"""Series in the manner of public benchmarks in which nothing is wrong: `score_manners.py` plants anomalies in them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.score_worlds import wander, wave


@dataclass(frozen=True, kw_only=True)
class Base:
    """A series in which nothing is wrong.

    Attributes:
        step: seconds between rows.
        values: of the rows.
        noise: what scatters from row to row; anomalies are measured in it.
        period: rows a period, where there is one.
        kinds: anomalies that make sense here.
        least, most: what values cannot leave.
        whole: whether values are counts.
        up: the ways that an anomaly may go.
    """

    step: float
    values: np.ndarray
    noise: float
    period: int | None = None
    kinds: tuple[str, ...] = ("spike", "shift", "flat", "wider")
    least: float = -np.inf
    most: float = np.inf
    whole: bool = False
    up: tuple[int, ...] = (-1, 1)


def web_hourly(rng: np.random.Generator) -> Base:
    at = 1420
    x = 200 * np.exp(0.5 * wave(rng, at, 24) + 0.2 * wave(rng, at, 168, 6))
    x *= np.exp(0.06 * wander(rng, at, 0.6))
    x *= 1 + (rng.random(at) < 0.004) * rng.uniform(0.1, 0.4, at)
    return Base(
        step=3600, values=x, noise=20, period=24, least=0,
        kinds=("spike", "shift", "drop", "wrong_time", "burst"),
    )  # fmt: skip


def three_seasons(rng: np.random.Generator) -> Base:
    noise = rng.uniform(20, 80)
    x = sum(rng.uniform(300, 1200) * wave(rng, 1680, p, 1) for p in (12, 24, 168))
    x = x + rng.uniform(-3, 3) * np.arange(1680) + noise * rng.normal(size=1680)
    return Base(step=3600, values=x, noise=noise, period=24, kinds=("spike",) * 3)


def server(rng: np.random.Generator) -> Base:
    """Idle CPU, with jobs now and then that are normal."""
    x = rng.gamma(4, 0.6, 4032)
    for begin in range(int(rng.integers(20, 80)), 4000, int(rng.integers(60, 200))):
        x[begin : begin + 4] += rng.uniform(3, 6)
    return Base(
        step=300, values=x, noise=2, least=0, most=100, up=(1,),
        kinds=("shift", "burst", "lasting", "flat", "wider"),
    )  # fmt: skip


def latency(rng: np.random.Generator) -> Base:
    x = 40 + 6 * wave(rng, 4032, 288) + 5 * rng.gamma(2, 1, 4032)
    x += (rng.random(4032) < 0.01) * rng.exponential(15, 4032)
    return Base(
        step=300, values=x, noise=8, period=288, least=0,
        kinds=("burst", "shift", "ramp", "wider", "absent"),
    )  # fmt: skip


def kpi_minutes(rng: np.random.Generator) -> Base:
    rows = 8 * 1440
    mean = 400 * np.exp(0.6 * wave(rng, rows, 1440, 3))
    x = rng.poisson(mean * np.exp(0.04 * wander(rng, rows, 0.9)))
    return Base(
        step=60, values=x.astype(float), noise=45, period=1440, least=0, whole=True,
        kinds=("spike", "burst", "shift", "drop", "wrong_time", "flat", "spike"),
    )  # fmt: skip


def sawtooth(rng: np.random.Generator) -> Base:
    """Memory that fills, and is freed at times that vary."""
    x, level = np.zeros(4000), 20.0
    until = 80.0
    for row in range(4000):
        level += rng.uniform(0.3, 0.7)
        if level > until:
            level, until = 20.0 + rng.normal(), 80 + 3 * rng.normal()
        x[row] = level
    return Base(
        step=300, values=x + 0.5 * rng.normal(size=4000), noise=3, period=120, kinds=("flat", "shift", "spike", "turned")
    )  # fmt: skip


def exchange(rng: np.random.Generator) -> Base:
    """What a click costs, by the hour: heavy tails, a faint day."""
    x = 0.4 * np.exp(0.15 * wave(rng, 1600, 24) + 0.12 * wander(rng, 1600, 0.7))
    x *= np.exp(0.05 * rng.standard_t(3, 1600))
    return Base(
        step=3600, values=x, noise=0.06, period=24, least=0, kinds=("spike", "burst", "shift", "spike")
    )  # fmt: skip


def days(rng: np.random.Generator) -> Base:
    rows = int(rng.integers(500, 1000))
    x = 5000 + 4 * np.arange(rows) + 600 * wave(rng, rows, 7, 2) + 500 * wave(rng, rows, 365, 2)
    return Base(
        step=86_400, values=x + 120 * rng.normal(size=rows), noise=160, period=7, least=0,
        kinds=("spike", "spike", "drop", "shift"),
    )  # fmt: skip


def short(rng: np.random.Generator) -> Base:
    x = 50 + 4 * wander(rng, 600, rng.uniform(0, 0.8))
    return Base(step=60, values=x, noise=4, kinds=("spike", "shift", "wider"))


def nearly_constant(rng: np.random.Generator) -> Base:
    """A success rate that is nearly always 1."""
    x = 100 - np.round(rng.exponential(0.08, 5000) * (rng.random(5000) < 0.3), 2)
    return Base(
        step=60, values=x, noise=0.4, most=100, up=(-1,), kinds=("drop", "shift", "burst", "ramp")
    )


def web_synthetic(rng: np.random.Generator) -> Base:
    x = 50 * wave(rng, 1421, int(rng.integers(20, 90)), 2) + rng.uniform(0, 1) * np.arange(1421)
    return Base(
        step=3600, values=1000 + x + 8 * rng.normal(size=1421), noise=8,
        kinds=("spike", "spike", "burst"),
    )  # fmt: skip


def changepoints(rng: np.random.Generator) -> Base:
    noise = rng.uniform(20, 80)
    x = sum(rng.uniform(200, 600) * wave(rng, 1680, p, 1) for p in (12, 24, 168))
    return Base(
        step=3600, values=x + noise * rng.normal(size=1680), noise=noise, period=24,
        kinds=("spike", "lasting", "wider", "spike"),
    )  # fmt: skip


def machine_temperature(rng: np.random.Generator) -> Base:
    x = (
        85
        + 4 * wander(rng, 9000, 0.999)
        + 1.5 * wander(rng, 9000, 0.97)
        + 0.4 * rng.normal(size=9000)
    )
    return Base(
        step=300, values=x, noise=1.2, kinds=("lasting", "ramp", "drop", "shift", "spike")
    )  # fmt: skip


def mentions(rng: np.random.Generator) -> Base:
    """Counts with a day and heavy bursts."""
    mean = 12 * np.exp(0.7 * wave(rng, 6000, 288, 2)) * rng.gamma(4, 0.25, 6000)
    x = rng.poisson(mean).astype(float)
    return Base(
        step=300, values=x, noise=9, period=288, least=0, whole=True,
        kinds=("burst", "spike", "shift", "drop"),
    )  # fmt: skip


def kpi_weekends(rng: np.random.Generator) -> Base:
    rows = 9 * 1440
    day = 1 + 0.5 * wave(rng, rows, 1440, 2).clip(-1.6, 2)
    day = day * np.where((np.arange(rows) // 1440) % 7 >= 5, 0.7, 1)
    x = (
        900 * day
        + 40 * wander(rng, rows, 0.7)
        + (rng.random(rows) < 0.002) * rng.uniform(50, 200, rows)
    )
    return Base(
        step=60, values=x, noise=45, period=1440, least=0,
        kinds=("spike", "shift", "drop", "wrong_time", "absent", "burst", "flat"),
    )  # fmt: skip


def duty_cycle(rng: np.random.Generator) -> Base:
    """A machine that is busy by day."""
    busy = (np.arange(4032) % 288 > 110) & (np.arange(4032) % 288 < 225)
    x = np.where(busy, 80, 20) + rng.uniform(1, 4) * rng.normal(size=4032)
    return Base(
        step=300, values=x, noise=8, period=288, kinds=("shift", "wrong_time", "flat", "turned")
    )  # fmt: skip


def pulse(rng: np.random.Generator) -> Base:
    period = int(rng.integers(80, 200))
    phase = np.cumsum(1 + 0.02 * wander(rng, 6000, 0.999))
    shape = wave(rng, period, period, 6)
    x = np.interp(phase % period, np.arange(period + 1), np.append(shape, shape[0]))
    return Base(
        step=1, values=x + 0.02 * rng.normal(size=6000), noise=0.15, period=period,
        kinds=("turned", "flat", "spike"),
    )  # fmt: skip


def taxis(rng: np.random.Generator) -> Base:
    x = 15000 * np.exp(0.5 * wave(rng, 4800, 48, 3) + 0.15 * wave(rng, 4800, 336, 6))
    return Base(
        step=1800, values=x * np.exp(0.05 * wander(rng, 4800, 0.6)), noise=1500, period=48, least=0,
        kinds=("shift", "drop", "wrong_time", "burst"),
    )  # fmt: skip


def server_steps(rng: np.random.Generator) -> Base:
    x = np.round(12 + 0.5 * wander(rng, 1000, 0.5), 1) + (rng.random(1000) < 0.01) * 2
    return Base(step=300, values=x, noise=0.6, least=0, kinds=("shift", "burst", "lasting"))


def years(rng: np.random.Generator) -> Base:
    rows = int(rng.integers(700, 1100))
    x = 1000 * 1.0006 ** np.arange(rows) * np.exp(0.25 * wave(rng, rows, 7, 3))
    x *= np.exp(0.15 * wave(rng, rows, 365, 1) + 0.05 * rng.normal(size=rows))
    return Base(
        step=86_400, values=x, noise=80, period=7, least=0, kinds=("spike", "drop", "shift", "spike")
    )  # fmt: skip


BASES: dict[str, tuple[Callable[[np.random.Generator], Base], ...]] = {
    "seen": (
        web_hourly, three_seasons, server, latency, kpi_minutes, sawtooth, exchange, days, short,
        nearly_constant,
    ),
    "held": (
        web_synthetic, changepoints, machine_temperature, mentions, kpi_weekends, duty_cycle,
        pulse, taxis, server_steps, years,
    ),
}  # fmt: skip

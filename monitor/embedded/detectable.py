"""The minimum detectable shift of every metric, from what a machine has learnt."""

import math
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from monitor.core.lane import Lane
from monitor.core.machine import Machine
from monitor.definitions.calendar import bucket_start
from monitor.embedded.inject import TimelessInjection
from monitor.guard.bets import capital, scale
from monitor.guard.detectable import volume_factor
from monitor.guard.smallest_shift import Typical, remaining, smallest_shift
from monitor.model.tick import Floats, Observation, Traits
from monitor.model.time import DAY, HOUR
from monitor.stats import laws

HORIZONS: Final = {"1h": HOUR, "1d": DAY}
"""How long a shift may last until it is found, by its name in `summary.json`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detectable:
    """What a metric's whole can see.

    Attributes:
        falls, rises: by horizon, the smallest that is likely to be found; None where none is, and of what
            is not judged.
        units: expected n of a bucket; None where nothing is known.
        problem: why it sees nothing, in words; None where it sees.
    """

    falls: dict[str, float | None]
    rises: dict[str, float | None]
    units: float | None = None
    problem: str | None = None

    @property
    def is_blind(self) -> bool:
        """Whether it finds nothing within any horizon."""
        return all(size is None for way in (self.falls, self.rises) for size in way.values())


_NONE: Final[dict[str, float | None]] = dict.fromkeys(HORIZONS)


def detectable_by_metric(machine: Machine, from_us: int | None) -> dict[str, Detectable]:
    """By metric, the smallest shifts of its whole that are likely to be found.

    Args:
        machine: what has been learnt.
        from_us: what is usual is the median over the day from here on; None where there were no events.
    """
    found: dict[str, Detectable] = {}
    for lane in machine.lanes:
        if not lane.key.quality:
            found.update(_of_lane(lane, from_us))
    return {name: found[name] for name in sorted(found)}


def _of_lane(lane: Lane, from_us: int | None) -> dict[str, Detectable]:
    panel = lane.panel
    if from_us is None or lane.guard.size < panel.series.size:
        return {m.name: Detectable(falls=_NONE, rises=_NONE) for m in panel.metrics}
    usual = _usual(lane, from_us)
    return {
        metric.name: _of_row(usual, panel.series.whole(i), panel.calendar.width_us)
        for i, metric in enumerate(panel.metrics)
    }


def _of_row(usual: "_Usual", row: int, width_us: int) -> Detectable:
    one, traits = usual.typical(row), usual.traits
    if not usual.ready[row] > _HALF:
        return Detectable(falls=_NONE, rises=_NONE)
    units = one.units if math.isfinite(one.units) else None
    if usual.few[row] > _HALF:
        problem = (
            f"is not judged: about {one.units:.3g} units a bucket come, min_units asks for "
            f"{traits.min_units[row]:g}; lower it or take a longer bucket"
        )
        return Detectable(falls=_NONE, rises=_NONE, units=units, problem=problem)
    found = by_horizon(
        one,
        width_us=width_us,
        memory_us=float(usual.memory_us[row]),
        up=bool(traits.up[row]),
        down=bool(traits.down[row]),
    )
    blind: str | None = None
    if found.is_blind and 3 * width_us <= DAY:
        blind = "sees no shift within a day: too little comes in a bucket; take a longer bucket"
    return replace(found, units=units, problem=blind)


def by_horizon(
    one: Typical, *, width_us: int, memory_us: float, up: bool, down: bool
) -> Detectable:
    """The smallest shifts that a series finds within each horizon: what is found sooner is found.

    Args:
        one: a usual bucket.
        width_us: its width.
        memory_us: of the level, see `Baseline.memory_us`.
        up: whether rises are judged.
        down: whether falls are.
    """
    ways = []
    for is_up, judged in ((False, down), (True, up)):
        found, least = dict(_NONE), math.inf
        for name, horizon in HORIZONS.items() if judged else ():
            remains, buckets = remaining(horizon, memory_us), horizon // width_us
            if buckets:
                shift = smallest_shift(one, buckets=buckets, up=is_up, remains=remains)
                least = min(least, shift if math.isfinite(shift) else math.inf)
            found[name] = None if math.isinf(least) else round(least, 4)
        ways.append(found)
    return Detectable(falls=ways[0], rises=ways[1])


_HALF = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Usual:
    """What is expected of a usual bucket of a lane, by row: medians over a day."""

    traits: Traits
    level: Floats
    units: Floats
    phi: Floats
    eps: Floats
    variance: Floats
    tail: Floats
    ready: Floats
    few: Floats
    memory_us: Floats

    def typical(self, row: int) -> Typical:
        """The bucket of one row."""
        traits = self.traits
        quantile = int(traits.law[row]) == laws.QUANTILE
        total = bool(traits.total[row])
        return Typical(
            law=int(traits.law[row]),
            level=float(self.level[row]),
            units=float(self.level[row] if total else self.units[row]),
            phi=float(self.phi[row]),
            eps=float(self.eps[row]),
            log_threshold=float(traits.log_threshold[row]),
            capital=capital(
                up=bool(traits.up[row]),
                down=bool(traits.down[row]),
                silence=bool(traits.page_no_data[row]),
            ),
            tail=_tail(float(traits.tail[row]), self.tail[row]) if quantile else None,
        )


def _tail(tail: float, column: Floats) -> tuple[float, float, float, float]:
    shift, deviation, phi = (float(value) for value in column)
    return tail, shift, deviation, phi


def _usual(lane: Lane, from_us: int) -> _Usual:
    width, traits = lane.panel.calendar.width_us, lane.panel.series.traits()
    start_us = bucket_start(lane.panel.calendar, from_us)
    step = max(width, HOUR // width * width)
    nothing = np.zeros(lane.panel.series.size)
    columns: list[Floats] = []
    for start in range(start_us, start_us + max(DAY, width), step):
        expected = lane.baseline.expect(start, start + width, traits)
        seen = Observation(
            start_us=start,
            end_us=start + width,
            x=nothing,
            n=nothing,
            observed=np.zeros(nothing.size, dtype=bool),
        )
        tail = expected.tail
        of_tail = (tail.shift, tail.deviation, tail.phi) if tail else (nothing,) * 3
        with np.errstate(all="ignore"):
            scaled = scale(seen, expected, traits)
            variance = scaled.variance / scaled.mean**2
        few = ~(expected.units >= traits.min_units)
        row = (expected.level, expected.units, expected.phi, scaled.eps, variance, *of_tail)
        columns.append(np.stack([*row, expected.ready, few]))
    middle = np.median(columns, axis=0)
    return _Usual(
        traits=traits,
        level=middle[0],
        units=middle[1],
        phi=middle[2],
        eps=middle[3],
        variance=middle[4],
        tail=middle[5:8].T,
        ready=np.mean([c[8] for c in columns], axis=0),
        few=np.mean([c[9] for c in columns], axis=0),
        memory_us=lane.baseline.memory_us(),
    )


def needed_volume(
    machine: Machine, injection: TimelessInjection, from_us: int
) -> dict[str, Any] | None:
    """What comes in a bucket of the shifted series, and what would have to for it to be found in time.

    The dispersion and the band are taken to stay what they are.

    Returns:
        `{"per_bucket", "needed": {"1h", "1d"}}`, needed being None where no volume is enough; None where
        the series is not known or still learns.
    """
    name, place = injection.metric.name, (injection.dimension or "all", injection.value or "all")
    lane = next(lane for lane in machine.lanes if injection.metric in lane.panel.metrics)
    series = lane.panel.series
    groups = ["all" if not g else ",".join(g) for g in injection.metric.groupings]
    rows = [
        row
        for (m, g, segment), row in series.items()
        if lane.panel.metrics[m].name == name and (groups[g], segment) == place
    ]
    if not rows or lane.guard.size < series.size:
        return None
    usual, row = _usual(lane, from_us), rows[0]
    one = usual.typical(row)
    if not usual.ready[row] > _HALF or not one.units > 0:
        return None
    needed: dict[str, float | None] = {}
    for label, horizon in HORIZONS.items():
        factor = volume_factor(
            shift=abs(injection.shift) * remaining(horizon, float(usual.memory_us[row])),
            relative_variance=float(usual.variance[row]),
            eps=one.eps,
            log_threshold=one.log_threshold,
            buckets=horizon // lane.panel.calendar.width_us,
            capital=one.capital,
            up=injection.shift > 0,
        )
        needed[label] = None if math.isnan(factor) else float(f"{factor * one.units:.3g}")
    return {"per_bucket": float(f"{one.units:.3g}"), "needed": needed}

"""The built-in metrics of the measurement itself, fed from the ledgers and guarded like any other.

Shares are kept as the share of good lines, near 1: so the guard's relative bets work where the bad share is
0 as a rule. They are tickets with a budget of their own, which never touches the operator's thresholds.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import xxhash

from monitor.definitions.needs import line_fields
from monitor.definitions.plan import COMBINATION_FACTOR, Calendar, Form, Law, Measure, MetricPlan
from monitor.model.event import Reject
from monitor.model.time import DAY, MINUTE

PREFIX: Final = "data_quality_"
UNIQUE: Final = f"{PREFIX}unique"
COMPLETE: Final = f"{PREFIX}complete"
WELLFORMED: Final = f"{PREFIX}wellformed"
ON_TIME: Final = f"{PREFIX}on_time"
VOLUME: Final = f"{PREFIX}volume"
DELAY: Final = {q: f"{PREFIX}delay_p{round(100 * q)}" for q in (0.5, 0.99)}
"""By quantile."""

EVENT, FIELD, REASON, SOURCE, LATENESS = "event", "field", "reason", "source", "lateness"
APP_VERSION: Final = "app_version"
LATENESSES: Final = ("late", "too_late")
_SHORTEST_US: Final = 5 * MINUTE
_LONGEST_US: Final = 15 * MINUTE
_LEAST_DELAY_SHIFT: Final = 0.25
_LEAST_THRESHOLD: Final = 20.0
Groupings = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the tickets of the measurement may cost.

    Attributes:
        alarms: expected false ones in a period, at most.
        per_us: the period.
    """

    alarms: float
    per_us: int


def is_quality(metric: str) -> bool:
    """Whether a name is one of ours: definitions cannot have it."""
    return metric.startswith(PREFIX)


def quality_metrics(
    metrics: Sequence[MetricPlan], *, budget: Budget, cardinality: int, base_us: int, arrival: bool
) -> tuple[MetricPlan, ...]:
    """The metrics of the measurement, of the lines that these metrics use.

    Args:
        metrics: the operator's.
        budget: of all of these together.
        cardinality: values of a dimension that are kept apart.
        base_us: width of the ledgers' buckets.
        arrival: whether events come from partitions that tell when they arrived.
    """
    if not metrics:
        return ()
    width = _width(metrics, base_us)
    fields = needed_fields(metrics)
    versions = any(APP_VERSION in grouping for m in metrics for grouping in m.groupings)
    bounds: dict[tuple[str, ...], int] = {
        (): 1,
        (EVENT,): len(fields),
        (EVENT, FIELD): max(1, sum(map(len, fields.values()))),
        (REASON,): len(Reject),
        (LATENESS,): len(LATENESSES),
        (EVENT, APP_VERSION): COMBINATION_FACTOR * cardinality,
        (EVENT, SOURCE): COMBINATION_FACTOR * cardinality,
    }
    volume: Groupings = ((), (EVENT,))
    volume += ((EVENT, APP_VERSION),) if versions else ()
    volume += ((EVENT, SOURCE),) if arrival else ()
    made = [
        _share(UNIQUE, "lines whose event_id was not seen before", ((), (EVENT,))),
        _share(
            COMPLETE, "lines with every field that a metric needs", ((), (EVENT,), (EVENT, FIELD))
        ),
        _share(WELLFORMED, "lines that could be read", ((), (EVENT,), (REASON,))),
        _share(ON_TIME, "lines that came on time", ((), (EVENT,), (LATENESS,))),
        _Made(
            name=VOLUME,
            kind="count",
            groupings=volume,
            description="events that came",
            unit="events",
        ),
    ]
    if arrival:
        made += [_delay(q) for q in DELAY]
    share = 1.0 / len(made)
    return tuple(
        sorted(
            (one.plan(width, budget, share, bounds) for one in made),
            key=lambda metric: metric.name,
        )
    )


def needed_fields(metrics: Sequence[MetricPlan]) -> Mapping[str, tuple[str, ...]]:
    """By event name that some metric uses, the fields that some metric looks for."""
    out: dict[str, set[str]] = {}
    for metric in metrics:
        for event, fields in line_fields(metric).items():
            out.setdefault(event, set()).update(fields)
    return {event: tuple(sorted(fields)) for event, fields in sorted(out.items())}


def _width(metrics: Sequence[MetricPlan], base_us: int) -> int:
    """Of the buckets: 5 minutes, or the shortest bucket if that is longer, at most a day.

    Events that come summed up by the hour are silent in most shorter buckets.
    """
    shortest = min(metric.calendar.width_us for metric in metrics)
    if shortest >= _SHORTEST_US:
        return min(shortest, DAY)
    steps = range(base_us, _LONGEST_US + 1, base_us)
    return next(w for w in steps if w >= _SHORTEST_US and DAY % w == 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What tells these metrics apart."""

    name: str
    kind: str
    groupings: Groupings
    description: str
    unit: str
    measures: tuple[Measure, ...] = (Measure(name="events", event=""),)
    law: Law = Law.NEGATIVE_BINOMIAL
    direction: str = "none"
    no_data: str = "alert"
    least: float = 0.02

    def plan(
        self, width_us: int, budget: Budget, share: float, bounds: Mapping[tuple[str, ...], int]
    ) -> MetricPlan:
        """The metric; its whole has half of its share of the budget, its segments the other."""
        series = sum(bounds[grouping] for grouping in self.groupings[1:])
        buckets = budget.per_us / width_us
        shares = [share / 2.0, *(share / 2.0 / series for _ in self.groupings[1:])]
        formula = f"{self.name} {width_us} {self.groupings}"
        return MetricPlan(
            name=self.name,
            kind=self.kind,
            measures=self.measures,
            groupings=self.groupings,
            calendar=Calendar(width_us=width_us),
            window_us=width_us,
            season_timezone="UTC",
            law=self.law,
            severity="ticket",
            direction=self.direction,
            min_relative_shift=self.least,
            min_units=10.0,
            no_data=self.no_data,
            accept_after_us=DAY,
            log_threshold=tuple(
                math.log(max(buckets / (budget.alarms * s), _LEAST_THRESHOLD)) for s in shares
            ),
            formula=xxhash.xxh64_hexdigest(formula.encode()),
            unit_name=self.unit,
            description=self.description,
            better="down" if self.direction == "up" else "up",
        )


def _share(name: str, description: str, groupings: Groupings) -> _Made:
    return _Made(
        name=name,
        kind="ratio",
        groupings=groupings,
        description=f"share of {description}",
        unit="share",
        measures=(Measure(name="good", event=""), Measure(name="lines", event="")),
        law=Law.BETA_BINOMIAL,
        direction="down",
        no_data="ignore",
    )


def _delay(q: float) -> _Made:
    return _Made(
        name=DELAY[q],
        kind="quantile",
        groupings=((), (EVENT,)),
        description="time from an event to its arrival",
        unit="s",
        measures=(
            Measure(name="quantile", event="", form=Form.QUANTILE, q=q),
            Measure(name="lines", event=""),
        ),
        law=Law.QUANTILE,
        direction="up",
        no_data="ignore",
        least=_LEAST_DELAY_SHIFT,
    )

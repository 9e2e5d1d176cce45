"""The compiled definitions: what ingest must extract, what the core must keep, how to judge it.

`compile_plan` makes a `Plan` of a configuration; no later stage reads the configuration itself.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import xxhash

from monitor.definitions.formula import Tree
from monitor.model.time import MINUTE

Condition = tuple[str, str, tuple[str | float, ...]]
"""(field, operator, operands): operator one of `in`, `not_in`, `prefix`, `lt`, `lte`, `gt`, `gte`."""


class Law(StrEnum):
    """The distribution by which the guard judges a metric (GUARD.md, the bet L by metric kind)."""

    NEGATIVE_BINOMIAL = "negative_binomial"
    BETA_BINOMIAL = "beta_binomial"
    NORMAL_SUM = "normal_sum"
    NORMAL_MEAN = "normal_mean"
    QUANTILE = "quantile"


class Form(StrEnum):
    """How a measure is accumulated."""

    SUM = "sum"
    UNIQUES = "uniques"
    QUANTILE = "quantile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One number that a metric accumulates from one event name.

    Attributes:
        name: as it stands in `buckets.ndjson`'s `measures`.
        event: the event name that feeds it.
        where: conditions that must all hold; sorted, so that equal filters are equal.
        value: the numeric field that is summed (times `count`), from events that have it; with None
            it counts events (`count` each).
        needs: a numeric field that an event must have to be counted (the `count` beside a `sum`).
        form: `SUM` adds up; `UNIQUES` keeps the keyed hashes of `unit`, and is the number of different
            ones; `QUANTILE` keeps a histogram of `value`, and is its `q`-quantile.
        unit: of `UNIQUES`: `actor`, or the name of a dimension; events without it do not count.
        q: of `QUANTILE`.
    """

    name: str
    event: str
    where: tuple[Condition, ...] = ()
    value: str | None = None
    needs: str | None = None
    form: Form = Form.SUM
    unit: str | None = None
    q: float | None = None


class Role(StrEnum):
    """What a reading makes of its two measures."""

    TOTAL = "total"
    QUOTIENT = "quotient"
    LEVEL = "level"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a value is read from the measures of a closed bucket (or of a window).

    Attributes:
        metric: whose value it is: the metric's own name, or that of an input of a derived one.
        role: `TOTAL`: the measure `x` itself, 0 in an empty bucket; `QUOTIENT`: `x / n`; `LEVEL`: the
            measure `x` itself, undefined where `n` is 0.
        x, n: places in the metric's `measures`; of a count or of uniques they are one.
    """

    metric: str
    role: Role
    x: int
    n: int


def own_reading(metric: str, kind: str, first: int = 0) -> Reading:
    """The reading of a metric that is not derived.

    Args:
        metric: its name.
        kind: its kind.
        first: place of its first measure.
    """
    match kind:
        case "count" | "uniques":
            return Reading(metric=metric, role=Role.TOTAL, x=first, n=first)
        case "sum":
            return Reading(metric=metric, role=Role.TOTAL, x=first, n=first + 1)
        case "quantile":
            return Reading(metric=metric, role=Role.LEVEL, x=first, n=first + 1)
        case _:
            return Reading(metric=metric, role=Role.QUOTIENT, x=first, n=first + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitStep:
    """Events of units that a cohort's metric looks at.

    Attributes:
        event: the event name.
        where: conditions that must all hold; sorted.
    """

    event: str
    where: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """How a conversion, a funnel or a retention follows units from their start (DESIGN.md, Units).

    Its metric has the measures `converted` and `units`, in this order: units of the bucket that came to
    the end, and all of them. A funnel's groupings end in `("step",)`, whose segments are the steps; there
    `converted` are the units that came to the step.

    Attributes:
        steps: the first starts a unit's way; conversion and retention have one more, a funnel any.
        unit: whom it counts: `actor`, or the name of a dimension.
        within_us: how long after its start a unit may take; of retention 0.
        day: of retention, which calendar day after the start's it must be back on, in the metric's
            season time zone; else 0.
    """

    steps: tuple[UnitStep, ...]
    unit: str
    within_us: int = 0
    day: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """A cohort that a metric follows, its own or that of an input.

    Attributes:
        cohort: how its units are followed.
        first: place of `converted` among the metric's measures; that of `units` is the next.
        timezone: whose calendar days a retention counts; of the others empty.
    """

    cohort: Cohort
    first: int = 0
    timezone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """How time is cut into buckets.

    Attributes:
        width_us: length of a bucket; below a day it divides the day, else it is whole days.
        timezone: IANA name; matters for the bucket edges only from a day on.
    """

    width_us: int
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPlan:
    """One metric.

    Attributes:
        name, kind, description, owner, unit_name, tier, role, better, runbook_url: as defined.
        measures: what is accumulated; those of a derived metric are those of its inputs. With a
            `cohort` nothing is added up from events: the measures follow from what the units did.
        inputs: of a derived metric, how the values of its inputs are read from the measures.
        cohort: of a conversion, funnel or retention, how units are followed; else None.
        cohorts: of a derived metric, those of its inputs that follow units.
        tree: of a derived metric, the arithmetic over the inputs; those that are derived themselves
            are written out, so that every name in it is the `metric` of one of `inputs`.
        groupings: tuples of dimension names; `()`, the whole, is always the first.
        calendar: the buckets that are judged.
        window_us: length of the rolling value, a multiple of the bucket.
        season_timezone: the time zone of the weekly profile.
        law: how the guard judges it.
        severity: `page` or `ticket`.
        direction: `both`, `up` or `down`: which shifts are judged; `none` of one judged for silence only.
        min_relative_shift, min_units, no_data, accept_after_us: as in `detect`.
        log_threshold: natural log of A by grouping index, from the alert budget.
        drift_log_threshold: natural log of 1 over the chance of a false drift of its whole a day;
            infinite where drifts are not looked for.
        formula: hash of what is measured; state under another hash does not fit.
        definition: the definition as written, for `/api/v1/metrics`.
    """

    name: str
    kind: str
    measures: tuple[Measure, ...]
    groupings: tuple[tuple[str, ...], ...]
    calendar: Calendar
    window_us: int
    season_timezone: str
    law: Law
    severity: str
    direction: str
    min_relative_shift: float
    min_units: float
    no_data: str
    accept_after_us: int
    log_threshold: tuple[float, ...]
    formula: str
    better: str = "up"
    owner: str | None = None
    unit_name: str | None = None
    runbook_url: str | None = None
    description: str | None = None
    tier: str | None = None
    role: str | None = None
    definition: str = "{}"
    drift_log_threshold: float = math.inf
    inputs: tuple[Reading, ...] = ()
    tree: Tree | None = None
    cohort: Cohort | None = None
    cohorts: tuple[Followed, ...] = ()

    @property
    def up(self) -> bool:
        """Whether rises are judged."""
        return self.direction in ("both", "up")

    @property
    def down(self) -> bool:
        """Whether falls are judged."""
        return self.direction in ("both", "down")

    @property
    def followed(self) -> tuple[Followed, ...]:
        """The cohorts that it follows: one of its own, or those of its inputs."""
        if self.cohort is None:
            return self.cohorts
        timezone = self.season_timezone if self.kind == "retention" else ""
        return (Followed(cohort=self.cohort, timezone=timezone),)

    @property
    def counted(self) -> tuple[tuple[int, Measure], ...]:
        """The measures that events add to, with their places; the others follow from what units did."""
        of_units = {of.first + place for of in self.followed for place in (0, 1)}
        return tuple((i, one) for i, one in enumerate(self.measures) if i not in of_units)

    @property
    def readings(self) -> tuple[Reading, ...]:
        """How values are read from the measures: one way, or of a derived metric one an input."""
        return self.inputs or (own_reading(self.name, self.kind),)

    @property
    def event_groupings(self) -> tuple[tuple[str, ...], ...]:
        """The groupings whose series an event tells: of a funnel all but its steps."""
        return self.groupings[:-1] if self.kind == "funnel" else self.groupings

    @property
    def is_total(self) -> bool:
        """Whether its value is a total, for which an empty bucket is 0 (count, sum, uniques)."""
        return self.kind in ("count", "sum", "uniques")


BUILT_IN_KEY = b"metric-monitor"
"""Keys the hashes of units where the operator names no key; everyone knows it."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All metrics, with what concerns them all.

    Attributes:
        metrics: sorted by name.
        allowed_lateness_us, restatement_window_us, max_clock_skew_us, idle_timeout_us: as configured.
        cardinality: values of a dimension that a metric keeps apart.
        shards: partitions of the log; 1 without a broker.
        hash_key: keys the hashes of units.
        quality: the built-in metrics of the measurement itself, sorted by name.
        holidays: days since 1970-01-01 that are neither judged nor learnt, sorted.
    """

    metrics: tuple[MetricPlan, ...]
    allowed_lateness_us: int
    restatement_window_us: int
    max_clock_skew_us: int
    idle_timeout_us: int
    cardinality: int
    shards: int = 1
    hash_key: bytes = BUILT_IN_KEY
    quality: tuple[MetricPlan, ...] = ()
    holidays: tuple[int, ...] = ()

    @cached_property
    def base_us(self) -> int:
        """Width of the buckets of cells and of activity: divides every metric's bucket."""
        return math.gcd(15 * MINUTE, *(m.calendar.width_us for m in self.metrics)) or MINUTE

    @property
    def known(self) -> tuple[MetricPlan, ...]:
        """The metrics of the definitions and those of the measurement."""
        return self.metrics + self.quality

    def shard_of(self, metric: str) -> int:
        """The shard that keeps this metric: xxh64 of its name, modulo the shards."""
        return xxhash.xxh64_intdigest(metric.encode()) % self.shards


COMBINATION_FACTOR = 10
"""Combinations of dimensions are kept up to this many times `cardinality`."""

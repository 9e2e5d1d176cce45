"""The schema of `metrics/*.yaml`: one class a kind. Every key is parsed and kept."""

import re
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from monitor.definitions.where import EventSelector, Selector, ValueSelector
from monitor.model.time import DAY, HOUR, MINUTE
from monitor.scalars import Day, Duration, Many, Positive, PositiveDuration, Share, Text, Url, fault
from monitor.settings import Group

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_NAME_LENGTH = 100
_CURRENCY = re.compile(r"[A-Z]{3}")
_DIMENSION = re.compile(r'[^\s,"|][^,"|\n]*')


def _name(value: str) -> str:
    if not _NAME.fullmatch(value) or len(value) > _NAME_LENGTH:
        safe = re.sub(r"[^a-z0-9_]+", "_", value.lower()).strip("_")[:_NAME_LENGTH]
        hint = f"; write {safe}" if _NAME.fullmatch(safe) else ""
        message = f"{value!r} is not made of a-z, 0-9 and _ with a letter first{hint}"
        raise fault(message)
    return value


def _grouping(value: object) -> tuple[str, ...]:
    names = tuple(value) if isinstance(value, list) else (value,)
    if not names:
        message = "is an empty list; name a dimension"
        raise fault(message)
    for name in names:
        if not isinstance(name, str) or not _DIMENSION.fullmatch(name) or name == "all":
            message = f"{name!r} cannot be the name of a dimension"
            raise fault(message)
    return tuple(str(name) for name in names)


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"{value!r} is not a time zone such as Europe/Berlin or UTC"
        raise fault(message) from None
    return value


def _currency(value: str) -> str:
    if not _CURRENCY.fullmatch(value):
        message = f"{value!r} is not a code such as USD"
        raise fault(message)
    return value


_GROUPING_SCHEMA = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1},
    ]
}

Name = Annotated[
    str, AfterValidator(_name), Field(json_schema_extra={"pattern": "^[a-z][a-z0-9_]*$"})
]
Grouping = Annotated[tuple[str, ...], PlainValidator(_grouping), WithJsonSchema(_GROUPING_SCHEMA)]
Currency = Annotated[
    str, AfterValidator(_currency), Field(json_schema_extra={"pattern": "^[A-Z]{3}$"})
]


class Driver(Group):
    """A metric that this one moves."""

    metric: Text
    """Its name."""
    lag: Duration = 0
    """How much later it moves."""
    elasticity: float | None = None
    """Relative change of it for a relative change of this one."""


class Target(Group):
    """A value to be reached by a day."""

    value: float
    """The value."""
    by: Day
    """The day."""


class Worth(Group):
    """What one unit is worth."""

    per_unit: float
    """Money per unit."""
    currency: Currency
    """ISO 4217 code."""
    of: Text | None = None
    """What the unit is, in words."""


class Detect(Group):
    """How a metric is judged."""

    direction: Literal["both", "up", "down"] = "both"
    """Which shifts count."""
    min_relative_shift: Share = 0.02
    """A smaller shift is not a shift."""
    min_units: Annotated[float, Field(ge=0)] = 10.0
    """Buckets that expect fewer units are not judged."""
    weight: Positive = 1.0
    """Share of the alert budget, relative to the other metrics of the severity."""
    no_data: Literal["alert", "ignore"] = "alert"
    """Whether silence is an alert."""
    season: Literal["auto", "none"] = "auto"
    """The weekly profile: used where it is there, or never."""
    timezone: Annotated[str, AfterValidator(_timezone)] = "UTC"
    """Time zone of the weekly profile, and of buckets of a day or more."""
    accept_after: PositiveDuration = 24 * HOUR
    """A shift that lasts longer becomes the new normal."""


class Alert(Group):
    """What an incident of this metric is to people."""

    severity: Literal["page", "ticket"] = "page"
    """Which budget it spends."""
    runbook_url: Url | None = None
    """What to do about it."""


class Metric(Group):
    """What every kind has."""

    name: Name
    """Unique over all files; a-z, 0-9 and _."""
    kind: str
    """What is measured."""
    description: str | None = None
    """One sentence for whoever is paged."""
    segments: Many[Grouping] = ()
    """Dimensions, or lists of them for combinations."""
    bucket: PositiveDuration = MINUTE
    """What is judged, when closed."""
    window: PositiveDuration | None = None
    """Length of the rolling value; the bucket by default."""
    tier: Literal["north_star", "health", "input"] | None = None
    """Place in the metric tree."""
    role: Literal["leading", "lagging"] | None = None
    """Whether it moves before or after the outcome."""
    heart: Literal["happiness", "engagement", "adoption", "retention", "task_success"] | None = None
    """HEART category."""
    better: Literal["up", "down"] = "up"
    """Tells a regression from an improvement."""
    unit_name: str | None = None
    """For axes and texts."""
    owner: str | None = None
    """Who answers for it."""
    review_by: Day | None = None
    """When the definition is to be looked at again."""
    status: Literal["active", "deprecated"] = "active"
    """A deprecated metric names its successor."""
    successor: Text | None = None
    """The metric to use instead."""
    known_limitations: str | None = None
    """What it does not show."""
    drives: Many[Driver] = ()
    """Metrics that this one moves."""
    target: Target | None = None
    """A value to be reached."""
    worth: Worth | None = None
    """Money per unit."""
    detect: Detect = Detect()
    """How it is judged."""
    alert: Alert = Alert()
    """What its incidents are."""

    @property
    def window_us(self) -> int:
        """Length of the rolling value."""
        return self.window or self.bucket


class Count(Metric):
    """Number of events."""

    kind: Literal["count"]
    of: EventSelector


class Sum(Metric):
    """Sum of a numeric field."""

    kind: Literal["sum"]
    of: ValueSelector


class Mean(Metric):
    """Mean of a numeric field."""

    kind: Literal["mean"]
    of: ValueSelector


class Ratio(Metric):
    """Quotient of two counts or sums."""

    kind: Literal["ratio"]
    numerator: Selector
    denominator: Selector


class Uniques(Metric):
    """Distinct units."""

    kind: Literal["uniques"]
    of: EventSelector
    unit: Text = "actor"


class Quantile(Metric):
    """A quantile of a numeric field."""

    kind: Literal["quantile"]
    of: ValueSelector
    q: Share


class Conversion(Metric):
    """Share of the units that start and then finish."""

    kind: Literal["conversion"]
    start: EventSelector
    finish: EventSelector
    within: PositiveDuration
    unit: Text = "actor"


class Funnel(Metric):
    """Share of the units that reach the last step."""

    kind: Literal["funnel"]
    steps: Many[EventSelector]
    within: PositiveDuration
    unit: Text = "actor"


class Retention(Metric):
    """Share of a cohort that is back on the k-th day."""

    kind: Literal["retention"]
    cohort: EventSelector
    returns: EventSelector
    day: Annotated[int, Field(ge=1, le=365)]
    unit: Text = "actor"
    bucket: PositiveDuration = DAY


class Derived(Metric):
    """Arithmetic over other metrics."""

    kind: Literal["derived"]
    formula: Text


AnyMetric = Annotated[
    Count | Sum | Mean | Ratio | Uniques | Quantile | Conversion | Funnel | Retention | Derived,
    Field(discriminator="kind"),
]

KINDS: dict[str, type[Metric]] = {
    "count": Count,
    "sum": Sum,
    "mean": Mean,
    "ratio": Ratio,
    "uniques": Uniques,
    "quantile": Quantile,
    "conversion": Conversion,
    "funnel": Funnel,
    "retention": Retention,
    "derived": Derived,
}

UNIT_KINDS = frozenset({"uniques", "conversion", "funnel", "retention"})
"""Kinds that keep keyed hashes of units."""


class MetricsFile(Group):
    """A file of `metrics/`."""

    metrics: Many[AnyMetric]
    """The definitions."""

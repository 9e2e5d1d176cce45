"""What the metrics want of one event name, compiled from the plan."""

from dataclasses import dataclass
from operator import attrgetter

from monitor.definitions.plan import Calendar, Condition, Form, Measure, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Which events a measure takes.

    Attributes:
        where: conditions that must all hold.
        field: the numeric field that must be present, if any.
        unit: what must be present to be counted by it: `actor`, or the name of a dimension, if any.
    """

    where: tuple[Condition, ...]
    field: str | None
    unit: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is kept of one event name.

    Attributes:
        event: its name.
        dimensions: what its series are told apart by, sorted.
        fields: numeric fields that are summed, binned or must be present, sorted.
        summed: those of them that are summed.
        binned: those of them of which quantiles are kept.
        units: what different ones are counted of: `actor`, or names of dimensions.
        picked: names that are looked for among an event's dimensions: `dimensions` first, then what
            else is looked up.
        conditions: the distinct conditions of the selectors.
        selectors: the distinct selections that measures make.
        calendars: by selector, indices (into the plan's calendars) of the metrics' that make it.
    """

    event: str
    dimensions: tuple[str, ...]
    fields: tuple[str, ...]
    summed: frozenset[str]
    binned: frozenset[str]
    units: frozenset[str]
    selectors: tuple[Selector, ...]
    calendars: tuple[tuple[int, ...], ...]

    picked: tuple[str, ...]
    conditions: tuple[Condition, ...]


def selector_of(measure: Measure) -> Selector:
    """The events that a measure takes."""
    field = measure.value or measure.needs
    return Selector(where=measure.where, field=field, unit=measure.unit)


def calendars_of(plan: Plan) -> tuple[Calendar, ...]:
    """The distinct calendars of a plan, by width and time zone."""
    calendars = {metric.calendar for metric in plan.metrics}
    return tuple(sorted(calendars, key=attrgetter("width_us", "timezone")))


def shapes_of(plan: Plan) -> dict[str, Shape]:
    """The shape of every event name that some metric uses."""
    calendars = calendars_of(plan)
    events = sorted({measure.event for metric in plan.metrics for measure in metric.measures})
    return {event: _shape(plan, event, calendars) for event in events}


def _shape(plan: Plan, event: str, calendars: tuple[Calendar, ...]) -> Shape:
    dimensions: set[str] = set()
    values: dict[Form, set[str]] = {form: set() for form in Form}
    made: dict[Selector, set[int]] = {}
    for metric in plan.metrics:
        for measure in metric.measures:
            if measure.event != event:
                continue
            dimensions.update(name for grouping in metric.groupings for name in grouping)
            values[measure.form].update([measure.value] if measure.value else [])
            used = made.setdefault(selector_of(measure), set())
            used.add(calendars.index(metric.calendar))
    conditions = sorted({condition for selector in made for condition in selector.where})
    looked_up = {field for field, _, _ in conditions}
    return Shape(
        event=event,
        dimensions=tuple(sorted(dimensions)),
        picked=(*sorted(dimensions), *sorted(looked_up - dimensions)),
        conditions=tuple(conditions),
        fields=tuple(sorted({selector.field for selector in made if selector.field})),
        summed=frozenset(values[Form.SUM]),
        binned=frozenset(values[Form.QUANTILE]),
        units=frozenset(selector.unit for selector in made if selector.unit),
        selectors=tuple(made),
        calendars=tuple(tuple(sorted(used)) for used in made.values()),
    )

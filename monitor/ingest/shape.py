"""What the metrics want of one event name, compiled from the plan."""

from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from monitor.definitions.plan import Calendar, Condition, Form, Measure, MetricPlan, Plan

ACTOR: Final = "actor"
"""The unit that is no dimension."""


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
class Want:
    """What a metric wants of one event name: for a measure, or for a step of its cohort.

    Attributes:
        event: the event name.
        selector: which of its events.
        groupings: whose series these events belong to.
        form: how the measure is accumulated; None of a step, which keeps who did it and when.
        value: the numeric field that is accumulated, if any.
    """

    event: str
    selector: Selector
    groupings: tuple[tuple[str, ...], ...]
    form: Form | None
    value: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is kept of one event name.

    Attributes:
        event: its name.
        dimensions: what its series are told apart by, sorted.
        fields: numeric fields that are summed, binned or must be present, sorted.
        summed: those of them that are summed.
        binned: those of them of which quantiles are kept.
        units: what different ones are kept of: `actor`, or names of dimensions.
        timed: those of them of which it is kept when they did it.
        picked: names that are looked for among an event's dimensions: `dimensions` first, then what
            else is looked up.
        conditions: the distinct conditions of the selectors.
        selectors: the distinct selections that measures and steps make.
        calendars: by selector, indices (into the plan's calendars) of the metrics' that make it.
        looked_up: fields that the conditions look at, sorted.
        needed: names of all that some metric needs: dimensions, fields, units; sorted.
    """

    event: str
    dimensions: tuple[str, ...]
    fields: tuple[str, ...]
    summed: frozenset[str]
    binned: frozenset[str]
    units: frozenset[str]
    timed: frozenset[str]
    selectors: tuple[Selector, ...]
    calendars: tuple[tuple[int, ...], ...]

    picked: tuple[str, ...]
    conditions: tuple[Condition, ...]
    looked_up: tuple[str, ...]
    needed: tuple[str, ...]

    @property
    def numbers(self) -> tuple[str, ...]:
        """Names that are looked for among an event's values, sorted."""
        return tuple(sorted({*self.fields, *self.looked_up}))

    @property
    def given_bit(self) -> int:
        """Place of the first of the bits that tell which looked up fields are values of the event.

        Before it stand those of the fields that are present, and of the conditions.
        """
        return len(self.fields) + len(self.conditions)

    @property
    def unit_bit(self) -> int:
        """Place of the first of the bits that tell which units (sorted) an event lacks."""
        return self.given_bit + len(self.looked_up)


def selector_of(measure: Measure) -> Selector:
    """The events that a measure takes."""
    field = measure.value or measure.needs
    return Selector(where=measure.where, field=field, unit=measure.unit)


_WHOLE: Final[tuple[tuple[str, ...], ...]] = ((),)


def wants_of(metric: MetricPlan) -> tuple[Want, ...]:
    """What a metric wants: by measure that events add to, then by step of its cohorts."""
    counted = tuple(
        Want(
            event=measure.event,
            selector=selector_of(measure),
            groupings=metric.groupings,
            form=measure.form,
            value=measure.value,
        )
        for _, measure in metric.counted
    )
    return (*counted, *(want for want, _ in steps_of(metric)))


def steps_of(metric: MetricPlan) -> tuple[tuple[Want, bool], ...]:
    """By step of its cohorts, one cohort after the other, what it wants and whether it is a start.

    A unit belongs to the series of its start: later steps are kept for the whole alone.
    """
    return tuple(
        (
            Want(
                event=step.event,
                selector=Selector(where=step.where, field=None, unit=of.cohort.unit),
                groupings=_WHOLE if place else metric.event_groupings,
                form=None,
            ),
            place == 0,
        )
        for of in metric.followed
        for place, step in enumerate(of.cohort.steps)
    )


def calendars_of(plan: Plan) -> tuple[Calendar, ...]:
    """The distinct calendars of a plan, by width and time zone."""
    calendars = {metric.calendar for metric in plan.metrics}
    return tuple(sorted(calendars, key=attrgetter("width_us", "timezone")))


def shapes_of(plan: Plan) -> dict[str, Shape]:
    """The shape of every event name that some metric uses."""
    calendars = calendars_of(plan)
    wants: dict[str, list[tuple[int, Want]]] = {}
    for metric in plan.metrics:
        for want in wants_of(metric):
            wants.setdefault(want.event, []).append((calendars.index(metric.calendar), want))
    return {event: _shape(event, wants[event]) for event in sorted(wants)}


def _shape(event: str, wants: list[tuple[int, Want]]) -> Shape:
    """The shape of an event name, of what is wanted of it, each with the index of its calendar."""
    dimensions: set[str] = set()
    values: dict[Form | None, set[str]] = {form: set() for form in (*Form, None)}
    made: dict[Selector, set[int]] = {}
    timed: set[str] = set()
    for calendar, want in wants:
        dimensions.update(name for grouping in want.groupings for name in grouping)
        values[want.form].update([want.value] if want.value else [])
        made.setdefault(want.selector, set()).add(calendar)
        timed.update([want.selector.unit] if want.form is None and want.selector.unit else [])
    conditions = sorted({condition for selector in made for condition in selector.where})
    looked_up = {field for field, _, _ in conditions}
    fields = {selector.field for selector in made if selector.field}
    units = {selector.unit for selector in made if selector.unit}
    return Shape(
        event=event,
        dimensions=tuple(sorted(dimensions)),
        picked=(*sorted(dimensions), *sorted(looked_up - dimensions)),
        conditions=tuple(conditions),
        looked_up=tuple(sorted(looked_up)),
        needed=tuple(sorted(dimensions | looked_up | fields | units)),
        fields=tuple(sorted(fields)),
        summed=frozenset(values[Form.SUM]),
        binned=frozenset(values[Form.QUANTILE]),
        units=frozenset(units),
        timed=frozenset(timed),
        selectors=tuple(made),
        calendars=tuple(tuple(sorted(used)) for used in made.values()),
    )

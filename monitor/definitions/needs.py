"""Which lines a metric uses, and which fields they need."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from monitor.definitions.plan import Condition, Form, MetricPlan

ACTOR = "actor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """The lines that one measure of a metric, or one step of its units, takes.

    Attributes:
        event: the event name.
        fields: without one of them a line is not taken. Where a condition is met by what is absent
            (`not`), its field is not among them.
        by_segment: whether the lines of a segment are those that have its dimensions: of steps after
            the first the unit tells the segment, not the line.
        counts_lines: whether a line that comes twice is taken twice; units are not.
    """

    event: str
    fields: tuple[str, ...]
    by_segment: bool = True
    counts_lines: bool = True


def uses_of(metric: MetricPlan) -> tuple[Use, ...]:
    """By measure or, of a cohort's metric, by step."""
    of_units = tuple(
        Use(
            event=step.event,
            fields=_required(step.where, [followed.cohort.unit]),
            by_segment=place == 0,
            counts_lines=False,
        )
        for followed in metric.followed
        for place, step in enumerate(followed.cohort.steps)
    )
    return of_units + tuple(
        Use(
            event=measure.event,
            fields=_required(measure.where, [measure.value, measure.needs, measure.unit]),
            counts_lines=measure.form is not Form.UNIQUES,
        )
        for _, measure in metric.counted
    )


def _required(where: Iterable[Condition], more: Iterable[str | None]) -> tuple[str, ...]:
    conditions = {field for field, operator, _ in where if operator != "not_in"}
    return tuple(sorted(conditions | {field for field in more if field}))


def line_fields(metric: MetricPlan) -> Mapping[str, tuple[str, ...]]:
    """By event name of the metric, every field that it looks for in a line, dimensions included."""
    wheres = [(m.event, m.where) for _, m in metric.counted]
    wheres += [(s.event, s.where) for of in metric.followed for s in of.cohort.steps]
    out: dict[str, set[str]] = {event: {field for field, _, _ in where} for event, where in wheres}
    for event, where in wheres:
        out[event].update(field for field, _, _ in where)
    for use in uses_of(metric):
        out[use.event].update(use.fields)
        if use.by_segment:
            out[use.event].update(name for names in metric.event_groupings for name in names)
    return {event: tuple(sorted(fields)) for event, fields in out.items()}

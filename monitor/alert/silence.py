"""The first sentence of silence: both readings, and what goes on beside it."""

import math
from dataclasses import dataclass

from monitor.alert.text import moment, number
from monitor.definitions.needs import uses_of
from monitor.definitions.plan import MetricPlan
from monitor.definitions.quality import EVENT, VOLUME
from monitor.model.incident import Incident
from monitor.model.segment import parse_segment

OTHERS = 3
"""Event names that are listed as going on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """What arrives while a series is silent.

    Attributes:
        names: other event names that come as usual, most frequent first.
        known: whether there are other names that are counted by name: those that a metric uses.
        same_place: whether the names are those from the app version of the silent segment.
        heard: whether anything at all has arrived lately; None where not known.
    """

    names: tuple[str, ...] = ()
    known: bool = False
    same_place: bool = False
    heard: bool | None = None


NOTHING_KNOWN = Others()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A segment of a whole that fell silent.

    Attributes:
        dimension, segment: which.
        expected: how many units were expected since it fell silent.
        going_on: what else arrives.
    """

    dimension: str
    segment: str
    expected: float
    going_on: Others


def because_of(plan: MetricPlan, part: Part) -> str:
    """What is said of a whole's fall where most of it is the silence of one segment."""
    place = _place(plan, part.dimension, part.segment)
    return (
        f", as no {_events(plan, part.dimension, part.segment)} comes{place} any more ({number(part.expected)} expected: "
        f"{_readings(place, part.going_on)})"
    )


def headline(
    plan: MetricPlan,
    incident: Incident,
    started_us: int,
    *,
    expected: float,
    going_on: Others,
    none_came: bool = False,
    seen: str = "",
) -> str:
    """What stopped, where, since when, how much was expected; and what that may mean.

    Args:
        plan: the metric.
        incident: of its series.
        started_us: since when it is silent.
        expected: units expected since then; NaN where unknown.
        going_on: what else arrives.
        none_came: whether it is known that nothing has come since then.
        seen: what was seen of its lines that accounts for it.
    """
    place = _place(plan, incident.dimension, incident.segment)
    events = _events(plan, incident.dimension, incident.segment)
    since = f"since {moment(started_us)}"
    units = f", {number(expected)} expected" if math.isfinite(expected) and expected > 0 else ""
    heard = 0 if none_came or incident.relative_shift is None else incident.n
    what = f"no {events}{place} {since}{units}"
    if heard:
        what = f"no {events}{place} any more {since}, {number(heard)} of{units[1:] or ' many'}"
    told = f"; {seen}" if seen else ""
    return f"{plan.name}: {what}: {_readings(place, going_on)}{told}."


def _readings(place: str, others: Others) -> str:
    if others.heard is False and not others.names:
        return "either everything stopped or events do not reach the monitor: nothing else arrives"
    either = "either it stopped or its tracking did"
    if others.names:
        names = ", ".join(others.names[:OTHERS])
        return f"{either}; {names} {'goes' if len(others.names) == 1 else 'go'} on as usual"
    if place and others.same_place:
        return f"{either}; nothing else{place} goes on as usual either"
    if others.known:
        return f"{either}; no other event that a metric uses goes on as usual either"
    return f"{either}; other events go on" if others.heard else either


def _events(plan: MetricPlan, dimension: str, segment: str) -> str:
    """The event that a series rests on: of a quotient that of its denominator, of units their start."""
    if plan.name == VOLUME:
        return _values(dimension, segment).get(EVENT, "event that a metric uses")
    uses = uses_of(plan)
    if not uses:
        return "data"
    use = uses[-1] if plan.kind == "ratio" else uses[0]
    names = sorted({one.event for one in uses}) if plan.kind == "derived" else [use.event]
    selected = any(measure.where for measure in plan.measures if measure.event == use.event)
    counted = (
        f" that {plan.name} counts" if selected and plan.kind in ("count", "sum", "uniques") else ""
    )
    return " or ".join(names) + counted


def _place(plan: MetricPlan, dimension: str, segment: str) -> str:
    """Where, for a sentence; nothing for the whole.

    A segment is one CSV row of the values of its dimensions.
    """
    if dimension == "all":
        return ""
    values = _values(dimension, segment)
    if plan.name == VOLUME:
        values.pop(EVENT, None)
    told = ", ".join(f"{name}={value}" for name, value in values.items())
    return f" from {told}" if told else ""


def _values(dimension: str, segment: str) -> dict[str, str]:
    return dict(zip(parse_segment(dimension), parse_segment(segment), strict=False))

"""From the definition of a conversion, a funnel or a retention to its `Cohort`."""

from typing import Any

from monitor.definitions.plan import Cohort, Measure, UnitStep
from monitor.definitions.schema import Conversion, Funnel, Metric, Retention
from monitor.definitions.where import EventSelector


def cohort_of(metric: Metric) -> Cohort | None:
    """How a metric follows units; None where it follows none."""
    steps: tuple[EventSelector, ...]
    match metric:
        case Conversion():
            steps, within_us, day = (metric.start, metric.finish), metric.within, 0
        case Funnel():
            steps, within_us, day = metric.steps, metric.within, 0
        case Retention():
            steps, within_us, day = (metric.cohort, metric.returns), 0, metric.day
        case _:
            return None
    return Cohort(steps=tuple(map(_step, steps)), unit=metric.unit, within_us=within_us, day=day)


def _step(of: EventSelector) -> UnitStep:
    return UnitStep(event=of.event, where=of.conditions)


def measures_of(cohort: Cohort) -> tuple[Measure, ...]:
    """Its measures, named after the events that they count the units of."""
    first, last = cohort.steps[0], cohort.steps[-1]
    return (
        Measure(name="converted", event=last.event, where=last.where),
        Measure(name="units", event=first.event, where=first.where),
    )


def measured(cohort: Cohort, timezone: str) -> list[Any]:
    """What tells a cohort from others, as JSON has it.

    Args:
        cohort: how units are followed.
        timezone: of the metric's season, whose days a retention counts, whatever its bucket.
    """
    steps = [[step.event, step.where] for step in cohort.steps]
    of_days = [cohort.day, timezone] if cohort.day else []
    return [steps, cohort.unit, cohort.within_us, *of_days]

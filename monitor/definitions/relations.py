"""Checks between metrics: names, formulas, `drives`, `successor`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.definitions import formula
from monitor.definitions.mistake import Fault, did_you_mean
from monitor.definitions.schema import Derived, Metric
from monitor.model.quantity import format_duration
from monitor.model.time import DAY


@dataclass(slots=True, kw_only=True)
class Named:
    """The metrics by name, for checks between them.

    Attributes:
        names: every name that is written, also of metrics that have other mistakes.
        metrics: the first metric of each name.
        formulas: the formulas that could be read, by the name of their metric.
    """

    names: frozenset[str]
    metrics: Mapping[str, Metric]
    formulas: dict[str, formula.Formula] = field(default_factory=dict)


def gather(metrics: Sequence[Metric]) -> Named:
    """The metrics by name; of a name used twice, the first."""
    named = {metric.name: metric for metric in reversed(metrics)}
    known = Named(names=frozenset(named), metrics=named)
    for metric in metrics:
        if isinstance(metric, Derived) and metric.formula is not None:
            try:
                known.formulas.setdefault(metric.name, formula.parse(metric.formula))
            except formula.FormulaError:
                continue
    return known


def check_relations(metric: Metric, known: Named) -> Iterator[Fault]:
    """Every fault of one metric towards the others."""
    yield from _drives(metric, known)
    yield from _successor(metric, known)
    if isinstance(metric, Derived) and metric.formula is not None:
        yield from _formula(metric, known)


def _unknown(name: str, own: str, known: Named) -> str:
    return f"{name!r} is not a metric" + did_you_mean(name, known.names - {own})


def _drives(metric: Metric, known: Named) -> Iterator[Fault]:
    seen = set()
    for i, driver in enumerate(metric.drives):
        path = ("drives", i, "metric")
        if driver.metric == metric.name:
            yield Fault(path=path, message=f"drives[{i}] names the metric itself; remove it")
        elif driver.metric not in known.names:
            text = _unknown(driver.metric, metric.name, known)
            yield Fault(path=path, message=f"drives[{i}].metric {text}")
        elif driver.metric in seen:
            yield Fault(path=path, message=f"drives[{i}] names {driver.metric!r} a second time")
        seen.add(driver.metric)


def _successor(metric: Metric, known: Named) -> Iterator[Fault]:
    if metric.successor is None:
        return
    if metric.successor == metric.name:
        yield Fault(path=("successor",), message="successor names the metric itself")
    elif metric.successor not in known.names:
        text = _unknown(metric.successor, metric.name, known)
        yield Fault(path=("successor",), message=f"successor {text}")


def _formula(metric: Derived, known: Named) -> Iterator[Fault]:
    path = ("formula",)
    try:
        inputs = formula.parse(metric.formula).metrics
    except formula.FormulaError as error:
        yield Fault(path=path, message=f"formula {error}")
        return
    for name in inputs:
        if name not in known.names:
            yield Fault(path=path, message=f"formula: {_unknown(name, metric.name, known)}")
        elif name != metric.name and name in known.metrics:
            for reason in _unlike(metric, known.metrics[name]):
                yield Fault(path=path, message=f"formula: {reason}")
    cycle = _cycle(metric.name, known)
    if cycle:
        yield Fault(path=path, message=f"formula goes in a circle: {' -> '.join(cycle)}")


def _unlike(metric: Metric, other: Metric) -> Iterator[str]:
    if other.bucket != metric.bucket:
        yield (
            f"{other.name!r} has the bucket {format_duration(other.bucket)}, "
            f"this metric {format_duration(metric.bucket)}; they must be the same"
        )
    elif metric.bucket >= DAY and other.detect.timezone != metric.detect.timezone:
        yield (
            f"{other.name!r} has days of the time zone {other.detect.timezone}, "
            f"this metric of {metric.detect.timezone}; they must be the same"
        )
    theirs = {frozenset(grouping) for grouping in other.segments}
    lacking = [g for g in metric.segments if frozenset(g) not in theirs]
    for grouping in lacking:
        text = grouping[0] if len(grouping) == 1 else f"[{', '.join(grouping)}]"
        yield f"{other.name!r} lacks the segment {text}; add it there or remove it here"


def _cycle(start: str, known: Named) -> list[str]:
    """The shortest way from a metric back to itself; told by its first name only."""
    ways, seen = [[start]], {start}
    while ways:
        way = ways.pop(0)
        inputs = known.formulas[way[-1]].metrics if way[-1] in known.formulas else ()
        if start in inputs:
            return [*way, start] if start == min(way) else []
        for name in inputs:
            if name not in seen:
                seen.add(name)
                ways.append([*way, name])
    return []

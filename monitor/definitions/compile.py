"""From a configuration to the `Plan` that ingest and the core work by."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import xxhash

from monitor.definitions import cohorts, formula
from monitor.definitions.budget import (
    TICKET_FACTOR,
    drift_log_threshold,
    groupings_of,
    log_thresholds,
)
from monitor.definitions.formula import Tree
from monitor.definitions.load import Configuration
from monitor.definitions.plan import (
    Calendar,
    Condition,
    Followed,
    Form,
    Law,
    Measure,
    MetricPlan,
    Plan,
    Reading,
    own_reading,
)
from monitor.definitions.quality import Budget, quality_metrics
from monitor.definitions.schema import (
    Conversion,
    Count,
    Derived,
    Funnel,
    Mean,
    Metric,
    Quantile,
    Ratio,
    Retention,
    Sum,
    Uniques,
)
from monitor.definitions.where import Selector, ValueSelector
from monitor.model.time import DAY

_EPOCH = date(1970, 1, 1)

Named = Mapping[str, Metric]


def compile_plan(configuration: Configuration, *, shards: int | None = None) -> Plan:
    """The plan of a configuration.

    Args:
        configuration: what was loaded.
        shards: partitions of the log; by default those of the Kafka journal, 1 without a broker.
    """
    settings = configuration.settings
    journal = settings.kafka_journal
    metrics = configuration.metrics
    named = {metric.name: metric for metric in metrics}
    plan = Plan(
        metrics=tuple(_metric(metric, configuration, named) for metric in metrics),
        allowed_lateness_us=settings.allowed_lateness,
        restatement_window_us=settings.restatement_window,
        max_clock_skew_us=settings.max_clock_skew,
        holidays=tuple(sorted({(day - _EPOCH).days for day in settings.holidays})),
        idle_timeout_us=settings.idle_timeout,
        cardinality=settings.cardinality.per_dimension,
        shards=shards or (journal.shards if journal else 1),
        hash_key=configuration.hash_key,
    )
    budget = settings.alert_budget
    quality = quality_metrics(
        plan.metrics,
        budget=Budget(alarms=budget.pages * TICKET_FACTOR, per_us=budget.per),
        cardinality=plan.cardinality,
        base_us=plan.base_us,
        arrival=settings.source.kafka is not None,
    )
    return replace(plan, quality=quality)


def _metric(metric: Metric, configuration: Configuration, named: Named) -> MetricPlan:
    settings, detect = configuration.settings, metric.detect
    tree = _written_out(metric.formula, named) if isinstance(metric, Derived) else None
    measures, more = _measures(metric), []
    inputs: tuple[Reading, ...] = ()
    of_inputs: tuple[Followed, ...] = ()
    if tree is not None:
        measures, inputs, of_inputs = _inputs(tree, named)
        more = [tree, *(cohorts.measured(of.cohort, of.timezone) for of in of_inputs)]
    cohort = cohorts.cohort_of(metric)
    if cohort is not None:
        measures, more = cohorts.measures_of(cohort), cohorts.measured(cohort, detect.timezone)
    groupings = groupings_of(metric)
    calendar = Calendar(width_us=metric.bucket, timezone=detect.timezone)
    return MetricPlan(
        name=metric.name,
        kind=metric.kind,
        measures=measures,
        groupings=groupings,
        calendar=calendar,
        window_us=metric.window_us,
        season_timezone=detect.timezone,
        law=_law(metric),
        severity=metric.alert.severity,
        direction=detect.direction,
        min_relative_shift=detect.min_relative_shift,
        min_units=detect.min_units,
        no_data=detect.no_data,
        accept_after_us=detect.accept_after,
        log_threshold=log_thresholds(
            metric,
            configuration.metrics,
            settings.alert_budget,
            settings.cardinality.per_dimension,
        ),
        drift_log_threshold=drift_log_threshold(
            metric, configuration.metrics, settings.alert_budget
        ),
        formula=_formula(metric, measures, groupings, calendar, more),
        better=metric.better,
        owner=metric.owner,
        unit_name=metric.unit_name,
        runbook_url=metric.alert.runbook_url,
        description=metric.description,
        tier=metric.tier,
        role=metric.role,
        definition=json.dumps(configuration.written[metric.name], ensure_ascii=False),
        inputs=inputs,
        tree=tree,
        cohort=cohort,
        cohorts=of_inputs,
    )


def _written_out(text: str, named: Named) -> Tree:
    """The arithmetic of a formula, with the formulas of derived inputs in their places."""

    def out(tree: Tree) -> Tree:
        if isinstance(tree, tuple):
            return (tree[0], out(tree[1]), out(tree[2]))
        metric = named[tree] if isinstance(tree, str) else None
        return _written_out(metric.formula, named) if isinstance(metric, Derived) else tree

    return out(formula.parse(text).tree)


def _inputs(
    tree: Tree, named: Named
) -> tuple[tuple[Measure, ...], tuple[Reading, ...], tuple[Followed, ...]]:
    """The measures of all inputs of a formula, each under `METRIC.MEASURE`, their readings and cohorts."""
    measures: list[Measure] = []
    readings: list[Reading] = []
    followed: list[Followed] = []
    for name in sorted(_names(tree)):
        metric, first = named[name], len(measures)
        readings.append(own_reading(name, metric.kind, first))
        own, cohort = _measures(metric), cohorts.cohort_of(metric)
        if cohort is not None:
            own = cohorts.measures_of(cohort)
            timezone = metric.detect.timezone if cohort.day else ""
            followed.append(Followed(cohort=cohort, first=first, timezone=timezone))
        measures += [replace(one, name=f"{name}.{one.name}") for one in own]
    return tuple(measures), tuple(readings), tuple(followed)


def _names(tree: Tree) -> set[str]:
    if isinstance(tree, tuple):
        return _names(tree[1]) | _names(tree[2])
    return {tree} if isinstance(tree, str) else set()


def _measures(metric: Metric) -> tuple[Measure, ...]:
    match metric:
        case Count():
            of = metric.of
            return (Measure(name="count", event=of.event, where=of.conditions),)
        case Ratio():
            return (
                _selected("numerator", metric.numerator),
                _selected("denominator", metric.denominator),
            )
        case Sum() | Mean():
            return _total_and_count(metric.of)
        case Uniques():
            return (_uniques(metric),)
        case Quantile():
            return _quantile_and_count(metric)
        case _:
            return ()


def _selected(name: str, of: Selector) -> Measure:
    return Measure(name=name, event=of.event, where=of.conditions, value=of.value)


def _total_and_count(of: ValueSelector) -> tuple[Measure, ...]:
    return (
        Measure(name="sum", event=of.event, where=of.conditions, value=of.value),
        Measure(name="count", event=of.event, where=of.conditions, needs=of.value),
    )


def _uniques(metric: Uniques) -> Measure:
    of = metric.of
    return Measure(
        name="uniques", event=of.event, where=of.conditions, form=Form.UNIQUES, unit=metric.unit
    )


def _quantile_and_count(metric: Quantile) -> tuple[Measure, ...]:
    of = metric.of
    return (
        Measure(
            name="quantile",
            event=of.event,
            where=of.conditions,
            value=of.value,
            form=Form.QUANTILE,
            q=metric.q,
        ),
        Measure(name="count", event=of.event, where=of.conditions, needs=of.value),
    )


def _law(metric: Metric) -> Law:
    match metric:
        case Conversion() | Funnel() | Retention():
            return Law.BETA_BINOMIAL
        case Count() | Uniques():
            return Law.NEGATIVE_BINOMIAL
        case Quantile():
            return Law.QUANTILE
        case Sum():
            return Law.NORMAL_SUM
        case Ratio() if _is_subset(metric.numerator, metric.denominator):
            return Law.BETA_BINOMIAL
        case _:
            return Law.NORMAL_MEAN


def _is_subset(part: Selector, of: Selector) -> bool:
    """Whether every event of `part` is one of `of`, both counted."""
    if part.event != of.event or part.value is not None or of.value is not None:
        return False
    return all(any(_implies(have, need) for have in part.conditions) for need in of.conditions)


def _implies(have: Condition, need: Condition) -> bool:
    if have == need:
        return True
    if have[0] != need[0]:
        return False
    operands = set(have[2]), set(need[2])
    match have[1], need[1]:
        case "in", "in":
            return operands[0] <= operands[1]
        case "not_in", "not_in":
            return operands[0] >= operands[1]
        case "in", "not_in":
            return operands[0].isdisjoint(operands[1])
        case _:
            return False


def _formula(
    metric: Metric,
    measures: tuple[Measure, ...],
    groupings: tuple[tuple[str, ...], ...],
    calendar: Calendar,
    more: Sequence[Any],
) -> str:
    """Hash of what is measured, and of nothing else: state under another hash does not fit."""
    measured: list[Any] = [
        metric.kind,
        [_measured(measure) for measure in measures],
        groupings,
        calendar.width_us,
        calendar.timezone if calendar.width_us >= DAY else None,
        *more,
    ]
    return xxhash.xxh64_hexdigest(json.dumps(measured, separators=(",", ":")).encode())


def _measured(measure: Measure) -> list[Any]:
    """What tells a measure from others."""
    of = [measure.name, measure.event, measure.where, measure.value, measure.needs]
    return of if measure.form is Form.SUM else [*of, measure.form, measure.unit, measure.q]

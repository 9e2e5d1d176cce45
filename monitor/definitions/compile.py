"""From a configuration to the `Plan` that ingest and the core work by."""

import json
from typing import Any

import xxhash

from monitor.definitions.budget import log_thresholds
from monitor.definitions.load import Configuration
from monitor.definitions.plan import Calendar, Condition, Law, Measure, MetricPlan, Plan
from monitor.definitions.schema import Count, Mean, Metric, Ratio, Sum
from monitor.definitions.where import Selector, ValueSelector
from monitor.model.time import DAY

Served = Count | Sum | Mean | Ratio
"""The kinds that ingest and the core know."""


def compile_plan(configuration: Configuration, *, shards: int | None = None) -> Plan:
    """The plan of a configuration; kinds that are not served yet are named in `unserved`.

    Args:
        configuration: what was loaded.
        shards: partitions of the log; by default those of the Kafka journal, 1 without a broker.
    """
    settings = configuration.settings
    journal = settings.kafka_journal
    metrics = configuration.metrics
    return Plan(
        metrics=tuple(
            _metric(metric, configuration) for metric in metrics if isinstance(metric, Served)
        ),
        allowed_lateness_us=settings.allowed_lateness,
        restatement_window_us=settings.restatement_window,
        max_clock_skew_us=settings.max_clock_skew,
        idle_timeout_us=settings.idle_timeout,
        cardinality=settings.cardinality.per_dimension,
        shards=shards or (journal.shards if journal else 1),
        unserved=tuple(m.name for m in metrics if not isinstance(m, Served)),
    )


def _metric(metric: Served, configuration: Configuration) -> MetricPlan:
    settings, detect = configuration.settings, metric.detect
    measures = _measures(metric)
    groupings = ((), *metric.segments)
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
        formula=_formula(metric, measures, groupings, calendar),
        better=metric.better,
        owner=metric.owner,
        unit_name=metric.unit_name,
        runbook_url=metric.alert.runbook_url,
        description=metric.description,
        tier=metric.tier,
        role=metric.role,
        definition=json.dumps(configuration.written[metric.name], ensure_ascii=False),
    )


def _measures(metric: Served) -> tuple[Measure, ...]:
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


def _selected(name: str, of: Selector) -> Measure:
    return Measure(name=name, event=of.event, where=of.conditions, value=of.value)


def _total_and_count(of: ValueSelector) -> tuple[Measure, ...]:
    return (
        Measure(name="sum", event=of.event, where=of.conditions, value=of.value),
        Measure(name="count", event=of.event, where=of.conditions, needs=of.value),
    )


def _law(metric: Served) -> Law:
    match metric:
        case Count():
            return Law.NEGATIVE_BINOMIAL
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
) -> str:
    """Hash of what is measured, and of nothing else: state under another hash does not fit."""
    measured: list[Any] = [
        metric.kind,
        [[m.name, m.event, m.where, m.value, m.needs] for m in measures],
        groupings,
        calendar.width_us,
        calendar.timezone if calendar.width_us >= DAY else None,
    ]
    return xxhash.xxh64_hexdigest(json.dumps(measured, separators=(",", ":")).encode())

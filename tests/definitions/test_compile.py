import json
import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from monitor.definitions import Configuration, compile_plan
from monitor.definitions.mistake import MistakesError
from monitor.definitions.plan import (
    Cohort,
    Followed,
    Form,
    Law,
    Measure,
    MetricPlan,
    Reading,
    Role,
    UnitStep,
)
from monitor.model.time import DAY, HOUR, MINUTE

Loader = Callable[..., Configuration]
CONVERSION = "kind: conversion, start: {event: a}, finish: {event: b}"
RETENTION = "kind: retention, cohort: {event: a}, returns: {event: b}, day: 7"


def compiled(loaded: Loader, metric: str, monitor: str = "source: {synthetic: }") -> MetricPlan:
    plan = compile_plan(loaded(f"metrics: [{{name: m, {metric}}}]", monitor))
    return plan.metrics[0]


class TestMeasures:
    def test_count(self, loaded: Loader) -> None:
        plan = compiled(loaded, "kind: count, of: {event: order, where: {b: x, a: {not: y}}}")
        where = (("a", "not_in", ("y",)), ("b", "in", ("x",)))
        assert plan.measures == (Measure(name="count", event="order", where=where),)

    @pytest.mark.parametrize("kind", ["sum", "mean"])
    def test_sum_and_mean(self, loaded: Loader, kind: str) -> None:
        plan = compiled(loaded, f"kind: {kind}, of: {{event: order, value: amount}}")
        assert plan.measures == (
            Measure(name="sum", event="order", value="amount"),
            Measure(name="count", event="order", needs="amount"),
        )

    def test_ratio(self, loaded: Loader) -> None:
        plan = compiled(
            loaded, "kind: ratio, numerator: {event: a, value: v}, denominator: {event: b}"
        )
        assert plan.measures == (
            Measure(name="numerator", event="a", value="v"),
            Measure(name="denominator", event="b"),
        )

    def test_uniques(self, loaded: Loader) -> None:
        plan = compiled(loaded, "kind: uniques, of: {event: a, where: {b: x}}, unit: account")
        assert plan.measures == (
            Measure(
                name="uniques",
                event="a",
                where=(("b", "in", ("x",)),),
                form=Form.UNIQUES,
                unit="account",
            ),
        )
        assert plan.readings == (Reading(metric="m", role=Role.TOTAL, x=0, n=0),)
        assert plan.is_total

    def test_quantile(self, loaded: Loader) -> None:
        plan = compiled(loaded, "kind: quantile, of: {event: a, value: ms}, q: 0.9")
        assert plan.measures == (
            Measure(name="quantile", event="a", value="ms", form=Form.QUANTILE, q=0.9),
            Measure(name="count", event="a", needs="ms"),
        )
        assert plan.readings == (Reading(metric="m", role=Role.LEVEL, x=0, n=1),)
        other = compiled(loaded, "kind: quantile, of: {event: a, value: ms}, q: 0.5")
        assert other.formula != plan.formula

    def test_derived_carries_the_measures_of_its_inputs_written_out(self, loaded: Loader) -> None:
        metrics = """
metrics:
  - {name: n, kind: count, of: {event: a}}
  - {name: p, kind: quantile, of: {event: a, value: ms}, q: 0.9}
  - {name: inner, kind: derived, formula: p / n}
  - {name: outer, kind: derived, formula: 2 * inner + n}
"""
        plan = compile_plan(loaded(metrics))
        outer = next(m for m in plan.metrics if m.name == "outer")
        assert [m.name for m in outer.measures] == ["n.count", "p.quantile", "p.count"]
        assert outer.readings == (
            Reading(metric="n", role=Role.TOTAL, x=0, n=0),
            Reading(metric="p", role=Role.LEVEL, x=1, n=2),
        )
        assert outer.tree == ("+", ("*", 2.0, ("/", "p", "n")), "n")
        inner = next(m for m in plan.metrics if m.name == "inner")
        assert inner.formula != outer.formula
        assert not outer.is_total
        assert outer.followed == ()
        assert [place for place, _ in outer.counted] == [0, 1, 2]

    def test_derived_follows_the_cohorts_of_its_inputs(self, loaded: Loader) -> None:
        metrics = """
metrics:
  - {name: c, kind: conversion, start: {event: a}, finish: {event: b}, within: 1h}
  - {name: n, kind: count, of: {event: a}}
  - name: r
    kind: retention
    cohort: {event: a}
    returns: {event: b}
    day: 2
    bucket: 1m
    detect: {timezone: Asia/Tokyo}
  - {name: inner, kind: derived, formula: c / n}
  - {name: outer, kind: derived, formula: 1 - inner * r}
"""
        plan = compile_plan(loaded(metrics))
        named = {metric.name: metric for metric in plan.metrics}
        outer = named["outer"]
        assert [m.name for m in outer.measures] == [
            "c.converted",
            "c.units",
            "n.count",
            "r.converted",
            "r.units",
        ]
        assert outer.readings == (
            Reading(metric="c", role=Role.QUOTIENT, x=0, n=1),
            Reading(metric="n", role=Role.TOTAL, x=2, n=2),
            Reading(metric="r", role=Role.QUOTIENT, x=3, n=4),
        )
        c, r = named["c"].cohort, named["r"].cohort
        assert c is not None
        assert r is not None
        assert outer.followed == (
            Followed(cohort=c, first=0),
            Followed(cohort=r, first=3, timezone="Asia/Tokyo"),
        )
        assert outer.followed[1] == replace(named["r"].followed[0], first=3)
        assert [place for place, _ in outer.counted] == [2]
        assert outer.cohort is None
        assert named["c"].counted == ()

    @pytest.mark.parametrize(
        ("of", "to"), [("within: 1h", "within: 2h"), ("day: 2", "day: 3"), ("UTC", "Asia/Tokyo")]
    )
    def test_what_it_follows_tells_a_derived_metric_from_others(
        self, loaded: Loader, of: str, to: str
    ) -> None:
        text = """
metrics:
  - {name: c, kind: conversion, start: {event: a}, finish: {event: b}, within: 1h}
  - name: r
    kind: retention
    cohort: {event: a}
    returns: {event: b}
    day: 2
    bucket: 1m
    detect: {timezone: UTC}
  - {name: d, kind: derived, formula: c / r}
"""
        assert text.count(of) == 1
        plans = [compile_plan(loaded(one)).metrics for one in (text, text.replace(of, to))]
        (one,), (other,) = ([m.formula for m in metrics if m.name == "d"] for metrics in plans)
        assert one != other

    def test_conversion(self, loaded: Loader) -> None:
        metric = (
            "kind: conversion, start: {event: a}, finish: {event: b, where: {s: x}}, within: 2h"
        )
        plan = compiled(loaded, metric)
        where = (("s", "in", ("x",)),)
        assert plan.measures == (
            Measure(name="converted", event="b", where=where),
            Measure(name="units", event="a"),
        )
        assert plan.cohort == Cohort(
            steps=(UnitStep(event="a"), UnitStep(event="b", where=where)),
            unit="actor",
            within_us=2 * HOUR,
        )
        assert plan.readings == (Reading(metric="m", role=Role.QUOTIENT, x=0, n=1),)
        assert not plan.is_total

    def test_funnel(self, loaded: Loader) -> None:
        steps = "[{event: a}, {event: b, where: {s: x}}, {event: a}]"
        metric = f"kind: funnel, steps: {steps}, within: 1d, unit: account, segments: [c, [c, p]]"
        plan = compiled(loaded, metric)
        one = UnitStep(event="a")
        assert plan.cohort == Cohort(
            steps=(one, UnitStep(event="b", where=(("s", "in", ("x",)),)), one),
            unit="account",
            within_us=DAY,
        )
        assert [measure.event for measure in plan.measures] == ["a", "a"]
        assert plan.groupings == ((), ("c",), ("c", "p"), ("step",))
        assert plan.event_groupings == ((), ("c",), ("c", "p"))
        assert plan.readings == (Reading(metric="m", role=Role.QUOTIENT, x=0, n=1),)

    def test_retention(self, loaded: Loader) -> None:
        metric = "kind: retention, cohort: {event: a}, returns: {event: b}, day: 7, segments: [c]"
        plan = compiled(loaded, metric)
        assert plan.cohort == Cohort(
            steps=(UnitStep(event="a"), UnitStep(event="b")), unit="actor", day=7
        )
        assert plan.calendar.width_us == DAY
        assert plan.groupings == plan.event_groupings == ((), ("c",))

    def test_conditions_are_in_one_form(self, loaded: Loader) -> None:
        where = "{z: {prefix: p, not: [b, a]}, a: {lt: 9, gte: 2}, b: [true, 3]}"
        plan = compiled(loaded, f"kind: count, of: {{event: e, where: {where}}}")
        assert plan.measures[0].where == (
            ("a", "gte", (2.0,)),
            ("a", "lt", (9.0,)),
            ("b", "in", ("3", "true")),
            ("z", "not_in", ("a", "b")),
            ("z", "prefix", ("p",)),
        )


class TestLaw:
    @pytest.mark.parametrize(
        ("metric", "law"),
        [
            ("kind: count, of: {event: a}", Law.NEGATIVE_BINOMIAL),
            ("kind: uniques, of: {event: a}", Law.NEGATIVE_BINOMIAL),
            ("kind: quantile, of: {event: a, value: v}, q: 0.5", Law.QUANTILE),
            ("kind: sum, of: {event: a, value: v}", Law.NORMAL_SUM),
            ("kind: mean, of: {event: a, value: v}", Law.NORMAL_MEAN),
            (f"{CONVERSION}, within: 1h", Law.BETA_BINOMIAL),
            ("kind: funnel, steps: [{event: a}, {event: b}], within: 1h", Law.BETA_BINOMIAL),
            (RETENTION, Law.BETA_BINOMIAL),
        ],
    )
    def test_by_kind(self, loaded: Loader, metric: str, law: Law) -> None:
        assert compiled(loaded, metric).law is law

    @pytest.mark.parametrize(
        ("numerator", "denominator", "law"),
        [
            ("event: a, where: {s: x}", "event: a", Law.BETA_BINOMIAL),
            ("event: a, where: {s: x, t: y}", "event: a, where: {t: y}", Law.BETA_BINOMIAL),
            ("event: a, where: {s: x}", "event: a, where: {s: [x, y]}", Law.BETA_BINOMIAL),
            ("event: a, where: {s: x}", "event: a, where: {s: {not: y}}", Law.BETA_BINOMIAL),
            (
                "event: a, where: {s: {not: [x, y]}}",
                "event: a, where: {s: {not: y}}",
                Law.BETA_BINOMIAL,
            ),
            ("event: a, where: {s: x}", "event: a, where: {t: y}", Law.NORMAL_MEAN),
            ("event: a, where: {s: [x, z]}", "event: a, where: {s: [x, y]}", Law.NORMAL_MEAN),
            ("event: a, where: {s: {lt: 5}}", "event: a, where: {s: {lt: 9}}", Law.NORMAL_MEAN),
            ("event: a", "event: a, where: {s: x}", Law.NORMAL_MEAN),
            ("event: b", "event: a", Law.NORMAL_MEAN),
            ("event: a, where: {s: x}, value: v", "event: a", Law.NORMAL_MEAN),
            ("event: a, where: {s: x}", "event: a, value: v", Law.NORMAL_MEAN),
        ],
    )
    def test_of_a_ratio_by_whether_it_is_a_share(
        self, loaded: Loader, numerator: str, denominator: str, law: Law
    ) -> None:
        ratio = f"kind: ratio, numerator: {{{numerator}}}, denominator: {{{denominator}}}"
        assert compiled(loaded, ratio).law is law


class TestFormula:
    COUNT = "kind: count, of: {event: a}"

    @pytest.mark.parametrize(
        "more",
        [
            ", owner: me, description: text, window: 1h",
            ", detect: {weight: 5, timezone: Europe/Berlin}",
            ", alert: {severity: ticket}",
        ],
    )
    def test_stays_while_the_same_is_measured(self, loaded: Loader, more: str) -> None:
        assert compiled(loaded, self.COUNT + more).formula == compiled(loaded, self.COUNT).formula

    @pytest.mark.parametrize(
        "other",
        [
            "kind: count, of: {event: b}",
            "kind: count, of: {event: a, where: {x: y}}",
            "kind: count, of: {event: a}, bucket: 5m",
            "kind: count, of: {event: a}, segments: [x]",
            "kind: count, of: {event: a}, bucket: 1d",
            "kind: count, of: {event: a}, bucket: 1d, detect: {timezone: Europe/Berlin}",
        ],
    )
    def test_changes_with_what_is_measured(self, loaded: Loader, other: str) -> None:
        formulas = {compiled(loaded, other).formula, compiled(loaded, self.COUNT).formula}
        assert len(formulas) == 2

    def test_of_days_knows_the_time_zone(self, loaded: Loader) -> None:
        days = self.COUNT + ", bucket: 1d"
        there = days + ", detect: {timezone: Europe/Berlin}"
        assert compiled(loaded, days).formula != compiled(loaded, there).formula

    def test_of_units_follows_how_they_are_followed(self, loaded: Loader) -> None:
        formulas = [
            compiled(loaded, metric).formula
            for metric in (
                f"{CONVERSION}, within: 1h",
                f"{CONVERSION}, within: 2h",
                f"{CONVERSION}, within: 1h, unit: account",
                "kind: conversion, start: {event: a}, finish: {event: c}, within: 1h",
                "kind: funnel, steps: [{event: a}, {event: b}], within: 1h",
                "kind: funnel, steps: [{event: a}, {event: x}, {event: b}], within: 1h",
                "kind: funnel, steps: [{event: a}, {event: y}, {event: b}], within: 1h",
                RETENTION,
                f"{RETENTION}, bucket: 1h",
                f"{RETENTION}, bucket: 1h, detect: {{timezone: Europe/Berlin}}",
                RETENTION.replace("7", "8"),
            )
        ]
        assert len(set(formulas)) == len(formulas)
        there = f"{CONVERSION}, within: 1h, detect: {{timezone: Europe/Berlin}}"
        assert compiled(loaded, there).formula == formulas[0], (
            "its buckets and horizon know no days"
        )

    def test_is_stable(self, loaded: Loader) -> None:
        assert compiled(loaded, self.COUNT).formula == "cd20e39218f343ba"


class TestThresholds:
    def months(self, plan: MetricPlan, index: int = 0) -> float:
        """Expected time to a false alarm of one series, in months of 30 days."""
        return math.exp(plan.log_threshold[index]) * plan.calendar.width_us / (30 * DAY)

    def test_one_metric_has_the_whole_budget(self, loaded: Loader) -> None:
        assert self.months(compiled(loaded, "kind: count, of: {event: a}")) == pytest.approx(1)

    def test_half_to_the_whole_and_half_to_the_segments(self, loaded: Loader) -> None:
        metric = "kind: count, of: {event: a}, segments: [x, [x, y]], bucket: 5m"
        plan = compiled(loaded, metric, "source: {synthetic: }\ncardinality: {per_dimension: 20}")
        assert plan.groupings == ((), ("x",), ("x", "y"))
        bound = 20 + 1 + 10 * 20
        assert self.months(plan, 0) == pytest.approx(2)
        assert self.months(plan, 1) == self.months(plan, 2) == pytest.approx(2 * bound)

    def test_the_budget_is_never_exceeded(self, loaded: Loader) -> None:
        metrics = """
metrics:
  - {name: a, kind: count, of: {event: a}, segments: [x, y], detect: {weight: 3}}
  - {name: b, kind: mean, of: {event: a, value: v}, segments: [[x, y]], bucket: 1h}
  - {name: c, kind: sum, of: {event: a, value: v}, bucket: 5m, alert: {severity: ticket}}
"""
        budget = "source: {synthetic: }\nalert_budget: {pages: 3, per: 7d}"
        plan = compile_plan(loaded(metrics, budget))
        pages = 0.0
        for metric in plan.metrics[:2]:
            bounds = {0: 1, 1: 51, 2: 500}
            buckets = 7 * DAY / metric.calendar.width_us
            pages += sum(
                bounds[len(grouping)] * buckets / math.exp(log)
                for grouping, log in zip(metric.groupings, metric.log_threshold, strict=True)
            )
        assert pages == pytest.approx(3)
        ticket = plan.metrics[2]
        assert 7 * DAY / (5 * MINUTE) / math.exp(ticket.log_threshold[0]) == pytest.approx(30)

    def test_the_steps_of_a_funnel_share_with_its_segments(self, loaded: Loader) -> None:
        steps = "[{event: a}, {event: b}, {event: c}]"
        plan = compiled(loaded, f"kind: funnel, steps: {steps}, within: 1h, segments: [x]")
        assert self.months(plan, 0) == pytest.approx(2)
        assert self.months(plan, 1) == self.months(plan, 2) == pytest.approx(2 * (51 + 3))
        alone = compiled(loaded, f"kind: funnel, steps: {steps}, within: 1h")
        assert [self.months(alone, index) for index in (0, 1)] == pytest.approx([2, 6])

    def test_weights_of_deprecated_metrics_count(self, loaded: Loader) -> None:
        two = """
metrics:
  - {name: a, kind: count, of: {event: a}}
  - name: b
    kind: conversion
    start: {event: a}
    finish: {event: b}
    within: 1h
  - {name: c, kind: derived, formula: a / b, status: deprecated, successor: a, detect: {weight: 2}}
"""
        plan = compile_plan(loaded(two))
        assert self.months(plan.metrics[0]) == pytest.approx(4)

    def test_long_buckets_still_need_evidence(self, loaded: Loader) -> None:
        metric = "kind: count, of: {event: a}, bucket: 7d, alert: {severity: ticket}"
        assert compiled(loaded, metric).log_threshold == (math.log(20),)


def test_what_concerns_the_guard_is_passed_on(loaded: Loader) -> None:
    detect = (
        "{direction: down, min_relative_shift: 5%, min_units: 50, no_data: ignore,"
        " timezone: Asia/Tokyo, accept_after: 2h}"
    )
    plan = compiled(
        loaded,
        "kind: count, of: {event: a}, bucket: 5m, window: 1h, owner: me, better: down, tier: health,"
        f" role: lagging, unit_name: x, description: d, detect: {detect},"
        " alert: {severity: ticket, runbook_url: 'http://x/y'}",
    )
    assert replace(plan, measures=(), log_threshold=(), formula="", definition="") == MetricPlan(
        name="m",
        kind="count",
        measures=(),
        groupings=((),),
        calendar=replace(plan.calendar, width_us=5 * MINUTE, timezone="Asia/Tokyo"),
        window_us=HOUR,
        season_timezone="Asia/Tokyo",
        law=Law.NEGATIVE_BINOMIAL,
        severity="ticket",
        direction="down",
        min_relative_shift=0.05,
        min_units=50.0,
        no_data="ignore",
        accept_after_us=2 * HOUR,
        log_threshold=(),
        formula="",
        better="down",
        owner="me",
        unit_name="x",
        runbook_url="http://x/y",
        description="d",
        tier="health",
        role="lagging",
        definition="",
        drift_log_threshold=math.log(30.0),
    )
    assert json.loads(plan.definition)["bucket"] == "5m"


def test_what_concerns_all_metrics(loaded: Loader) -> None:
    monitor = (
        "source: {kafka: }\njournal: {kafka: {shards: 4}}\nallowed_lateness: 1m\n"
        "cardinality: {per_dimension: 7}\n"
    )
    metrics = (
        "metrics: [{name: b, kind: count, of: {event: x}}, {name: a, kind: count, of: {event: x}}]"
    )
    configuration = loaded(metrics, monitor)
    plan = compile_plan(configuration)
    assert (plan.shards, plan.allowed_lateness_us, plan.cardinality) == (4, MINUTE, 7)
    assert [metric.name for metric in plan.metrics] == ["a", "b"]
    assert compile_plan(configuration, shards=1).shards == 1
    assert compile_plan(loaded(metrics)).shards == 1


def test_holidays_are_days_since_1970(loaded: Loader) -> None:
    monitor = "source: {synthetic: }\nholidays: [1970-01-03, 2026-12-25, 1970-01-03]"
    plan = compile_plan(loaded("metrics: [{name: m, kind: count, of: {event: a}}]", monitor))
    assert plan.holidays == (2, 20_812)
    with pytest.raises(MistakesError, match=r"monitor.yaml:2.*not a date such as"):
        loaded(
            "metrics: [{name: m, kind: count, of: {event: a}}]", monitor.replace("12-25", "13-25")
        )

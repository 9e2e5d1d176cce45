"""Small plans for tests."""

from monitor.definitions.plan import (
    Calendar,
    Form,
    Law,
    Measure,
    MetricPlan,
    Plan,
    Reading,
    Role,
)
from monitor.model.time import DAY, MINUTE, SECOND


def metric_plan(
    name: str,
    kind: str = "count",
    *,
    groupings: tuple[tuple[str, ...], ...] = ((),),
    form: Form = Form.SUM,
    derived_from: tuple[str, ...] = (),
) -> MetricPlan:
    """A metric of the kind count, sum or ratio, or one that carries hashes or inputs."""
    measures = {
        "count": (Measure(name="count", event="e", form=form),),
        "sum": (
            Measure(name="sum", event="e", value="v"),
            Measure(name="count", event="e", needs="v"),
        ),
        "ratio": (
            Measure(name="numerator", event="e", where=(("s", "in", ("x",)),)),
            Measure(name="denominator", event="e"),
        ),
    }
    laws = {"count": Law.NEGATIVE_BINOMIAL, "sum": Law.NORMAL_SUM, "ratio": Law.BETA_BINOMIAL}
    return MetricPlan(
        name=name,
        kind=kind,
        measures=measures[kind],
        groupings=groupings,
        calendar=Calendar(width_us=MINUTE),
        window_us=MINUTE,
        season_timezone="UTC",
        law=laws[kind],
        severity="page",
        direction="both",
        min_relative_shift=0.02,
        min_units=10,
        no_data="alert",
        accept_after_us=DAY,
        log_threshold=(12.0,) * len(groupings),
        formula=name,
        inputs=tuple(Reading(metric=m, role=Role.TOTAL, x=0, n=0) for m in derived_from),
        tree=("/", *derived_from) if len(derived_from) == 2 else None,
    )


def plan_of(*metrics: MetricPlan) -> Plan:
    """A plan of these metrics."""
    return Plan(
        metrics=tuple(sorted(metrics, key=lambda metric: metric.name)),
        allowed_lateness_us=30 * SECOND,
        restatement_window_us=2 * DAY,
        max_clock_skew_us=MINUTE,
        idle_timeout_us=MINUTE,
        cardinality=50,
    )

"""Plans for tests that need no configuration."""

from monitor.definitions.plan import Calendar, Law, Measure, MetricPlan, Plan
from monitor.model.time import DAY, MINUTE, SECOND


def orders_plan(*, shards: int) -> Plan:
    """One metric: orders a minute."""
    metric = MetricPlan(
        name="orders",
        kind="count",
        measures=(Measure(name="count", event="order"),),
        groupings=((),),
        calendar=Calendar(width_us=MINUTE),
        window_us=MINUTE,
        season_timezone="UTC",
        law=Law.NEGATIVE_BINOMIAL,
        severity="page",
        direction="both",
        min_relative_shift=0.02,
        min_units=10,
        no_data="alert",
        accept_after_us=DAY,
        log_threshold=(10.0,),
        formula="orders",
    )
    return Plan(
        metrics=(metric,),
        allowed_lateness_us=30 * SECOND,
        restatement_window_us=2 * DAY,
        max_clock_skew_us=5 * MINUTE,
        idle_timeout_us=MINUTE,
        cardinality=50,
        shards=shards,
    )

from monitor.definitions.plan import Calendar, Law, Measure, MetricPlan, Plan
from monitor.ingest.source import Ingest
from monitor.model.time import DAY, HOUR, MINUTE, SECOND


def metric_plan(
    name: str,
    *measures: Measure,
    groupings: tuple[tuple[str, ...], ...] = ((),),
    width_us: int = MINUTE,
    timezone: str = "UTC",
) -> MetricPlan:
    return MetricPlan(
        name=name,
        kind="count",
        measures=measures,
        groupings=groupings,
        calendar=Calendar(width_us=width_us, timezone=timezone),
        window_us=width_us,
        season_timezone="UTC",
        law=Law.NEGATIVE_BINOMIAL,
        severity="page",
        direction="both",
        min_relative_shift=0.02,
        min_units=10,
        no_data="alert",
        accept_after_us=DAY,
        log_threshold=(10.0,) * len(groupings),
        formula=f"formula of {name}",
    )


def plan_of(*metrics: MetricPlan, shards: int = 1, cardinality: int = 50) -> Plan:
    return Plan(
        metrics=tuple(sorted(metrics, key=lambda metric: metric.name)),
        allowed_lateness_us=30 * SECOND,
        restatement_window_us=HOUR,
        max_clock_skew_us=5 * MINUTE,
        idle_timeout_us=MINUTE,
        cardinality=cardinality,
        shards=shards,
    )


def ingest_of(plan: Plan, fields: dict[str, str] | None = None, **options: object) -> Ingest:
    defaults = {"source": 0, "sources": 1, "name": "events", "clock": lambda: 30_000 * DAY}
    return Ingest(plan, fields, **{**defaults, **options})  # type: ignore[arg-type]

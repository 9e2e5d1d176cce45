"""Effects, incidents and a plan, as the tests of journal, export and API use them."""

import math
from dataclasses import replace

import msgspec
import numpy as np

from monitor.core.effects import ClosedBucket, Effect, Group, IncidentChanged, RestatedBucket
from monitor.definitions.plan import Calendar, Law, Measure, MetricPlan, Plan
from monitor.journal.lines import Judged, bucket_rows
from monitor.model.bucket import as_line
from monitor.model.incident import Incident, IncidentState
from monitor.model.record import Record
from monitor.model.tick import State
from monitor.model.time import DAY, HOUR, MINUTE, SECOND, to_rfc3339

T0 = 1_795_255_200 * SECOND
"""2026-11-21T10:00:00Z."""

NAN = math.nan

GROUPS = (
    Group(
        metric="errors",
        dimension="all",
        segments=("all",),
        rows=np.array([0]),
        measures=("numerator", "denominator"),
    ),
    Group(
        metric="errors",
        dimension="country",
        segments=("DE", "US"),
        rows=np.array([2, 3]),
        measures=("numerator", "denominator"),
    ),
    Group(
        metric="orders",
        dimension="all",
        segments=("all",),
        rows=np.array([1]),
        measures=("events",),
    ),
)


def closed(start_us: int = T0, **changes: object) -> ClosedBucket:
    """A closed minute of `errors` (a ratio, by country) and `orders` (a count)."""
    bucket = ClosedBucket(
        start_us=start_us,
        end_us=start_us + MINUTE,
        groups=GROUPS,
        state=np.array([State.ALERTING, State.OK, State.ALERTING, State.LEARNING], np.int8),
        value=np.array([0.25, 12.0, 0.4, NAN]),
        n=np.array([100.0, 12.0, 100.0, 0.0]),
        expected=np.array([0.125, 11.5, 0.13, NAN]),
        lower=np.array([0.05, 4.0, 0.04, NAN]),
        upper=np.array([0.2, 19.0, 0.22, NAN]),
        window_value=np.array([0.22, 700.0, 0.35, NAN]),
        evidence=np.array([4.0, 0.5, 3.0, NAN]),
        log_threshold=np.full(4, 2 * math.log(10)),
        learning_seconds=np.full(4, NAN),
        measures=np.array([[25.0, 100.0], [12.0, 0.0], [40.0, 100.0], [0.0, 0.0]]),
    )
    return replace(bucket, **changes)  # type: ignore[arg-type]


def restated(start_us: int = T0, *, revision: int = 1, numerator: float = 30.0) -> RestatedBucket:
    """Late events for `errors` as a whole and in a country that was not seen before, FR."""
    groups = (
        replace(GROUPS[0], rows=np.array([0])),
        replace(GROUPS[1], segments=("FR",), rows=np.array([1])),
    )
    return RestatedBucket(
        start_us=start_us,
        end_us=start_us + MINUTE,
        groups=groups,
        revision=np.array([revision, revision]),
        value=np.array([numerator / 120, 1.0]),
        n=np.array([120.0, 20.0]),
        window_value=np.array([0.23, 1.0]),
        measures=np.array([[numerator, 120.0], [20.0, 20.0]]),
    )


def bucket_lines(
    effect: Effect, *, parents_only: bool = False, memory: Judged | None = None
) -> list[dict[str, object]]:
    """The lines of an effect as dicts."""
    rows = bucket_rows(effect, parents_only=parents_only, memory=memory)
    return [as_line(row) for row in rows]


def incident(alert_id: str = "a1", **changes: object) -> Incident:
    """A firing rise of `errors`."""
    base = Incident(
        alert_id=alert_id,
        metric="errors",
        dimension="all",
        segment="all",
        direction="up",
        state=IncidentState.FIRING,
        started_at=to_rfc3339(T0),
        detected_at=to_rfc3339(T0 + 5 * MINUTE),
        value=0.25,
        expected=0.125,
        relative_shift=1.0,
        interval=[0.8, 1.2],
        n=500,
        evidence=4.0,
        threshold=2.0,
        reason="shift",
        severity="page",
        owner="growth@example.com",
        segments=[
            {
                "dimension": "country",
                "segment": "DE",
                "relative_shift": 2.1,
                "value": 0.4,
                "expected": 0.13,
                "n": 250,
                "evidence": 3.0,
            }
        ],
        summary="errors rose by 100 %: 0.25 against an expected 0.125.\nSince 10:00.",
        runbook_url="https://runbooks.example.com/errors",
        updated_at=to_rfc3339(T0 + 5 * MINUTE),
        labels={
            "alertname": "MetricShift",
            "metric": "errors",
            "dimension": "all",
            "segment": "all",
            "direction": "up",
            "severity": "page",
            "owner": "growth@example.com",
        },
    )
    return msgspec.structs.replace(base, **changes)


def resolved(alert_id: str = "a1", **changes: object) -> Incident:
    """The same, over after ten minutes."""
    over = to_rfc3339(T0 + 10 * MINUTE)
    return incident(
        alert_id, state=IncidentState.RESOLVED, resolved_at=over, updated_at=over, **changes
    )


def changed(value: Incident) -> IncidentChanged:
    """Its effect."""
    return IncidentChanged(incident=value, transition=True)


def metric(name: str, **changes: object) -> MetricPlan:
    """A metric of the plan, a count by country unless it is told otherwise."""
    base = MetricPlan(
        name=name,
        kind="count",
        measures=(Measure(name="events", event="order"),),
        groupings=((),),
        calendar=Calendar(width_us=MINUTE),
        window_us=HOUR,
        season_timezone="UTC",
        law=Law.NEGATIVE_BINOMIAL,
        severity="page",
        direction="both",
        min_relative_shift=0.02,
        min_units=10,
        no_data="alert",
        accept_after_us=DAY,
        log_threshold=(10.0,),
        formula="f",
        definition=f'{{"name":"{name}","kind":"count","of":{{"event":"order"}}}}',
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def plan() -> Plan:
    """`errors` and `orders`."""
    errors = metric(
        "errors",
        kind="ratio",
        groupings=((), ("country",)),
        owner="growth@example.com",
        tier="health",
        role="leading",
        better="down",
        unit_name="share",
        description="Share of requests that fail.",
        log_threshold=(10.0, 12.0),
        definition='{"name":"errors","kind":"ratio","owner":"growth@example.com"}',
    )
    return Plan(
        metrics=(errors, metric("orders")),
        allowed_lateness_us=30 * SECOND,
        restatement_window_us=2 * DAY,
        max_clock_skew_us=5 * MINUTE,
        idle_timeout_us=MINUTE,
        cardinality=50,
    )


def decoded(record: Record) -> dict[str, object]:
    """The JSON of a record that has one."""
    assert record.value is not None
    value: dict[str, object] = msgspec.json.decode(record.value)
    return value

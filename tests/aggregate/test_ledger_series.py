"""The metrics of the measurement hold what the ledgers' lines amount to, however they are cut."""

from collections import Counter
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from monitor.aggregate.ledger_series import LedgerSeries
from monitor.definitions.plan import Measure, MetricPlan
from monitor.definitions.quality import Budget, quality_metrics
from monitor.model.ledger import Aspect
from monitor.model.time import DAY, MINUTE
from monitor.stats.histogram import bins
from tests.alert.test_lifecycle import PLAN
from tests.strategies.ledgers import Row, frame_of, lines

T0 = 20_400 * DAY
FIELDS = {"order": ("country", "status"), "view": ()}
OWN = replace(
    PLAN,
    measures=(Measure(name="count", event="order"), Measure(name="views", event="view")),
    groupings=((), ("app_version",)),
)
METRICS = quality_metrics(
    [OWN], budget=Budget(alarms=10, per_us=30 * DAY), cardinality=50, base_us=MINUTE, arrival=True
)


def values(*frames: list[Row]) -> dict[tuple[str, str, str, int], Any]:
    """By metric, dimension, segment and bucket of 5 minutes: what its measures come to."""
    reader = LedgerSeries(METRICS, FIELDS)
    out: dict[tuple[str, str, str, int], Any] = {}
    for rows in frames:
        for one in reader.deltas(frame_of(rows)):
            plan = next(m for m in METRICS if m.name == one.metric)
            for i, series in enumerate(one.series.tolist()):
                names = ",".join(plan.groupings[int(one.groups[series])]) or "all"
                bucket = (int(one.bucket[i]) - T0) // (5 * MINUTE)
                key = (
                    one.metric.removeprefix("data_quality_"),
                    names,
                    one.segments[series],
                    bucket,
                )
                out[key] = out.get(key, 0) + one.hi[i]
    return {key: tuple(np.asarray(value).tolist()) for key, value in out.items()}


def test_good_lines_are_counted_of_all() -> None:
    found = values(
        [
            *lines(T0, "order", 100, repeated=20, missing_status=30, malformed_bad_field=5),
            (T0, "order", Aspect.LATE, "", 10),
            (T0, "order", Aspect.TOO_LATE, "", 4),
            (T0, "", Aspect.MALFORMED, "not_json", 7),
            *lines(T0 + 4 * MINUTE, "view", 50),
        ]
    )
    wanted = {
        ("unique", "event", "order"): (80, 100),
        ("unique", "all", "all"): (130, 150),
        ("complete", "event", "order"): (70, 100),
        ("complete", "event,field", "order,status"): (70, 100),
        ("complete", "event,field", "order,country"): (100, 100),
        ("wellformed", "event", "order"): (110, 115),
        ("wellformed", "event", "unknown"): (0, 7),
        ("wellformed", "all", "all"): (160, 172),
        ("wellformed", "reason", "bad_field"): (160, 165),
        ("wellformed", "reason", "not_json"): (160, 167),
        ("wellformed", "reason", "too_large"): (160, 160),
        ("on_time", "event", "order"): (100, 110),
        ("on_time", "lateness", "late"): (150, 160),
        ("on_time", "lateness", "too_late"): (156, 160),
        ("volume", "event", "order"): (100,),
        ("volume", "event,source", "order,0"): (100,),
        ("volume", "all", "all"): (150,),
    }
    assert {key: found[*key, 0] for key in wanted} == wanted


def test_versions_are_volumes_of_their_event() -> None:
    found = values([(T0, "order", Aspect.VERSION, "8,3", 12)])
    assert found["volume", "event,app_version", 'order,"8,3"', 0] == (12,)


def test_delays_are_histograms() -> None:
    reader = LedgerSeries(METRICS, FIELDS)
    two, forty = (str(int(bins(np.array([seconds]))[0])) for seconds in (2.0, 40.0))
    rows: list[Row] = [
        (T0, "order", Aspect.DELAY, two, 90),
        (T0 + MINUTE, "order", Aspect.DELAY, forty, 10),
        (T0 + 7 * MINUTE, "view", Aspect.DELAY, two, 5),
    ]
    found = {one.metric: one for one in reader.deltas(frame_of(rows))}
    p99 = found["data_quality_delay_p99"]
    assert p99.entries is not None
    by_row: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for row, key, count in zip(p99.entries.row, p99.entries.key, p99.entries.count, strict=True):
        segment = p99.segments[int(p99.series[row])]
        bucket = (int(p99.bucket[row]) - T0) // (5 * MINUTE)
        by_row.setdefault((segment, bucket), []).append((int(key), int(count)))
    both = [(int(two), 90), (int(forty), 10)]
    assert by_row == {
        ("all", 0): both,
        ("order", 0): both,
        ("all", 1): [(int(two), 5)],
        ("view", 1): [(int(two), 5)],
    }
    assert p99.hi[:, 1].sum() == 2 * 105
    order = np.lexsort((p99.entries.key, p99.entries.row))
    assert order.tolist() == list(range(len(order)))


drawn = st.lists(
    st.tuples(
        st.integers(0, 20).map(lambda k: T0 + k * MINUTE),
        st.sampled_from(["order", "view", ""]),
        st.sampled_from([a for a in Aspect if a is not Aspect.DELAY]),
        st.sampled_from(["", "status", "not_json"]),
        st.integers(1, 5),
    ),
    max_size=30,
)


@given(drawn, st.integers(0, 30))
def test_it_does_not_matter_where_a_frame_ends(rows: list[Row], cut: int) -> None:
    assert values(rows[:cut], rows[cut:]) == values(rows)


@given(drawn)
def test_the_events_of_the_whole_are_those_of_its_names(rows: list[Row]) -> None:
    found = values(rows)
    total: Counter[int] = Counter()
    for (metric, dimension, _, bucket), (count, *_) in found.items():
        if metric == "volume" and dimension == "event":
            total[bucket] += count
    assert total == {k[3]: v[0] for k, v in found.items() if k[:2] == ("volume", "all") and v[0]}


def test_a_frame_without_a_ledger_adds_nothing() -> None:
    assert values([]) == {}


@pytest.mark.parametrize(
    ("widths", "base", "wanted"),
    [
        ([1], 1, 5), ([3], 3, 6), ([10, 1440], 5, 10), ([60], 15, 60), ([1440], 15, 1440),
        ([7 * 1440], 15, 1440), ([1, 60], 1, 5),
    ],
)  # fmt: skip
def test_the_buckets_are_as_long_as_the_shortest_but_five_minutes_at_least(
    widths: list[int], base: int, wanted: int
) -> None:
    def plan(minutes: int) -> MetricPlan:
        return replace(OWN, calendar=replace(OWN.calendar, width_us=minutes * MINUTE))

    made = quality_metrics(
        [plan(w) for w in widths],
        budget=Budget(alarms=10, per_us=30 * DAY),
        cardinality=50,
        base_us=base * MINUTE,
        arrival=False,
    )
    assert {m.calendar.width_us for m in made} == {wanted * MINUTE}


def test_without_arrival_there_are_no_delays_and_no_sources() -> None:
    made = quality_metrics(
        [OWN],
        budget=Budget(alarms=10, per_us=30 * DAY),
        cardinality=50,
        base_us=MINUTE,
        arrival=False,
    )
    assert not any("delay" in m.name for m in made)
    assert not any("source" in grouping for m in made for grouping in m.groupings)


def test_the_tickets_of_all_of_them_are_within_their_budget() -> None:
    alarms = sum(
        (30 * DAY / m.calendar.width_us) / np.exp(threshold) * bound
        for m in METRICS
        for threshold, bound in zip(m.log_threshold, bounds_of(m), strict=True)
    )
    assert alarms <= 10 + 1e-9


def bounds_of(metric: MetricPlan) -> list[int]:
    known = {"event": 2, "event,field": 2, "reason": 10, "lateness": 2}
    return [known.get(",".join(g), 500) if g else 1 for g in metric.groupings]

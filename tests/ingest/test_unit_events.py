"""Who did a step of a cohort's metric, and when: against a slow reading, however flushes are cut."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.definitions.calendar import bucket_end, bucket_start
from monitor.definitions.plan import Cohort, Condition, Measure, MetricPlan, Plan, UnitStep
from monitor.ingest.cells import Observed
from monitor.ingest.envelope import Envelope
from monitor.ingest.series import segment
from monitor.ingest.source import Flush
from monitor.ingest.unit_events import timed
from monitor.ingest.watermark import Watermark
from monitor.ingest.where import holds
from monitor.model.event import Event
from monitor.model.frame import Deltas, UnitEvents, decode_frame, encode_frame
from monitor.model.time import DAY, HOUR, MINUTE, SECOND, to_rfc3339
from monitor.stats.distinct import KEPT
from tests.ingest.conftest import ingest_of, metric_plan, plan_of
from tests.ingest.test_entries import ACTORS, TEXTS, Row, line, plain_hash, rows_of, uniques

Did = tuple[Row, int, int, int]
"""(row, step, key, time)."""

PAID: tuple[Condition, ...] = (("plan", "in", ("paid", "5")),)
MUCH: tuple[Condition, ...] = (("amount", "gte", (3.0,)),)
NOT_DE: tuple[Condition, ...] = (("country", "not_in", ("DE",)),)
BY = ((), ("country",), ("country", "plan"))
START = 1_700_000_000


def follows(
    name: str,
    *steps: UnitStep,
    unit: str = "actor",
    kind: str = "conversion",
    groupings: tuple[tuple[str, ...], ...] = ((),),
    **calendar: Any,
) -> MetricPlan:
    measures = (
        Measure(name="converted", event=steps[-1].event, where=steps[-1].where),
        Measure(name="units", event=steps[0].event, where=steps[0].where),
    )
    plan = metric_plan(name, *measures, groupings=groupings, **calendar)
    return replace(plan, kind=kind, cohort=Cohort(steps=steps, unit=unit, within_us=HOUR))


def step(event: str, where: tuple[Condition, ...] = ()) -> UnitStep:
    return UnitStep(event=event, where=where)


PLAN = plan_of(
    follows("buys", step("view"), step("order"), groupings=BY),
    follows("buys_much", step("view"), step("order", MUCH), groupings=(*BY, ("step",))),
    follows("again", step("order", PAID), step("order"), groupings=BY, width_us=5 * MINUTE),
    follows(
        "way",
        step("view", NOT_DE),
        step("order"),
        step("view", NOT_DE),
        unit="city",
        kind="funnel",
        groupings=((), ("plan",), ("step",)),
    ),
    follows(
        "back",
        step("view"),
        step("view"),
        kind="retention",
        groupings=((), ("plan",)),
        width_us=DAY,
        timezone="Europe/Berlin",
    ),
    metric_plan("orders", Measure(name="count", event="order"), groupings=BY),
    metric_plan("buyers", uniques("order"), uniques("view", "plan"), groupings=BY),
    shards=3,
)


def did(flushes: Iterable[Flush], plan: Plan = PLAN) -> set[Did]:
    """What units did by all flushes; checks what a frame promises."""
    cohorts = {metric.name for metric in plan.metrics if metric.cohort is not None}
    found: set[Did] = set()
    for flush in flushes:
        for frame in flush.frames.values():
            for deltas in decode_frame(encode_frame(frame)).deltas:
                if deltas.metric in cohorts:
                    found |= checked(deltas)
                else:
                    assert deltas.units is None
    return found


def units_of(deltas: Deltas) -> UnitEvents:
    assert deltas.units is not None
    return deltas.units


def checked(deltas: Deltas) -> set[Did]:
    units = units_of(deltas)
    assert deltas.entries is None
    assert deltas.hi.shape == deltas.lo.shape == (deltas.bucket.size, 2)
    assert not deltas.hi.any()
    assert not deltas.lo.any()
    columns = (units.row, units.step, units.key, units.time_us)
    assert [column.dtype for column in columns] == [np.int32, np.int16, np.int64, np.int64]
    listed = list(zip(*(column.tolist() for column in columns), strict=True))
    assert listed == sorted(set(listed))
    assert {row for row, *_ in listed} == set(range(deltas.bucket.size))
    rows = rows_of(deltas)
    order = [(late, bucket, group, name) for _, late, bucket, group, name in rows]
    assert order == sorted(set(order))
    return {(rows[row], *rest) for row, *rest in listed}


def expected(lines: Sequence[bytes], plan: Plan = PLAN) -> tuple[set[Did], int]:
    """What a plain reading of the lines gives, and how many of them are late for a metric."""
    mark = Watermark(
        allowed_lateness_us=plan.allowed_lateness_us, idle_timeout_us=plan.idle_timeout_us
    )
    total: set[Did] = set()
    late = 0
    for payload in lines:
        event = Envelope().read(payload, 30_000 * DAY)
        assert event is not None
        base_us = event.time_us - event.time_us % plan.base_us
        is_late = False
        for metric in plan.metrics:
            end = bucket_end(metric.calendar, base_us)
            steps = steps_of(event, metric)
            is_late |= bool(steps) and end <= mark.watermark_us
            if end <= mark.watermark_us - plan.restatement_window_us:
                continue
            start = bucket_start(metric.calendar, base_us)
            for number, key in steps:
                if key is None:
                    continue
                for group, name in series_of(event, metric, number):
                    row = (metric.name, end <= mark.watermark_us, start, group, name)
                    total.add((row, number, key, event.time_us))
        late += is_late
        mark.observe(event.time_us)
    return total, late


def steps_of(event: Event, metric: MetricPlan) -> list[tuple[int, int | None]]:
    """The steps (of other metrics, the measures) that an event is taken for, and the unit's key."""
    if metric.cohort is None:
        measures = enumerate(metric.measures)
        wanted = [(number, one.event, one.where, one.unit) for number, one in measures]
    else:
        steps, unit = enumerate(metric.cohort.steps), metric.cohort.unit
        wanted = [(number, one.event, one.where, unit) for number, one in steps]
    found: dict[str, Any] = {**event.values, **event.dimensions}
    texts = {**event.dimensions, **({"actor": event.actor} if event.actor is not None else {})}
    return [
        (number, plain_hash(texts[unit]) if unit and metric.cohort else None)
        for number, name, where, unit in wanted
        if name == event.name
        and all(holds(condition, found.get(condition[0])) for condition in where)
        and (unit is None or unit in texts)
    ]


def series_of(event: Event, metric: MetricPlan, number: int) -> list[tuple[int, str]]:
    if number:
        return [(0, "all")]
    return [
        (group, segment([event.dimensions[name] for name in grouping]))
        for group, grouping in enumerate(metric.groupings)
        if set(grouping) <= set(event.dimensions)
        and not (metric.kind == "funnel" and grouping == ("step",))
    ]


TIMES = st.one_of(
    st.integers(START, START + 600),
    st.integers(START - 3 * 3600, START + 3 * 3600),
    st.integers(0, 8).map(lambda eighth: START + 59 + eighth / 8),
    st.integers(-3, 3).map(lambda us: to_rfc3339((START + 40) * SECOND + us)),
)
EVENTS = st.builds(
    lambda name, time, count, dimensions, values, actor: line(
        name, time, count=count, dimensions=dimensions, values=values, **actor
    ),
    st.sampled_from(["order", "order", "view", "view", "other"]),
    TIMES,
    st.sampled_from([1, 1, 7]),
    st.fixed_dictionaries(
        {},
        optional={
            **{name: st.sampled_from(texts) for name, texts in TEXTS.items()},
            "step": st.sampled_from(["view", "order"]),
        },
    ),
    st.fixed_dictionaries({}, optional={"amount": st.sampled_from([2.5, 3, None])}),
    st.fixed_dictionaries({}, optional={"actor": st.sampled_from(ACTORS)}),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(EVENTS, max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_unit_events_are_those_of_a_plain_reading_wherever_flushes_are_cut(
    lines: list[bytes], cuts: list[int]
) -> None:
    ingest = ingest_of(PLAN)
    flushes = []
    edges = [0, *sorted(min(cut, len(lines)) for cut in cuts), len(lines)]
    for first, last in pairwise(edges):
        ingest.add_many(lines[first:last])
        flushes.append(ingest.flush())
    flushes.append(ingest.finish())
    wanted, late = expected(lines)
    assert did(flushes) == wanted
    assert sum(flush.counts["late"] for flush in flushes) == late


@settings(max_examples=30, deadline=None)
@given(st.lists(EVENTS, max_size=40), st.integers(0, 40))
def test_a_restored_source_goes_on_as_if_nothing_had_happened(lines: list[bytes], cut: int) -> None:
    first = ingest_of(PLAN)
    first.add_many(lines[:cut])
    flush = first.flush()
    second = ingest_of(PLAN, position=flush.stop, state=json.loads(json.dumps(flush.state)))
    second.add_many(lines[cut:])
    assert did([flush, second.flush()]) == expected(lines)[0]


@pytest.mark.parametrize(
    ("times", "late"),
    [
        ((36_000, 36_000, 36_000, 34_800), True),  # within the hour of restatement
        ((36_000, 36_000, 36_000, 30_000), None),  # beyond it
        ((36_000, 36_000, 36_000, 35_980), False),
    ],
)
def test_late_unit_events_are_apart_and_too_late_ones_are_none(
    times: tuple[int, ...], late: bool | None
) -> None:
    plan = plan_of(follows("c", step("view"), step("order")))
    ingest = ingest_of(plan)
    lines = [line("other", time) for time in times[:-1]]
    lines += [line(name, times[-1], actor="u") for name in ("view", "order")]
    ingest.add_many(lines)
    flush = ingest.flush()
    bucket = times[-1] // 60 * MINUTE
    wanted = {
        (("c", late, bucket, 0, "all"), number, plain_hash("u"), times[-1] * SECOND)
        for number in (0, 1)
    }
    assert did([flush], plan) == (set() if late is None else wanted)
    assert flush.counts["late"] == (0 if late is False else 2)
    assert flush.counts["too_late"] == (2 if late is None else 0)


def test_beyond_the_bound_a_row_keeps_all_starts_of_the_smallest_hashes_and_every_later_step() -> (
    None
):
    plan = plan_of(follows("c", step("view"), step("order"), groupings=((), ("country",))))
    ingest = ingest_of(plan)
    countries = {number: ("DE", "FR")[number % 3 == 0] for number in range(3 * KEPT // 2)}
    for second in (0, 1, 61):
        for name in ("view", "order"):
            ingest.add_many(
                [
                    line(name, second, actor=f"u{number}", dimensions={"country": country})
                    for number, country in countries.items()
                ]
            )
    found: dict[tuple[int, str, int], dict[int, list[int]]] = defaultdict(dict)
    for (_, _, bucket, _, name), number, key, time_us in sorted(did([ingest.flush()], plan)):
        found[bucket, name, number].setdefault(key, []).append(time_us)
    every = sorted(plain_hash(f"u{number}") for number in countries)
    for bucket, times in ((0, [0, SECOND]), (MINUTE, [61 * SECOND])):
        for only in ("all", "DE", "FR"):
            keys = [
                plain_hash(f"u{number}")
                for number, country in countries.items()
                if only in ("all", country)
            ]
            assert found[bucket, only, 0] == dict.fromkeys(sorted(keys)[:KEPT], times)
        assert found[bucket, "all", 1] == dict.fromkeys(every, times)
    assert len(found) == 2 * 4
    assert len(found[0, "FR", 0]) == KEPT // 2


def test_a_later_step_of_one_metric_is_not_cut_where_it_is_the_start_of_another() -> None:
    there, back = (step("view"), step("order")), (step("order"), step("view"))
    plan = plan_of(follows("a", *back), follows("b", *there), follows("c", *back))
    ingest = ingest_of(plan)
    ingest.add_many([line("order", 0, actor=f"u{number}") for number in range(KEPT + 9)])
    steps = [units_of(deltas).step.tolist() for deltas in ingest.flush().frames[0].deltas]
    assert steps == [[0] * KEPT, [1] * (KEPT + 9), [0] * KEPT]


def test_an_event_without_the_unit_does_nothing() -> None:
    plan = plan_of(follows("c", step("view"), step("order"), unit="city", groupings=BY))
    ingest = ingest_of(plan)
    ingest.add_many([line("other", 36_000)] * 3)
    for second in (36_000, 34_800):
        ingest.add_many(
            [
                line("view", second, actor="u", dimensions={"country": "DE"}),
                line("order", second, dimensions={"city": None}),
                line("view", second),
            ]
        )
    flush = ingest.flush()
    assert flush.frames[0].deltas == []
    assert flush.counts["late"] == 0


def test_no_text_of_a_unit_leaves_in_a_frame() -> None:
    ingest = ingest_of(PLAN)
    ingest.add_many(
        [
            line(name, START, actor="ada@example.org", dimensions={"city": "Villarriba", "plan": 5})
            for name in ("order", "view", "other")
        ]
    )
    data = b"".join(encode_frame(frame) for frame in ingest.flush().frames.values())
    assert plain_hash("ada@example.org").to_bytes(8, "little") in data
    assert plain_hash("Villarriba").to_bytes(8, "little") in data
    assert b"ada" not in data
    assert b"Villarriba" not in data


def test_unit_events_bring_a_flush_nearer() -> None:
    ingest = ingest_of(plan_of(follows("c", step("view"), step("order"))))
    for _ in range(400):
        ingest.add_many([line("view", 0, actor="u")])
    assert 400 // 4 <= ingest.cells < 400
    ingest.flush()
    assert ingest.cells == 0
    ingest.add_many([line("order", 0, actor="u")])
    (deltas,) = ingest.flush().frames[0].deltas
    assert units_of(deltas).step.tolist() == [1]


def test_what_metrics_of_the_same_events_count_does_not_change() -> None:
    lines = [
        line("order", START + i, actor=f"u{i % 7}", dimensions={"country": "DE", "plan": "paid"})
        for i in range(60)
    ]
    without = replace(PLAN, metrics=tuple(m for m in PLAN.metrics if m.cohort is None))
    both = []
    for plan in (PLAN, without):
        ingest = ingest_of(plan)
        ingest.add_many(lines)
        frames = ingest.flush().frames.values()
        both.append([d for f in frames for d in f.deltas if d.metric in ("orders", "buyers")])
    for one, other in zip(*both, strict=True):
        assert rows_of(one) == rows_of(other)
        assert np.array_equal(one.hi, other.hi)
        if one.entries is not None:
            assert np.array_equal(one.entries.key, other.entries.key)
            assert np.array_equal(one.entries.count, other.entries.count)
    assert [len(deltas) for deltas in both] == [2, 2]


def test_a_source_that_forgets_its_combinations_keeps_its_unit_events(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("monitor.ingest.combos.MOST", 10)
    ingest = ingest_of(PLAN)
    flushes: list[Flush] = []
    lines: list[bytes] = []
    for turn in range(4):
        fresh = [
            line(name, i, actor=f"u{i % 3}", dimensions={"country": f"{turn}-{i}"})
            for i in range(8)
            for name in ("view", "order")
        ]
        ingest.add_many(fresh)
        flushes.append(ingest.flush())
        lines += fresh
    assert did(flushes) == expected(lines)[0]


def test_units_are_told_apart_in_the_series_of_folded_values() -> None:
    by_city = ((), ("city",))
    plan = plan_of(
        follows("c", step("view"), step("order"), unit="city", groupings=by_city), cardinality=1
    )
    ingest = ingest_of(plan)
    ingest.add_many([line("view", 0, dimensions={"city": f"c{i:02}"}) for i in range(25)])
    found: dict[str, set[int]] = defaultdict(set)
    for (*_, name), _, key, _ in did([ingest.flush()], plan):
        found[name].add(key)
    assert len(found["all"]) == 25
    assert len(found["other"]) == 5


@pytest.mark.parametrize("span_us", [10, 2**46])
def test_moments_are_in_order_however_long_a_flush_reaches_back(span_us: int) -> None:
    keys = np.arange(2**17 + 1) * 3
    rng = np.random.default_rng(7)
    what, time_us = rng.integers(0, keys.size, 50), rng.integers(0, span_us, 50) - 5
    what[:2], time_us[:2] = 4, 0
    time_us[2:4] = -5, span_us - 6
    cell, nothing = np.arange(50), np.empty(0, np.int64)
    found = timed(Observed(cell=cell, what=what, count=nothing, time_us=time_us), keys)
    moments = sorted(set(zip(keys[what].tolist(), time_us.tolist(), strict=True)))
    assert list(zip(found.key.tolist(), found.time_us.tolist(), strict=True)) == moments
    by_cell = found.by_cell
    assert found.key[by_cell.rank].tolist() == keys[what][by_cell.cell].tolist()
    assert found.time_us[by_cell.rank].tolist() == time_us[by_cell.cell].tolist()

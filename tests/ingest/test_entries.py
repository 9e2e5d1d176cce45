"""Units and values of quantiles: against a slow reading of the same lines, however flushes are cut."""

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.definitions.calendar import bucket_end, bucket_start
from monitor.definitions.plan import BUILT_IN_KEY, Condition, Form, Measure, MetricPlan, Plan
from monitor.ingest.envelope import Envelope
from monitor.ingest.series import segment
from monitor.ingest.source import Flush
from monitor.ingest.watermark import Watermark
from monitor.ingest.where import holds
from monitor.model.event import Event, Reject
from monitor.model.frame import Deltas, Entries, decode_frame, encode_frame
from monitor.model.time import DAY, HOUR, MINUTE
from monitor.stats.distinct import KEPT
from monitor.stats.histogram import bins
from tests.ingest.conftest import ingest_of, metric_plan, plan_of

Row = tuple[str, bool, int, int, str]
"""(metric, late, bucket, group, segment)."""
Merged = dict[tuple[Row, int], Counter[int]]
"""By row and measure, events by key; of units how many is not told, so each counts as one."""

PAID: tuple[Condition, ...] = (("plan", "in", ("paid", "5")),)
BY = ((), ("country",), ("country", "plan"))


def uniques(event: str, unit: str = "actor", where: tuple[Condition, ...] = ()) -> Measure:
    return Measure(name="uniques", event=event, unit=unit, form=Form.UNIQUES, where=where)


def quantile(event: str, value: str, where: tuple[Condition, ...] = ()) -> Measure:
    return Measure(
        name="quantile", event=event, value=value, q=0.95, form=Form.QUANTILE, where=where
    )


PLAN = plan_of(
    metric_plan("buyers", uniques("order"), groupings=BY),
    metric_plan("paying", uniques("order", where=PAID), groupings=BY, width_us=5 * MINUTE),
    metric_plan("cities", uniques("order", "city"), groupings=((), ("plan",))),
    metric_plan(
        "amount",
        quantile("order", "amount", PAID),
        Measure(name="count", event="order", needs="amount", where=PAID),
        groupings=BY,
    ),
    metric_plan(
        "derived",
        Measure(name="revenue.sum", event="order", value="amount"),
        uniques("view"),
        quantile("order", "amount"),
        uniques("order", "country"),
        groupings=BY,
    ),
    metric_plan("daily", uniques("view"), width_us=DAY, timezone="Europe/Berlin"),
    metric_plan("plain", Measure(name="count", event="order"), groupings=BY),
    shards=3,
)
START = 1_700_000_000


def line(name: str, time: float | str, **fields: Any) -> bytes:
    return json.dumps({"name": name, "time": time, **fields}).encode()


def plain_hash(text: str, key: bytes = BUILT_IN_KEY) -> int:
    digest = blake2b(text.encode(), key=key, digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def rows_of(deltas: Deltas) -> list[Row]:
    series = list(zip(deltas.groups.tolist(), deltas.segments, strict=True))
    columns = (deltas.late.tolist(), deltas.bucket.tolist(), deltas.series.tolist())
    return [
        (deltas.metric, late, bucket, *series[number])
        for late, bucket, number in zip(*columns, strict=True)
    ]


def listed(entries: Entries | None) -> list[tuple[int, int, int, int]]:
    assert entries is not None
    columns = (entries.row, entries.measure, entries.key, entries.count)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def merged(flushes: Iterable[Flush], plan: Plan = PLAN) -> Merged:
    """The entries of all flushes, of units each once; checks what a frame promises."""
    measures = {metric.name: metric.measures for metric in plan.metrics}
    total: Merged = defaultdict(Counter)
    for flush in flushes:
        for frame in flush.frames.values():
            for deltas in decode_frame(encode_frame(frame)).deltas:
                own = measures[deltas.metric]
                if all(measure.form is Form.SUM for measure in own):
                    assert deltas.entries is None
                    continue
                check(deltas, own)
                rows = rows_of(deltas)
                for row, place, key, count in listed(deltas.entries):
                    found = total[rows[row], place]
                    found[key] = 1 if own[place].form is Form.UNIQUES else found[key] + count
    return dict(total)


def check(deltas: Deltas, measures: Sequence[Measure]) -> None:
    """Whether entries are sorted, units counted once, no row is empty and no entry also a sum."""
    found = listed(deltas.entries)
    places = [one[:3] for one in found]
    assert places == sorted(set(places))
    for _, place, _, count in found:
        assert count == 1 if measures[place].form is Form.UNIQUES else count > 0
    no_sums = [measure.form is not Form.SUM for measure in measures]
    assert not deltas.hi[:, no_sums].any()
    assert not deltas.lo[:, no_sums].any()
    summed = np.flatnonzero(deltas.hi.any(axis=1)).tolist()
    assert {one[0] for one in found} | set(summed) == set(range(deltas.bucket.size))


def expected(lines: Sequence[bytes], plan: Plan = PLAN) -> tuple[Merged, int]:
    """What a plain reading of the lines gives, and how many of them are late for a metric."""
    mark = Watermark(
        allowed_lateness_us=plan.allowed_lateness_us, idle_timeout_us=plan.idle_timeout_us
    )
    total: Merged = defaultdict(Counter)
    late = 0
    for payload in lines:
        event = Envelope().read(payload, 30_000 * DAY)
        assert event is not None
        stands = [_note(event, metric, mark.watermark_us, plan, total) for metric in plan.metrics]
        late += any(stands)
        mark.observe(event.time_us)
    return dict(total), late


def _note(event: Event, metric: MetricPlan, watermark_us: int, plan: Plan, total: Merged) -> bool:
    """Notes one event for one metric; whether it is late for it."""
    base_us = event.time_us - event.time_us % plan.base_us
    end = bucket_end(metric.calendar, base_us)
    used = False
    for place, measure in enumerate(metric.measures):
        key = key_of(event, measure)
        if key is None:
            continue
        used = True
        if end <= watermark_us - plan.restatement_window_us or measure.form is Form.SUM:
            continue
        for group, grouping in enumerate(metric.groupings):
            if set(grouping) <= set(event.dimensions):
                start = bucket_start(metric.calendar, base_us)
                values = [event.dimensions[name] for name in grouping]
                row = (metric.name, end <= watermark_us, start, group, segment(values))
                if measure.form is Form.UNIQUES:
                    total[row, place][key] = 1
                else:
                    total[row, place][key] += event.count
    return used and end <= watermark_us


def key_of(event: Event, measure: Measure) -> int | None:
    """The key of an event's entry (of a sum any number); None where the measure does not take it."""
    found: dict[str, Any] = {**event.values, **event.dimensions}
    if event.name != measure.event:
        return None
    if not all(holds(condition, found.get(condition[0])) for condition in measure.where):
        return None
    field = measure.value or measure.needs
    if field is not None and field not in event.values:
        return None
    if measure.form is Form.UNIQUES:
        unit = measure.unit or ""
        text = event.actor if unit == "actor" else event.dimensions.get(unit)
        return None if text is None else plain_hash(text)
    return int(bins(np.array([event.values[field]]))[0]) if field else 0


ACTORS: list[Any] = ["u1", "u2", "ü", "", 5, 5.0, "5", 0.5, 10**19, -0.0, None]
TEXTS: dict[str, list[Any]] = {
    "country": ["DE", "FR", "a,b"],
    "plan": ["free", "paid", 5, "5"],
    "city": ["Ulm", "Bonn", 7, 7.0, "7", True, None],
}
AMOUNTS = [0.1, 0.1001, 12.5, 3, 9.99, 1e300, -7.3, 0, None]
EVENTS = st.builds(
    lambda name, time, count, dimensions, values, actor: line(
        name, time, count=count, dimensions=dimensions, values=values, **actor
    ),
    st.sampled_from(["order", "order", "order", "view", "other"]),
    st.one_of(
        st.integers(START, START + 600),
        st.integers(START - 3 * 3600, START + 3 * 3600),
    ),
    st.sampled_from([1, 1, 1, 7, 10**6]),
    st.fixed_dictionaries({}, optional={k: st.sampled_from(v) for k, v in TEXTS.items()}),
    st.fixed_dictionaries({}, optional={"amount": st.sampled_from(AMOUNTS)}),
    st.fixed_dictionaries({}, optional={"actor": st.sampled_from(ACTORS)}),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(EVENTS, max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_entries_are_those_of_a_plain_reading_wherever_flushes_are_cut(
    lines: list[bytes], cuts: list[int]
) -> None:
    ingest = ingest_of(PLAN)
    flushes = []
    edges = [0, *sorted(min(cut, len(lines)) for cut in cuts), len(lines)]
    for first, last in pairwise(edges):
        ingest.add_many(lines[first:last])
        flushes.append(ingest.flush())
    flushes.append(ingest.finish())
    entries, late = expected(lines)
    assert merged(flushes) == entries
    assert sum(flush.counts["late"] for flush in flushes) == late


@pytest.mark.parametrize("seed", range(4))
def test_a_long_source_with_late_events_gives_the_entries_of_a_plain_reading(seed: int) -> None:
    rng = random.Random(seed)
    lines, now = [], float(START)
    for _ in range(400):
        now += rng.choice([0.1, 1, 5, 20, 300])
        off = rng.choice([0, 0, 0, -20, -29.5, -30, -60, -400, -3600, -9000, 3601])
        dimensions = {name: rng.choice(TEXTS[name]) for name in TEXTS if rng.random() < 0.7}
        values = {"amount": rng.choice(AMOUNTS)} if rng.random() < 0.7 else {}
        actor = {"actor": rng.choice(ACTORS)} if rng.random() < 0.7 else {}
        name = rng.choice(["order", "order", "view", "other"])
        lines.append(
            line(
                name,
                round(now + off, 3),
                count=rng.choice([1, 1, 3]),
                dimensions=dimensions,
                values=values,
                **actor,
            )
        )
    ingest = ingest_of(PLAN)
    flushes = []
    for first, last in pairwise([0, *sorted(rng.sample(range(400), 6)), 400]):
        ingest.add_many(lines[first:last])
        flushes.append(ingest.flush())
    entries, late = expected(lines)
    assert merged(flushes) == entries
    assert sum(flush.counts["late"] for flush in flushes) == late
    assert {row[1] for row, _ in entries} == {False, True}


def test_more_units_than_are_kept_keep_the_smallest_hashes_of_each_series() -> None:
    plan = plan_of(metric_plan("buyers", uniques("order"), groupings=((), ("country",))))
    ingest = ingest_of(plan)
    countries = {number: ("DE", "FR")[number % 3 == 0] for number in range(3 * KEPT // 2)}
    for half in (0, 1):  # each unit comes twice
        ingest.add_many(
            [
                line("order", half, actor=f"u{number}", dimensions={"country": country})
                for number, country in countries.items()
            ]
        )
    (frame,) = ingest.flush().frames.values()
    found: dict[int, list[int]] = defaultdict(list)
    for row, _, key, _ in listed(frame.deltas[0].entries):
        found[row].append(key)
    wanted = [
        sorted(
            plain_hash(f"u{number}")
            for number, country in countries.items()
            if country in (only or country)
        )[:KEPT]
        for only in ("", "DE", "FR")
    ]
    assert [len(keys) for keys in wanted] == [KEPT, KEPT, KEPT // 2]
    assert list(found.values()) == wanted


def test_hashes_have_63_bits_and_follow_the_key() -> None:
    plan = plan_of(metric_plan("buyers", uniques("order")))
    keys = []
    for key in (BUILT_IN_KEY, b"secret", b"long" * 40, b"long" * 41):
        ingest = ingest_of(replace(plan, hash_key=key))
        ingest.add_many([line("order", 0, actor=f"u{number}") for number in range(100)])
        (deltas,) = ingest.flush().frames[0].deltas
        keys.append([one for _, _, one, _ in listed(deltas.entries)])
    every = {one for each in keys for one in each}
    assert len(every) == 400
    assert 0 <= min(every) < 1 << 57
    assert 1 << 62 < max(every) < 1 << 63
    assert keys[1] == sorted(plain_hash(f"u{n}", b"secret") for n in range(100))


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


def test_lines_bring_a_flush_nearer_and_units_make_no_rows() -> None:
    ingest = ingest_of(plan_of(metric_plan("buyers", uniques("order"))))
    ingest.add_many([line("order", 0, actor=f"u{number}") for number in range(400)])
    assert 400 // 4 <= ingest.cells < 400
    (deltas,) = ingest.flush().frames[0].deltas
    assert deltas.bucket.size == 1
    assert ingest.cells == 0


def test_values_of_quantiles_bring_a_flush_nearer() -> None:
    ingest = ingest_of(plan_of(metric_plan("p95", quantile("order", "amount"))))
    ingest.add_many([line("order", 0, values={"amount": 1})] * 400)
    assert 400 // 4 < ingest.cells < 400
    ingest.flush()
    assert ingest.cells == 0


def test_a_metric_whose_events_lack_the_unit_has_no_rows() -> None:
    ingest = ingest_of(plan_of(metric_plan("buyers", uniques("order", "city"), groupings=BY)))
    ingest.add_many(
        [
            line("order", START, actor="u", dimensions={"country": "DE"}),
            line("order", START, dimensions={"country": "DE", "city": None}),
            line("order", START),
        ]
    )
    frame = ingest.flush().frames[0]
    assert frame.deltas == []
    assert frame.activity.size == 1


def test_an_event_without_the_unit_is_late_for_no_count_of_units() -> None:
    ingest = ingest_of(plan_of(metric_plan("buyers", uniques("order"))))
    ingest.add_many([line("order", 36_000)] * 3)
    ingest.add_many([line("order", 36_000 - 1800), line("order", 36_000 - 1800, actor="u")])
    assert ingest.flush().counts["late"] == 1


def test_entries_are_there_and_empty_where_only_the_sums_of_a_metric_grew() -> None:
    measures = (Measure(name="orders", event="order"), uniques("view"))
    ingest = ingest_of(plan_of(metric_plan("per_view", *measures)))
    ingest.add_many([line("order", 0, actor="u")])
    (deltas,) = ingest.flush().frames[0].deltas
    assert deltas.hi.tolist() == [[1, 0]]
    assert listed(deltas.entries) == []


def test_a_value_counts_as_often_as_its_line_stands_for_events() -> None:
    ingest = ingest_of(plan_of(metric_plan("p95", quantile("order", "amount"))))
    ingest.add_many(
        [
            line("order", 0, count=10**9, values={"amount": 2.5}),
            line("order", 0, count=10**9, values={"amount": 2.5}),
            line("order", 0, values={"amount": -2.5}),
            line("order", 0, values={"amount": 0}),
        ]
    )
    (deltas,) = ingest.flush().frames[0].deltas
    place = int(bins(np.array([2.5]))[0])
    assert listed(deltas.entries) == [
        (0, 0, -place, 1),
        (0, 0, 0, 1),
        (0, 0, place, 2 * 10**9),
    ]


def test_metrics_with_the_same_measure_have_the_same_entries() -> None:
    metrics = [
        metric_plan(name, quantile("order", "amount", where), uniques("order"), groupings=BY)
        for name, where in (("a", ()), ("b", ()), ("paid", PAID))
    ]
    ingest = ingest_of(plan_of(*metrics))
    ingest.add_many(
        [
            line("order", i, actor=f"u{i}", values={"amount": i}, dimensions={"plan": plan})
            for i, plan in enumerate(("paid", "free", "paid"))
        ]
    )
    a, b, paid = (listed(deltas.entries) for deltas in ingest.flush().frames[0].deltas)
    assert a == b
    assert [sum(place == of for _, place, *_ in a) for of in (0, 1)] == [3, 3]
    assert [sum(place == of for _, place, *_ in paid) for of in (0, 1)] == [2, 3]


def test_arrays_of_entries_have_the_types_that_frames_promise() -> None:
    ingest = ingest_of(PLAN)
    ingest.add_many(
        [
            line("order", START, actor="u", values={"amount": 2}, dimensions={"plan": "paid"}),
            line("view", START, actor="u"),
        ]
    )
    seen = 0
    for frame in ingest.flush().frames.values():
        for deltas in frame.deltas:
            if deltas.entries is not None:
                seen += 1
                names = ("row", "measure", "key", "count")
                found = [getattr(deltas.entries, name).dtype for name in names]
                assert found == [np.int32, np.int16, np.int64, np.int64]
    assert seen == 5


@settings(max_examples=30, deadline=None)
@given(st.lists(EVENTS, max_size=40), st.integers(0, 40))
def test_a_restored_source_goes_on_as_if_nothing_had_happened(lines: list[bytes], cut: int) -> None:
    first = ingest_of(PLAN)
    first.add_many(lines[:cut])
    flush = first.flush()
    second = ingest_of(PLAN, position=flush.stop, state=json.loads(json.dumps(flush.state)))
    second.add_many(lines[cut:])
    assert merged([flush, second.flush()]) == expected(lines)[0]


def test_a_source_that_forgets_its_combinations_keeps_its_units(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("monitor.ingest.combos.MOST", 10)
    ingest = ingest_of(PLAN)
    flushes: list[Flush] = []
    lines: list[bytes] = []
    for turn in range(4):
        fresh = [
            line("order", 0, actor=f"u{i % 3}", dimensions={"country": f"{turn}-{i}"})
            for i in range(8)
        ]
        ingest.add_many(fresh)
        flushes.append(ingest.flush())
        lines += fresh
    assert merged(flushes) == expected(lines)[0]


def test_a_unit_is_told_apart_where_its_dimension_is_folded() -> None:
    by_city = ((), ("city",))
    plan = plan_of(
        metric_plan("cities", uniques("order", "city"), groupings=by_city), cardinality=1
    )
    ingest = ingest_of(plan)
    ingest.add_many([line("order", 0, dimensions={"city": f"c{i:02}"}) for i in range(25)])
    found = merged([ingest.flush()], plan)
    assert len(found[("cities", False, 0, 0, "all"), 0]) == 25
    assert len(found[("cities", False, 0, 1, "other"), 0]) == 5


SHARED = {"name": "event", "actor": "user.id", "dimensions": "props", "values": "props"}


def test_custom_envelopes_bring_actors_and_units_and_values_of_a_shared_object() -> None:
    plan = plan_of(
        metric_plan("users", uniques("order")),
        metric_plan("devices", uniques("order", "device")),
        metric_plan("p95", quantile("order", "amount")),
    )
    ingest = ingest_of(plan, SHARED)
    ingest.add_many(
        [
            json.dumps({"event": "order", "time": 0, "user": user, "props": props}).encode()
            for user, props in (
                ({"id": 7}, {"device": 12, "amount": 2.5, "cart": [1]}),
                ({"id": "7"}, {"device": "12", "amount": None}),
                (None, {"device": True}),
            )
        ]
    )
    row = (False, 0, 0, "all")
    assert merged([ingest.flush()], plan) == {
        (("users", *row), 0): {plain_hash("7"): 1},
        (("devices", *row), 0): {plain_hash("12"): 1, plain_hash("true"): 1},
        (("p95", *row), 0): {int(bins(np.array([2.5]))[0]): 1},
    }


@pytest.mark.parametrize(
    ("props", "faulty"),
    [
        ({"device": {"id": 1}}, True),
        ({"device": [1]}, True),
        ({"other": {"id": 1}}, False),
        ({"actor": {"id": 1}}, False),
        ({"amount": "2.5"}, True),
    ],
)
def test_a_unit_in_a_shared_object_must_be_a_scalar(props: dict[str, Any], faulty: bool) -> None:
    plan = plan_of(
        metric_plan("users", uniques("order")),
        metric_plan("devices", uniques("order", "device")),
        metric_plan("p95", quantile("order", "amount")),
    )
    ingest = ingest_of(plan, SHARED)
    ingest.add_many([json.dumps({"event": "order", "time": 0, "props": props}).encode()])
    reasons = [letter.reason for letter in ingest.flush().dead_letters]
    assert reasons == ([Reject.BAD_FIELD] if faulty else [])


def test_late_units_of_days_are_on_time_while_their_day_lasts() -> None:
    plan = plan_of(metric_plan("d", uniques("view"), width_us=DAY, timezone="Asia/Tokyo"))
    ingest = ingest_of(plan)
    ingest.add_many([line("view", 10 * 3600, actor="a")] * 3 + [line("view", 5, actor="b")])
    found = merged([ingest.flush()], plan)
    row = ("d", False, -9 * HOUR, 0, "all")
    assert found == {(row, 0): {plain_hash("a"): 1, plain_hash("b"): 1}}

"""Messages in, frames out: against a slow reading of the same lines, however flushes are cut."""

import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.definitions.calendar import bucket_end, bucket_start
from monitor.definitions.plan import Condition, Measure, MetricPlan, Plan
from monitor.ingest.envelope import Envelope
from monitor.ingest.series import segment
from monitor.ingest.source import Flush
from monitor.ingest.watermark import Watermark
from monitor.ingest.where import holds
from monitor.model.event import Event, Reject
from monitor.model.frame import Deltas, decode_frame, encode_frame
from monitor.model.time import DAY, FOREVER, HOUR, MINUTE, NEVER, SECOND, to_rfc3339
from tests.ingest.conftest import ingest_of, metric_plan, plan_of

Rows = dict[tuple[str, bool, int, int, str], tuple[Fraction, ...]]
"""By (metric, late, bucket, group, segment), the sums of the measures."""

PAID: tuple[Condition, ...] = (("plan", "in", ("paid", "5")),)
BIG: tuple[Condition, ...] = (("amount", "gte", (10.0,)), ("plan", "not_in", ("free",)))
BY = ((), ("country",), ("country", "plan"))
PLAN = plan_of(
    metric_plan("orders", Measure(name="count", event="order"), groupings=BY),
    metric_plan("paid", Measure(name="count", event="order", where=PAID), groupings=BY),
    metric_plan(
        "revenue",
        Measure(name="sum", event="order", value="amount", where=PAID),
        Measure(name="count", event="order", needs="amount", where=PAID),
        groupings=BY,
        width_us=5 * MINUTE,
    ),
    metric_plan("big", Measure(name="count", event="order", where=BIG), groupings=((), ("plan",))),
    metric_plan(
        "ratio",
        Measure(name="numerator", event="order"),
        Measure(name="denominator", event="view"),
        groupings=BY,
    ),
    metric_plan(
        "daily",
        Measure(name="sum", event="order", value="amount"),
        groupings=((), ("city",)),
        width_us=DAY,
        timezone="Europe/Berlin",
    ),
    metric_plan("spent", Measure(name="sum", event="view", value="seconds")),
    shards=3,
)
START = 1_700_000_000


def line(name: str, time: float | str, **fields: Any) -> bytes:
    return json.dumps({"name": name, "time": time, **fields}).encode()


def rows_of(deltas: Deltas) -> Rows:
    """The rows of one metric; checks the order that a frame promises."""
    series = list(zip(deltas.groups.tolist(), deltas.segments, strict=True))
    assert series == sorted(set(series))
    keys = list(
        zip(deltas.late.tolist(), deltas.bucket.tolist(), deltas.series.tolist(), strict=True)
    )
    assert keys == sorted(set(keys))
    assert set(deltas.series.tolist()) == set(range(len(series)))
    sums = [
        tuple(Fraction(high) + Fraction(low) for high, low in zip(highs, lows, strict=True))
        for highs, lows in zip(deltas.hi.tolist(), deltas.lo.tolist(), strict=True)
    ]
    return {
        (deltas.metric, late, bucket, *series[number]): one
        for (late, bucket, number), one in zip(keys, sums, strict=True)
    }


def merged(flushes: Iterable[Flush]) -> Rows:
    total: Rows = {}
    for flush in flushes:
        for frame in flush.frames.values():
            for deltas in decode_frame(encode_frame(frame)).deltas:
                for key, sums in rows_of(deltas).items():
                    before = total.get(key, (Fraction(0),) * len(sums))
                    total[key] = tuple(a + b for a, b in zip(before, sums, strict=True))
    return total


def assert_same(found: Rows, wanted: Rows) -> None:
    """Equal to more digits than a pair of floats is asked to keep."""
    assert found.keys() == wanted.keys()
    for key, sums in found.items():
        for one, other in zip(sums, wanted[key], strict=True):
            assert abs(one - other) <= 1e-20 + max(abs(one), abs(other)) / 10**27, key


def expected(lines: Sequence[bytes], plan: Plan = PLAN) -> tuple[Rows, Counter[str]]:
    """What a plain reading of the lines gives, metric by metric and event by event."""
    mark = Watermark(
        allowed_lateness_us=plan.allowed_lateness_us, idle_timeout_us=plan.idle_timeout_us
    )
    total: Rows = {}
    counts: Counter[str] = Counter()
    for payload in lines:
        event = Envelope().read(payload, 30_000 * DAY)
        assert event is not None
        stands = []
        for metric in plan.metrics:
            stands += [_count(event, metric, mark.watermark_us, plan, total)]
        counts["late"] += any(stand > 0 for stand in stands)
        counts["too_late"] += any(stand > 1 for stand in stands)
        mark.observe(event.time_us)
    return total, counts


def _count(event: Event, metric: MetricPlan, watermark_us: int, plan: Plan, total: Rows) -> int:
    """Counts one event for one metric; returns 0 on time, 1 late, 2 too late."""
    base_us = event.time_us - event.time_us % plan.base_us
    end = bucket_end(metric.calendar, base_us)
    stand = (end <= watermark_us) + (end <= watermark_us - plan.restatement_window_us)
    worst = 0
    for place, measure in enumerate(metric.measures):
        amount = amount_of(event, measure)
        if amount is None:
            continue
        worst = stand
        for group, grouping in enumerate(metric.groupings):
            if stand > 1 or not set(grouping) <= set(event.dimensions):
                continue
            values = [event.dimensions[name] for name in grouping]
            start = bucket_start(metric.calendar, base_us)
            key = (metric.name, bool(stand), start, group, segment(values))
            sums = list(total.get(key, (Fraction(0),) * len(metric.measures)))
            sums[place] += amount
            total[key] = tuple(sums)
    return worst


def amount_of(event: Event, measure: Measure) -> Fraction | None:
    field = measure.value or measure.needs
    found: dict[str, Any] = {**event.values, **event.dimensions}
    if event.name != measure.event or (field and field not in event.values):
        return None
    if not all(holds(condition, found.get(condition[0])) for condition in measure.where):
        return None
    return (
        Fraction(event.values[measure.value] * event.count)
        if measure.value
        else Fraction(event.count)
    )


TEXTS: dict[str, list[Any]] = {
    "country": ["DE", "FR", "a,b", 'x"y', ""],
    "plan": ["free", "paid", 5, 5.0, 0.5, "1", 1, True],
    "city": ["Ulm"],
}
EVENTS = st.builds(
    line,
    st.sampled_from(["order", "order", "order", "view", "other"]),
    st.one_of(
        st.integers(START, START + 1200),
        st.integers(START - 5 * 3600, START + 5 * 3600),
        st.floats(START, START + 200),
    ),
    count=st.sampled_from([1, 1, 1, 7, 10**9]),
    dimensions=st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(values) for name, values in TEXTS.items()}
    ),
    values=st.fixed_dictionaries(
        {},
        optional={
            "amount": st.sampled_from([0.1, 12.5, 3, 9.99, 1e15, -7.3, None]),
            "plan": st.sampled_from([5, 6]),
            "seconds": st.floats(-1e6, 1e6),
        },
    ),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENTS, max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_rows_are_those_of_a_plain_reading_wherever_flushes_are_cut(
    lines: list[bytes], cuts: list[int]
) -> None:
    ingest = ingest_of(PLAN)
    flushes = []
    edges = [0, *sorted(min(cut, len(lines)) for cut in cuts), len(lines)]
    for first, last in pairwise(edges):
        ingest.add_many(lines[first:last])
        flushes.append(ingest.flush())
    flushes.append(ingest.finish())
    rows, counts = expected(lines)
    assert_same(merged(flushes), rows)
    for name in ("late", "too_late"):
        assert sum(flush.counts[name] for flush in flushes) == counts[name]
    assert sum(flush.counts["accepted"] for flush in flushes) == len(lines)


def _written(time: float, *, as_text: bool) -> float | str:
    return to_rfc3339(round(time * SECOND)) if as_text else time


def wandering_lines(rng: random.Random, size: int) -> list[bytes]:
    """A source whose time goes on, with stragglers by seconds and hours, and wrong clocks."""
    lines, now = [], float(START)
    for _ in range(size):
        now += rng.choice([0.1, 1, 5, 20, 300])
        off = rng.choice(
            [0, 0, 0, -20, -29.5, -30, -60, -400, -3600, -3700, -9000, 3500, 3601, 9000]
        )
        lines.append(
            line(
                rng.choice(["order", "order", "view", "other"]),
                _written(round(now + off, rng.choice([0, 3])), as_text=rng.random() < 0.6),
                count=rng.choice([1, 1, 3]),
                dimensions={name: rng.choice(TEXTS[name]) for name in TEXTS if rng.random() < 0.7},
                values={
                    name: rng.choice([0.1, 3, 5, 12.5])
                    for name in ("amount", "plan", "seconds")
                    if rng.random() < 0.5
                },
            )
        )
    return lines


@pytest.mark.parametrize("seed", range(8))
def test_a_long_source_gives_the_rows_of_a_plain_reading(seed: int) -> None:
    rng = random.Random(seed)
    lines = wandering_lines(rng, 400)
    ingest = ingest_of(PLAN)
    flushes = []
    for first, last in pairwise([0, *sorted(rng.sample(range(400), 6)), 400]):
        ingest.add_many(lines[first:last])
        flushes.append(ingest.flush())
    rows, counts = expected(lines)
    assert_same(merged(flushes), rows)
    assert counts["late"] > counts["too_late"] > 0
    for name in ("late", "too_late"):
        assert sum(flush.counts[name] for flush in flushes) == counts[name]


@settings(max_examples=30, deadline=None)
@given(st.lists(EVENTS, max_size=40), st.integers(0, 40))
def test_a_restored_source_goes_on_as_if_nothing_had_happened(lines: list[bytes], cut: int) -> None:
    whole = ingest_of(PLAN)
    whole.add_many(lines)
    first = ingest_of(PLAN)
    first.add_many(lines[:cut])
    flush = first.flush()
    state = json.loads(json.dumps(flush.state))
    second = ingest_of(PLAN, position=flush.stop, state=state)
    second.add_many(lines[cut:])
    last, at_once = second.flush(), whole.flush()
    assert_same(merged([flush, last]), merged([at_once]))
    assert last.state == at_once.state
    assert last.frames[0].watermark_us == at_once.frames[0].watermark_us


def test_frames_go_to_every_shard_and_chain() -> None:
    ingest = ingest_of(PLAN, position=100, source=2, sources=4)
    ingest.add_many([line("order", START), b"", b"[]"])
    first = ingest.flush()
    assert set(first.frames) == {0, 1, 2}
    for shard, frame in first.frames.items():
        assert (frame.source, frame.sources, frame.start, frame.stop) == (2, 4, 100, 103)
        assert all(PLAN.shard_of(deltas.metric) == shard for deltas in frame.deltas)
        assert {deltas.formula for deltas in frame.deltas} <= {m.formula for m in PLAN.metrics}
        assert frame.activity.tolist() == [START * SECOND // MINUTE * MINUTE]
    ingest.add(110, line("order", START))
    ingest.skip(120, lost=5)
    second = ingest.flush()
    assert (second.start, second.stop, second.frames[1].lost) == (103, 120, 5)
    empty = ingest.flush()
    assert (empty.start, empty.stop, empty.frames[1].lost) == (120, 120, 0)
    assert empty.frames[0].deltas == []
    assert empty.frames[0].activity.size == 0


def test_activity_is_all_that_was_on_time_used_or_not() -> None:
    ingest = ingest_of(PLAN)
    ingest.add_many([line("unknown", START + i) for i in (0, 1, 2)])
    ingest.add_many(
        [line("unknown", START + 600), line("order", START + 120), line("order", START)]
    )
    frame = ingest.flush().frames[0]
    minute = START * SECOND // MINUTE * MINUTE
    assert frame.activity.tolist() == [minute, (START + 600) * SECOND // MINUTE * MINUTE]


def test_an_event_is_late_by_the_watermark_before_it() -> None:
    plan = plan_of(metric_plan("orders", Measure(name="count", event="order")))
    ingest = ingest_of(plan)
    ingest.add_many([line("order", 60 * m) for m in (0, 0, 0, 1)])
    ingest.add(5, line("order", 90))  # watermark: 60 - 30 s; now 60 s, at which minute 0 ends
    ingest.add(6, line("order", 59))
    flush = ingest.flush()
    assert merged([flush]) == {
        ("orders", False, 0, 0, "all"): (Fraction(3),),
        ("orders", False, MINUTE, 0, "all"): (Fraction(2),),
        ("orders", True, 0, 0, "all"): (Fraction(1),),
    }
    assert (flush.counts["late"], flush.counts["too_late"]) == (1, 0)


def test_late_lines_count_once_and_only_for_metrics_that_use_them() -> None:
    plan = plan_of(
        metric_plan("a", Measure(name="count", event="order", where=PAID)),
        metric_plan("b", Measure(name="count", event="order", where=PAID), width_us=5 * MINUTE),
    )
    ingest = ingest_of(plan)
    ingest.add_many([line("order", 36_000)] * 3)
    ingest.add_many(
        [
            line("order", 60, dimensions={"plan": "free"}),  # used by none
            line("view", 60),
            line("order", 60, count=9, dimensions={"plan": "paid"}),  # beyond the window of an hour
            line("order", 36_000 - 1800, dimensions={"plan": "paid"}),
        ]
    )
    counts = ingest.flush().counts
    assert (counts["read"], counts["late"], counts["too_late"]) == (7, 2, 1)


def test_an_idle_source_lets_time_pass() -> None:
    ingest = ingest_of(PLAN)
    assert ingest.watermark_us == NEVER
    ingest.idle(START * SECOND)
    frame = ingest.flush().frames[0]
    assert (frame.watermark_us, frame.newest_us) == (START * SECOND - MINUTE, NEVER)
    ingest.add(1, line("order", START - 600))
    assert ingest.flush().counts["late"] == 1


def test_the_end_of_the_input() -> None:
    ingest = ingest_of(PLAN)
    ingest.add_many([line("order", START), line("order", START + 7200)])
    assert ingest.flush().frames[0].watermark_us == NEVER
    flush = ingest.finish()
    assert flush.frames[0].watermark_us == FOREVER == ingest.watermark_us
    assert flush.frames[0].newest_us == (START + 7200) * SECOND
    assert (flush.first_us, flush.last_us) == (START * SECOND, (START + 7200) * SECOND)


def test_no_input_at_all() -> None:
    flush = ingest_of(PLAN).finish()
    assert set(flush.counts.values()) == {0}
    assert (flush.first_us, flush.last_us) == (None, None)
    assert flush.frames[0].newest_us == NEVER


def test_dead_letters_are_whole_and_cost_their_neighbours_nothing() -> None:
    ingest = ingest_of(PLAN)
    broken = [
        b"{",
        b"\xff" * 9,
        b'{"name":"x"}',
        b" " * 5,
        line("order", "2026-11-21"),
        b"x" * 2_000_000,
    ]
    mixed = [payload for bad in broken for payload in (line("order", START), bad)]
    ingest.add_many(mixed)
    assert ingest.cells > 2_000_000 // 1000
    flush = ingest.flush()
    assert [letter.payload for letter in flush.dead_letters] == [b for b in broken if b.strip()]
    assert [letter.position for letter in flush.dead_letters] == [2, 4, 6, 10, 12]
    assert [letter.reason for letter in flush.dead_letters] == [
        Reject.NOT_JSON,
        Reject.NOT_JSON,
        Reject.MISSING_TIME,
        Reject.BAD_TIME,
        Reject.TOO_LARGE,
    ]
    assert {letter.source for letter in flush.dead_letters} == {"events"}
    assert (flush.counts["read"], flush.counts["accepted"], flush.counts["dead_lettered"]) == (
        11,
        6,
        5,
    )
    assert ingest.flush().dead_letters == []


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (line("order", START + 301), Reject.TOO_FAR_IN_FUTURE),
        (line("order", "0001-01-01T00:00:00Z"), Reject.BAD_TIME),
        (line("order", 1e300), Reject.TOO_FAR_IN_FUTURE),
        (b'{"name":"order","time":0,"x":"\xff"}', Reject.NOT_JSON),
        (b'{"name":"order","time":0,"x":"' + b"x" * (1 << 20) + b'"}', Reject.TOO_LARGE),
        (line("order", 0, values={"amount": 1e308}, count=100), Reject.NOT_FINITE),
    ],
)
def test_what_the_fast_path_must_not_let_through(payload: bytes, reason: Reject) -> None:
    ingest = ingest_of(PLAN, clock=lambda: START * SECOND)
    ingest.add_many([payload])
    assert [letter.reason for letter in ingest.flush().dead_letters] == [reason]


def test_the_arrival_time_takes_the_place_of_the_clock() -> None:
    ingest = ingest_of(PLAN, clock=lambda: 0)
    ingest.add(1, line("order", START), arrival_us=START * SECOND)
    ingest.add(2, line("order", START))
    flush = ingest.flush()
    assert flush.counts["accepted"] == 1
    assert flush.dead_letters[0].position == 2


def test_text_that_is_not_ascii() -> None:
    plan = plan_of(
        metric_plan("orders", Measure(name="count", event="order"), groupings=((), ("city",)))
    )
    ingest = ingest_of(plan)
    ingest.add_many(['{"name":"order","time":0,"dimensions":{"city":"Köln"}}'.encode()])
    assert ("orders", False, 0, 1, "Köln") in merged([ingest.flush()])


def test_huge_values_do_not_break_their_neighbours() -> None:
    plan = plan_of(
        metric_plan(
            "sum", Measure(name="sum", event="order", value="amount"), groupings=((), ("city",))
        )
    )
    ingest = ingest_of(plan)
    for city, amount in (("Ulm", 1.7e308), ("Ulm", 1.7e308), ("Bonn", 0.1), ("Bonn", 0.2)):
        payload = line("order", 0, values={"amount": amount}, dimensions={"city": city})
        ingest.add_many([payload])
    rows = merged([ingest.flush()])
    assert float(rows["sum", False, 0, 1, "Ulm"][0]) == pytest.approx(2e300)
    assert rows["sum", False, 0, 1, "Bonn"][0] == Fraction(0.1) + Fraction(0.2)


def test_values_beyond_twenty_times_the_cap_are_other() -> None:
    plan = plan_of(
        metric_plan("orders", Measure(name="count", event="order"), groupings=((), ("city",))),
        cardinality=1,
    )
    ingest = ingest_of(plan)
    lines = [line("order", 0, dimensions={"city": f"c{i % 25:02}"}) for i in range(75)]
    ingest.add_many(lines)
    flush = ingest.flush()
    rows = merged([flush])
    assert flush.counts["folded"] == 15
    assert rows["orders", False, 0, 0, "all"] == (Fraction(75),)
    assert rows["orders", False, 0, 1, "other"] == (Fraction(15),)
    assert rows["orders", False, 0, 1, "c19"] == (Fraction(3),)
    assert ("orders", False, 0, 1, "c20") not in rows
    ingest.add_many(lines[20:25])
    assert ingest.flush().counts["folded"] == 0


def test_conditions_on_fields_that_no_series_is_told_apart_by() -> None:
    plan = plan_of(
        metric_plan(
            "robots", Measure(name="count", event="view", where=(("agent", "prefix", ("bot",)),))
        )
    )
    ingest = ingest_of(plan)
    ingest.add_many([line("view", 0, dimensions={"agent": f"bot{i}"}) for i in range(50)])
    ingest.add_many([line("view", 0, dimensions={"agent": f"man{i}"}) for i in range(50)])
    assert merged([ingest.flush()]) == {("robots", False, 0, 0, "all"): (Fraction(50),)}
    assert len(ingest._cells["view"].combos.labels) == 2


def test_a_source_with_ever_new_combinations_forgets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.ingest.combos.MOST", 10)
    ingest = ingest_of(PLAN)
    flushes: list[Flush] = []
    lines = []
    for turn in range(4):
        fresh = [line("order", 0, dimensions={"country": f"{turn}-{i}"}) for i in range(8)]
        ingest.add_many(fresh)
        flushes.append(ingest.flush())
        lines += fresh
        assert len(ingest._cells["order"].combos.labels) < 20
    assert merged(flushes) == expected(lines)[0]


def test_dense_and_sparse_histories_roll_up_alike() -> None:
    rng = random.Random(3)
    lines = [
        line("order", rng.randrange(0, 3000) * 600, dimensions={"country": str(rng.randrange(40))})
        for _ in range(400)
    ]
    lines = sorted(lines, key=lambda payload: json.loads(payload)["time"])
    ingest = ingest_of(PLAN)
    ingest.add_many(lines)
    assert merged([ingest.flush()]) == expected(lines)[0]


def test_arrays_have_the_types_that_frames_promise() -> None:
    ingest = ingest_of(PLAN)
    ingest.add_many([line("order", START, dimensions={"country": "DE"}, values={"amount": 2})])
    for frame in ingest.flush().frames.values():
        assert frame.activity.dtype == np.int64
        for deltas in frame.deltas:
            found = [
                getattr(deltas, n).dtype for n in ("groups", "late", "bucket", "series", "hi", "lo")
            ]
            assert found == [np.int16, np.bool_, np.int64, np.int32, np.float64, np.float64]
            assert deltas.hi.shape == deltas.lo.shape == (deltas.bucket.size, deltas.hi.shape[1])


def test_events_that_lack_a_dimension_count_in_the_whole() -> None:
    by = ((), ("country",), ("city",))
    ingest = ingest_of(
        plan_of(metric_plan("orders", Measure(name="count", event="order"), groupings=by))
    )
    ingest.add_many(
        [line("order", 0, dimensions={"city": "Ulm"}), line("order", 0), line("order", 0)]
    )
    assert merged([ingest.flush()]) == {
        ("orders", False, 0, 0, "all"): (Fraction(3),),
        ("orders", False, 0, 2, "Ulm"): (Fraction(1),),
    }


def test_many_filters_on_one_event() -> None:
    metrics = [
        metric_plan(
            f"m{i:03}", Measure(name="count", event="order", where=(("plan", "in", (f"p{i}",)),))
        )
        for i in range(100)
    ]
    ingest = ingest_of(plan_of(*metrics))
    ingest.add_many([line("order", 0, dimensions={"plan": f"p{i}"}) for i in (3, 99, 99)])
    assert merged([ingest.flush()]) == {
        ("m003", False, 0, 0, "all"): (Fraction(1),),
        ("m099", False, 0, 0, "all"): (Fraction(2),),
    }


def test_windows_of_days_take_late_minutes_on_time() -> None:
    plan = plan_of(
        metric_plan("d", Measure(name="count", event="order"), width_us=DAY, timezone="Asia/Tokyo")
    )
    ingest = ingest_of(plan)
    ingest.add_many([line("order", 10 * 3600)] * 3 + [line("order", 5)])
    flush = ingest.flush()
    assert merged([flush]) == {("d", False, -9 * HOUR, 0, "all"): (Fraction(4),)}
    assert flush.counts["late"] == 0
    assert flush.frames[0].activity.tolist() == [10 * HOUR]

"""What is derived from conversions, funnels and retentions is the formula on their values, from lines on."""

import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings

from monitor.aggregate import cohort_panel
from monitor.core.effects import ClosedBucket, Effect, RunningBucket
from monitor.core.machine import Machine
from monitor.definitions import compile_plan, load
from monitor.definitions.calendar import bucket_start
from monitor.definitions.formula import Tree
from monitor.definitions.plan import Calendar, Law, MetricPlan, Plan, own_reading
from monitor.ingest.source import Ingest
from monitor.journal.records import records
from monitor.model.bucket import BucketLine
from monitor.model.frame import Frame
from monitor.model.incident import IncidentChanged
from monitor.model.time import DAY, HOUR, MINUTE, SECOND, from_rfc3339, to_rfc3339
from tests.core.test_cohort_lanes import BEGAN, FALL, HOURLY, history
from tests.core.test_cohorts import START, cuts_strategy, events, first_rows, ordered, run, world
from tests.core.test_late_cohorts import final
from tests.core.unit_worlds import Event, brute_force, interleaved, on_time, plan_of, segment_of

METRICS = """
metrics:
  - &short
    name: short
    kind: conversion
    start: {event: signup}
    finish: {event: activate}
    within: 1m
    segments: [country]
  - {<<: *short, name: long, finish: {event: order}, within: 4m, segments: [country, platform]}
  - name: way
    kind: funnel
    steps: [{event: signup}, {event: activate}, {event: order}]
    within: 3m
    segments: [country]
  - {name: signups, kind: count, of: {event: signup}, segments: [country]}
  - {name: spend, kind: sum, of: {event: order, value: amount}, segments: [country]}
  - {name: people, kind: uniques, of: {event: view}, unit: actor, segments: [country]}
  - {name: slow, kind: quantile, of: {event: view, value: amount}, q: 0.5, segments: [country]}
  - {name: a_each, kind: derived, formula: short / signups, segments: [country], window: 5m}
  - {name: b_gap, kind: derived, formula: long - short, segments: [country], window: 3m}
  - {name: c_two, kind: derived, formula: short / long, segments: [country]}
  - {name: d_worth, kind: derived, formula: spend * way / 2, segments: [country], window: 4m}
  - {name: e_deep, kind: derived, formula: (1 - a_each) * people + way, segments: [country]}
  - {name: f_slow, kind: derived, formula: slow * (long + 1), segments: [country], window: 3m}
"""
DAYS = """
metrics:
  - &back
    name: back
    kind: retention
    cohort: {event: signup}
    returns: {event: activate}
    day: 1
    bucket: 1h
    segments: [country]
    detect: {timezone: Europe/Berlin}
  - {<<: *back, name: there, day: 2, detect: {timezone: America/New_York}}
  - {name: orders, kind: count, of: {event: order}, bucket: 1h, segments: [country]}
  - {name: twice, kind: derived, formula: back * 2, bucket: 1h, segments: [country]}
  - {name: mixed, kind: derived, formula: orders * (back - there), bucket: 1h, segments: [country]}
"""


def compiled(folder: Any, metrics: str) -> Plan:
    (folder / "metrics").mkdir()
    (folder / "monitor.yaml").write_text("source: {files: [none]}\n")
    (folder / "metrics" / "m.yaml").write_text(metrics)
    return compile_plan(load(folder, environment={}), shards=1)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return compiled(tmp_path_factory.mktemp("minutes"), METRICS)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return compiled(tmp_path_factory.mktemp("days"), DAYS)


def alone(plan: Plan) -> Plan:
    """Only what is derived from cohorts: their inputs as metrics of their own are tested elsewhere."""
    return replace(plan, metrics=tuple(follows(plan)))


def amount(event: Event) -> float:
    """Any number, often 0, sometimes below."""
    return float(event.time_us // SECOND % 5 - 1)


def line(event: Event) -> bytes:
    body: dict[str, Any] = {"name": event.name, "time": to_rfc3339(event.time_us)}
    body |= {"dimensions": event.dimensions, "values": {"amount": amount(event)}}
    return msgspec.json.encode(body if event.actor is None else {**body, "actor": event.actor})


def frames_of(
    plan: Plan, read: Sequence[Event], cuts: Iterable[int], source: int = 0, sources: int = 1
) -> list[Frame]:
    """The frames of one file, flushed after the lines at these places."""
    ingest = Ingest(
        plan,
        None,
        source=source,
        sources=sources,
        name=str(source),
        clock=lambda: START + 400 * DAY,
    )
    frames, begin = [], 0
    for edge in sorted({min(c, len(read)) for c in cuts} | {len(read)}):
        ingest.add_many([line(event) for event in read[begin:edge]])
        begin = edge
        frames.append((ingest.finish() if edge == len(read) else ingest.flush()).frames[0])
    return frames


# What SQL over the events gives, in plain Python

Place = tuple[str, str, int]
"""Dimension, segment, bucket."""
Known = tuple[float, float]
"""A value and the n that it rests on; NaN and 0 where it is undefined."""


def places_of(metric: MetricPlan, event: Event) -> list[Place]:
    bucket = bucket_start(metric.calendar, event.time_us)
    found = [(",".join(g) or "all", segment_of(g, event)) for g in metric.groupings]
    return [(dimension, segment, bucket) for dimension, segment in found if segment is not None]


def held(metric: MetricPlan, read: Iterable[Event], name: str) -> dict[Place, list[Event]]:
    found: dict[Place, list[Event]] = defaultdict(list)
    for event in read:
        if event.name == name:
            for place in places_of(metric, event):
                found[place].append(event)
    return found


def of_input(metric: MetricPlan, read: list[Event]) -> Callable[[Place], Known]:
    """What an input is at each place."""
    if metric.cohort is not None:
        found = brute_force(metric, read)

        def share(place: Place) -> Known:
            done, units = found.get(place, (0, 0))
            return (done / units, units) if units else (math.nan, 0)

        return share
    own = held(metric, read, metric.measures[0].event)

    def plain(place: Place) -> Known:
        inside = own.get(place, [])
        n = float(len(inside))
        match metric.kind:
            case "count":
                return n, n
            case "sum":
                return math.fsum(map(amount, inside)), n
            case "uniques":
                who = len({event.actor for event in inside} - {None})
                return who, who
            case _:
                raise AssertionError(metric.kind)

    return plain


def evaluated(tree: Tree, known: Mapping[str, Known]) -> tuple[float, float | None]:
    """A formula by hand: a quotient rests on its divisor, the rest on the smallest n that is any."""
    if isinstance(tree, str):
        return known[tree]
    if not isinstance(tree, tuple):
        return tree, None
    (a, left), (b, right) = (evaluated(part, known) for part in tree[1:])
    if tree[0] == "/":
        return (math.nan if b == 0 else a / b), (left if right is None else right)
    value = {"+": a + b, "-": a - b, "*": a * b}[tree[0]]
    some = [n for n in (left, right) if n is not None]
    return value, min([n for n in some if n > 0], default=0.0 if some else None)


def derived(plan: Plan, metric: MetricPlan, read: list[Event]) -> Callable[[Place], Known]:
    """What a derived metric is at each place."""
    assert metric.tree is not None
    named = {one.name: one for one in plan.metrics}
    at = {
        one.metric: of_input(
            replace(named[one.metric], calendar=metric.calendar, groupings=metric.groupings), read
        )
        for one in metric.inputs
    }
    tree = metric.tree

    def known(place: Place) -> Known:
        value, n = evaluated(tree, {name: of(place) for name, of in at.items()})
        return (value, n or 0.0) if math.isfinite(value) else (math.nan, 0.0)

    return known


def follows(plan: Plan, *, without: str = "") -> list[MetricPlan]:
    return [m for m in plan.metrics if m.cohorts and m.name != without]


def matches(row: BucketLine, known: Known) -> None:
    value, n = known
    wanted = None if math.isnan(value) else pytest.approx(value, rel=1e-9, abs=1e-9)
    assert (row.value, row.n) == (wanted, n), row


def places(metric: MetricPlan, read: Iterable[Event]) -> set[Place]:
    """Where a row must stand: the segments of starts and of what is counted, in their buckets."""
    counted = {m.event for _, m in metric.counted if m.unit is None}
    who = {m.event for _, m in metric.counted if m.unit is not None}
    who |= {of.cohort.steps[0].event for of in metric.cohorts}
    return {
        place
        for event in read
        if event.name in counted or (event.name in who and event.actor is not None)
        for place in places_of(metric, event)
    }


def same(
    plan: Plan,
    metric: MetricPlan,
    rows: Mapping[tuple[str, str, str, str], BucketLine],
    read: list[Event],
) -> None:
    """All rows of a metric are what SQL gives, and none is missing."""
    known, own = derived(plan, metric, read), set()
    for (name, dimension, segment, start), row in rows.items():
        if name == metric.name:
            own.add((dimension, segment, from_rfc3339(start)))
            matches(row, known((dimension, segment, from_rfc3339(start))))
    assert own >= places(metric, read)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(drawn=events, cuts=cuts_strategy, noise=st.sampled_from([0, 25, 300]))
def test_judged_once_it_is_the_formula_on_what_came_in_time(
    plan: Plan, drawn: list[Any], cuts: list[int], noise: int
) -> None:
    known = [Event(START - MINUTE, "view", None)] * 3  # the watermark needs three to begin
    read = known + ordered(world(drawn), noise, len(drawn))
    rows = first_rows(run(alone(plan), frames_of(alone(plan), read, cuts)))
    for metric in follows(plan, without="f_slow"):
        same(plan, metric, rows, on_time(metric, read))


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(drawn=events, cuts=cuts_strategy, noise=st.sampled_from([60, 300, 900]))
def test_late_events_restate_it(plan: Plan, drawn: list[Any], cuts: list[int], noise: int) -> None:
    read = ordered(world(drawn), noise, len(drawn))
    rows = final(run(alone(plan), frames_of(alone(plan), read, cuts)))
    for metric in follows(plan, without="f_slow"):
        same(plan, metric, rows, read)


def window_of(plan: Plan, metric: MetricPlan, read: list[Event], end_us: int) -> Any:
    """What it is over the window that ends there: as if the window were the bucket."""
    since = end_us - metric.window_us
    starts = {of.cohort.steps[0].event for of in metric.cohorts}
    counted = {m.event for _, m in metric.counted}
    inside = [
        replace(e, time_us=e.time_us - since)
        for e in read
        if since <= e.time_us < end_us or e.name not in starts | counted
    ]
    later = [
        replace(e, time_us=e.time_us - since)
        for e in read
        if e.time_us >= end_us and e.name in counted - starts
    ]
    # what is counted outside the window is there for the units only
    whole = replace(metric, calendar=Calendar(width_us=metric.window_us))
    of_units, of_counts = sorted(inside + later, key=lambda e: e.time_us), inside
    named = {one.name: one for one in plan.metrics}
    at = {}
    for one in metric.inputs:
        own = replace(named[one.metric], calendar=whole.calendar, groupings=metric.groupings)
        at[one.metric] = of_input(own, of_units if own.cohort else of_counts)
    assert metric.tree is not None
    tree = metric.tree
    return lambda d, s: evaluated(tree, {name: of((d, s, 0)) for name, of in at.items()})[0]


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(drawn=events, cuts=cuts_strategy, noise=st.sampled_from([0, 300]))
def test_its_window_is_the_formula_on_the_windows_of_its_inputs(
    plan: Plan, drawn: list[Any], cuts: list[int], noise: int
) -> None:
    read = ordered(world(drawn), noise, len(drawn))
    rows = final(run(alone(plan), frames_of(alone(plan), read, cuts)))
    for metric in [m for m in follows(plan, without="f_slow") if m.window_us > MINUTE]:
        at: dict[int, Any] = {}
        for (name, dimension, segment, start), row in rows.items():
            if name != metric.name or row.state == "partial":
                continue
            end = from_rfc3339(start) + MINUTE
            if end not in at:
                at[end] = window_of(plan, metric, read, end)
            value = at[end](dimension, segment)
            wanted = pytest.approx(value, rel=1e-9, abs=1e-9) if math.isfinite(value) else None
            assert row.window_value == wanted, row


def values(rows: Mapping[Any, BucketLine], *, windows: bool) -> dict[Any, Any]:
    """What rows say; the window of revision 0 may hold late events of earlier buckets."""
    return {k: (r.value, r.n, r.state, windows and r.window_value) for k, r in rows.items()}


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(drawn=events, seed=st.integers(0, 99), noise=st.sampled_from([0, 300]))
def test_several_files_in_any_order_give_the_same(
    plan: Plan, drawn: list[Any], seed: int, noise: int
) -> None:
    chance, whole, only = random.Random(seed), world(drawn), alone(plan)
    parts = [ordered(whole[i::2], noise, i) for i in range(2)]
    queues = [
        frames_of(only, part, range(0, 80, chance.randint(1, 9)), i, 2)
        for i, part in enumerate(parts)
    ]
    effects = run(only, interleaved(queues, chance))
    again = run(only, interleaved(queues, random.Random(seed + 1)))
    judged, ended = ([f(e) for e in (effects, again)] for f in (first_rows, final))
    assert values(judged[0], windows=False) == values(judged[1], windows=False)
    assert values(ended[0], windows=True) == values(ended[1], windows=True)
    for metric in follows(plan, without="f_slow"):
        same(plan, metric, final(effects), whole)


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(drawn=events, seed=st.integers(0, 99))
def test_a_snapshot_anywhere_changes_nothing(plan: Plan, drawn: list[Any], seed: int) -> None:
    chance = random.Random(seed)
    only = alone(plan)
    frames = frames_of(only, ordered(world(drawn), 300, 1), range(0, 80, 7))
    whole = [record for effect in run(only, frames) for record in records(effect)]
    machine, pieces = Machine(only), []
    for frame in frames:
        if chance.random() < 0.5:
            machine, ended = Machine.restore(only, 0, machine.snapshot())
            assert ended == []
        pieces += [r for effect in machine.apply(frame) for r in records(effect)]
    machine, _ = Machine.restore(only, 0, machine.snapshot())
    assert pieces + [r for effect in machine.finish() for r in records(effect)] == whole


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(
    drawn=st.lists(
        st.tuples(
            st.integers(0, 4 * 24 * 4),
            st.sampled_from(["signup", "activate", "activate", "order"]),
            st.sampled_from(["a", "b", "c"]),
            st.sampled_from(["DE", None]),
        ),
        min_size=4,
        max_size=60,
    ),
    cuts=cuts_strategy,
)
def test_retentions_of_two_zones_are_known_when_both_days_are_over(
    days: Plan, drawn: list[Any], cuts: list[int]
) -> None:
    read = sorted(
        (
            Event(START + quarter * 15 * MINUTE, name, actor, {"country": c} if c else {})
            for quarter, name, actor, c in drawn
        ),
        key=lambda e: e.time_us,
    )
    rows = first_rows(run(days, frames_of(days, read, cuts)))
    for metric in follows(days):
        same(days, metric, rows, read)
    unjudged = {"immature", "partial"}
    for (name, *rest), row in rows.items():
        if name == "mixed":
            slow = {rows[one, "all", "all", rest[2]].state for one in ("back", "there")}
            assert (row.state in unjudged) == bool(slow & unjudged), (row, slow)


def steady(minutes: int) -> list[Event]:
    """Each minute forty sign up; half of them activate within ten seconds."""
    out = []
    for i in range(minutes):
        for j in range(40):
            at = START + i * MINUTE + j * SECOND
            out.append(Event(at, "signup", f"{i}-{j}", {"country": "DE"}))
            if j % 2:
                out.append(Event(at + 10 * SECOND, "activate", f"{i}-{j}", {"country": "DE"}))
    return sorted(out, key=lambda e: e.time_us)


def whole_rows(effects: Iterable[Effect], metric: str) -> dict[int, BucketLine]:
    return {
        (from_rfc3339(start) - START) // MINUTE: row
        for (name, dimension, _, start), row in first_rows(effects).items()
        if (name, dimension) == (metric, "all")
    }


def test_it_is_immature_until_the_slowest_input_is_mature(plan: Plan) -> None:
    read = [*steady(10), Event(START + 10 * MINUTE + SECOND, "view", None)]
    effects = run(plan, frames_of(plan, read, range(0, 600, 40)))
    for name, mature in (("a_each", 9), ("c_two", 6), ("d_worth", 7)):
        states = {minute: row.state for minute, row in whole_rows(effects, name).items()}
        assert [m for m in range(10) if states[m] == "immature"] == list(range(mature, 10)), name
        assert states[10] == "partial"


def test_it_is_shown_while_it_grows_and_marked(plan: Plan) -> None:
    read = [*steady(3), Event(START + 9 * MINUTE, "view", None)]
    machine = Machine(plan)
    effects = [
        e for frame in frames_of(plan, read, range(0, 600, 15)) for e in machine.apply(frame)
    ]
    shown: dict[str, list[tuple[str, tuple[float, float]]]] = defaultdict(list)
    for effect in effects:
        bucket = effect.bucket if isinstance(effect, RunningBucket) else effect
        if isinstance(bucket, ClosedBucket) and bucket.start_us == START + MINUTE:
            for group in bucket.groups:
                if group.dimension == "all":
                    row = group.rows[0]
                    found = float(bucket.value[row]), float(bucket.window_value[row])
                    shown[group.metric].append((type(effect).__name__, found))
    kinds = [kind for kind, _ in shown["a_each"]]
    assert kinds[0] == "RunningBucket"
    assert kinds[-1] == "ClosedBucket"
    assert kinds.count("ClosedBucket") == 1
    assert {values for _, values in shown["a_each"]} == {(0.5 / 40, 0.5 / 80)}


def test_a_running_window_of_many_units_keeps_what_is_no_unit(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    views = [Event(START + i * 10 * SECOND, "view", "v") for i in range(40)]
    orders = [replace(e, name="order") for e in steady(3) if e.name == "activate"]
    read = sorted([*steady(3), *orders, *views], key=lambda e: e.time_us)
    values = []
    for most in (cohort_panel.TOLD_APART, 0):
        monkeypatch.setattr(cohort_panel, "TOLD_APART", most)
        effects = Machine(plan).apply(frames_of(plan, read, [])[0])
        running = [e.bucket for e in effects if isinstance(e, RunningBucket)]
        found = {}
        for bucket in running:
            for group in bucket.groups:
                if group.metric == "f_slow" and group.dimension == "all":
                    found[bucket.start_us] = float(bucket.window_value[group.rows[0]])
        values.append(found)
    assert values[0] == pytest.approx(values[1], rel=1e-11, nan_ok=True)
    assert np.isfinite(values[0][START + 2 * MINUTE])


def test_a_quantile_beside_a_cohort_is_that_of_its_own_metric(plan: Plan) -> None:
    chance = random.Random(3)
    read = steady(6) + [
        Event(START + chance.randrange(360) * SECOND, "view", None, {"country": "DE"})
        for _ in range(300)
    ]
    read = ordered(read, 120, 3)
    rows = final(run(plan, frames_of(plan, read, range(0, 900, 50))))
    own = {k[1:]: row for k, row in rows.items() if k[0] == "f_slow"}
    compared = 0
    for place, row in own.items():
        slow, long = rows.get(("slow", *place)), rows.get(("long", *place))
        if slow and long and slow.value is not None and long.value is not None:
            assert row.value == pytest.approx(slow.value * (long.value + 1), rel=1e-9)
            compared += 1
        else:
            assert (row.value, row.n) == (None, 0)
    assert compared > 6


@pytest.mark.slow
def test_a_fall_is_found_once_it_is_known_and_begins_with_the_cohort() -> None:
    twice = replace(
        HOURLY,
        kind="derived",
        law=Law.NORMAL_MEAN,
        inputs=(own_reading("conversion", "conversion"),),
        tree=("*", 2.0, "conversion"),
        cohorts=HOURLY.followed,
        cohort=None,
    )
    frames = history(twice, 26 * 24, FALL)
    machine = Machine(plan_of(twice), shows_running=False)
    effects = [e for frame in frames for e in machine.apply(frame)]
    changes = [e.incident for e in effects if isinstance(e, IncidentChanged) and e.transition]
    fired = [one for one in changes if one.state == "firing"]
    assert len(fired) == 1
    started, detected = (from_rfc3339(t) for t in (fired[0].started_at, fired[0].detected_at))
    assert abs(started - BEGAN) <= 2 * HOUR
    assert detected >= started + 3 * HOUR, "its cohort had to be mature"


def test_a_row_that_is_given_away_leaves_nothing_behind(days: Plan) -> None:
    read = [
        Event(START, "signup", "a", {"country": "DE"}),
        Event(START + SECOND, "order", "a", {"country": "DE"}),
        Event(START + DAY, "activate", "a", {"country": "DE"}),
        *(Event(START + i * HOUR, "view", None) for i in range(1, 13 * 24)),
    ]
    read += [
        Event(START + 10 * DAY, "signup", "b", {"country": "FR"}),
        Event(START + 10 * DAY, "order", "b", {"country": "FR"}),
        Event(START + 11 * DAY, "activate", "b", {"country": "FR"}),
    ]
    read.sort(key=lambda e: e.time_us)
    effects = run(alone(days), frames_of(alone(days), read, range(0, 400, 24)))
    for metric in follows(days):
        same(days, metric, first_rows(effects), read)
        segments = {k[2] for k in first_rows(effects) if k[0] == metric.name and k[1] != "all"}
        assert segments == {"DE", "FR"}


def test_values_beyond_the_cap_are_folded_together_and_counted(days: Plan) -> None:
    capped = replace(alone(days), cardinality=2)
    read = []
    for hour in range(72):
        for second, country in enumerate(["DE", "FR", "IT", "ES"]):
            at = START + hour * HOUR + second * SECOND
            read.append(Event(at, "signup", country, {"country": country}))
            read.append(Event(at, "order", country, {"country": country}))
    machine = Machine(capped)
    frames = frames_of(capped, read, range(0, 600, 70))
    rows = first_rows(e for frame in frames for e in machine.apply(frame))
    folded = [
        replace(e, dimensions={"country": "other"})
        if e.dimensions["country"] in ("IT", "ES")
        else e
        for e in read
    ]
    for metric in follows(days):
        same_so_far(days, metric, rows, folded)
        assert {k[2] for k in rows if k[0] == metric.name} == {"all", "DE", "FR", "other"}
    starts_of = {"twice": 1, "mixed": 2}
    for name, cohorts in starts_of.items():
        assert machine.folded[name, "country"] == 72 * 2 * cohorts


def same_so_far(
    plan: Plan,
    metric: MetricPlan,
    rows: Mapping[tuple[str, str, str, str], BucketLine],
    read: list[Event],
) -> None:
    """The rows that there are hold what SQL gives, and some hold a value."""
    known, some = derived(plan, metric, read), 0
    for (name, dimension, segment, start), row in rows.items():
        if name == metric.name:
            matches(row, known((dimension, segment, from_rfc3339(start))))
            some += row.value is not None
    assert some


def each_hour(hours: Iterable[int]) -> list[Event]:
    """A day later every other one is back."""
    read = []
    for hour in hours:
        at, who = START + hour * HOUR, f"u{hour}"
        read.append(Event(at, "signup", who, {"country": "DE"}))
        read.append(Event(at + SECOND, "order", who, {"country": "DE"}))
        read += [Event(at + day * DAY, "activate", who) for day in (1, 2) if hour % 2]
    return sorted(read, key=lambda e: e.time_us)


def test_what_was_not_judged_when_a_history_ends_belongs_to_it(days: Plan) -> None:
    read, only = each_hour(range(30)), alone(days)
    past = [e for e in read if e.time_us < START + 30 * HOUR]
    machine = Machine(only)
    for frame in frames_of(only, past, [20, 40]):
        machine.apply(frame)
    machine.end_history()
    machine, _ = Machine.restore(only, 0, machine.snapshot())
    more = each_hour(range(20, 150))
    frames = frames_of(only, more, range(0, 600, 50))
    rows = first_rows(e for frame in frames for e in machine.apply(frame))
    floor = START + 29 * HOUR
    assert min(from_rfc3339(k[3]) for k in rows) == floor
    inside = [e for e in more if e.time_us >= floor]
    for metric in follows(days):
        same_so_far(days, metric, rows, inside)


def test_one_that_changes_begins_anew_and_the_others_keep_their_units(days: Plan) -> None:
    read = each_hour(range(90))
    old = alone(days)
    new = replace(
        old,
        metrics=tuple(
            replace(m, formula="changed") if m.name == "mixed" else m for m in old.metrics
        ),
    )
    frames = frames_of(old, read, range(0, 600, 25))
    machine = Machine(old)
    effects = [e for frame in frames[:4] for e in machine.apply(frame)]
    machine, ended = Machine.restore(new, 0, machine.snapshot())
    assert ended == []
    effects += [e for frame in frames[4:] for e in machine.apply(frame)]
    twice = next(m for m in follows(days) if m.name == "twice")
    same_so_far(days, twice, first_rows(effects), read)
    assert machine.counters["deltas_of_other_definitions"] > 0

"""Conversion, funnel and retention give what SQL over the raw events gives, once a cohort is mature."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from monitor.aggregate import cohort_panel
from monitor.core.effects import ClosedBucket, Effect, RunningBucket
from monitor.core.machine import Machine
from monitor.definitions.plan import Calendar, MetricPlan, Plan
from monitor.journal.lines import Judged, bucket_rows
from monitor.journal.records import records
from monitor.model.bucket import BucketLine
from monitor.model.frame import Frame
from monitor.model.time import DAY, HOUR, MINUTE, SECOND, from_datetime, from_rfc3339, to_rfc3339
from tests.core.unit_worlds import (
    Event,
    Found,
    brute_force,
    cohort_metric,
    frames_of,
    interleaved,
    on_time,
    plan_of,
)

START = 20_400 * DAY
COUNTRY = (("country",),)

CONVERSION = cohort_metric(
    "conversion", ["signup", "activate"], within_us=3 * MINUTE, segments=COUNTRY
)
SHORT = cohort_metric("conversion", ["signup", "activate"], within_us=20 * SECOND, name="short")
SAME = cohort_metric("conversion", ["signup", "signup"], within_us=MINUTE, name="same")
FUNNEL = cohort_metric(
    "funnel",
    ["signup", "activate", "order", "activate"],
    within_us=4 * MINUTE,
    segments=[("country",), ("country", "platform")],
)
MINUTES = plan_of(CONVERSION, SHORT, SAME, FUNNEL)

NAMES = ["signup", "signup", "activate", "activate", "order", "view"]


def run(plan: Plan, frames: Iterable[Frame]) -> list[Effect]:
    machine = Machine(plan)
    effects = [effect for frame in frames for effect in machine.apply(frame)]
    return effects + machine.finish()


def rows_of(effects: Iterable[Effect]) -> list[BucketLine]:
    memory = Judged(3 * DAY)
    return [row for effect in effects for row in bucket_rows(effect, memory=memory)]


def first_rows(effects: Iterable[Effect]) -> dict[tuple[str, str, str, str], BucketLine]:
    found = {}
    for row in rows_of(effects):
        if row.revision == 0:
            key = (row.metric, row.dimension, row.segment, row.start)
            assert key not in found, "a bucket is written once"
            found[key] = row
    return found


def judged_values(effects: Iterable[Effect], metric: str) -> Found:
    """Converted units and units of revision 0, where there are any."""
    out: Found = {}
    for (name, dimension, segment, start), row in first_rows(effects).items():
        if name != metric:
            continue
        converted, units = (row.measures[name] or 0 for name in ("converted", "units"))
        assert row.n == units
        assert row.value == (None if not units else pytest.approx(converted / units, rel=1e-11))
        if units:
            out[dimension, segment, from_rfc3339(start)] = int(converted), int(units)
    return out


def world(drawn: Sequence[Any], second: int = 1) -> list[Event]:
    return [
        Event(
            START + seconds * second * SECOND // 2,
            name,
            actor,
            {k: v for k, v in (("country", country), ("platform", platform)) if v},
        )
        for seconds, name, actor, country, platform in drawn
    ]


events = st.lists(
    st.tuples(
        st.integers(0, 2 * 12 * 60),
        st.sampled_from(NAMES),
        st.sampled_from(["a", "b", "c", "d", None]),
        st.sampled_from(["DE", "a,b", None]),
        st.sampled_from(["ios", None]),
    ),
    min_size=3,
    max_size=80,
)
cuts_strategy = st.lists(st.integers(0, 80), max_size=8)


def ordered(drawn: list[Event], noise: int, seed: int) -> list[Event]:
    """In an order that strays from that of time by up to so many seconds."""
    chance = random.Random(seed)
    return sorted(drawn, key=lambda e: e.time_us + chance.uniform(0, noise) * SECOND)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(drawn=events, cuts=cuts_strategy, noise=st.sampled_from([0, 25, 300]))
def test_values_are_those_of_sql_over_the_events_in_time(
    drawn: list[Any], cuts: list[int], noise: int
) -> None:
    read = ordered(world(drawn), noise, len(drawn))
    effects = run(MINUTES, frames_of(MINUTES, read, cuts))
    for metric in MINUTES.metrics:
        wanted = brute_force(metric, on_time(metric, read))
        assert judged_values(effects, metric.name) == wanted, metric.name


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(drawn=events, seed=st.integers(0, 99), noise=st.sampled_from([0, 300]))
def test_sources_may_interleave_in_any_way(drawn: list[Any], seed: int, noise: int) -> None:
    chance = random.Random(seed)
    whole = world(drawn)
    halves = [ordered(whole[i::2], noise, i) for i in range(2)]
    queues = [
        frames_of(MINUTES, half, range(0, 80, chance.randint(1, 9)), i, 2)
        for i, half in enumerate(halves)
    ]
    effects = run(MINUTES, interleaved(queues, chance))
    again = run(MINUTES, interleaved(queues, random.Random(seed + 1)))
    assert first_rows(effects) == first_rows(again)
    if all(halves) and not noise:
        for metric in MINUTES.metrics:
            assert judged_values(effects, metric.name) == brute_force(metric, whole)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(drawn=events, seed=st.integers(0, 99))
def test_a_snapshot_anywhere_changes_nothing(drawn: list[Any], seed: int) -> None:
    chance = random.Random(seed)
    frames = frames_of(MINUTES, ordered(world(drawn), 300, 1), range(0, 80, 7))
    whole = [record for effect in run(MINUTES, frames) for record in records(effect)]
    machine, pieces = Machine(MINUTES), []
    for frame in frames:
        if chance.random() < 0.5:
            machine, ended = Machine.restore(MINUTES, 0, machine.snapshot())
            assert ended == []
        pieces += [r for effect in machine.apply(frame) for r in records(effect)]
    machine, _ = Machine.restore(MINUTES, 0, machine.snapshot())
    assert pieces + [r for effect in machine.finish() for r in records(effect)] == whole


def test_a_finish_exactly_at_the_horizon_counts_and_a_microsecond_later_does_not() -> None:
    at = 3 * MINUTE
    read = [
        Event(START, "signup", "a"),
        Event(START, "signup", "b"),
        Event(START + at, "activate", "a"),
        Event(START + at + 1, "activate", "b"),
        Event(START + HOUR, "view", None),
    ]
    effects = run(MINUTES, frames_of(MINUTES, read, []))
    assert judged_values(effects, "conversion")["all", "all", START] == (1, 2)
    assert judged_values(effects, "same")["all", "all", START] == (2, 2), (
        "a start may be its finish"
    )


def retention_days(month: int, day: int, hour: int) -> int:
    return from_datetime(datetime(2026, month, day, hour, tzinfo=UTC))


back = st.lists(
    st.tuples(
        st.integers(0, 12 * 24 * 4),
        st.sampled_from(["signup", "session", "session"]),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["DE", None]),
    ),
    min_size=4,
    max_size=60,
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    drawn=back,
    month=st.sampled_from([3, 10]),
    width=st.sampled_from([HOUR, DAY, 7 * DAY]),
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "UTC"]),
    day=st.sampled_from([1, 3]),
)
def test_retention_counts_calendar_days_of_its_zone(
    drawn: list[Any], month: int, width: int, zone: str, day: int
) -> None:
    metric = cohort_metric(
        "retention", ["signup", "session"], day=day, width_us=width, timezone=zone, segments=COUNTRY
    )
    begin = retention_days(month, 3 if zone == "America/New_York" else 23, 0)
    read = sorted(
        (
            Event(begin + quarter * 15 * MINUTE, name, actor, {"country": c} if c else {})
            for quarter, name, actor, c in drawn
        ),
        key=lambda e: e.time_us,
    )
    plan = plan_of(metric)
    effects = run(plan, frames_of(plan, read, range(0, 60, 5)))
    assert judged_values(effects, "retention") == brute_force(metric, read)


def states(effects: Iterable[Effect], metric: str = "conversion") -> dict[int, str]:
    return {
        (from_rfc3339(row.start) - START) // MINUTE: row.state
        for (name, dimension, *_), row in first_rows(effects).items()
        if name == metric and dimension == "all"
    }


def test_a_bucket_is_immature_until_its_horizon_has_passed() -> None:
    read = [Event(START + i * MINUTE, "signup", str(i)) for i in range(10)]
    read.append(Event(START + 10 * MINUTE + SECOND, "view", None))
    found = states(run(MINUTES, frames_of(MINUTES, read, range(11))))
    assert found == dict.fromkeys(range(7), "learning") | {
        7: "immature",
        8: "immature",
        9: "immature",
        10: "partial",
    }
    short = states(run(MINUTES, frames_of(MINUTES, read, range(11))), "short")
    assert short == dict.fromkeys(range(9), "learning") | {9: "immature", 10: "partial"}


def test_the_end_of_the_input_judges_what_is_mature_by_its_newest_event() -> None:
    read = [Event(START + i * MINUTE, "signup", str(i)) for i in range(10)]
    read.append(Event(START + 10 * MINUTE + 20 * SECOND, "activate", "9"))
    effects = run(MINUTES, frames_of(MINUTES, read, range(11)))
    assert states(effects, "short")[9] == "learning"


def test_a_bucket_is_shown_when_it_ends_again_while_it_grows_and_when_it_is_judged() -> None:
    read = [Event(START, "signup", "a"), Event(START + 100 * SECOND, "activate", "a")]
    read += [Event(START + i * MINUTE, "view", None) for i in range(1, 9)]
    frames = frames_of(MINUTES, sorted(read, key=lambda e: e.time_us), range(11))
    machine, shown = Machine(MINUTES), []
    quiet, judged = Machine(MINUTES, shows_running=False), []
    for frame in frames:
        effects = machine.apply(frame)
        judged += [e for e in quiet.apply(frame) if isinstance(e, ClosedBucket)]
        for effect in effects:
            bucket = effect.bucket if isinstance(effect, RunningBucket) else effect
            if isinstance(bucket, ClosedBucket) and bucket.start_us == START:
                whole = [g.rows[0] for g in bucket.groups if g.metric == "conversion"]
                if whole:
                    value = float(bucket.value[whole[0]]), float(bucket.window_value[whole[0]])
                    shown.append((type(effect).__name__, *value, records(effect)[0].key))
    key = f"conversion|all|{to_rfc3339(START)}"
    assert shown == [
        ("RunningBucket", 0, 0, key),
        ("RunningBucket", 1, 1, key),
        ("RunningBucket", 1, 1, key),
        ("ClosedBucket", 1, 1, key),
    ]
    rows, wanted = first_rows(judged), first_rows(run(MINUTES, frames))
    assert rows == {k: row for k, row in wanted.items() if k in rows} != {}


def windowed(metric: MetricPlan, read: list[Event], rows: dict[Any, BucketLine]) -> None:
    """A window's value is that of a cohort as long as the window, whose unit may start many times."""
    own = {k: row for k, row in rows.items() if k[0] == metric.name}
    for (_, dimension, segment, _), row in own.items():
        end = from_rfc3339(row.end)
        since = end - metric.window_us
        inside = [e for e in read if e.name != "signup" or since <= e.time_us < end]
        whole = replace(metric, calendar=Calendar(width_us=metric.window_us))
        moved = [replace(e, time_us=e.time_us - since) for e in inside]
        done, units = brute_force(whole, moved).get((dimension, segment, 0), (0, 0))
        assert row.window_value == (None if not units else pytest.approx(done / units, rel=1e-11))


WINDOWED = (
    cohort_metric(
        "conversion",
        ["signup", "activate"],
        within_us=3 * MINUTE,
        window_us=5 * MINUTE,
        segments=COUNTRY,
    ),
    cohort_metric(
        "funnel",
        ["signup", "activate", "order"],
        within_us=3 * MINUTE,
        window_us=3 * MINUTE,
    ),
)


@settings(max_examples=40, deadline=None)
@given(drawn=events, cuts=cuts_strategy)
def test_the_value_of_a_window_tells_units_apart(drawn: list[Any], cuts: list[int]) -> None:
    read, plan = ordered(world(drawn), 0, 0), plan_of(*WINDOWED)
    rows = first_rows(run(plan, frames_of(plan, read, cuts)))
    for metric in plan.metrics:
        windowed(metric, read, rows)


@settings(max_examples=15, deadline=None)
@given(drawn=events, seed=st.integers(0, 9))
def test_a_snapshot_keeps_the_units_of_windows(drawn: list[Any], seed: int) -> None:
    chance, plan = random.Random(seed), plan_of(*WINDOWED)
    frames = frames_of(plan, ordered(world(drawn), 300, 1), range(0, 80, 9))
    whole = [record for effect in run(plan, frames) for record in records(effect)]
    machine, pieces = Machine(plan), []
    for frame in frames:
        if chance.random() < 0.5:
            machine, _ = Machine.restore(plan, 0, machine.snapshot())
        pieces += [r for effect in machine.apply(frame) for r in records(effect)]
    assert pieces + [r for effect in machine.finish() for r in records(effect)] == whole


@pytest.mark.parametrize("second", [0, 7, 30, 59, 61, 200, 239, 240, 241])
def test_a_robot_that_starts_all_the_time_converts_as_sql_has_it(second: int) -> None:
    read = [Event(START + i * SECOND // 4, "signup", "robot") for i in range(240)]
    read += [Event(START + second * SECOND, "activate", "robot"), Event(START + HOUR, "view", None)]
    read.sort(key=lambda e: e.time_us)
    machine, plan = Machine(plan_of(CONVERSION)), plan_of(CONVERSION)
    effects = [e for frame in frames_of(plan, read, [100]) for e in machine.apply(frame)]
    assert judged_values(effects, "conversion") == brute_force(CONVERSION, read)
    assert machine.set_aside["too_many_starts"] >= 240 - 64
    restored, _ = Machine.restore(plan, 0, machine.snapshot())
    assert restored.set_aside == machine.set_aside


def test_a_running_window_of_many_units_adds_its_buckets_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = [Event(START, "signup", "a"), Event(START + 1, "activate", "a")]
    read += [Event(START + MINUTE + i, "signup", actor) for i, actor in enumerate("ab")]
    read += [Event(START + 3 * MINUTE, "view", None)]
    plan, shown = plan_of(WINDOWED[0]), []
    for most in (cohort_panel.TOLD_APART, 0):
        monkeypatch.setattr(cohort_panel, "TOLD_APART", most)
        effects = Machine(plan).apply(frames_of(plan, read, [])[0])
        running = [e.bucket for e in effects if isinstance(e, RunningBucket)]
        shown.append([b.window_value[0] for b in running if b.start_us == START + MINUTE][-1])
    assert shown == [0.5, pytest.approx(1 / 3, rel=1e-11)]


def test_of_the_values_of_one_frame_those_with_the_most_units_are_kept_apart() -> None:
    plan = plan_of(CONVERSION, cardinality=1)
    read = [
        Event(START + i * SECOND, "signup", str(i), {"country": country})
        for i, country in enumerate(["AT", "DE", "DE", "FR"])
    ]
    found = judged_values(run(plan, frames_of(plan, [*read, *beats(8)], [])), "conversion")
    assert found["country", "DE", START] == (0, 2)
    assert found["country", "other", START] == (0, 2)


def beats(minutes: int) -> list[Event]:
    """An event a minute that no metric uses: time goes on."""
    return [Event(START + k * MINUTE, "view", None) for k in range(minutes)]

"""Late events of units restate judged cohorts: in the end the numbers are those of all events."""

import random
from collections.abc import Iterable
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from monitor.aggregate import cohort_panel, late_units
from monitor.aggregate.cohort_panel import CohortPanel
from monitor.core.effects import Effect
from monitor.core.machine import Machine
from monitor.definitions.plan import Plan
from monitor.journal.records import records
from monitor.model.bucket import BucketLine
from monitor.model.time import DAY, HOUR, MINUTE, SECOND, from_rfc3339, to_rfc3339
from tests.core.test_cohorts import (
    COUNTRY,
    MINUTES,
    START,
    WINDOWED,
    cuts_strategy,
    events,
    first_rows,
    ordered,
    rows_of,
    run,
    windowed,
    world,
)
from tests.core.unit_worlds import (
    Event,
    Found,
    brute_force,
    cohort_metric,
    frames_of,
    interleaved,
    plan_of,
)

Rows = dict[tuple[str, str, str, str], BucketLine]


def final(effects: Iterable[Effect]) -> Rows:
    """The last revision of every bucket."""
    return {(r.metric, r.dimension, r.segment, r.start): r for r in rows_of(effects)}


def settled(rows: Rows, metric: str) -> tuple[Found, set[int]]:
    """Converted units and units of judged buckets where there are any; and which were judged."""
    own = [row for key, row in rows.items() if key[0] == metric]
    judged = {from_rfc3339(r.start) for r in own if r.state not in ("immature", "partial")}
    found = {}
    for row in own:
        start = from_rfc3339(row.start)
        if start in judged and row.measures["units"]:
            counted = int(row.measures["converted"] or 0), int(row.measures["units"])
            found[row.dimension, row.segment, start] = counted
    return found, judged


def same(plan: Plan, effects: list[Effect], read: list[Event]) -> None:
    rows = final(effects)
    for metric in plan.metrics:
        found, judged = settled(rows, metric.name)
        wanted = brute_force(metric, read)
        assert found == {place: v for place, v in wanted.items() if place[2] in judged}, metric.name


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(drawn=events, cuts=cuts_strategy, noise=st.sampled_from([60, 300, 900]))
def test_late_events_restate_cohorts_to_what_all_events_give(
    drawn: list[Any], cuts: list[int], noise: int
) -> None:
    read = ordered(world(drawn), noise, len(drawn))
    same(MINUTES, run(MINUTES, frames_of(MINUTES, read, cuts)), read)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(drawn=events, seed=st.integers(0, 99))
def test_late_events_of_several_sources_restate_cohorts(drawn: list[Any], seed: int) -> None:
    chance = random.Random(seed)
    whole = world(drawn)
    halves = [ordered(whole[i::2], 600, i) for i in range(2)]
    queues = [
        frames_of(MINUTES, half, range(0, 80, chance.randint(1, 9)), i, 2)
        for i, half in enumerate(halves)
    ]
    same(MINUTES, run(MINUTES, interleaved(queues, chance)), whole)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(drawn=events, seed=st.integers(0, 99))
def test_a_snapshot_anywhere_keeps_what_late_events_need(drawn: list[Any], seed: int) -> None:
    chance = random.Random(seed)
    frames = frames_of(MINUTES, ordered(world(drawn), 900, 1), range(0, 80, 4))
    whole = [record for effect in run(MINUTES, frames) for record in records(effect)]
    machine, pieces = Machine(MINUTES), []
    for frame in frames:
        if chance.random() < 0.4:
            machine, _ = Machine.restore(MINUTES, 0, machine.snapshot())
        pieces += [r for effect in machine.apply(frame) for r in records(effect)]
    assert pieces + [r for effect in machine.finish() for r in records(effect)] == whole


@settings(max_examples=40, deadline=None)
@given(drawn=events, cuts=cuts_strategy)
def test_windows_follow_restated_cohorts(drawn: list[Any], cuts: list[int]) -> None:
    plan, read = plan_of(*WINDOWED), ordered(world(drawn), 600, 3)
    rows = final(run(plan, frames_of(plan, read, cuts)))
    for metric in plan.metrics:
        windowed(metric, read, rows)


def hours(count: int, extra: dict[int, list[Event]]) -> list[Event]:
    """A start and its finish every hour; the extra ones come after those of their hour."""
    out = []
    for hour in range(count):
        at = START + hour * HOUR
        out.append(Event(at, "signup", str(hour), {"country": "DE"}))
        out.append(Event(at + 30 * MINUTE, "activate", str(hour)))
        out += extra.get(hour, [])
    return out


HOURLY = cohort_metric(
    "conversion", ["signup", "activate"], within_us=3 * HOUR, width_us=HOUR, segments=COUNTRY
)


@pytest.mark.slow
@pytest.mark.parametrize("cut", [1, 7, 10_000])
def test_how_long_a_frame_is_changes_no_restatement(cut: int) -> None:
    extra = {
        30: [Event(START + 20 * HOUR, "signup", "late", {"country": "FR"})],
        31: [Event(START + 21 * HOUR, "activate", "late")],
        60: [Event(START + 40 * HOUR + 1, "signup", "40", {"country": "DE"})],
        400: [Event(START + 390 * HOUR, "signup", "again", {"country": "DE"})],
    }
    read = hours(480, extra)
    plan = plan_of(HOURLY)
    effects = run(plan, frames_of(plan, read, range(0, len(read), cut)))
    same(plan, effects, read)
    assert {r.revision for r in rows_of(effects)} >= {0, 1}


def test_what_was_judged_stays_whatever_comes_late() -> None:
    late = {200: [Event(START + 190 * HOUR, "signup", str(i)) for i in range(50)]}
    plan = plan_of(HOURLY)
    found = []
    for extra in (late, {}):
        effects = run(plan, frames_of(plan, hours(240, extra), range(0, 2000, 11)))
        found.append({k: r for k, r in first_rows(effects).items() if k[1] == "all"})
        restated = [r for r in rows_of(effects) if r.revision]
        assert bool(restated) == bool(extra)
        judged = found[-1]["conversion", "all", "all", to_rfc3339(START + 190 * HOUR)]
        for row in restated:
            assert (row.state, row.expected, row.evidence) == (
                judged.state,
                judged.expected,
                judged.evidence,
            )
    assert found[0] == found[1]


@pytest.mark.parametrize(("most", "wanted"), [(16, ({41}, 1)), (1000, ({20, 41}, 0))])
def test_beyond_what_is_kept_late_events_are_counted_and_change_nothing(
    monkeypatch: pytest.MonkeyPatch, most: int, wanted: tuple[set[int], int]
) -> None:
    monkeypatch.setattr(cohort_panel, "MOST", most)
    monkeypatch.setattr(late_units, "MOST", most)
    extra = {
        45: [
            Event(START + 20 * HOUR, "signup", "21", {"country": "DE"}),
            Event(START + 41 * HOUR, "signup", "42", {"country": "DE"}),
        ]
    }
    plan = plan_of(HOURLY)
    machine = Machine(plan)
    frames = frames_of(plan, hours(60, extra), range(0, 200, 3))
    effects = [e for frame in frames for e in machine.apply(frame)]
    panel = machine.lanes[0].panel
    assert isinstance(panel, CohortPanel)
    restated = {(from_rfc3339(r.start) - START) // HOUR for r in rows_of(effects) if r.revision}
    assert (restated, panel.set_aside["cohort_gone"]) == wanted


def test_memory_is_let_go_with_the_restatement_window() -> None:
    plan = plan_of(HOURLY, restatement_us=5 * HOUR)
    machine, sizes = Machine(plan), []
    for i, frame in enumerate(frames_of(plan, hours(200, {}), range(0, 400, 2))):
        machine.apply(frame)
        if i % 50 == 49:
            sizes.append(len(machine.lanes[0].panel.dump()["cohorts"][0][2]["blocks"]))
    assert max(sizes) < 8


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC"])
def test_late_returns_restate_retention(zone: str) -> None:
    metric = cohort_metric("retention", ["signup", "session"], day=2, width_us=DAY, timezone=zone)
    chance = random.Random(2)
    read = []
    for i in range(400):
        at = START + i * HOUR // 2
        name = chance.choice(["signup", "session", "session"])
        shift = chance.choice([0, 0, 0, -30 * HOUR])
        read.append(Event(at + shift + i * SECOND, name, chance.choice("abcdef")))
    plan = plan_of(metric)
    effects = run(plan, frames_of(plan, read, range(0, 400, 9)))
    assert max(r.revision for r in rows_of(effects)) > 0
    same(plan, effects, read)


@pytest.mark.parametrize("read_at", [3.0, 3.5, 4.5, 6.5, 20.5])
@pytest.mark.parametrize("kind", ["finish", "start"])
def test_a_late_event_counts_whenever_it_is_read(read_at: float, kind: str) -> None:
    """Before its cohort is judged it waits, afterwards it restates: either way revision 1 has it."""
    first = Event(START + MINUTE, "signup", "u")
    second = Event(START + HOUR + MINUTE, "activate", "u")
    late, other = (second, first) if kind == "finish" else (first, second)
    views = [Event(START + i * HOUR // 2, "view", None) for i in range(-10, 60)]
    read = sorted([*views, other], key=lambda e: e.time_us)
    place = next(i for i, e in enumerate(read) if e.time_us >= START + read_at * HOUR)
    read.insert(place, late)
    plan = plan_of(HOURLY)
    effects = run(plan, frames_of(plan, read, range(len(read))))
    rows = [r for r in rows_of(effects) if from_rfc3339(r.start) == START and r.segment == "all"]
    counted = [(r.revision, r.measures["converted"], r.measures["units"]) for r in rows]
    assert counted == [(0, 0, int(kind == "finish")), (1, 1, 1)]


def _view(at: int) -> tuple[Any, ...]:
    return (at, "view", None, None, None)


def _signup(at: int) -> tuple[Any, ...]:
    return (at, "signup", "d", None, None)


@settings(max_examples=60, deadline=None)
@given(drawn=events, cuts=cuts_strategy, noise=st.sampled_from([60, 900]))
@example(
    drawn=[*[(0, "signup", "a", "DE", "ios")] * 3, _view(17), _signup(180), _view(73)],
    cuts=[],
    noise=900,
).via("a cohort before the first one that ends holds late events only")
def test_late_events_count_in_cohorts_that_are_immature_at_the_end(
    drawn: list[Any], cuts: list[int], noise: int
) -> None:
    read = ordered(world(drawn), noise, len(drawn))
    rows = final(run(MINUTES, frames_of(MINUTES, read, cuts)))
    newest = max(e.time_us for e in read)
    for metric in MINUTES.metrics:
        assert metric.cohort is not None
        for (dimension, segment, start), counted in brute_force(metric, read).items():
            row = rows[metric.name, dimension, segment, to_rfc3339(start)]
            assert (row.measures["converted"], row.measures["units"]) == counted
            if start + MINUTE <= newest < start + MINUTE + metric.cohort.within_us:
                assert row.state == "immature"


def test_late_starts_of_old_immature_cohorts_count_however_long_the_horizon() -> None:
    metric = cohort_metric("retention", ["signup", "session"], day=7, width_us=DAY)
    read = [Event(START + i * HOUR, "view", None) for i in range(24 * 9)]
    read.insert(40, Event(START + HOUR, "signup", "late", {}))
    read.insert(180, Event(START + 7 * DAY + HOUR, "session", "late", {}))
    plan = plan_of(metric)
    rows = final(run(plan, frames_of(plan, read[:170], range(0, 300, 10))))
    row = rows["retention", "all", "all", to_rfc3339(START)]
    assert (row.state, row.revision, row.n) == ("immature", 1, 1)

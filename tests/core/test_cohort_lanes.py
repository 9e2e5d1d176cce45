"""What becomes of cohorts: alerts, sampling, folding, retirement, gaps, histories, new definitions."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from monitor.core.effects import ClosedBucket, Effect, IncidentChanged, RunningBucket
from monitor.core.machine import Machine
from monitor.definitions.plan import MetricPlan
from monitor.model.time import DAY, HOUR, MINUTE, from_rfc3339, to_rfc3339
from tests.core.test_cohorts import first_rows, judged_values, run
from tests.core.unit_worlds import (
    Event,
    brute_force,
    bulk_frame,
    cohort_metric,
    frames_of,
    plan_of,
)

START = 20_400 * DAY
HOURLY = cohort_metric("conversion", ["signup", "activate"], within_us=2 * HOUR, width_us=HOUR)
BEGAN = START + 25 * DAY + 3 * HOUR
FALL = range(25 * 24 + 3, 25 * 24 + 15)


def history(metric: MetricPlan, hours: int, fall: range) -> list[Any]:
    """Frames of an hour each: a third of 900 units converts, within two hours; in the fall a third less."""
    chance = np.random.default_rng(3)
    nothing = np.empty(0, dtype=np.int64)
    waiting, frames = (nothing, nothing), []
    for hour in range(hours):
        start = START + hour * HOUR
        keys = chance.integers(0, 2**63 - 1, 900)
        times = start + np.sort(chance.integers(0, HOUR, 900))
        share = 0.33 * (0.67 if hour in fall else 1.0)
        some = chance.random(900) < share
        finish = times[some] + chance.integers(0, 2 * HOUR, some.sum())
        waiting = (np.r_[waiting[0], keys[some]], np.r_[waiting[1], finish])
        due = waiting[1] < start + HOUR
        now = (waiting[0][due], waiting[1][due])
        waiting = (waiting[0][~due], waiting[1][~due])
        until = start + HOUR
        frames.append(bulk_frame(metric, hour, (keys, times), now, until_us=until))
    return frames


@pytest.fixture(scope="module")
def effects() -> list[Effect]:
    return run(plan_of(HOURLY), history(HOURLY, 28 * 24, FALL))


def test_a_fall_of_a_conversion_by_a_third_is_paged_once_and_resolves(
    effects: list[Effect],
) -> None:
    changes = [e.incident for e in effects if isinstance(e, IncidentChanged) and e.transition]
    fired = [i for i in changes if i.state == "firing"]
    assert [(i.dimension, i.direction, i.severity) for i in fired] == [("all", "down", "page")]
    assert fired[0].started_at == to_rfc3339(BEGAN)
    assert [i.state for i in changes if i.alert_id == fired[0].alert_id][-1] == "resolved"
    assert fired[0].relative_shift == pytest.approx(-0.33, abs=0.08)


def test_an_alert_is_detected_when_its_cohort_was_mature(effects: list[Effect]) -> None:
    judged: dict[str, Effect] = {}
    at = 0
    for before, effect in pairwise(effects):
        if isinstance(effect, IncidentChanged) and effect.transition:
            judged.setdefault(effect.incident.state, before)
            if effect.incident.state == "firing":
                at = from_rfc3339(effect.incident.detected_at)
    bucket = judged["firing"]
    assert isinstance(bucket, ClosedBucket)
    assert at == bucket.end_us + 2 * HOUR
    shown = [
        e.bucket.end_us for e in effects[: effects.index(bucket)] if isinstance(e, RunningBucket)
    ]
    assert shown[-1] == at, "and not before the events of that hour were there"


def test_no_cohort_is_judged_before_its_units_had_their_time(effects: list[Effect]) -> None:
    values = {
        row.start: row.value
        for row in first_rows(effects).values()
        if row.state not in ("immature", "partial")
    }
    calm = [
        value
        for start, value in values.items()
        if (from_rfc3339(start) - START) // HOUR not in FALL and value is not None
    ]
    assert len(calm) > 600
    assert min(calm) > 0.33 - 5 * (0.33 * 0.67 / 900) ** 0.5


def test_beyond_4096_units_those_with_the_smallest_hashes_are_kept() -> None:
    metric = replace(HOURLY, name="sampled", formula="sampled")
    chance = np.random.default_rng(4)
    keys = chance.integers(0, 2**63 - 1, 10_000)
    times = START + chance.integers(0, HOUR, 10_000)
    order = np.argsort(times)
    keys, times = keys[order], times[order]
    some = chance.random(10_000) < 0.4
    later = np.full(some.sum(), START + HOUR + MINUTE)
    frames = [
        bulk_frame(metric, i, (k, t), (keys[:0], times[:0]), until_us=START)
        for i, (k, t) in enumerate(zip(np.split(keys, 8), np.split(times, 8), strict=True))
    ]
    frames.append(bulk_frame(metric, 9, (keys[:1], times[:1] + 3 * HOUR), (keys[some], later),
                             until_us=START + 4 * HOUR))  # fmt: skip
    found = judged_values(run(plan_of(metric), frames), "sampled")["all", "all", START]
    smallest = np.sort(keys)[4095]
    assert found == (int((some & (keys <= smallest)).sum()), 4096)


COUNTRIES = cohort_metric(
    "conversion",
    ["signup", "activate"],
    within_us=2 * HOUR,
    width_us=HOUR,
    segments=(("country",),),
)


def hours_of(count: int, *, of: int = 2, country: Any = "DE") -> list[Event]:
    """Units that start every hour and finish an hour later; `country` may be a function of the hour."""
    out = []
    for hour in range(count):
        at = START + hour * HOUR
        for unit in range(of):
            where = country(hour, unit) if callable(country) else country
            out.append(Event(at + unit, "signup", f"{hour}-{unit}", {"country": where}))
        out.append(Event(at + MINUTE, "activate", f"{hour - 1}-0"))
    return out


def test_values_beyond_the_cap_share_a_row_and_a_unit_counts_there_once() -> None:
    read = []
    for hour in range(6):
        at = START + hour * HOUR
        for place, country in enumerate(["DE", "FR", "IT", "ES"]):
            read.append(Event(at + place, "signup", "u", {"country": country}))
        read.append(Event(at + MINUTE, "activate", "u"))
    plan = plan_of(COUNTRIES, cardinality=2)
    machine = Machine(plan)
    effects = [e for f in frames_of(plan, read, range(0, 40, 3)) for e in machine.apply(f)]
    found = judged_values(effects, "conversion")
    assert found["country", "other", START] == (1, 1)
    assert {k[1] for k in found} == {"all", "DE", "FR", "other"}
    assert machine.folded["conversion", "country"] == 12


def test_a_segment_that_is_unseen_for_a_week_gives_its_row_away() -> None:
    read = hours_of(24 * 9, country=lambda h, u: "FR" if u and h < 3 else "DE")
    plan = plan_of(COUNTRIES, restatement_us=HOUR)
    machine = Machine(plan)
    for frame in frames_of(plan, read, range(0, len(read), 20)):
        machine.apply(frame)
    known = {segment for (_, _, segment), _ in machine.lanes[0].panel.series.items()}
    assert known == {"all", "DE"}


def test_a_segment_that_comes_back_before_it_is_judged_again_begins_anew() -> None:
    back = 24 * 8
    read = hours_of(24 * 11, country=lambda h, u: "FR" if u and (h < 3 or h >= back) else "DE")
    slow = replace(COUNTRIES, cohort=replace(COUNTRIES.cohort, within_us=2 * DAY))  # type: ignore[type-var]
    plan = plan_of(slow, restatement_us=HOUR)
    one = first_rows(run(plan, frames_of(plan, read, range(0, len(read), 20))))
    wanted = brute_force(slow, read)
    french = {k[3]: row for k, row in one.items() if k[2] == "FR"}
    for (dimension, segment, bucket), (converted, units) in wanted.items():
        if segment == "FR":
            row = french[to_rfc3339(bucket)]
            assert (row.measures["converted"], row.measures["units"]) == (converted, units)
        assert dimension in ("all", "country")


def test_cohorts_mature_inside_a_gap_of_weeks() -> None:
    read = hours_of(5)
    read += [replace_time(e, 20 * DAY) for e in hours_of(5)]
    plan = plan_of(COUNTRIES)
    for step in (30, 4):
        effects = run(plan, frames_of(plan, read, range(0, 30, step)))
        assert judged_values(effects, "conversion") == brute_force(COUNTRIES, read)
        starts = sorted({from_rfc3339(k[3]) for k in first_rows(effects)})
        wanted = [*range(6), *range(20 * 24 - 1, 20 * 24 + 5)]
        assert [(s - START) // HOUR for s in starts] == wanted


def replace_time(event: Event, more_us: int) -> Event:
    return Event(event.time_us + more_us, event.name, event.actor, event.dimensions)


def test_what_was_not_judged_at_the_end_of_a_history_belongs_to_it() -> None:
    read = hours_of(30)
    plan = plan_of(COUNTRIES)
    machine = Machine(plan)
    for frame in frames_of(plan, read, []):
        machine.apply(frame)
    machine.end_history()
    machine, _ = Machine.restore(plan, 0, machine.snapshot())
    more = [replace_time(e, 20 * HOUR) for e in hours_of(30)]
    later = [e for f in frames_of(plan, more, range(0, 90, 9)) for e in machine.apply(f)]
    starts = sorted({from_rfc3339(k[3]) for k in first_rows(later)})
    floor = START + 29 * HOUR
    assert starts[0] == floor, "buckets before the end of the history are passed over"
    found = judged_values(later, "conversion")
    wanted = brute_force(COUNTRIES, [e for e in more if e.time_us >= floor])
    assert found
    assert all(wanted[place] == value for place, value in found.items())


def test_unchanged_cohorts_keep_their_units_when_other_definitions_change() -> None:
    other = replace(COUNTRIES, name="other", formula="other")
    old = plan_of(COUNTRIES, other)
    read = hours_of(30)
    frames = frames_of(old, read, range(0, 90, 7))
    machine = Machine(old)
    effects = [e for f in frames[:6] for e in machine.apply(f)]
    new = plan_of(COUNTRIES, replace(other, formula="new"))
    machine, ended = Machine.restore(new, 0, machine.snapshot())
    assert ended == []
    for frame in frames[6:]:
        effects += machine.apply(frame)
    found = judged_values([e for e in effects if isinstance(e, ClosedBucket)], "conversion")
    wanted = brute_force(COUNTRIES, read)
    assert len(found) > 40
    assert all(wanted[place] == value for place, value in found.items())
    assert machine.counters["deltas_of_other_definitions"] > 0


@pytest.mark.slow
def test_a_metric_that_becomes_another_lane_leaves_no_incident_behind() -> None:
    machine = Machine(plan_of(HOURLY))
    for frame in history(HOURLY, 25 * 24 + 12, FALL):
        machine.apply(frame)
    longer = replace(HOURLY, formula="x", cohort=replace(HOURLY.cohort, within_us=HOUR))  # type: ignore[type-var]
    restored, ended = Machine.restore(plan_of(longer), 0, machine.snapshot())
    (change,) = [e for e in ended if isinstance(e, IncidentChanged)]
    assert (change.incident.state, change.incident.reason) == ("resolved", "definition_changed")
    assert len(restored.lanes) == 1


def test_steps_with_names_of_their_own_are_series_of_a_funnel_from_its_first_bucket() -> None:
    funnel = cohort_metric("funnel", ["a,b", "go", "a,b"], within_us=HOUR, width_us=HOUR)
    read = [Event(START + i, n, "u") for i, n in enumerate(["a,b", "go"])]
    read.append(Event(START + 5 * HOUR, "view", None))
    plan = plan_of(funnel)
    rows = first_rows(run(plan, frames_of(plan, read, [])))
    steps = {
        k[2]: row.value for k, row in rows.items() if k[1] == "step" and k[3] == to_rfc3339(START)
    }
    assert steps == {'"a,b"': 1, "go": 1, '"a,b#2"': 0}


@pytest.mark.slow
def test_the_steps_of_a_funnel_outlive_weeks_without_a_unit() -> None:
    funnel = cohort_metric("funnel", ["view", "cart"], within_us=HOUR, width_us=HOUR)
    read = []
    for day in (0, 20):
        at = START + day * DAY
        read += [Event(at, "view", "u"), Event(at + MINUTE, "cart", "u")]
        read += [Event(at + i * HOUR, "ping", None) for i in range(1, 24 * 18)]
    plan = plan_of(funnel, restatement_us=HOUR)
    effects = run(plan, frames_of(plan, read, range(0, len(read), 5)))
    assert judged_values(effects, "funnel") == brute_force(funnel, read)

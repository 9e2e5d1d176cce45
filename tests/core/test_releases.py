"""A release is in the log: what is said of it follows from the log, whenever it was told."""

import functools
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from monitor.core.effects import Effect, IncidentChanged, ReleaseJudged
from monitor.core.machine import Machine
from monitor.definitions.plan import Plan
from monitor.model.frame import Frame, decode_frame, encode_frame, release_frame
from monitor.model.release import Arms, Release, Scope
from monitor.model.time import DAY, HOUR, MINUTE, to_rfc3339
from monitor.release.evidence import MetricEvidence, Note, evidence
from monitor.release.line import Line, Outcome
from monitor.release.verdict import Verdict, judge
from tests.core.test_machine import METRICS, START, frames_of, history, journal, plan_of
from tests.release.told import release, started

FAULT = START + 25 * DAY + 3 * HOUR
SHORT = METRICS.replace("BUCKET", "1h").replace("WINDOW", "1d")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan_of(tmp_path_factory.mktemp("hours"), SHORT)


@pytest.fixture(scope="module")
def log(plan: Plan) -> list[Frame]:
    """Four weeks of hours, with an outage of ten hours on day 25."""
    return history(plan, 28, dict.fromkeys(range(25 * 24 + 3, 25 * 24 + 13), 0.5))


@pytest.fixture(scope="module")
def learnt(plan: Plan, log: list[Frame]) -> tuple[bytes, int]:
    """The state before the first frame that reaches two hours before the outage, and its place."""
    at = next(i for i, f in enumerate(log) if f.newest_us >= FAULT - 2 * HOUR)
    machine = Machine(plan)
    for frame in log[:at]:
        machine.apply(frame)
    return machine.snapshot(), at


class Case:
    """The last days of the log, from a state that has learnt the rest."""

    def __init__(self, plan: Plan, log: Sequence[Frame], learnt: tuple[bytes, int]) -> None:
        self.plan, self.rest, self.state = plan, list(log[learnt[1] :]), learnt[0]

    def run(self, told: Mapping[int, Sequence[Release]], cuts: Iterable[int] = ()) -> list[Effect]:
        """The effects of the rest, with releases told before these frames, restarted at these."""
        machine, _ = Machine.restore(self.plan, 0, self.state)
        effects: list[Effect] = []
        for i, frame in enumerate(self.rest):
            if i in set(cuts):
                machine, _ = Machine.restore(self.plan, 0, machine.snapshot())
            if i in told:
                effects += machine.apply(decode_frame(encode_frame(release_frame(told[i]))))
            effects += machine.apply(frame)
        if len(self.rest) in told:
            effects += machine.apply(release_frame(told[len(self.rest)]))
        return effects

    def verdict(self, one: Release, at: int = 0) -> Verdict:
        return verdict(self.plan, self.run({at: [one]}), one)


@pytest.fixture
def case(plan: Plan, log: list[Frame], learnt: tuple[bytes, int]) -> Case:
    return Case(plan, log, learnt)


def said(effects: Iterable[Effect], one: Release) -> dict[str, MetricEvidence]:
    found = {}
    for effect in effects:
        if isinstance(effect, ReleaseJudged) and effect.release.id == one.id:
            found.update({e.metric: e for e in evidence(effect)})
    return found


def verdict(plan: Plan, effects: Iterable[Effect], one: Release) -> Verdict:
    return judge(one, said(effects, one), plan.metrics)


def line(found: Verdict, metric: str, segment: str = "all") -> Line:
    return next(x for x in found.metrics if (x.metric, x.segment) == (metric, segment))


BAD = release("bad", FAULT - MINUTE, finished_us=FAULT)
CALM = release("calm", FAULT + 30 * HOUR)


def test_a_fall_after_a_release_is_a_regression_and_what_did_not_fall_is_none(case: Case) -> None:
    found = case.verdict(BAD)
    assert found.verdict is Outcome.REGRESSED
    orders = line(found, "orders")
    assert orders.verdict is Outcome.REGRESSED
    assert orders.effect == pytest.approx(-0.22, abs=0.02), "10 of 24 hours were halved"
    assert orders.interval is not None
    assert orders.interval[1] < 0
    assert {x.segment for x in found.metrics if x.metric == "orders"} == {"all", "DE", "FR"}
    assert line(found, "order_value").verdict is Outcome.NO_EFFECT
    assert "Left out, as a day is too short for them: daily_orders." in found.summary


def test_after_a_release_without_effect_nothing_is_found(case: Case) -> None:
    found = case.verdict(CALM)
    assert found.verdict is Outcome.INCONCLUSIVE
    assert line(found, "orders").verdict is Outcome.NO_EFFECT
    assert line(found, "errors").reason is Note.MDE_TOO_LARGE, "3 % of few requests"


def test_told_late_it_is_judged_by_the_buckets_that_had_closed_and_says_so(case: Case) -> None:
    at = next(i for i, f in enumerate(case.rest) if f.newest_us >= FAULT + 20 * HOUR)
    in_time, late = case.verdict(BAD), case.verdict(BAD, at=at)
    for metric in ("orders", "revenue", "order_value", "errors"):
        one, other = line(in_time, metric), line(late, metric)
        assert other.verdict is one.verdict
        assert other.effect == pytest.approx(one.effect, abs=0.01)
        assert other.buckets == one.buckets
        assert other.notes == [*one.notes, Note.TOLD_LATE]


def test_told_a_day_late_it_says_that_what_is_needed_is_gone(case: Case) -> None:
    found = case.verdict(BAD, at=len(case.rest))
    assert {x.reason for x in found.metrics} == {Note.BUCKETS_GONE}
    assert found.verdict is Outcome.INCONCLUSIVE


def test_what_is_told_again_changes_nothing(case: Case) -> None:
    once = journal(case.run({0: [BAD, CALM]}))
    again = journal(case.run({0: [BAD, CALM], 5: [BAD], 20: [CALM, BAD]}))
    assert again == once


@pytest.mark.parametrize("seed", range(2))
def test_a_restored_snapshot_gives_the_same_verdicts(case: Case, seed: int) -> None:
    chance = random.Random(seed)
    cuts = chance.sample(range(len(case.rest)), 4)
    ended = release("bad", FAULT - MINUTE, finished_us=FAULT + 2 * HOUR)
    opened = started("bad", FAULT - MINUTE)
    told = {0: [opened, CALM], 5: [ended], len(case.rest) - 4: [release("x", FAULT + 8 * HOUR)]}
    assert journal(case.run(told, cuts)) == journal(case.run(told))


def test_two_shards_hear_of_it_and_a_frame_of_releases_holds_nothing_back(case: Case) -> None:
    machine, _ = Machine.restore(case.plan, 0, case.state)
    before = machine.watermark_us, machine.positions
    assert machine.apply(release_frame([BAD])) == []
    assert (machine.watermark_us, machine.positions) == before
    assert machine.releases == (BAD,)


def test_one_that_never_ends_is_judged_from_its_start(case: Case) -> None:
    found = case.verdict(started("bad", FAULT - MINUTE))
    assert found.verdict is Outcome.REGRESSED
    assert Note.NOT_FINISHED in line(found, "orders").notes


def test_once_its_end_is_told_the_effect_is_measured_from_there(case: Case) -> None:
    opened = started("bad", FAULT - 2 * HOUR)
    ended = release("bad", FAULT - 2 * HOUR, finished_us=FAULT)
    at = next(i for i, f in enumerate(case.rest) if f.newest_us >= FAULT + 4 * HOUR)
    found = verdict(case.plan, case.run({0: [opened], at: [ended]}), ended)
    assert line(found, "orders").buckets == 24
    assert line(found, "orders").verdict is Outcome.REGRESSED
    first_half = verdict(case.plan, case.run({0: [opened]}), opened)
    assert line(first_half, "orders").effect != line(found, "orders").effect


def test_the_next_release_ends_the_time_of_the_one_before(case: Case) -> None:
    after = release("next", FAULT + 5 * HOUR)
    effects = case.run({0: [BAD, after]})
    assert line(verdict(case.plan, effects, BAD), "orders").buckets == 5


def test_an_incident_that_was_open_at_the_start_is_named(case: Case) -> None:
    inside = release("later", FAULT + 6 * HOUR)
    after = next(i for i, f in enumerate(case.rest) if f.newest_us >= FAULT + 20 * HOUR)
    for at in (0, after):
        found = line(case.verdict(inside, at=at), "orders")
        assert (found.verdict, found.reason) == (Outcome.INCONCLUSIVE, Note.INCIDENT_AT_START)
    calm = line(case.verdict(inside), "order_value")
    assert calm.verdict is Outcome.NO_EFFECT, "it had no incident"


def test_before_enough_was_learnt_it_says_so(plan: Plan, log: list[Frame]) -> None:
    early = release("early", START + 3 * DAY)
    machine = Machine(plan)
    effects = [e for f in (release_frame([early]), *log[:60]) for e in machine.apply(f)]
    found = verdict(plan, effects, early)
    assert {x.reason for x in found.metrics} == {Note.LEARNING}
    assert found.verdict is Outcome.INCONCLUSIVE


def test_a_scope_by_segment_names_its_segments_only(case: Case) -> None:
    scope = Scope(metrics=("orders",), segments={"country": ("DE",)})
    found = case.verdict(msgspec.structs.replace(BAD, scope=scope))
    assert [(x.metric, x.dimension, x.segment) for x in found.metrics] == [
        ("orders", "country", "DE")
    ]
    assert found.verdict is Outcome.REGRESSED


def test_an_alert_names_the_release_before_it(case: Case) -> None:
    after = release("after", FAULT + 2 * HOUR)
    other = release("8.2.0", FAULT - 2 * HOUR, scope=Scope(metrics=("errors",)))
    effects = case.run({0: [BAD, after, other]})
    fired = next(e.incident for e in effects if isinstance(e, IncidentChanged) and e.transition)
    assert fired.release is not None
    assert (fired.release["version"], fired.release["seconds_before"]) == ("bad", 60)
    assert "Release: bad on shop started 1 min before; no claim of cause." in fired.summary


def test_metrics_that_change_lose_their_evidence_and_the_others_keep_it(
    case: Case, tmp_path: Path
) -> None:
    machine, _ = Machine.restore(case.plan, 0, case.state)
    effects = machine.apply(release_frame([BAD]))
    for frame in case.rest[:6]:
        effects += machine.apply(frame)
    changed = SHORT.replace("{event: order}, segments", "{event: purchase}, segments", 1)
    other_plan = plan_of(tmp_path, changed)
    restored, _ = Machine.restore(other_plan, 0, machine.snapshot())
    after = [e for frame in case.rest[6:] for e in restored.apply(frame)]
    found = said(after, BAD)
    assert "orders" not in found
    whole = said(case.run({0: [BAD]}), BAD)
    assert found["revenue"] == whole["revenue"]


CANARY = """
metrics:
  - name: errors
    kind: ratio
    numerator: {event: request, where: {status: error}}
    denominator: {event: request}
    segments: [variant, country]
    better: down
  - {name: latency, kind: quantile, of: {event: request, value: ms}, q: 0.5, segments: [variant]}
  - {name: requests, kind: count, of: {event: request}, segments: [variant]}
  - {name: visits, kind: count, of: {event: visit}, segments: [country]}
"""
ARMS = Arms(dimension="variant", control="stable", treatment="canary")


def canary_lines(worse: float, minutes: int = 120) -> list[bytes]:
    """Minutes of requests; one in eleven of the canary, whose errors are multiplied."""
    rng, lines = np.random.default_rng(4), []
    for minute in range(minutes):
        season = 1 + 0.5 * np.sin(minute / 20)
        for variant, size, factor in (("stable", 1000, 1.0), ("canary", 100, worse)):
            n = int(rng.poisson(size * season))
            bad = int(rng.binomial(n, min(1.0, 0.2 * season * factor)))
            for status, count in (("error", bad), ("ok", n - bad)):
                if count:
                    event = {
                        "name": "request",
                        "time": to_rfc3339(START + minute * MINUTE + 10_000_000),
                        "count": count,
                        "dimensions": {"variant": variant, "status": status, "country": "DE"},
                        "values": {"ms": float(rng.normal(100, 2))},
                    }
                    lines.append(msgspec.json.encode(event))
    return lines


@pytest.mark.parametrize(
    ("worse", "outcome"), [(1.5, Outcome.REGRESSED), (0.6, Outcome.IMPROVED), (1.0, None)]
)
def test_a_canary_is_judged_at_once_under_a_season_that_both_share(
    tmp_path: Path, worse: float, outcome: Outcome | None
) -> None:
    plan = plan_of(tmp_path, CANARY)
    one = started("canary", START, arms=ARMS)
    frames = frames_of(plan, canary_lines(worse), range(0, 500, 60))
    machine = Machine(plan)
    effects = machine.apply(release_frame([one]))
    for i, frame in enumerate(frames):
        if i == 4:
            machine, _ = Machine.restore(plan, 0, machine.snapshot())
        effects += machine.apply(frame)
    found = verdict(plan, effects, one)
    errors = line(found, "errors", "canary")
    assert found.randomised
    if outcome is None:
        assert errors.verdict in {Outcome.NO_EFFECT, Outcome.INCONCLUSIVE}
    else:
        assert errors.verdict is outcome
        assert errors.effect == pytest.approx(worse - 1, abs=0.2)
    reasons = {x.metric: x.reason for x in found.metrics if x.verdict is Outcome.INCONCLUSIVE}
    assert reasons["requests"] is Note.ARMS_NEED_A_RATE
    assert reasons["visits"] is Note.ARMS_NOT_A_SEGMENT
    assert line(found, "latency", "canary").verdict is not Outcome.REGRESSED


def test_a_canary_that_nobody_got_has_no_data(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, CANARY)
    one = started("canary", START, arms=replace_arms("beta"))
    machine = Machine(plan)
    effects = machine.apply(release_frame([one]))
    for frame in frames_of(plan, canary_lines(1.0, 20), [40]):
        effects += machine.apply(frame)
    assert line(verdict(plan, effects, one), "errors").reason is Note.NO_DATA


def replace_arms(treatment: str) -> Arms:
    return msgspec.structs.replace(ARMS, treatment=treatment)


def test_rows_of_a_retired_segment_take_no_evidence_along(case: Case) -> None:
    machine, _ = Machine.restore(case.plan, 0, case.state)
    machine.apply(release_frame([BAD]))
    for frame in case.rest[:6]:
        machine.apply(frame)
    lane = next(x for x in machine.lanes if x.panel.calendar.width_us == HOUR)
    rows = dict(lane.panel.series.items())
    gone = np.array([row for (_, group, _), row in rows.items() if group], dtype=np.int64)
    lane.releases.clear(gone)
    effects = [e for frame in case.rest[6:] for e in machine.apply(frame)]
    found = verdict(case.plan, effects, BAD)
    assert {x.segment for x in found.metrics} == {"all"}


COHORTS = """
metrics:
  - name: activation
    kind: conversion
    start: {event: signup}
    finish: {event: activate}
    within: 5m
    segments: [variant]
"""


def signups(worse: float, minutes: int = 60) -> list[bytes]:
    """Sixty sign-ups a minute and arm, of whom one half activates; of the canary fewer."""
    rng, lines = np.random.default_rng(4), []
    for minute in range(minutes):
        for variant, share in (("stable", 0.5), ("canary", 0.5 * worse)):
            for number in range(60):
                actor = f"{variant}{minute}.{number}"
                time_us = START + minute * MINUTE + number * 1_000_000
                events = [("signup", time_us)]
                if rng.random() < share:
                    events.append(("activate", time_us + 30_000_000))
                for name, when in events:
                    event = {
                        "name": name,
                        "time": to_rfc3339(when),
                        "actor": actor,
                        "dimensions": {"variant": variant},
                    }
                    lines.append((when, msgspec.json.encode(event)))
    return [line for _, line in sorted(lines)]


def test_cohorts_are_compared_once_they_are_mature_whenever_it_was_told(tmp_path: Path) -> None:
    plan, one = plan_of(tmp_path, COHORTS), started("canary", START, arms=ARMS)
    frames = frames_of(plan, signups(0.6), range(0, 20_000, 2_000))
    verdicts = []
    for at in (0, len(frames) - 1):
        machine, effects = Machine(plan), []
        for i, frame in enumerate(frames):
            if i == at:
                effects += machine.apply(release_frame([one]))
            effects += machine.apply(frame)
        verdicts.append(verdict(plan, effects, one))
    in_time, late = (line(found, "activation", "canary") for found in verdicts)
    assert in_time.verdict is Outcome.REGRESSED
    assert in_time.effect == pytest.approx(-0.4, abs=0.08)
    assert late.verdict is in_time.verdict
    assert late.effect == pytest.approx(in_time.effect, abs=0.02)
    assert Note.TOLD_LATE in late.notes


def test_buckets_whose_data_is_in_doubt_are_not_bet_on_and_named(case: Case) -> None:
    machine, _ = Machine.restore(case.plan, 0, case.state)
    effects = machine.apply(release_frame([BAD]))
    for lane in machine.lanes:
        step = lane.releases.step
        rows = list(range(lane.panel.series.size))
        lane.releases.step = functools.partial(step, suspect=rows)  # type: ignore[method-assign]
    effects += [e for frame in case.rest for e in machine.apply(frame)]
    found = verdict(case.plan, effects, BAD)
    assert {x.reason for x in found.metrics} == {Note.BAD_DATA_QUALITY}
    assert found.verdict is Outcome.INCONCLUSIVE

"""uniques, quantile and derived against a plain reading of the same events: values, windows, late ones."""

import itertools
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings

from monitor.core.effects import Effect, IncidentChanged
from monitor.core.machine import Machine
from monitor.definitions.plan import Plan
from monitor.model.bucket import BucketLine
from monitor.model.frame import Frame
from monitor.model.incident import IncidentState
from monitor.model.time import HOUR, MINUTE, SECOND, to_rfc3339
from tests.core.test_machine import START, final, frames_of, ingest, plan_of, rows

METRICS = """
metrics:
  - {name: users, kind: uniques, of: {event: session}, segments: [country], window: 5m}
  - {name: plans, kind: uniques, of: {event: session}, unit: plan}
  - {name: p90, kind: quantile, of: {event: request, value: ms}, q: 0.9, segments: [country], window: 5m}
  - {name: median, kind: quantile, of: {event: request, value: ms}, q: 0.5}
  - {name: requests, kind: count, of: {event: request}, segments: [country], window: 5m}
  - {name: spent, kind: sum, of: {event: request, value: ms}, segments: [country]}
  - {name: per_user, kind: derived, formula: requests / users, segments: [country], window: 5m}
  - {name: idle, kind: derived, formula: 2 * users - requests, segments: [country]}
  - {name: spread, kind: derived, formula: p90 / (spent / requests), segments: [country], window: 3m}
  - {name: nested, kind: derived, formula: (per_user + 1) * spent / (requests - users), segments: [country]}
"""


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan_of(tmp_path_factory.mktemp("kinds"), METRICS)


class Event(msgspec.Struct, frozen=True):
    """One event of the random world."""

    at_s: int
    name: str
    country: str | None
    actor: str | None
    ms: float | None
    count: int
    late: bool = False

    @property
    def minute(self) -> int:
        return self.at_s // 60

    def line(self) -> bytes:
        dimensions = {"country": self.country, "plan": None if self.ms is None else "pro"}
        return msgspec.json.encode(
            {
                "name": self.name,
                "time": to_rfc3339(START + self.at_s * SECOND),
                "actor": self.actor,
                "count": self.count,
                "dimensions": {k: v for k, v in dimensions.items() if v is not None},
                "values": {} if self.ms is None else {"ms": self.ms},
            }
        )


events = st.builds(
    Event,
    at_s=st.integers(0, 12 * 60 - 1),
    name=st.sampled_from(["session", "request", "request"]),
    country=st.sampled_from([None, "DE", "FR"]),
    actor=st.sampled_from([None, "a", "b", "c", "d"]),
    ms=st.sampled_from([None, 0.0, 1.5, 40.0, 41.0, 950.0, -3.0]),
    count=st.sampled_from([1, 1, 7]),
)


def quantile(values: Sequence[tuple[float, int]], q: float) -> float | None:
    ordered = [v for v, count in sorted(values) for _ in range(count)]
    return ordered[math.ceil(round(q * len(ordered), 9)) - 1] if ordered else None


class Oracle:
    """What each metric is over some minutes of some events, in plain Python."""

    def __init__(self, seen: Sequence[Event], minutes: range, segment: str) -> None:
        chosen = [e for e in seen if e.minute in minutes and segment in {"all", e.country}]
        self.sessions = [e for e in chosen if e.name == "session"]
        self.requests = [e for e in chosen if e.name == "request"]

    def holds(self, metric: str) -> bool:
        """Whether anything of what it measures came, in time or late."""
        parts: dict[str, list[Any]] = {
            "users": [e.actor for e in self.sessions],
            "plans": [e.ms for e in self.sessions],
            "requests": self.requests,
            "spent": [e.ms for e in self.requests],
        }
        of = {"per_user": ("users", "requests"), "idle": ("users", "requests")}.get(metric)
        names = (metric,) if metric in parts else of or ("users", "requests", "spent")
        return any(item is not None for name in names for item in parts[name])

    def read(self, metric: str) -> float | None:
        """Of a quantile the exact one: the monitor's is within a bin of it."""
        timed = [(e.ms, e.count) for e in self.requests if e.ms is not None]
        users = len({e.actor for e in self.sessions if e.actor is not None})
        requests = sum(e.count for e in self.requests)
        spent = math.fsum(ms * count for ms, count in timed)
        p90 = quantile(timed, 0.9)
        nested = users and requests != users
        every: dict[str, float | None] = {
            "users": users,
            "plans": len({"pro" for e in self.sessions if e.ms is not None}),
            "p90": p90,
            "median": quantile(timed, 0.5),
            "requests": requests,
            "spent": spent,
            "per_user": requests / users if users else None,
            "idle": 2 * users - requests,
            "spread": p90 * requests / spent if p90 is not None and spent else None,
            "nested": (requests / users + 1) * spent / (requests - users) if nested else None,
        }
        return every[metric]


WINDOWS = {"users": 5, "p90": 5, "requests": 5, "per_user": 5, "spread": 3}
BINNED = {"p90", "median", "spread"}


def is_near(metric: str, found: float | None, wanted: float | None) -> bool:
    if found is None or wanted is None:
        return found is None and wanted is None
    return math.isclose(found, wanted, rel_tol=1 / 60 if metric in BINNED else 1e-9, abs_tol=1e-9)


def check(lines: dict[Any, dict[str, Any]], seen: Sequence[Event]) -> None:
    """Every line has the value, n and window that a plain reading gives."""
    starts = {to_rfc3339(START + m * MINUTE): m for m in range(-5, 40)}
    active = {e.minute for e in seen if not e.late}
    for (metric, _, segment, start), line in lines.items():
        m = starts[start]
        one = Oracle(seen, range(m, m + 1), segment)
        wanted = one.read(metric)
        where = (metric, segment, m, line)
        if m not in active and not one.holds(metric):
            wanted = None
        assert is_near(metric, line["value"], wanted), (where, wanted)
        if line["value"] is None:
            assert line["n"] == 0, where
        window = range(m + 1 - WINDOWS.get(metric, 1), m + 1)
        rolled = Oracle(seen, window, segment).read(metric)
        if metric in WINDOWS:
            assert is_near(metric, line["window_value"], rolled), (where, rolled)


@pytest.mark.slow
@given(
    world=st.lists(events, min_size=1, max_size=80), cuts=st.sets(st.integers(0, 80), max_size=6)
)
@settings(max_examples=60, deadline=None)
def test_on_time_events_give_what_a_plain_reading_gives(
    plan: Plan, world: list[Event], cuts: set[int]
) -> None:
    ordered = sorted(world, key=lambda e: e.at_s)
    machine = Machine(plan)
    effects: list[Effect] = []
    for frame in frames_of(plan, [e.line() for e in ordered], cuts):
        effects += machine.apply(frame)
    check(final(effects + machine.finish()), ordered)


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_late_events_restate_buckets_and_windows_and_restarts_do_not_show(
    plan: Plan, data: st.DataObject
) -> None:
    """The on-time world first, its buckets closed; then late events, cut into frames at random."""
    on_time = sorted(data.draw(st.lists(events, min_size=1, max_size=50)), key=lambda e: e.at_s)
    closing = Event(at_s=30 * 60, name="tick", country=None, actor=None, ms=None, count=1)
    late = [
        msgspec.structs.replace(e, late=True)
        for e in data.draw(st.lists(events, min_size=1, max_size=30))
    ]
    cuts = data.draw(st.sets(st.integers(len(on_time) + 1, len(on_time) + 32), max_size=4))
    world = [*on_time, closing, closing, closing, *late]
    frames = frames_of(plan, [e.line() for e in world], {len(on_time) + 3, *cuts})
    machine, effects = Machine(plan), []
    for i, frame in enumerate(frames):
        effects += machine.apply(frame)
        if data.draw(st.booleans(), label=f"restart after {i}"):
            machine, ended = Machine.restore(plan, 0, machine.snapshot())
            assert not ended
    effects += machine.finish()
    lines = {k: v for k, v in final(effects).items() if k[3] < to_rfc3339(START + 12 * MINUTE)}
    check(lines, [*on_time, *late])


def busy_world(rng: random.Random, minutes: int, actors: int) -> list[Event]:
    return [
        Event(
            at_s=m * 60 + rng.randrange(60),
            name=name,
            country=rng.choice(["DE", "FR"]),
            actor=f"u{rng.randrange(actors)}",
            ms=round(rng.lognormvariate(4, 1), 3) if name == "request" else None,
            count=1,
        )
        for m in range(minutes)
        for name, times in (("session", 3000), ("request", 400))
        for _ in range(times)
    ]


def test_many_units_are_estimated_alike_however_they_are_cut(plan: Plan) -> None:
    """Beyond 4,096 units of a window the estimate is within 5 %, and does not depend on frames."""
    rng = random.Random(7)
    world = sorted(busy_world(rng, 6, 20_000), key=lambda e: e.at_s)
    lines = [e.line() for e in world]
    found = []
    for cuts in (range(0, len(lines), 977), [], [len(lines) // 2]):
        machine = Machine(plan)
        effects = [e for f in frames_of(plan, lines, cuts) for e in machine.apply(f)]
        found.append(final(effects + machine.finish()))
    assert found[0] == found[1] == found[2]
    line = found[0]["users", "all", "all", to_rfc3339(START + 4 * MINUTE)]
    actors = {e.actor for e in world if e.minute < 5 and e.name == "session"}
    assert len(actors) > 8000
    assert line["window_value"] == pytest.approx(len(actors), rel=0.05)
    exact = len({e.actor for e in world if e.minute == 4 and e.name == "session"})
    assert line["value"] == exact


@pytest.mark.slow
def test_interleaving_of_sources_does_not_matter(plan: Plan) -> None:
    rng = random.Random(3)
    world = sorted(busy_world(rng, 4, 300), key=lambda e: e.at_s)
    parts = [world[0::2], world[1::2]]
    frames = [
        frames_of(plan, [e.line() for e in part], range(0, len(part), 500), i, 2)
        for i, part in enumerate(parts)
    ]
    told = []
    for order in ("first", "second", "turns"):
        machine = Machine(plan)
        effects = [e for f in interleaved(frames, order) for e in machine.apply(f)]
        told.append(final(effects + machine.finish()))
    assert told[0] == told[1] == told[2]
    check(told[0], world)


def interleaved(frames: list[list[Frame]], order: str) -> list[Frame]:
    if order == "turns":
        turns = itertools.zip_longest(*frames)
        return [f for pair in turns for f in pair if f is not None]
    first, second = frames if order == "first" else frames[::-1]
    return [*first, *second]


def test_undefined_is_null_with_no_n_and_zero_is_zero(plan: Plan) -> None:
    def event(m: int, name: str, actor: str | None = "a", ms: float | None = None) -> Event:
        return Event(at_s=60 * m, name=name, country="DE", actor=actor, ms=ms, count=1)

    world = [
        event(0, "session"),
        event(0, "request", ms=5.0),
        event(1, "request"),
        event(2, "session"),
        event(3, "other"),
        event(9, "session"),
    ]
    effects = run_world(plan, world)

    def at(metric: str, minute: int) -> tuple[Any, Any]:
        line = final(effects)[metric, "all", "all", to_rfc3339(START + minute * MINUTE)]
        return line["value"], line["n"]

    assert at("per_user", 0) == (1, 1)
    assert at("per_user", 1) == (None, 0)  # 1 / 0
    assert at("per_user", 2) == (0, 1)
    assert at("per_user", 3) == (None, 0)  # 0 / 0
    assert at("users", 3) == (0, 0)
    assert at("users", 5) == (None, 0)  # nothing arrives
    assert at("idle", 3) == (0, 0)
    assert at("idle", 5) == (None, 0)
    assert at("idle", 2) == (2, 1)
    assert at("p90", 1) == (None, 0)
    assert at("spread", 1) == (None, 0)  # an input is missing
    assert at("nested", 0) == (None, 0)  # divides by 1 - 1


def run_world(plan: Plan, world: Sequence[Event]) -> list[Effect]:
    machine = Machine(plan)
    effects = [e for f in frames_of(plan, [e.line() for e in world], ()) for e in machine.apply(f)]
    return effects + machine.finish()


def test_the_measures_of_a_line_are_the_numbers_they_amount_to(plan: Plan) -> None:
    world = [
        Event(at_s=s, name="request", country="DE", actor="a", ms=100.0, count=2) for s in range(5)
    ]
    lines = {r.metric: r for r in rows(run_world(plan, world)) if r.segment == "all"}
    assert lines["p90"].measures["count"] == 10
    assert lines["p90"].measures["quantile"] == pytest.approx(100, rel=1 / 60)
    assert lines["users"].measures == {"uniques": 0}
    assert lines["per_user"].measures == {"requests.count": 10, "users.uniques": 0}


Change = Callable[[str], str]


@pytest.mark.parametrize(
    ("change", "window"),
    [
        (lambda text: text.replace("window: 5m", "window: 3m"), 3),
        (lambda text: text.replace("window: 5m", "window: 7m"), 7),
        (lambda text: text + "  - {name: wide, kind: derived, formula: p90 + spent + requests}\n", 5),
        (lambda text: text.replace("  - {name: median, kind: quantile", "  - {name: med, kind: quantile"), 5),
    ],
    ids=["shorter", "longer", "wider", "renamed"],
)  # fmt: skip
def test_windows_go_on_under_other_definitions(
    plan: Plan, tmp_path: Path, change: Change, window: int
) -> None:
    rng = random.Random(5)
    world = sorted(busy_world(rng, 8, 200), key=lambda e: e.at_s)[::20]
    cut = next(i for i, e in enumerate(world) if e.minute == 6)
    other = plan_of(tmp_path, change(METRICS))
    at = ingest(plan, 0, 1)
    at.add_many([e.line() for e in world[:cut]])
    machine = Machine(plan)
    machine.apply(at.flush().frames[0])
    machine, _ = Machine.restore(other, 0, machine.snapshot())
    after = frames_of(other, [e.line() for e in world[cut:]], ())
    frames = [msgspec.structs.replace(f, start=f.start + cut, stop=f.stop + cut) for f in after]
    effects = [e for f in frames for e in machine.apply(f)] + machine.finish()
    line = final(effects)["p90", "all", "all", to_rfc3339(START + 7 * MINUTE)]
    wanted = Oracle(world, range(8 - window, 8), "all")
    assert is_near("p90", line["window_value"], wanted.read("p90"))
    line = final(effects)["users", "country", "DE", to_rfc3339(START + 7 * MINUTE)]
    wanted = Oracle(world, range(8 - window, 8), "DE")
    assert line["window_value"] == wanted.read("users")


def test_hourly_buckets_and_a_week_of_silence_free_the_row(tmp_path: Path) -> None:
    """A retired segment's sketches are gone: the row's next series begins with nothing."""
    plan = plan_of(
        tmp_path,
        "metrics:\n  - {name: users, kind: uniques, of: {event: session}, segments: [country],"
        " bucket: 1h, window: 1d}\n",
    )

    def event(hour: int, country: str, actor: str) -> Event:
        return Event(hour * 3600, "session", country, actor, None, 1)

    days = 24 * 9
    world = [
        event(0, "old", "x"),
        *(event(h, "kept", f"k{h % 5}") for h in range(1, days)),
        event(days, "new", "y"),
        event(days + 1, "kept", "k"),
    ]
    machine = Machine(plan)
    lines = [e.line() for e in world]
    effects = [e for f in frames_of(plan, lines, [1, 50, days]) for e in machine.apply(f)]
    found = {(r.segment, r.start): r for r in rows(effects)}
    new = found["new", to_rfc3339(START + days * HOUR)]
    assert (new.value, new.window_value) == (1, 1)
    assert isinstance(new, BucketLine)


LATENCY = """
metrics:
  - {name: p95, kind: quantile, of: {event: request, value: ms}, q: 0.95, segments: [country],
     bucket: 1h, window: 1d, better: down}
  - {name: users, kind: uniques, of: {event: request}, bucket: 1h, window: 1d}
  - {name: ms_per_user, kind: derived, formula: spent / users, bucket: 1h}
  - {name: spent, kind: sum, of: {event: request, value: ms}, bucket: 1h}
"""


def slow_days(rng: random.Random) -> list[Event]:
    """150 requests an hour; from day 20 noon on those of DE take thrice as long, for 6 hours."""
    out = []
    for hour in range(20 * 24 + 24):
        slow = 20 * 24 + 12 <= hour < 20 * 24 + 18
        for i in range(150):
            country = "DE" if i % 2 else "FR"
            ms = rng.expovariate(1 / 80) * (3.0 if slow and country == "DE" else 1.0)
            actor = f"u{rng.randrange(400)}"
            out.append(Event(hour * 3600 + 24 * i, "request", country, actor, round(ms, 2), 1))
    return out


@pytest.mark.slow
def test_a_slower_answer_is_paged_and_restarts_do_not_show(tmp_path: Path) -> None:
    """Judged by the share of events above the expected quantile; a snapshot in mid-incident."""
    plan = plan_of(tmp_path, LATENCY)
    lines = [e.line() for e in slow_days(random.Random(4))]
    frames = frames_of(plan, lines, range(0, len(lines), 600))
    told = []
    for restarts in (set[int](), {3, 150, 122, 124}):
        machine, effects = Machine(plan), []
        for i, frame in enumerate(frames):
            effects += machine.apply(frame)
            if i in restarts:
                machine, _ = Machine.restore(plan, 0, machine.snapshot())
        told.append(effects + machine.finish())
    assert [*map(repr, rows(told[0]))] == [*map(repr, rows(told[1]))]
    incidents = [
        [e.incident for e in effects if isinstance(e, IncidentChanged)] for effects in told
    ]
    assert incidents[0] == incidents[1]
    fired = {(i.metric, i.segment): i for i in incidents[0] if i.state == IncidentState.FIRING}
    assert ("p95", "all") in fired or ("p95", "DE") in fired
    assert all(metric != "users" and segment != "FR" for metric, segment in fired)
    first = next(i for (metric, _), i in fired.items() if metric == "p95")
    assert first.direction == "up"
    assert first.started_at >= to_rfc3339(START + (20 * 24 + 11) * HOUR)
    states = {r.state for r in rows(told[0]) if r.metric == "ms_per_user"}
    assert {"learning", "ok"} <= states

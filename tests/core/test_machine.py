"""The core is a function of the log: cuts, interleaving, restarts and repetition change nothing."""

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings

from monitor.core.effects import Effect, IncidentChanged
from monitor.core.machine import Machine
from monitor.definitions import compile_plan, load
from monitor.definitions.plan import Plan
from monitor.errors import StateError
from monitor.ingest.source import Ingest
from monitor.journal.lines import Judged, bucket_rows
from monitor.journal.records import records
from monitor.model.bucket import BucketLine
from monitor.model.frame import Frame
from monitor.model.time import DAY, HOUR, MINUTE, SECOND, from_datetime, to_rfc3339

START = 20_400 * DAY
FAR = START + 400 * DAY

METRICS = """
metrics:
  - {name: orders, kind: count, of: {event: order}, segments: [country], bucket: BUCKET, window: WINDOW}
  - {name: revenue, kind: sum, of: {event: order, value: amount}, bucket: BUCKET, window: WINDOW}
  - {name: order_value, kind: mean, of: {event: order, value: amount}, bucket: BUCKET}
  - name: errors
    kind: ratio
    numerator: {event: request, where: {status: error}}
    denominator: {event: request}
    segments: [country, platform, [country, platform]]
    bucket: BUCKET
  - {name: daily_orders, kind: count, of: {event: order}, bucket: 1d, detect: {timezone: Europe/Berlin}}
"""


def plan_of(folder: Path, metrics: str, **settings_: str) -> Plan:
    (folder / "metrics").mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{name}: {value}\n" for name, value in settings_.items())
    (folder / "monitor.yaml").write_text(f"source: {{files: [none]}}\n{lines}")
    (folder / "metrics" / "m.yaml").write_text(metrics)
    return compile_plan(load(folder, environment={}), shards=1)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    text = METRICS.replace("BUCKET", "1m").replace("WINDOW", "5m")
    return plan_of(tmp_path_factory.mktemp("minutes"), text)


@pytest.fixture(scope="module")
def hourly(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    text = METRICS.replace("BUCKET", "1h").replace("WINDOW", "1d")
    return plan_of(tmp_path_factory.mktemp("hours"), text)


def line(time_us: int, name: str, country: str, status: str, amount: float, count: int) -> bytes:
    return msgspec.json.encode(
        {
            "name": name,
            "time": to_rfc3339(time_us),
            "count": count,
            "dimensions": {"country": country, "platform": "ios", "status": status},
            "values": {"amount": amount},
        }
    )


def ingest(plan: Plan, source: int, sources: int) -> Ingest:
    return Ingest(plan, None, source=source, sources=sources, name=str(source), clock=lambda: FAR)


def frames_of(
    plan: Plan, lines: Sequence[bytes], cuts: Iterable[int], source: int = 0, sources: int = 1
) -> list[Frame]:
    """The frames of one source, flushed after the lines at these places."""
    at = ingest(plan, source, sources)
    edges = sorted({min(c, len(lines)) for c in cuts} | {len(lines)})
    frames, begin = [], 0
    for edge in edges:
        at.add_many(lines[begin:edge])
        begin = edge
        frames.append((at.finish() if edge == len(lines) else at.flush()).frames[0])
    return frames


def run(plan: Plan, frames: Iterable[Frame]) -> list[Effect]:
    machine = Machine(plan)
    effects = [effect for frame in frames for effect in machine.apply(frame)]
    return effects + machine.finish()


def rows(effects: Iterable[Effect]) -> list[BucketLine]:
    memory = Judged(3 * DAY)
    return [row for effect in effects for row in bucket_rows(effect, memory=memory)]


Key = tuple[str, str, str, str]


def final(effects: Iterable[Effect]) -> dict[Key, dict[str, Any]]:
    """The last revision of every bucket, without its number."""
    out: dict[Key, dict[str, Any]] = {}
    for row in rows(effects):
        fields = msgspec.structs.asdict(row)
        del fields["revision"]
        out[row.metric, row.dimension, row.segment, row.start] = fields
    return out


def first(effects: Iterable[Effect]) -> dict[Key, BucketLine]:
    """Revision 0 of every bucket; its window may hold late events of earlier buckets already."""
    return {
        (row.metric, row.dimension, row.segment, row.start): msgspec.structs.replace(
            row, window_value=None
        )
        for row in rows(effects)
        if row.revision == 0
    }


def incidents(effects: Iterable[Effect]) -> list[Any]:
    return [e for e in effects if isinstance(e, IncidentChanged) and e.transition]


def journal(effects: Iterable[Effect]) -> list[Any]:
    return [record for effect in effects for record in records(effect)]


events = st.lists(
    st.tuples(
        st.integers(0, 40 * 60),
        st.sampled_from(["order", "request", "view"]),
        st.sampled_from(["DE", "FR", "a,b"]),
        st.sampled_from(["ok", "error"]),
        st.integers(-1000, 100_000).map(lambda cents: cents / 100),
        st.integers(1, 3),
    ),
    min_size=4,
    max_size=60,
)
cuts_strategy = st.lists(st.integers(0, 60), max_size=6)


def lines_of(drawn: list[Any], order_noise: int, seed: int) -> list[bytes]:
    """Lines whose order strays from their time by up to so many seconds."""
    chance = random.Random(seed)
    jittered = sorted(drawn, key=lambda e: e[0] + chance.uniform(0, order_noise))
    return [line(START + seconds * SECOND, *rest) for seconds, *rest in jittered]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(drawn=events, one=cuts_strategy, other=cuts_strategy, noise=st.sampled_from([0, 20, 900]))
def test_where_frames_are_cut_changes_no_bucket(
    plan: Plan, drawn: list[Any], one: list[int], other: list[int], noise: int
) -> None:
    lines = lines_of(drawn, noise, seed=len(drawn))
    a, b = (run(plan, frames_of(plan, lines, cuts)) for cuts in (one, other))
    assert first(a) == first(b)
    assert final(a) == final(b)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(drawn=events, seeds=st.tuples(st.integers(0, 99), st.integers(0, 99)))
def test_how_sources_interleave_changes_no_bucket(
    plan: Plan, drawn: list[Any], seeds: tuple[int, int]
) -> None:
    halves = [lines_of(drawn[i::2], 900, seed=i) for i in range(2)]

    def interleaved(seed: int) -> list[Frame]:
        chance = random.Random(seed)
        queues = [
            frames_of(plan, half, range(0, 60, chance.randint(1, 9)), source, 2)
            for source, half in enumerate(halves)
        ]
        out = []
        while any(queues):
            out.append(chance.choice([q for q in queues if q]).pop(0))
        return out

    a, b = (run(plan, interleaved(seed)) for seed in seeds)
    assert first(a) == first(b)
    assert final(a) == final(b)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(drawn=events, noise=st.sampled_from([0, 900]))
def test_the_buckets_hold_every_event(plan: Plan, drawn: list[Any], noise: int) -> None:
    effects = run(plan, frames_of(plan, lines_of(drawn, noise, seed=1), [20]))
    held = sum(
        row["value"] or 0
        for (metric, dimension, _, _), row in final(effects).items()
        if (metric, dimension) == ("orders", "all")
    )
    assert held == sum(count for _, name, *_, count in drawn if name == "order")


def history(plan: Plan, days: int, drops: dict[int, float]) -> list[Frame]:
    """Frames of hourly totals; orders of these hours are multiplied."""
    chance = random.Random(5)
    lines = []
    for hour in range(days * 24):
        for country, size in (("DE", 6000), ("FR", 3000)):
            level = size * drops.get(hour, 1.0) * (1 + 0.2 * (hour % 24 < 12))
            count = max(1, round(chance.gauss(level, level**0.5)))
            time = START + hour * HOUR + 5 * MINUTE
            lines.append(line(time, "order", country, "ok", 20.0, count))
            lines.append(line(time, "request", country, "ok", 1.0, 2 * size))
            lines.append(line(time, "request", country, "error", 1.0, size // 50))
    return frames_of(plan, lines, range(0, len(lines), 25))


@pytest.fixture(scope="module")
def log(hourly: Plan) -> list[Frame]:
    """Four weeks of history with an outage of ten hours on day 25."""
    return history(hourly, 28, dict.fromkeys(range(25 * 24 + 3, 25 * 24 + 13), 0.5))


def test_a_drop_is_found_once_and_resolves(hourly: Plan, log: list[Frame]) -> None:
    changes = [c.incident for c in incidents(run(hourly, log))]
    fired = [i for i in changes if i.state == "firing" and i.severity == "page"]
    orders = [i for i in fired if i.metric == "orders"]
    assert [(i.dimension, i.direction) for i in orders] == [("all", "down")]
    assert orders[0].started_at == to_rfc3339(START + 25 * DAY + 3 * HOUR)
    assert {s["segment"] for s in orders[0].segments} <= {"DE", "FR"}
    assert [i.state for i in changes if i.alert_id == orders[0].alert_id][-1] == "resolved"
    assert {i.metric for i in fired} == {"orders", "revenue"}, "the others did not move"


@pytest.fixture(scope="module")
def whole(hourly: Plan, log: list[Frame]) -> list[Any]:
    """What one run over the whole log leaves in the journal."""
    return journal(run(hourly, log))


@pytest.mark.slow
def test_two_runs_over_one_log_give_the_same_bytes(
    hourly: Plan, log: list[Frame], whole: list[Any]
) -> None:
    assert journal(run(hourly, log)) == whole


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_a_restored_snapshot_gives_the_same_effects(
    hourly: Plan, log: list[Frame], whole: list[Any], seed: int
) -> None:
    chance = random.Random(seed)
    at = sorted(chance.sample(range(len(log)), 3))
    machine = Machine(hourly)
    pieces: list[Any] = []
    for i, frame in enumerate(log):
        if i in at:
            machine, ended = Machine.restore(hourly, 0, machine.snapshot())
            assert ended == []
        pieces += journal(machine.apply(frame))
    assert pieces + journal(machine.finish()) == whole


@pytest.mark.slow
def test_frames_that_come_again_change_nothing(
    hourly: Plan, log: list[Frame], whole: list[Any]
) -> None:
    twice = [frame for pair in zip(log, log, strict=True) for frame in pair]
    assert journal(run(hourly, twice)) == whole


def test_a_gap_in_the_chain_is_counted(plan: Plan) -> None:
    lines = [line(START + i * MINUTE, "order", "DE", "ok", 1.0, 1) for i in range(30)]
    frames = frames_of(plan, lines, [10, 20])
    machine = Machine(plan)
    machine.apply(frames[0])
    assert machine.gap(frames[2]) == 10
    machine.apply(frames[2])
    assert machine.counters["offsets_missing"] == 10


@pytest.mark.slow
def test_unchanged_metrics_keep_their_state_when_definitions_change(
    hourly: Plan, log: list[Frame], tmp_path: Path
) -> None:
    inside = 25 * 24 + 8  # while the incident is open
    cut = 1 + next(i for i, f in enumerate(log) if f.newest_us >= START + inside * HOUR)
    machine = Machine(hourly)
    for frame in log[:cut]:
        machine.apply(frame)
    changed = METRICS.replace("BUCKET", "1h").replace("WINDOW", "1d")
    changed = changed.replace("of: {event: order}, segments", "of: {event: purchase}, segments", 1)
    restored, ended = Machine.restore(plan_of(tmp_path, changed), 0, machine.snapshot())
    closed = [e.incident for e in ended if isinstance(e, IncidentChanged)]
    assert [(i.metric, i.state, i.reason) for i in closed] == [
        ("orders", "resolved", "definition_changed")
    ]
    kept = [effect for frame in log[cut:] for effect in restored.apply(frame)]
    assert restored.counters["deltas_of_other_definitions"] > 0
    whole = [effect for frame in log[cut:] for effect in machine.apply(frame)]
    for metric in ("revenue", "order_value", "errors", "daily_orders"):
        mine, theirs = (
            [row for row in rows(effects) if row.metric == metric] for effects in (kept, whole)
        )
        expected = [(r.value, r.window_value, r.state, r.revision) for r in theirs]
        assert [(r.value, r.window_value, r.state, r.revision) for r in mine] == expected
    anew = {row.state for row in rows(kept) if row.metric == "orders"}
    assert anew == {"learning"}


def test_a_damaged_snapshot_is_refused_in_one_line(plan: Plan) -> None:
    data = Machine(plan).snapshot()
    with pytest.raises(StateError, match="cannot be read") as caught:
        Machine.restore(plan, 0, data[:-4])
    assert "\n" not in str(caught.value)


def test_nothing_closes_before_every_source_has_spoken(plan: Plan) -> None:
    lines = [line(START + i * MINUTE, "order", "DE", "ok", 1.0, 1) for i in range(30)]
    machine = Machine(plan)
    assert machine.apply(frames_of(plan, lines, [20], source=0, sources=2)[0]) == []
    second = frames_of(plan, lines, [10], source=1, sources=2)[0]
    closed = machine.apply(second)
    ends = [e.end_us for e in closed if not isinstance(e, IncidentChanged) and hasattr(e, "end_us")]
    assert max(ends) <= START + 9 * MINUTE


HOURLY = (
    "metrics:\n  - {name: orders, kind: count, of: {event: order}, segments: [country], BUCKETS}\n"
)
HOURS = "bucket: 1h, window: 1d"


def order(time_us: int, country: str = "DE", count: int = 1) -> bytes:
    return line(time_us, "order", country, "ok", 1.0, count)


def hours(last: int, extra: dict[int, list[bytes]]) -> list[bytes]:
    """A line every hour; the extra ones come after the line of their hour."""
    out = []
    for hour in range(last):
        out += [order(START + hour * HOUR + MINUTE, count=100), *extra.get(hour, [])]
    return out


@pytest.mark.slow
@pytest.mark.parametrize(
    "extra",
    [
        {120: [order(START + 110 * HOUR, count=7)]},  # long before the end of a frame of 20 days
        {120: [order(START + 74 * HOUR)], 121: [order(START + 75 * HOUR)]},
        {h: [order(START + 20 * HOUR, "FR")] for h in (30, 35, 40)},  # a series of late events only
        {3: [order(START + 3 * HOUR, "FR")], 220: [order(START + 220 * HOUR, "FR")]},  # unseen
    ],
)
@pytest.mark.parametrize("restatement", ["2d", "9d"])
def test_how_long_a_frame_is_changes_no_bucket(
    tmp_path: Path, extra: dict[int, list[bytes]], restatement: str
) -> None:
    plan = plan_of(tmp_path, HOURLY.replace("BUCKETS", HOURS), restatement_window=restatement)
    lines = hours(480, extra)
    one = final(run(plan, frames_of(plan, lines, [])))
    many = final(run(plan, frames_of(plan, lines, range(0, 490, 5))))
    assert one == many
    wanted: dict[str, int] = {}
    for text in lines:
        event = msgspec.json.decode(text)
        start = event["time"][:13] + ":00:00Z"
        wanted[start] = wanted.get(start, 0) + event["count"]
    wholes = {k[3]: row for k, row in one.items() if k[1] == "all" and row["state"] != "partial"}
    assert {start: row["value"] for start, row in wholes.items()} == {
        start: wanted[start] for start in wholes
    }
    in_order = [wanted[start] for start in sorted(wholes)]
    windows = [row["window_value"] for _, row in sorted(wholes.items())]
    assert windows == [sum(in_order[max(0, i - 23) : i + 1]) for i in range(len(in_order))]
    french = sum(row["value"] or 0 for k, row in one.items() if k[2] == "FR")
    assert french == sum(b'"FR"' in text for text in lines)


SUM = "  - {name: revenue, kind: sum, of: {event: order, value: amount}, bucket: 1h}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (HOURS, HOURS + "}\n" + SUM[:-2]),
        (HOURS + "}\n" + SUM[:-2], HOURS),
        (HOURS, "bucket: 1h, window: 6h"),
        (HOURS, "bucket: 1h, window: 2d"),
        ("bucket: 1h", HOURS),
    ],
    ids=["wider", "narrower", "shorter window", "longer window", "first window"],
)
def test_windows_and_restatements_outlive_a_change_of_other_definitions(
    tmp_path: Path, before: str, after: str
) -> None:
    old, new = (
        plan_of(tmp_path / name, HOURLY.replace("BUCKETS", text).replace("}}", "}"))
        for name, text in (("old", before), ("new", after))
    )
    late = {80: [order(START + 72 * HOUR + 2 * MINUTE)], 85: [order(START + 70 * HOUR)]}
    frames = frames_of(old, hours(110, late), range(0, 120, 3))
    cut = 27
    machine = Machine(old)
    for frame in frames[:cut]:
        machine.apply(frame)
    restored, _ = Machine.restore(new, 0, machine.snapshot())
    mine = final([e for f in frames[cut:] for e in restored.apply(f)])
    whole = final(run(new, frames_of(new, hours(110, late), range(0, 120, 3))))
    orders = {k: (v["value"], v["window_value"]) for k, v in mine.items() if k[0] == "orders"}
    assert len(orders) > 50
    assert orders == {k: (whole[k]["value"], whole[k]["window_value"]) for k in orders}


@pytest.mark.parametrize("month", [3, 10])
def test_a_window_of_days_holds_as_many_days_when_clocks_change(tmp_path: Path, month: int) -> None:
    days = "bucket: 1d, window: 7d, detect: {timezone: Europe/Berlin}"
    plan = plan_of(tmp_path, HOURLY.replace("BUCKETS", days), restatement_window="9d")
    start = from_datetime(datetime(2026, month, 15, 12, tzinfo=UTC))
    lines = [order(start + day * DAY) for day in range(24)]
    lines.insert(16, order(start + 9 * DAY))
    found = [row for k, row in sorted(final(run(plan, frames_of(plan, lines, range(25)))).items())]
    windows = [row["window_value"] for row in found if row["dimension"] == "all"]
    assert windows == [*range(1, 8), 7, 7, *[8] * 7, *[7] * 8]


@pytest.mark.slow
def test_an_event_late_for_its_minute_alone_makes_its_day_active(tmp_path: Path) -> None:
    text = HOURLY.replace("BUCKETS", "bucket: 1d") + SUM.replace("1h", "1m")
    plan = plan_of(tmp_path, text)
    times = [0, 1, 2, *[2 * DAY + i for i in range(3)], DAY + 12 * HOUR]
    times += [2 * DAY + HOUR, 3 * DAY + 10 * HOUR, 3 * DAY + 10 * HOUR + 1, 3 * DAY + 10 * HOUR + 2]
    plain = [order(START + time) for time in times]
    days = final(run(plan, frames_of(plan, plain, [])))
    values = [row["value"] for k, row in sorted(days.items()) if k[:2] == ("orders", "all")]
    assert values == [3, 1, 4, 3]


def test_a_bucket_whose_end_is_within_the_restatement_window_is_kept(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, HOURLY.replace("BUCKETS", "bucket: 1d"), restatement_window="36h")
    lines = hours(24 * 10 + 3, {24 * 10 + 2: [order(START + 8 * DAY + HOUR)]})
    day = final(run(plan, frames_of(plan, lines, range(0, 250, 3))))
    assert day["orders", "all", "all", to_rfc3339(START + 8 * DAY)]["value"] == 2401


def test_the_last_bucket_of_a_gap_is_the_one_before_the_next_event(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, HOURLY.replace("BUCKETS", HOURS))
    times = [second * SECOND for second in range(3)]
    times += [10 * DAY + second * SECOND for second in (10, 11, 12, 3600, 7200, 10800)]
    lines = [order(START + time) for time in times]
    one, many = (final(run(plan, frames_of(plan, lines, cuts))) for cuts in (range(0), range(9)))
    assert one == many
    starts = sorted(k[3] for k in one if k[1] == "all")
    wanted = [0, HOUR, *range(10 * DAY - HOUR, 10 * DAY + 4 * HOUR, HOUR)]
    assert starts == [to_rfc3339(START + time) for time in wanted]

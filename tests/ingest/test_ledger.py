"""What a flush says of the measurement itself: against a plain count of the same lines."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.definitions.calendar import bucket_end
from monitor.definitions.plan import Cohort, Form, Measure, MetricPlan, UnitStep
from monitor.ingest.envelope import Envelope
from monitor.ingest.fields import Fault
from monitor.ingest.sampling import ENOUGH
from monitor.ingest.shape import ACTOR
from monitor.ingest.source import Flush, Ingest
from monitor.ingest.watermark import Watermark
from monitor.ingest.where import holds
from monitor.model.event import Event
from monitor.model.frame import decode_frame, encode_frame
from monitor.model.ledger import Aspect, Ledger
from monitor.model.time import DAY, HOUR, MINUTE, NEVER, SECOND, to_rfc3339
from monitor.stats.histogram import bins
from tests.ingest.conftest import ingest_of, metric_plan, plan_of

Counts = Counter[tuple[int, str, Aspect, str]]

PAID = (("amount", "gte", (5.0,)), ("plan", "in", ("paid",)))
BY = ((), ("country",), ("app_version",))
CONVERSION = replace(
    metric_plan("conversion", groupings=BY),
    kind="conversion",
    cohort=Cohort(
        steps=(UnitStep(event="view"), UnitStep(event="order")), unit=ACTOR, within_us=HOUR
    ),
)
PLAN = plan_of(
    metric_plan("orders", Measure(name="count", event="order"), groupings=BY),
    metric_plan("paid", Measure(name="count", event="order", where=PAID)),
    metric_plan("revenue", Measure(name="sum", event="order", value="amount"), width_us=5 * MINUTE),
    metric_plan(
        "shops",
        Measure(name="uniques", event="order", form=Form.UNIQUES, unit="shop"),
        groupings=((), ("country",)),
    ),
    metric_plan("slow", Measure(name="q", event="load", form=Form.QUANTILE, value="ms", q=0.5)),
    metric_plan("loads", Measure(name="count", event="load"), width_us=HOUR),
    CONVERSION,
    shards=3,
)
START = 1_700_000_000
HORIZON = 30_000 * DAY + PLAN.max_clock_skew_us
BAD = [
    b"{",
    b"[1]",
    b'{"time":1700000000}',
    b'{"name":"order"}',
    b'{"name":"order","time":"soon"}',
    b'{"name":"order","time":1700000000,"count":0}',
    b'{"name":"view","time":1700000000,"dimensions":[1]}',
    b'{"name":"order","time":1700000000,"values":{"amount":NaN}}',
    b'{"name":"order","time":99999999999}',
    b'{"name":"unused","time":1700000000,"count":0}',
    b'{"name":"view","time":1700000000,"note":"\xff"}',
]


TEXTS: dict[str, list[Any]] = {
    "country": ["DE", "FR"],
    "app_version": ["8.1", "8.2", 9, "Köln"],
    "plan": ["paid", "free"],
    "shop": ["x", "y", "z"],
}


def random_lines(rng: random.Random, size: int) -> list[tuple[bytes, int]]:
    """Messages with what arrived when, of a source whose time goes on with stragglers."""
    lines, now = [], float(START)
    for _ in range(size):
        now += rng.choice([0, 0.1, 0.5, 5, 40])
        time = round(now - rng.choice([0, 0, 0, 0, 3, 29, 31, 100, 400, 4000, -70, -5000]), 3)
        stamp = rng.choice([-1, round(now * 1000) + rng.randrange(-500, 90_000)])
        if rng.random() < 0.05:
            lines.append((rng.choice([*BAD, b" "]), stamp))
            continue
        event: dict[str, Any] = {
            "name": rng.choice(["order", "order", "view", "load", "unused"]),
            "time": rng.choice([time, to_rfc3339(round(time * SECOND))]),
            "count": rng.choice([1, 1, 1, 7]),
            "event_id": rng.choice([None, f"e{rng.randrange(60)}", f"e{rng.randrange(10**6)}"]),
            "actor": rng.choice(["a", "b", None]),
            "dimensions": {
                name: rng.choice(values) for name, values in TEXTS.items() if rng.random() < 0.8
            },
            "values": {name: rng.randrange(10) for name in ("amount", "ms") if rng.random() < 0.8},
        }
        if rng.random() < 0.1:
            event["values"]["plan"] = 1
        lines.append((json.dumps(event, ensure_ascii=False).encode(), stamp))
    return lines


def needs(metric: MetricPlan, name: str) -> set[tuple[str, str]]:
    """What a metric needs of an event name: (where it stands, its name)."""
    found: set[tuple[str, str]] = set()
    if metric.cohort is not None:
        for place, step in enumerate(metric.cohort.steps):
            if step.event == name:
                found.add(("unit", metric.cohort.unit))
                found.update(("either", condition[0]) for condition in step.where)
                if place == 0:
                    found.update(("dimension", one) for by in metric.groupings for one in by)
    for measure in metric.measures:
        if measure.event == name:
            found.update(("dimension", one) for by in metric.groupings for one in by)
            found.update(("either", condition[0]) for condition in measure.where)
            found.update(("value", one) for one in (measure.value, measure.needs) if one)
            found.update([("unit", measure.unit)] if measure.unit else [])
    return found


def lacks(event: Event, need: tuple[str, str]) -> bool:
    where, name = need
    if where == "unit" and name == ACTOR:
        return event.actor is None
    given: dict[str, dict[str, Any]] = {
        "unit": {**event.dimensions},
        "dimension": {**event.dimensions},
        "value": {**event.values},
        "either": {**event.values, **event.dimensions},
    }
    return name not in given[where]


def counts_it(metric: MetricPlan, event: Event) -> bool:
    """Whether a metric counts an event."""
    found: dict[str, Any] = {**event.values, **event.dimensions}
    wanted = [(m.event, m.where, m.value or m.needs, m.unit) for m in metric.measures]
    if metric.cohort is not None:
        cohort = metric.cohort
        wanted = [(step.event, step.where, None, cohort.unit) for step in cohort.steps]
    return any(
        name == event.name
        and (field is None or field in event.values)
        and (unit is None or not lacks(event, ("unit", unit)))
        and all(holds(condition, found.get(condition[0])) for condition in where)
        for name, where, field, unit in wanted
    )


USED = {m.event for metric in PLAN.metrics for m in metric.measures} | {"view", "order"}


def home_of(time_us: int) -> int:
    return NEVER if time_us == NEVER else time_us - time_us % PLAN.base_us


def plain_count(lines: list[tuple[bytes, int]]) -> Counts:
    mark = Watermark(
        allowed_lateness_us=PLAN.allowed_lateness_us, idle_timeout_us=PLAN.idle_timeout_us
    )
    seen: set[str] = set()
    total: Counts = Counter()
    for payload, stamp in lines:
        reached = home_of(max(mark.newest_us, mark.watermark_us))
        try:
            event = Envelope().read(payload, HORIZON)
        except Fault as fault:
            if reached != NEVER and fault.event in USED | {""}:
                total[reached, fault.event, Aspect.MALFORMED, fault.reason.value] += 1
            continue
        if event is None:
            continue
        if event.name in USED:
            start = home_of(event.time_us)
            ended = start + PLAN.base_us <= mark.watermark_us
            worst = lateness(event, mark.watermark_us) if ended else 0
            home = reached if ended else start
            if stamp >= 0:
                delay = np.array((stamp * 1000 - event.time_us) / SECOND)
                total[home, event.name, Aspect.DELAY, str(int(bins(delay)))] += 1
            for aspect, detail, count in said(event, worst, seen):
                total[home, event.name, aspect, detail] += count
            seen.update([event.event_id] if event.event_id is not None else [])
        mark.observe(event.time_us)
    return total


def lateness(event: Event, watermark_us: int) -> int:
    """How late an event is for the metric for which it is latest."""
    stands = []
    for metric in PLAN.metrics:
        if counts_it(metric, event):
            end = bucket_end(metric.calendar, home_of(event.time_us))
            gone = watermark_us - PLAN.restatement_window_us
            stands.append((end <= watermark_us) + (end <= gone))
    return max(stands, default=0)


def said(event: Event, worst: int, seen: set[str]) -> Iterator[tuple[Aspect, str, int]]:
    """What one line of an event name counts for, but for its delay."""
    if worst:
        yield from [(Aspect.LATE, "", 1), (Aspect.TOO_LATE, "", 1)][:worst]
        return
    yield from [(Aspect.LINES, "", 1), (Aspect.EVENTS, "", event.count)]
    if event.event_id is not None:
        yield Aspect.IDENTIFIED, "", 1
    if event.event_id in seen:
        yield Aspect.REPEATED, "", 1
    wanted = {need for metric in PLAN.metrics for need in needs(metric, event.name)}
    absent = {need[1] for need in wanted if lacks(event, need)}
    yield from ((Aspect.MISSING, name, 1) for name in absent)
    if absent:
        yield Aspect.INCOMPLETE, "", 1
    if event.name != "load" and "app_version" in event.dimensions:
        yield Aspect.VERSION, event.dimensions["app_version"], event.count


def read(ledger: Ledger | None) -> Counts:
    """The counts of a ledger; checks the order that it promises."""
    if ledger is None:
        return Counter()
    keys = list(
        zip(
            ledger.bucket.tolist(),
            ledger.event.tolist(),
            ledger.aspect.tolist(),
            ledger.detail.tolist(),
            strict=True,
        )
    )
    assert keys
    assert keys == sorted(set(keys))
    assert min(ledger.count.tolist()) > 0
    assert ledger.events == sorted(set(ledger.events))
    assert ledger.details == sorted(set(ledger.details))
    assert ledger.details[0] == ""
    named = [(b, ledger.events[e], Aspect(a), ledger.details[d]) for b, e, a, d in keys]
    return Counter(dict(zip(named, ledger.count.tolist(), strict=True)))


def added_up(flushes: list[Flush]) -> Counts:
    total: Counts = Counter()
    for flush in flushes:
        frames = [decode_frame(encode_frame(frame)) for frame in flush.frames.values()]
        first, *others = [read(frame.ledger) for frame in frames]
        assert all(other == first for other in others)
        total.update(first)
    return total


def flushed(lines: list[tuple[bytes, int]], cuts: list[int], ingest: Ingest) -> list[Flush]:
    flushes = []
    for first, last in pairwise([0, *sorted(cuts), len(lines)]):
        part = lines[first:last]
        ingest.add_many([line for line, _ in part], stamps_ms=[stamp for _, stamp in part])
        flushes.append(ingest.flush())
    return flushes


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 150), max_size=5))
def test_ledgers_add_up_to_a_plain_count_wherever_flushes_are_cut(
    seed: int, cuts: list[int]
) -> None:
    lines = random_lines(random.Random(seed), 150)
    flushes = flushed(lines, cuts, ingest_of(PLAN))
    counts = plain_count(lines)
    assert added_up(flushes) == counts
    for name, aspect in {"late": Aspect.LATE, "too_late": Aspect.TOO_LATE}.items():
        of_aspect = sum(n for (_, _, one, _), n in counts.items() if one is aspect)
        assert sum(flush.counts[name] for flush in flushes) == of_aspect


@pytest.mark.parametrize("seed", [977, 1000])
def test_a_bucket_that_its_own_event_ended_is_late(seed: int) -> None:
    """The third event of a source confirms the newest one, by which its own bucket has ended."""
    lines = random_lines(random.Random(seed), 150)
    assert added_up(flushed(lines, [], ingest_of(PLAN))) == plain_count(lines)


def test_a_long_source_meets_every_aspect() -> None:
    lines = random_lines(random.Random(5), 1500)
    counts = plain_count(lines)
    assert {aspect for _, _, aspect, _ in counts} == set(Aspect)
    assert added_up(flushed(lines, [700], ingest_of(PLAN))) == counts


def test_cells_of_one_line_at_a_time_are_those_of_many() -> None:
    lines = random_lines(random.Random(6), 300)
    one_by_one = ingest_of(PLAN)
    for line, stamp in lines:
        one_by_one.add_many([line], stamps_ms=[stamp])
    assert added_up([one_by_one.flush()]) == added_up(flushed(lines, [], ingest_of(PLAN)))


def test_nothing_read_is_no_ledger() -> None:
    ingest = ingest_of(PLAN)
    assert all(frame.ledger is None for frame in ingest.flush().frames.values())
    ingest.add(1, b'{"name":"unused","time":1700000000}')
    assert all(frame.ledger is None for frame in ingest.flush().frames.values())


def test_before_the_source_spoke_dead_letters_stand_in_no_bucket() -> None:
    ingest = ingest_of(PLAN)
    ingest.add(1, b"{")
    flush = ingest.flush()
    assert flush.counts["dead_lettered"] == 1
    assert flush.frames[0].ledger is None


def test_what_a_silent_source_brings_late_stands_where_its_idleness_has_come_to() -> None:
    """Not in the bucket of its newest event, which has ended."""
    ingest = ingest_of(PLAN)
    for position in range(3):
        ingest.add(position, f'{{"name":"view","time":{START},"actor":"a"}}'.encode())
    ingest.flush()
    now_us = (START + 7200) * SECOND
    ingest.idle(now_us)
    ingest.add(3, f'{{"name":"view","time":{START},"actor":"a"}}'.encode())
    ingest.add(4, b"{")
    silent_us = now_us - MINUTE
    home = silent_us - silent_us % MINUTE
    found = added_up([ingest.flush()])
    assert found[home, "view", Aspect.TOO_LATE, ""] == 1
    assert found[home, "", Aspect.MALFORMED, "not_json"] == 1
    assert {bucket for bucket, _, _, _ in found} == {home}


def test_duplicates_are_counted_across_flushes_and_forgotten_at_a_restart() -> None:
    line = f'{{"name":"order","time":{START},"event_id":"e1"}}'.encode()
    ingest = ingest_of(PLAN)
    ingest.add(1, line)
    first = ingest.flush()
    ingest.add(2, line)
    ingest.add(3, line)
    assert (first.counts["duplicates"], ingest.flush().counts["duplicates"]) == (0, 2)
    again = ingest_of(PLAN, position=first.stop, state=first.state)
    again.add(2, line)
    assert again.flush().counts["duplicates"] == 0


@pytest.mark.parametrize("event_id", ['""', "0", "5", "-3.5", '"0"', '"Köln"'])
def test_any_event_id_is_known_again(event_id: str) -> None:
    line = f'{{"name":"order","time":{START},"event_id":{event_id}}}'.encode()
    ingest = ingest_of(PLAN)
    ingest.add_many([line] * 3)
    assert ingest.flush().counts["duplicates"] == 2


def test_of_a_busy_source_some_arrivals_are_looked_at() -> None:
    """As many as are enough for a base bucket, once the first one has told how many there are."""
    ingest = ingest_of(PLAN)
    a_minute = 20 * ENOUGH
    for minute in range(3):
        time = to_rfc3339((START // 60 * 60 + minute * 60) * SECOND)
        line = f'{{"name":"order","time":"{time}"}}'.encode()
        ingest.add_many([line] * a_minute, stamps_ms=[START * 1000] * a_minute)
    total: Counter[int] = Counter()
    for (bucket, _, aspect, _), count in added_up([ingest.flush()]).items():
        if aspect is Aspect.DELAY:
            total[bucket] += count
    first, second, third = (total[bucket] for bucket in sorted(total))
    assert first == a_minute
    assert second == third == pytest.approx(a_minute / 32, abs=1)


@pytest.mark.parametrize(
    ("payload", "event"),
    [
        (b'{"name":"order"}', "order"),
        (b'{"name":"order","time":true}', "order"),
        (b'{"name":"order","time":1,"count":0.5}', "order"),
        (b'{"name":"order","time":1,"actor":{}}', "order"),
        (b'{"name":"order","time":1,"values":{"amount":Infinity}}', "order"),
        (b'{"name":"order","time":1,"values":{"amount":1e999}}', "order"),
        (b'{"name":"order","time":99999999999}', "order"),
        (b'{"type":"track","event":"order","userId":"u","timestamp":NaN}', "order"),
        (b'{"specversion":"1.0","type":"order","data":{"amount":NaN}}', "order"),
        (b'{"specversion":"1.0","type":"order","id":{},"data":{"amount":NaN}}', ""),
        (b'{"name":NaN,"time":1}', ""),
        (b"NaN", ""),
        (b"[]", ""),
        (b'{"name":7,"time":1}', ""),
        (b'{"name":"order","time":1', ""),
    ],
)
def test_a_fault_names_the_event_where_it_could_be_read(payload: bytes, event: str) -> None:
    with pytest.raises(Fault) as fault:
        Envelope().read(payload, HORIZON)
    assert fault.value.event == event

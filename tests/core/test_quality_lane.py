"""The measurement's own metrics: tickets of their own, the same in every shard, said by one."""

from dataclasses import replace

import msgspec
import pytest

from monitor.core.effects import ClosedBucket, Effect, IncidentChanged
from monitor.core.machine import Machine
from monitor.definitions.quality import is_quality
from tests.core.measured_worlds import (
    LEARNT,
    LINES,
    Hour,
    fired,
    frames,
    history,
    plan,
    run,
)


def tickets(hours: list[Hour]) -> dict[str, str]:
    found = fired(run(hours), quality=True)
    assert {one.severity for one in found.values()} <= {"ticket"}
    return {name.removeprefix("data_quality_"): one.reason for name, one in found.items()}


def test_where_nothing_happens_nothing_is_said() -> None:
    assert tickets([Hour()] * 30) == {}


@pytest.mark.parametrize(
    ("hour", "wanted"),
    [
        (Hour(orders=1.25, repeated=LINES // 4), "unique"),
        (Hour(malformed_bad_field=LINES // 2), "wellformed"),
        (Hour(missing_status=LINES // 3), "complete"),
        (Hour(late=LINES // 2), "on_time"),
    ],
)
def test_a_share_that_falls_is_a_ticket(hour: Hour, wanted: str) -> None:
    assert {name.split()[0] for name in tickets([hour] * 8)} == {wanted}


def test_a_share_that_gets_better_says_nothing() -> None:
    hours = [Hour(repeated=200)] * 60 + [Hour()] * 20
    found = [
        e.incident
        for e in run(hours)
        if isinstance(e, IncidentChanged) and e.transition and e.incident.direction == "up"
    ]
    assert not [one for one in found if is_quality(one.metric)]


def test_a_volume_is_judged_for_silence_only() -> None:
    assert "volume order" not in tickets([Hour(orders=0.3)] * 8)
    found = fired(run([Hour(orders=0.0)] * 8), quality=True)["data_quality_volume order"]
    assert (found.reason, found.labels["alertname"]) == ("no_data", "MetricSilent")
    assert found.summary.startswith(
        "data_quality_volume: no order since 00:00 UTC on 2025-11-29, 800 expected: either it stopped "
        "or its tracking did; view goes on as usual."
    )


def test_a_version_that_stops_is_named() -> None:
    found = fired(run([Hour(versions=(1.0, 0.0))] * 8), quality=True)
    assert found["data_quality_volume order,8.3"].summary.startswith(
        "data_quality_volume: no order from app_version=8.3 since 00:00 UTC"
    )


def test_volumes_that_return_end_the_ticket() -> None:
    effects = run([Hour(orders=0.0)] * 8 + [Hour()] * 8)
    ended = [
        (e.incident.segment, e.incident.reason)
        for e in effects
        if isinstance(e, IncidentChanged) and e.incident.state == "resolved"
        if e.incident.metric == "data_quality_volume"
    ]
    assert ("order", "data_returned") in ended


def said(effects: list[Effect]) -> list[str]:
    """What is said of the measurement, each thing once."""
    out = []
    for effect in effects:
        if isinstance(effect, ClosedBucket):
            out += [
                f"{effect.start_us} {g.metric} {g.dimension} {effect.value[g.rows].tolist()} "
                f"{effect.state[g.rows].tolist()} {g.segments}"
                for g in effect.groups
                if is_quality(g.metric)
            ]
        elif isinstance(effect, IncidentChanged) and is_quality(effect.incident.metric):
            out.append(f"{effect.incident} {effect.transition}")
    return sorted(out)


def test_every_shard_judges_and_one_says() -> None:
    hours = [Hour()] * 48 + [Hour(orders=1.25, repeated=100)] * 4
    parts = [msgspec.structs.replace(frame, deltas=[]) for frame in frames(0, hours)]
    sharded = replace(plan(), shards=3)
    each: list[list[Effect]] = []
    for shard in range(3):
        machine = Machine(sharded, shard)
        each.append([effect for frame in parts for effect in machine.apply(frame)])
    alone = Machine(plan())
    whole = said([effect for frame in parts for effect in alone.apply(frame)])
    assert sorted(line for effects in each for line in said(effects)) == whole
    assert sum(bool(said(effects)) for effects in each) > 1, "the names are spread over shards"


def test_other_cuts_say_the_same() -> None:
    hours = [Hour(orders=1.0, repeated=k % 7) for k in range(40)]
    one = frames(0, hours)
    joined = Machine(plan())
    both = [effect for frame in one for effect in joined.apply(frame)]
    pairs = []
    for first, second in zip(one[::2], one[1::2], strict=True):
        pairs += [msgspec.structs.replace(first, watermark_us=first.watermark_us - 1), second]
    other = Machine(plan())
    again = [effect for frame in pairs for effect in other.apply(frame)]
    assert said(again) == said(both)


def test_thresholds_of_the_definitions_are_as_they_were() -> None:
    assert {m.severity for m in plan().quality} == {"ticket"}
    assert [m.name for m in plan().metrics] == sorted(m.name for m in plan().metrics)
    assert not any(is_quality(m.name) for m in plan().metrics)


def test_what_the_lane_learnt_outlives_other_definitions() -> None:
    machine = Machine(plan())
    for frame in history()[:48]:
        machine.apply(frame)
    fewer = replace(plan(), metrics=plan().metrics[:-1])
    restored, ended = Machine.restore(fewer, 0, machine.snapshot())
    assert ended == []
    assert restored.lanes[0].panel.series.size == machine.lanes[0].panel.series.size
    assert LEARNT > 48


def test_where_nobody_reads_its_buckets_its_decisions_are_the_same() -> None:
    found: list[list[Effect]] = []
    for shown in (True, False):
        machine = Machine(plan(), shows_running=shown)
        effects = [effect for frame in history()[:72] for effect in machine.apply(frame)]
        found.append([*effects, *machine.finish()])
    told, decided = ([e for e in effects if not _is_of_quality(e)] for effects in found)
    assert [repr(e) for e in told] == [repr(e) for e in decided]
    assert any(map(_is_of_quality, found[0]))
    assert not any(map(_is_of_quality, found[1]))


def _is_of_quality(effect: Effect) -> bool:
    return isinstance(effect, ClosedBucket) and any(is_quality(g.metric) for g in effect.groups)

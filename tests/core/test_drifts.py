"""A slow drift through the whole core: one ticket, beside whatever is paged, the same after a restart."""

import random
from pathlib import Path
from typing import Any

import pytest

from monitor.core.machine import Machine
from monitor.definitions.plan import Plan
from monitor.model.frame import Frame
from monitor.model.incident import Incident, IncidentState
from monitor.model.tick import Reason
from monitor.model.time import DAY, HOUR, MINUTE, to_rfc3339
from tests.core.test_machine import START, frames_of, incidents, journal, line, plan_of, run

METRICS = """
metrics:
  - {name: orders, kind: count, of: {event: order}, segments: [country], bucket: 6h,
     owner: shop@example.com}
  - {name: errors, kind: ratio, numerator: {event: request, where: {status: error}},
     denominator: {event: request}, bucket: 6h}
"""
WIDTH, BEGIN, DAYS = 6 * HOUR, 40, 66


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan_of(tmp_path_factory.mktemp("drifts"), METRICS)


def drifting(k: int) -> float:
    """2 % less a day, for two weeks."""
    return float(0.98 ** min(max(k * WIDTH / DAY - BEGIN, 0.0), 14.0))


@pytest.fixture(scope="module")
def log(plan: Plan) -> list[Frame]:
    chance = random.Random(5)
    lines = []
    for k in range(DAYS * 4):
        time = START + k * WIDTH + 5 * MINUTE
        season = 1 + 0.2 * (k % 4 < 2)
        for country, size in (("DE", 1200), ("FR", 600)):
            mean = size * season * drifting(k)
            count = max(1, round(chance.gauss(mean, (2 * mean) ** 0.5)))
            lines.append(line(time, "order", country, "ok", 20.0, count))
        lines.append(line(time, "request", "DE", "ok", 1.0, 5000))
        lines.append(line(time, "request", "DE", "error", 1.0, round(chance.gauss(500, 22))))
    return frames_of(plan, lines, range(0, len(lines), 16))


@pytest.fixture(scope="module")
def told(plan: Plan, log: list[Frame]) -> list[Incident]:
    return [c.incident for c in incidents(run(plan, log))]


def test_two_percent_a_day_are_one_ticket_within_ten_days(told: list[Incident]) -> None:
    drifts = [i for i in told if i.labels["alertname"] == "MetricDrift"]
    assert len({i.alert_id for i in drifts}) == 1
    first = drifts[0]
    assert (first.metric, first.dimension, first.segment) == ("orders", "all", "all")
    assert (first.state, first.direction, first.severity) == ("firing", "down", "ticket")
    assert first.reason == Reason.DRIFT.label
    found = [to_rfc3339(START + (BEGIN + day) * DAY) for day in range(5, 11)]
    assert first.detected_at in found
    assert first.relative_shift is not None
    assert -0.15 < first.relative_shift < -0.05
    assert first.value is not None
    assert first.expected is not None
    assert first.value / first.expected - 1 == pytest.approx(first.relative_shift, abs=0.02)
    assert first.evidence >= first.threshold
    assert first.summary.startswith("orders drifts down: its last 7 days lie ")
    assert "Owner: shop@example.com." in first.summary


def test_it_resolves_when_the_weeks_are_alike_again(told: list[Incident]) -> None:
    drifts = [i for i in told if i.labels["alertname"] == "MetricDrift"]
    last = drifts[-1]
    assert (last.state, last.reason) == ("resolved", "drift_ended")
    assert last.resolved_at is not None
    assert last.resolved_at < to_rfc3339(START + (BEGIN + 26) * DAY)
    assert "no longer drifts" in last.summary
    assert [i.state for i in drifts].count(IncidentState.RESOLVED) == 1


def test_it_is_the_same_wherever_the_state_is_saved(plan: Plan, log: list[Frame]) -> None:
    machine, restored = Machine(plan), Machine(plan)
    for i, frame in enumerate(log):
        one, other = journal(machine.apply(frame)), journal(restored.apply(frame))
        assert one == other
        if i % 12 == 0:
            restored, ended = Machine.restore(plan, 0, restored.snapshot())
            assert ended == []


def open_at(plan: Plan, log: list[Frame], day: int) -> Machine:
    machine = Machine(plan)
    for frame in log:
        if frame.watermark_us > START + day * DAY:
            break
        machine.apply(frame)
    return machine


def test_the_end_of_a_history_and_a_changed_metric_end_it(
    plan: Plan, log: list[Frame], tmp_path: Path
) -> None:
    machine = open_at(plan, log, BEGIN + 11)
    state = machine.snapshot()
    (ended,) = drift_ends(machine.end_history())
    assert (ended.state, ended.reason) == ("resolved", "history_ended")
    changed = plan_of(
        tmp_path / "a", METRICS.replace("{event: order}", "{event: order, where: {country: DE}}")
    )
    _, effects = Machine.restore(changed, 0, state)
    (ended,) = drift_ends(effects)
    assert (ended.state, ended.reason) == ("resolved", "definition_changed")
    other = plan_of(tmp_path / "b", METRICS.replace("bucket: 6h", "bucket: 12h"))
    _, effects = Machine.restore(other, 0, state)
    (ended,) = drift_ends(effects)
    assert (ended.state, ended.reason) == ("resolved", "definition_changed")


def drift_ends(effects: Any) -> list[Incident]:
    return [
        c.incident for c in incidents(effects) if c.incident.labels["alertname"] == "MetricDrift"
    ]

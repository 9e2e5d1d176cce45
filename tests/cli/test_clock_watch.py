"""A wall clock that is set is told, one that runs is not."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from monitor.cli import clock_watch
from monitor.cli.clock_watch import ClockWatch, watch_clock
from monitor.model.time import HOUR, SECOND
from monitor.telemetry import Counters


@pytest.mark.parametrize("by", [3600.0, -3600.0, 6.0])
def test_a_jump_is_told_once(by: float) -> None:
    watch = ClockWatch(0, 0.0)
    assert watch.jump(10 * SECOND, 10.0) == 0
    assert watch.jump(round((11 + by) * SECOND), 11.0) == pytest.approx(by)
    assert watch.jump(round((12 + by) * SECOND), 12.0) == 0


def test_a_small_correction_is_no_jump() -> None:
    assert ClockWatch(0, 0.0).jump(13 * SECOND, 10.0) == 0


async def test_jumps_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_watch, "_LOOK_SECONDS", 0.01)
    registry, now = CollectorRegistry(), [0]
    watching = asyncio.create_task(
        watch_clock(lambda: now[0], Counters(registry).clock_jumps.labels("ingest"))
    )
    await asyncio.sleep(0.05)
    now[0] += HOUR
    await asyncio.sleep(0.05)
    watching.cancel()
    assert registry.get_sample_value("monitor_clock_jumps_total", {"role": "ingest"}) == 1

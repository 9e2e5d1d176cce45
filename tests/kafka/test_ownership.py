"""What a group member holds: an error of one unit is counted, and the others go on."""

import asyncio
from typing import Any

import structlog
from aiokafka.structs import TopicPartition
from prometheus_client import CollectorRegistry

from monitor.kafka.ownership import Ownership
from monitor.telemetry import Counters

FIRST, SECOND = TopicPartition("events", 0), TopicPartition("events", 1)


class Member:
    """A consumer that is assigned two partitions, and remembers where it was sent."""

    def __init__(self) -> None:
        self.sought: list[tuple[TopicPartition, int]] = []
        self.assigned = {FIRST, SECOND}

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.sought.append((place, offset))


class Unit:
    """A partition that always opens."""

    next_offset = 7

    async def open(self) -> None:
        """Nothing to do."""

    async def close(self, *, graceful: bool) -> None:
        """Nothing to do."""


async def test_an_error_drops_its_own_partition_and_is_counted() -> None:
    registry = CollectorRegistry()
    consumer: Any = Member()
    held: Ownership[Any] = Ownership(
        consumer, lambda _: Unit(), role="ingest", counters=Counters(registry)
    )
    await held.settle()
    assert held.open_units.keys() == {FIRST, SECOND}

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ConnectionError

    await held.guarded(FIRST, fails())
    await held.guarded(SECOND, asyncio.sleep(0))
    assert held.open_units.keys() == {SECOND}
    assert registry.get_sample_value("monitor_partitions_dropped_total", {"role": "ingest"}) == 1
    await held.settle()
    assert held.open_units.keys() == {SECOND}, "it is opened again after a pause"


async def test_a_partition_that_another_member_is_given_at_work_is_released_and_no_error() -> None:
    registry = CollectorRegistry()
    member: Any = Member()
    held: Ownership[Any] = Ownership(
        member, lambda _: Unit(), role="ingest", counters=Counters(registry)
    )
    await held.settle()

    async def is_given_away() -> None:
        await asyncio.sleep(0)
        member.assigned = {SECOND}
        message = "Partition is not assigned"
        raise AssertionError(message)

    with structlog.testing.capture_logs() as logged:
        await held.guarded(FIRST, is_given_away())
        await held.settle()
    assert [(one["event"], one["log_level"]) for one in logged] == [("partition.released", "info")]
    assert held.open_units.keys() == {SECOND}
    assert registry.get_sample_value("monitor_partitions_dropped_total", {"role": "ingest"}) == 0
    member.assigned = {FIRST, SECOND}
    await held.settle()
    assert held.open_units.keys() == {FIRST, SECOND}, "it may come back at once"


async def test_an_opening_that_a_rebalance_overtakes_is_no_error() -> None:
    registry = CollectorRegistry()
    member: Any = Member()

    class Overtaken(Unit):
        async def open(self) -> None:
            await asyncio.sleep(0)
            member.assigned = set()
            raise ConnectionError

    held: Ownership[Any] = Ownership(
        member, lambda _: Overtaken(), role="core", counters=Counters(registry)
    )
    await held.settle()
    assert held.open_units == {}
    assert registry.get_sample_value("monitor_partitions_dropped_total", {"role": "core"}) == 0

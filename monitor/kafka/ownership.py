"""What a group member holds: one unit a partition, opened, dropped on any error, opened again.

Everything happens in the worker's own loop, never in the rebalance callback: that only notes that
the assignment is a new one. Between a rebalance and the loop's next turn the consumer may return
records of a partition that is not open, or from another position than the unit's: the worker
passes on only what lies at or after `next_offset` of an open unit.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.structs import TopicPartition

from monitor.telemetry import Counters

_log = structlog.get_logger(__name__)
_PAUSE_SECONDS = 1.0


class Unit(Protocol):
    """What is held for one partition."""

    @property
    def next_offset(self) -> int:
        """Where reading goes on."""

    async def open(self) -> None:
        """Fence the former owner, load the state, set `next_offset`."""

    async def close(self, *, graceful: bool) -> None:
        """Let go; gracefully means that what is in memory is written first."""


U = TypeVar("U", bound=Unit)


class _Generation(ConsumerRebalanceListener):  # type: ignore[misc]
    """Counts assignments."""

    def __init__(self) -> None:
        self.number = 0

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Nothing: the loop compares."""

    async def on_partitions_assigned(self, assigned: Any) -> None:  # noqa: ARG002
        """A new assignment has reset the consumer's positions."""
        self.number += 1


class Ownership(Generic[U]):
    """The units of the partitions that a consumer is assigned.

    Args:
        consumer: a member of a group, started, subscribed by `subscribe`.
        make: a unit of a partition, not open.
        role: for the log.
        counters: where it is counted that a unit was dropped.
    """

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        make: Callable[[int], U],
        *,
        role: str,
        counters: Counters,
    ) -> None:
        self._consumer = consumer
        self._make = make
        self._role = role
        self._dropped = counters.dropped.labels(role)
        self._generation = _Generation()
        self._seen = 0
        self._units: dict[TopicPartition, U] = {}
        self._open: set[TopicPartition] = set()
        self._retry_at: dict[TopicPartition, float] = {}

    def subscribe(self, topic: str) -> None:
        """Ask the group for partitions of a topic."""
        self._consumer.subscribe([topic], listener=self._generation)

    @property
    def open_units(self) -> dict[TopicPartition, U]:
        """The units that are open, and still assigned."""
        return {place: self._units[place] for place in self._open & self._consumer.assignment()}

    async def settle(self) -> None:
        """Open what was assigned, let go of what was not, and put every position right."""
        assigned = self._consumer.assignment()
        for place in list(self._units.keys() - assigned):
            await self._release(place)
        if self._generation.number != self._seen:
            self._seen = self._generation.number
            for place in self.open_units:
                self.seek(place)
        now = asyncio.get_running_loop().time()
        due = [p for p in assigned - self._open if self._retry_at.get(p, now) <= now]
        await asyncio.gather(*(self._try_open(place) for place in due))

    def resume(self, batches: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """Read again what a unit did not get to of its batch."""
        for place, messages in batches.items():
            if place in self._open and self._units[place].next_offset <= messages[-1].offset:
                self._consumer.seek(place, self._units[place].next_offset)

    def seek(self, place: TopicPartition) -> None:
        """Let reading go on where the unit stands, if the partition is still its own."""
        if place in self._open and place in self._consumer.assignment():
            self._consumer.seek(place, self._units[place].next_offset)

    async def guarded(self, place: TopicPartition, work: Awaitable[Any]) -> None:
        """Await work of an open unit; on any error the unit is dropped and opened again later.

        What goes wrong because the group has given the partition to another member meanwhile is none.
        """
        try:
            await work
        except Exception as error:  # noqa: BLE001 - whatever it is, the state can be loaded again
            await self.drop(place, error)

    async def drop(self, place: TopicPartition, error: BaseException) -> None:
        """Close a unit whose state can no longer be trusted; it is opened again in a second."""
        if place not in self._consumer.assignment():
            await self._release(place)
            return
        _log.warning(
            "partition.dropped",
            role=self._role,
            partition=place.partition,
            error=f"{type(error).__name__}: {error}",
        )
        self._dropped.inc()
        self._retry_at[place] = asyncio.get_running_loop().time() + _PAUSE_SECONDS
        await self._close(place, graceful=False)

    async def close(self, *, graceful: bool) -> None:
        """Let go of everything; what was let go of already stays so."""
        held = list(self._open)
        await asyncio.gather(*(self._close(place, graceful=graceful) for place in held))

    async def _release(self, place: TopicPartition) -> None:
        """Let go of what the group has given to another member, or may: a hand-over as planned."""
        await self._close(place, graceful=False)
        del self._units[place]
        self._retry_at.pop(place, None)
        _log.info("partition.released", role=self._role, partition=place.partition)

    async def _try_open(self, place: TopicPartition) -> None:
        unit = self._units.get(place)
        if unit is None:
            unit = self._units[place] = self._make(place.partition)
        try:
            await unit.open()
        except Exception as error:  # noqa: BLE001 - tried again in a second
            await self.drop(place, error)
            return
        if place not in self._consumer.assignment():
            await unit.close(graceful=False)
            return
        self._consumer.seek(place, unit.next_offset)
        self._open.add(place)
        self._retry_at.pop(place, None)
        _log.info(
            "partition.opened", role=self._role, partition=place.partition, offset=unit.next_offset
        )

    async def _close(self, place: TopicPartition, *, graceful: bool) -> None:
        self._open.discard(place)
        try:
            await self._units[place].close(graceful=graceful)
        except Exception as error:  # noqa: BLE001 - it is let go of in any case
            _log.warning("partition.close_failed", role=self._role, error=str(error))

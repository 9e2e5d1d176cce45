"""The role `ingest`: a group member that reads the source topic and writes frames."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from monitor.clock import Clock
from monitor.kafka.alignment import Alignment
from monitor.kafka.broker import Broker, stop
from monitor.kafka.ownership import Ownership
from monitor.kafka.source_partition import (
    SourcePartition,
    SourceTopic,
    committed_offsets,
    ingest_state,
)
from monitor.kafka.topics import Topics
from monitor.model.time import NEVER
from monitor.telemetry import Counters

_POLL_MS = 200
BATCH = 500
"""Events between two turns of the event loop: few enough to stay in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestWorker:
    """Runs source partitions.

    Attributes:
        source: the topic, and how an ingest is made.
        source_broker: the listener that events are read by; None for the journal's.
        instance: static member name, or None.
    """

    broker: Broker
    topics: Topics
    source: SourceTopic
    clock: Clock
    counters: Counters
    instance: str | None = None
    source_broker: Broker | None = None

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set; then flush every partition and leave the group."""
        broker = self.source_broker or self.broker
        consumer = broker.consumer(group=self.source.group, instance=self.instance)
        held = Ownership(
            consumer,
            lambda n: self._partition(n, consumer),
            role="ingest",
            counters=self.counters,
        )
        held.subscribe(self.source.name)
        alignment = Alignment(self._watermarks)
        await broker.start(consumer)
        try:
            while not stopping.is_set():
                await held.settle()
                units = {place.partition: unit for place, unit in held.open_units.items()}
                known = consumer.partitions_for_topic(self.source.name) or ()
                alignment.settle(units, max(self.source.partitions, len(known)))
                batches = await self._batches(consumer, units.values())
                for place, unit in held.open_units.items():
                    await held.guarded(place, unit.step(batches.get(place, ())))
                # While records are at hand `getmany` does not suspend; fetches and flushes under
                # way, and heartbeats, need the loop's turns.
                await asyncio.sleep(0)
            await held.close(graceful=True)
        finally:
            await alignment.close()
            await held.close(graceful=False)
            await stop(consumer)

    async def _batches(
        self, consumer: AIOKafkaConsumer, units: Collection[SourcePartition]
    ) -> Mapping[TopicPartition, Sequence[Any]]:
        """What has come of the partitions that do not wait.

        What was fetched of one that waits stays fetched; to `pause` it would throw that away. Where all
        wait the consumer is asked all the same: one that is not leaves the group after minutes.
        """
        places: list[TopicPartition] = []
        if any(unit.waits for unit in units):
            nobody = TopicPartition(self.source.name, -1)
            places = [unit.place for unit in units if not unit.waits] or [nobody]
        found: dict[TopicPartition, list[Any]] = await consumer.getmany(
            *places, timeout_ms=_POLL_MS, max_records=BATCH
        )
        return found

    async def _watermarks(self) -> dict[int, int]:
        """Of every partition, as the group has committed it."""
        found = await committed_offsets(self.broker, self.source.group)
        states = {
            place.partition: ingest_state(one)
            for place, one in found.items()
            if place.topic == self.source.name
        }
        marks = {number: state["watermark"] for number, state in states.items() if state}
        return {number: mark for number, mark in marks.items() if mark != NEVER}

    def _partition(self, number: int, consumer: AIOKafkaConsumer) -> SourcePartition:
        return SourcePartition(
            number,
            source=self.source,
            broker=self.broker,
            topics=self.topics,
            consumer=consumer,
            clock=self.clock,
            counters=self.counters,
        )

"""The role `ingest`: a group member that reads the source topic and writes frames."""

import asyncio
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer

from monitor.clock import Clock
from monitor.kafka.broker import Broker, stop
from monitor.kafka.ownership import Ownership
from monitor.kafka.source_partition import SourcePartition, SourceTopic
from monitor.kafka.topics import Topics
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
        await broker.start(consumer)
        try:
            while not stopping.is_set():
                await held.settle()
                batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=BATCH)
                for place, unit in held.open_units.items():
                    await held.guarded(place, unit.step(batches.get(place, ())))
                # While records are at hand `getmany` does not suspend; fetches and flushes under
                # way, and heartbeats, need the loop's turns.
                await asyncio.sleep(0)
            await held.close(graceful=True)
        finally:
            await held.close(graceful=False)
            await stop(consumer)

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

"""The role `core`: a group member that applies the frames of the shards it is assigned."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.structs import TopicPartition

from monitor.kafka.broker import Broker, stop
from monitor.kafka.ownership import Ownership
from monitor.kafka.shard import Core, Shard
from monitor.kafka.topics import FRAMES, Topics
from monitor.telemetry import Counters

SNAPSHOT_SECONDS = 300.0
_POLL_MS = 500
_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardWorker:
    """Runs shards.

    Attributes:
        core: how a shard makes and drives its machine.
        instance: static member name, or None.
        snapshot_seconds: a snapshot of every shard is written so often.
    """

    broker: Broker
    topics: Topics
    core: Core
    counters: Counters
    instance: str | None = None
    snapshot_seconds: float = SNAPSHOT_SECONDS

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set; then save every shard and leave the group."""
        consumer = self.broker.consumer(group=f"{self.topics.prefix}-core", instance=self.instance)
        shards = Ownership(consumer, self._shard, role="core", counters=self.counters)
        shards.subscribe(self.topics.name(FRAMES))
        await self.broker.start(consumer)
        try:
            saved = asyncio.get_running_loop().time()
            while not stopping.is_set():
                await shards.settle()
                batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_BATCH)
                await self._process(shards, batches)
                now = asyncio.get_running_loop().time()
                if now - saved >= self.snapshot_seconds:
                    saved = now
                    held = shards.open_units
                    await asyncio.gather(
                        *(shards.guarded(place, held[place].save()) for place in held)
                    )
            await shards.close(graceful=True)
        finally:
            await shards.close(graceful=False)
            await stop(consumer)

    async def _process(
        self,
        shards: Ownership[Shard],
        batches: Mapping[TopicPartition, Sequence[Any]],
    ) -> None:
        held = shards.open_units
        own = {place: messages for place, messages in batches.items() if place in held}
        await asyncio.gather(
            *(
                shards.guarded(place, held[place].process(messages))
                for place, messages in own.items()
            )
        )
        for place, unit in shards.open_units.items():
            # What was not reached in this turn is read again in the next one.
            if place in own and unit.next_offset <= own[place][-1].offset:
                shards.seek(place)

    def _shard(self, number: int) -> Shard:
        return Shard(
            number, broker=self.broker, topics=self.topics, core=self.core, counters=self.counters
        )

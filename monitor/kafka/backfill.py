"""History into the journal's topics, and the state after it as every shard's first snapshot.

Nothing is there that a service could start from before the very end: one transaction then writes the
snapshots of all shards. A backfill that dies can be run again; what it wrote before has the same keys.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from monitor.errors import StateError
from monitor.kafka import snapshots
from monitor.kafka.broker import Broker, Outgoing, transact
from monitor.kafka.shard import TRANSACTION_RECORDS, batched
from monitor.kafka.topics import FRAMES, SNAPSHOTS, Topics
from monitor.model.record import Record

START = 0
"""Offset of the frames that the snapshots stand at: the whole log is still to come."""
_ABORT_SECONDS = 10.0


class TopicKeeper:
    """Keeps what an engine decides in the journal's topics.

    Its methods are called in a thread; the producer's loop does the writing.

    Args:
        producer: transactional, started.
        loop: in which the producer runs.
    """

    def __init__(
        self, producer: AIOKafkaProducer, topics: Topics, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._producer = producer
        self._topics = topics
        self._loop = loop
        self._writing: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def place(self) -> str:
        """The topics."""
        return f"{self._topics.prefix}.*"

    def sources(self) -> dict[str, Any]:
        """Nothing: a backfill begins anew."""
        return {}

    def state(self, shard: int) -> None:  # noqa: ARG002 - of no shard
        """Nothing: a backfill begins anew."""
        return

    def keep(self, shard: int, kept: Sequence[Record]) -> None:
        """Write these."""
        for batch in batched(kept, TRANSACTION_RECORDS):
            self._write(
                [
                    Outgoing(
                        topic=self._topics.name(record.stream),
                        partition=shard,
                        key=record.key.encode(),
                        value=record.value,
                    )
                    for record in batch
                ]
            )

    def save(self, states: Mapping[int, bytes], sources: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Write the snapshots of all shards, all or none."""
        self._write(
            [
                Outgoing(topic=self._topics.name(SNAPSHOTS), partition=shard, key=key, value=value)
                for shard, state in states.items()
                for key, value in snapshots.entries(shard, START, state)
            ]
        )

    def _write(self, outgoing: Sequence[Outgoing]) -> None:
        asyncio.run_coroutine_threadsafe(self._transact(outgoing), self._loop).result()

    async def _transact(self, outgoing: Sequence[Outgoing]) -> None:
        if self._closed:
            raise asyncio.CancelledError
        self._writing = asyncio.current_task()
        await transact(self._producer, outgoing)

    async def close(self) -> None:
        """Let what is being written go, and take no more: the thread that asks for it ends.

        A producer that has stopped leaves a transaction waiting for good.
        """
        self._closed = True
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait({self._writing}, timeout=_ABORT_SECONDS)


@asynccontextmanager
async def keeper(broker: Broker, topics: Topics) -> AsyncIterator[TopicKeeper]:
    """A keeper for the journal's topics, which are made where they are absent.

    Raises:
        UnreachableError: no broker answers.
        StateError: a service has state there already.
    """
    await topics.ensure(broker)
    await _require_none(broker, topics)
    producer = broker.producer(f"{topics.prefix}-backfill")
    async with broker.running(producer):
        found = TopicKeeper(producer, topics, asyncio.get_running_loop())
        try:
            yield found
        finally:
            await found.close()


async def _require_none(broker: Broker, topics: Topics) -> None:
    consumer = broker.consumer()
    async with broker.running(consumer):
        for stream in (FRAMES, SNAPSHOTS):
            name = topics.name(stream)
            places = [TopicPartition(name, shard) for shard in range(topics.shards)]
            ends = await consumer.end_offsets(places)
            if any(ends.values()):
                message = (
                    f"topic {name!r} holds state: this service has run already, and history cannot "
                    "be put before it; stop the service and remove its topics "
                    f"{topics.prefix}.*, or choose another journal.kafka.prefix"
                )
                raise StateError(message)

"""What people and pipelines tell the monitor, appended to the journal's topics."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

import xxhash
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from monitor.errors import UnreachableError
from monitor.kafka.broker import Broker, stop
from monitor.kafka.topics import Topics
from monitor.model.record import Record

Append = Callable[[Sequence[Record]], Awaitable[None]]

_SEND_SECONDS: Final = 20.0


@contextlib.asynccontextmanager
async def appending(broker: Broker, topics: Topics) -> AsyncIterator[Append]:
    """Within it records can be appended, those of one call all or none.

    A key always goes to the same partition: its newest record replaces the older ones there.
    """
    appender = _Appender(broker, topics)
    try:
        yield appender.append
    finally:
        await appender.close()


class _Appender:
    """A producer, made when it is first needed, and anew after every error."""

    def __init__(self, broker: Broker, topics: Topics) -> None:
        self._broker = broker
        self._topics = topics
        self._producer: AIOKafkaProducer | None = None
        self._turn = asyncio.Lock()

    async def append(self, records: Sequence[Record]) -> None:
        """Keep these; returns once the broker has them.

        Raises:
            UnreachableError: it may have them or not; to be sent again.
        """
        async with self._turn:
            try:
                async with asyncio.timeout(_SEND_SECONDS):
                    await self._transact(records)
            except (KafkaError, TimeoutError, OSError, UnreachableError) as error:
                await self.close()
                message = (
                    f"the Kafka broker at {self._broker.address} did not take it "
                    f"({type(error).__name__}: {error}); send it again"
                )
                raise UnreachableError(message) from error

    async def _transact(self, records: Sequence[Record]) -> None:
        if self._producer is None:
            # Nobody takes over from this process: what it is asked to keep is kept before it answers.
            name = f"{self._topics.name('api')}.{uuid.uuid4()}"
            self._producer = self._broker.producer(name)
            await self._broker.start(self._producer)
        producer = self._producer
        async with producer.transaction():
            sent = [
                await producer.send(
                    self._topics.name(record.stream),
                    record.value,
                    key=record.key.encode(),
                    partition=xxhash.xxh64_intdigest(record.key.encode()) % self._topics.shards,
                )
                for record in records
            ]
            await asyncio.gather(*sent)

    async def close(self) -> None:
        """Stop the producer, if there is one."""
        held, self._producer = self._producer, None
        if held is not None:
            await stop(held)

"""Topics of the source for the benchmarks: made, and filled faster than anybody reads them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic

from monitor.kafka.broker import Broker

_BATCH_BYTES = 256 * 1024

Message = tuple[bytes | None, bytes, int | None]
"""Key, value, and time in milliseconds; without a time it is now."""


async def make(broker: Broker, topic: str, partitions: int) -> None:
    """A topic that keeps everything, whatever the times of its messages are."""
    async with broker.admin() as admin:
        await admin.create_topics(
            [NewTopic(topic, partitions, 1, topic_configs={"retention.ms": "-1"})]
        )
    await asyncio.sleep(0.5)


async def fill(broker: Broker, topic: str, partitions: Sequence[Iterable[Message]]) -> None:
    """Make a topic and write the messages of every partition, in their order."""
    await make(broker, topic, len(partitions))
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.address, compression_type="lz4", max_batch_size=_BATCH_BYTES
    )
    await producer.start()
    try:
        await _write(producer, topic, partitions)
    finally:
        await producer.stop()


@contextlib.asynccontextmanager
async def hidden(
    broker: Broker, topic: str, partitions: Sequence[Iterable[Message]]
) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Write into a topic that exists what nobody sees before the yielded function is awaited.

    All of it is one transaction that stays open: who reads what is committed waits, however long it
    takes to start, and then has everything at once.
    """
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.address,
        compression_type="lz4",
        max_batch_size=_BATCH_BYTES,
        transactional_id=f"fill-{topic}",
        transaction_timeout_ms=600_000,
    )
    await producer.start()
    try:
        await producer.begin_transaction()
        await _write(producer, topic, partitions)
        yield producer.commit_transaction
    finally:
        await producer.stop()


async def _write(
    producer: AIOKafkaProducer, topic: str, partitions: Sequence[Iterable[Message]]
) -> None:
    for number, messages in enumerate(partitions):
        batch = producer.create_batch()
        for key, value, timestamp in messages:
            if batch.append(key=key, value=value, timestamp=timestamp) is None:
                await producer.send_batch(batch, topic, partition=number)
                batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=timestamp)
        if batch.record_count():
            await producer.send_batch(batch, topic, partition=number)
    await producer.flush()

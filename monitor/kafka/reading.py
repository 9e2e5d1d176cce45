"""Reading a partition from its start to what is its end now."""

from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from monitor.kafka.broker import Broker

_POLL_MS = 200


async def whole_partition(broker: Broker, topic: str, partition: int) -> AsyncIterator[Any]:
    """Every committed record of a partition, up to its end when the reading began."""
    consumer: AIOKafkaConsumer = broker.consumer()
    place = TopicPartition(topic, partition)
    async with broker.running(consumer):
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        end = (await consumer.end_offsets([place]))[place]
        while await consumer.position(place) < end:
            for records in (await consumer.getmany(place, timeout_ms=_POLL_MS)).values():
                for record in records:
                    yield record

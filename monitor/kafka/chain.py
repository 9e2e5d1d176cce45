"""Where a source's chain of frames ends, for an ingest whose own offset is gone."""

from typing import Final

from aiokafka.structs import TopicPartition

from monitor.kafka.broker import Broker
from monitor.kafka.framing import Head

_FIRST_STEP: Final = 1_000
_GROWTH: Final = 4
_MOST: Final = 20_000
"""Hours of frames: a partition that is new has none, and its opening must not wait for the whole log."""
_POLL_MS: Final = 200


async def chain_end(broker: Broker, topic: str, shard: int, source: int) -> int | None:
    """The position after the newest frame of a source; None where the log's end has none of it.

    The log is read from its end backwards, in pieces that grow: a source writes a frame every few
    seconds, and one whenever it is opened.

    Args:
        broker: where the log is.
        topic: of the frames.
        shard: its partition; every shard has a frame of every flush.
        source: the partition of the events.
    """
    place = TopicPartition(topic, shard)
    consumer = broker.consumer()
    async with broker.running(consumer):
        consumer.assign([place])
        high, step = (await consumer.end_offsets([place]))[place], _FIRST_STEP
        first = max((await consumer.beginning_offsets([place]))[place], high - _MOST)
        while high > first:
            low, newest = max(first, high - step), None
            consumer.seek(place, low)
            while await consumer.position(place) < high:
                batches = await consumer.getmany(place, timeout_ms=_POLL_MS)
                for record in batches.get(place, ()):
                    if record.offset < high and (stop := _stop(record.headers, source)) is not None:
                        newest = stop
            if newest is not None:
                return newest
            high, step = low, step * _GROWTH
    return None


def _stop(headers: list[tuple[str, bytes]], source: int) -> int | None:
    try:
        head = Head.of(headers)
    except ValueError:
        return None
    return head.stop if head.source == source else None

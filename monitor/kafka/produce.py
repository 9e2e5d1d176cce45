"""The lines of a generator to a topic, as fast as the broker takes them."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from monitor.errors import ConfigError, UnreachableError
from monitor.kafka.broker import Broker
from monitor.kafka.topics import until_known

PARTITIONS: Final = 2
"""Of a topic that is made here."""
_BATCH_LINES: Final = 2_000
_BATCH_BYTES: Final = 262_144
_LINGER_MS: Final = 20
_REQUEST_MS: Final = 10_000
_SEND_SECONDS: Final = 30.0


class _Keyed(msgspec.Struct):
    actor: str | None = None


async def produce(
    broker: Broker,
    topic: str,
    lines: Iterable[bytes],
    progress: Callable[[int], None] = lambda _: None,
    *,
    partitions: int = PARTITIONS,
) -> int:
    """Write lines to a topic, those of one actor to one partition; the topic is made where it is absent.

    Args:
        broker: where it is, and how it lets in.
        topic: where to.
        lines: events, one JSON object each; lines without an actor go to any partition.
        progress: is called with the number of lines that the broker has taken since the last call.
        partitions: of the topic, where it is made.

    Returns:
        The number of lines.

    Raises:
        UnreachableError: no broker answers, or it stopped answering.
        ConfigError: the broker refuses to make the topic.
    """
    await _ensure(broker, topic, partitions)
    producer = AIOKafkaProducer(
        **broker.options,
        acks="all",
        enable_idempotence=True,
        compression_type="lz4",
        linger_ms=_LINGER_MS,
        max_batch_size=_BATCH_BYTES,
        request_timeout_ms=_REQUEST_MS,
    )
    written = 0
    async with broker.running(producer):
        for batch in _batches(iter(lines)):
            await _send(producer, broker.address, topic, batch)
            written += len(batch)
            progress(len(batch))
    return written


async def _send(
    producer: AIOKafkaProducer, address: str, topic: str, batch: list[tuple[bytes | None, bytes]]
) -> None:
    try:
        async with asyncio.timeout(_SEND_SECONDS):
            taken = [await producer.send(topic, line, key=key) for key, line in batch]
            await asyncio.gather(*taken)
    except (KafkaError, TimeoutError, OSError) as error:
        message = (
            f"the Kafka broker at {address} does not take events for topic {topic!r} any more "
            f"({type(error).__name__}); start it again, delete the topic and repeat"
        )
        raise UnreachableError(message) from error


def _batches(lines: Iterator[bytes]) -> Iterator[list[tuple[bytes | None, bytes]]]:
    """Keys and lines, some thousands at a time."""
    decode = msgspec.json.Decoder(_Keyed).decode
    while batch := list(islice(lines, _BATCH_LINES)):
        actors = (decode(line).actor for line in batch)
        yield [
            (actor.encode() if actor else None, line)
            for actor, line in zip(actors, batch, strict=True)
        ]


async def _ensure(broker: Broker, topic: str, partitions: int) -> None:
    async with broker.admin() as admin:
        if topic in await admin.list_topics():
            return
        answer: Any = await admin.create_topics([NewTopic(topic, partitions, 1)])
        for name, code, text in answer.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                message = (
                    f"topic {name!r} cannot be created on {broker.address}: "
                    f"{text or error.message}; choose another name, or create it by hand"
                )
                raise ConfigError(message)
        await until_known(admin, {topic})

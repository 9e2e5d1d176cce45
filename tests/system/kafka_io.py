"""Reading and writing topics in the system tests."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from aiokafka.admin import NewTopic

from monitor.kafka.broker import Broker, Outgoing, transact
from monitor.kafka.framing import messages
from monitor.kafka.reading import whole_partition
from monitor.model.frame import Frame

WAIT_SECONDS = 30.0


async def write(broker: Broker, outgoing: Iterable[Outgoing], writer: str = "test") -> None:
    """Write messages in one transaction."""
    producer = broker.producer(writer)
    async with broker.running(producer):
        await transact(producer, outgoing)


async def write_frames(
    broker: Broker, topic: str, shard: int, frames: Iterable[Frame], size: int = 900_000
) -> None:
    """Write frames as ingest does."""
    await write(
        broker,
        [
            Outgoing(topic=topic, partition=shard, key=b"%d" % shard, value=value, headers=headers)
            for frame in frames
            for value, headers in messages(frame, size)
        ],
    )


def create_topic(address: str, topic: str, partitions: int = 2) -> None:
    """Make a topic, from outside of an event loop."""

    async def create() -> None:
        async with Broker(address=address).admin() as admin:
            await admin.create_topics([NewTopic(topic, partitions, 1)])

    asyncio.run(create())


async def contents(broker: Broker, topic: str, partition: int = 0) -> list[Any]:
    """Every committed record of a partition."""
    return [record async for record in whole_partition(broker, topic, partition)]


async def table(broker: Broker, topic: str, partitions: int = 1) -> dict[str, bytes]:
    """The newest value of every key of a topic."""
    newest: dict[str, bytes] = {}
    for partition in range(partitions):
        for record in await contents(broker, topic, partition):
            if record.value is None:
                newest.pop(record.key.decode(), None)
            else:
                newest[record.key.decode()] = record.value
    return newest


async def until(what: Callable[[], Any], seconds: float = WAIT_SECONDS) -> Any:
    """Await a coroutine function's truth; its value."""
    async with asyncio.timeout(seconds):
        while not (found := await what()):  # noqa: ASYNC110 - what is awaited is outside
            await asyncio.sleep(0.1)
    return found


@contextlib.asynccontextmanager
async def working(run: Callable[[asyncio.Event], Any]) -> AsyncIterator[asyncio.Task[None]]:
    """A worker for the time of a `with` block; it is stopped gracefully, or was cancelled."""
    stopping = asyncio.Event()
    task = asyncio.create_task(run(stopping))
    try:
        yield task
    finally:
        stopping.set()
        with contextlib.suppress(asyncio.CancelledError):
            async with asyncio.timeout(WAIT_SECONDS):
                await task

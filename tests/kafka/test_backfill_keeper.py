"""What a backfill writes to Kafka while it is told to stop."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from aiokafka import AIOKafkaProducer

from monitor.kafka.backfill import TopicKeeper
from monitor.kafka.topics import Topics
from monitor.model.record import Record, Stream


class Stopped:
    """A producer whose transactions never end, as those of one that was stopped."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        yield
        await asyncio.Event().wait()

    async def send(self, *_: object, **__: object) -> "asyncio.Future[Any]":
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


async def test_the_thread_that_writes_ends_with_the_keeper() -> None:
    producer = cast("AIOKafkaProducer", Stopped())
    keeper = TopicKeeper(producer, Topics(prefix="p", shards=1), asyncio.get_running_loop())
    record = Record(stream=Stream.ALERTS, key="a", value=b"{}")
    writing = asyncio.create_task(asyncio.to_thread(keeper.keep, 0, [record]))
    await asyncio.sleep(0.05)
    assert not writing.done()
    await keeper.close()
    async with asyncio.timeout(5):
        with pytest.raises((CancelledError, asyncio.CancelledError)):
            await writing
        with pytest.raises((CancelledError, asyncio.CancelledError)):
            await asyncio.to_thread(keeper.keep, 0, [record])

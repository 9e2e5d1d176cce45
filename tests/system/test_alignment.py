"""On a real broker: a partition that is hours ahead of the slowest waits in its topic, and nothing is lost."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from monitor.kafka import alignment, ingest_worker
from monitor.model.time import HOUR, SECOND
from tests.system.kafka_io import until
from tests.system.plans import orders_plan
from tests.system.servers import Kafka
from tests.system.test_ingest_worker import START, Setting, check_chain

pytestmark = pytest.mark.system

AHEAD_HOURS = alignment.AHEAD_US // HOUR
BATCH = 50
MARKER = 1
"""The end of a transaction of the feeder is an offset too; that of the first hour is passed."""


def orders(first_hour: int, last_hour: int) -> Iterator[bytes]:
    """One a minute."""
    for minute in range(first_hour * 60, last_hour * 60):
        yield b'{"name":"order","time":%d}' % (START + minute * 60)


@pytest.mark.parametrize("workers", [1, 2])
async def test_who_is_hours_ahead_waits_until_the_slowest_comes(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(ingest_worker, "BATCH", BATCH)
    plan = replace(orders_plan(shards=1), idle_timeout_us=3600 * SECOND)
    setting = Setting(kafka, f"aligned{workers}", plan)
    await setting.create()

    async def waits() -> bool:
        return setting.value("source_waits", source="0") == 1

    async def goes_on() -> bool:
        return setting.value("source_waits", source="0") == 0

    async with contextlib.AsyncExitStack() as stack:
        for number in range(workers):
            await stack.enter_async_context(setting.at_work())
            await until(partial(_opened, setting, 2 + number))
        await setting.feed(orders(0, 1), partition=1)
        await setting.until_counted(60)
        await setting.feed(orders(0, 1), partition=0)
        await setting.until_counted(120)
        await asyncio.sleep(1)  # the other worker was asked how far it is
        await setting.feed(orders(1, 20), partition=0)
        await until(waits)
        await asyncio.sleep(3)  # two flushes: what was read by now is counted
        read = await setting.counted() - 60
        assert AHEAD_HOURS * 60 <= read <= (1 + AHEAD_HOURS) * 60 + BATCH
        assert setting.value("source_lag_events", source="0") == 20 * 60 + MARKER - read

        await setting.feed(orders(20, 21), partition=0)
        await asyncio.sleep(3)
        assert await setting.counted() - 60 == read, "it waits"
        assert setting.value("source_lag_events", source="0") == 21 * 60 + 2 * MARKER - read

        await setting.feed(orders(1, 21), partition=1)
        await setting.until_counted(2 * 21 * 60)
        await until(goes_on)
    assert await setting.counted() == 2 * 21 * 60
    frames = await setting.frames()
    check_chain(frames)
    marks = {0: 0, 1: 0}
    for frame in frames:
        marks[frame.source] = max(marks[frame.source], frame.watermark_us)
    assert marks[0] == marks[1] == (START + 21 * 3600 - 60 - 30) * SECOND


async def _opened(setting: Setting, times: int) -> bool:
    """Whether partitions were opened so often: each begins with an empty frame."""
    return len(await setting.frames()) >= times

"""Back-pressure on a real broker: who is behind holds no more than a few fetches in memory.

What is weighed is all that Python and its extensions allocate by Python's own allocator (tracemalloc).
"""

import asyncio
import contextlib
import os
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
import structlog
from prometheus_client import CollectorRegistry

from monitor.journal.store import Store
from monitor.kafka import catching_up, ingest_worker, source_partition
from monitor.kafka.broker import Broker, Outgoing
from monitor.kafka.framing import messages
from monitor.kafka.shard import Core
from monitor.kafka.shard_worker import ShardWorker
from monitor.kafka.topics import Topics
from monitor.kafka.view_worker import ViewWorker
from monitor.model.frame import Frame
from monitor.model.record import Record, Stream
from monitor.telemetry import Counters
from tests.system.kafka_io import until, working, write
from tests.system.plans import orders_plan
from tests.system.servers import Kafka
from tests.system.test_ingest_worker import START, Setting

pytestmark = [pytest.mark.system, pytest.mark.slow]

MB = 1 << 20
FETCHES = 36 * MB
"""Some copies of two fetches of 4 MiB: from the socket, joined, as messages, as what is made of them."""


@contextlib.asynccontextmanager
async def weighed() -> AsyncIterator[Callable[[], int]]:
    """What was allocated at most since the start of the block, in bytes."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    try:
        yield lambda: tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


class Slow:
    """A machine that takes its time, and remembers how far it came."""

    def __init__(self) -> None:
        self.positions: dict[int, int] = {}

    def snapshot(self) -> bytes:
        return b""

    def apply(self, frame: Frame) -> list[Record]:
        time.sleep(0.002)
        self.positions[frame.source] = frame.stop
        return []


FRAMES, FRAME_BYTES = 900, 100_000


async def test_a_core_that_is_slower_than_ingest_holds_no_backlog(kafka: Kafka) -> None:
    broker, topics = Broker(address=kafka.address), Topics(prefix="slowcore", shards=1)
    await topics.ensure(broker)
    machine = Slow()
    core = Core(fresh=lambda _: machine, restore=lambda _n, _s: (machine, []), apply=Slow.apply)
    counters = Counters(CollectorRegistry())
    worker = ShardWorker(broker=broker, topics=topics, core=core, counters=counters)
    await write(broker, backlog_of_frames(topics.name("frames")))

    async def is_done() -> bool:
        return machine.positions.get(0) == FRAMES

    async with weighed() as peak, working(worker.run):
        await until(is_done, 60)
        assert peak() < FETCHES < FRAMES * FRAME_BYTES / 2


def backlog_of_frames(topic: str) -> Iterator[Outgoing]:
    """Frames of incompressible activity, 90 MB in all."""
    chance = np.random.default_rng(1)
    for number in range(FRAMES):
        activity = np.sort(chance.integers(0, 1 << 60, FRAME_BYTES // 8))
        frame = Frame(
            source=0,
            sources=1,
            start=number,
            stop=number + 1,
            watermark_us=number,
            activity=activity,
        )
        for value, headers in messages(frame):
            yield Outgoing(topic=topic, partition=0, key=b"0", value=value, headers=headers)


EVENTS = 12_000
PADDING = 7_000


async def test_a_source_a_day_behind_is_read_in_bounded_memory_and_the_log_says_until_when(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catching_up, "SAY_SECONDS", 0.5)
    monkeypatch.setattr(source_partition, "_OBSERVE_SECONDS", 0.05)
    monkeypatch.setattr(ingest_worker, "BATCH", 100)
    setting = Setting(kafka, "daybehind", orders_plan(shards=1))
    await setting.create()
    step = 86_400 * 2 / EVENTS
    body = b'{"name":"order","time":%d,"note":"%s"}'
    await setting.feed(
        body % (START + round(n * step / 2), os.urandom(PADDING // 2).hex().encode())
        for n in range(EVENTS)
    )
    said: list[tuple[float, MutableMapping[str, Any]]] = []

    def note(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> Any:
        if entry["event"].startswith(("ingest.", "partition.")):
            said.append((time.monotonic(), dict(entry)))
        raise structlog.DropEvent

    async def is_told() -> bool:
        return any(entry["event"] == "ingest.caught_up" for _, entry in said)

    monkeypatch.setattr(setting, "worker", _slowly(setting))
    structlog.configure(processors=[note])
    try:
        async with weighed() as peak, setting.at_work():
            await until(is_told, 90)
            assert peak() < FETCHES < EVENTS * PADDING / 2
    finally:
        structlog.reset_defaults()
    assert await setting.counted() == EVENTS
    [end] = [at for at, entry in said if entry["event"] == "ingest.caught_up"]
    behind = [(at, entry) for at, entry in said if entry["event"] == "ingest.catching_up"]
    assert len(behind) >= 2
    told = [entry["lag_events"] for _, entry in behind]
    assert told == sorted(told, reverse=True)
    assert setting.value("source_lag_events", source="0") == 0
    # One that spans a moment in which the machine did something else may be wrong.
    ratio = median((entry["done_in_seconds"] + 1) / (end - at + 1) for at, entry in behind)
    assert 1 / 3 <= ratio <= 3


def _slowly(setting: Setting) -> Any:
    """A worker whose clock costs time: it reads some thousand events a second."""
    usual = setting.worker

    async def worker() -> Any:
        made = await usual()

        def clock() -> int:
            time.sleep(0.02)
            return setting.now_us

        return ingest_worker.IngestWorker(
            broker=made.broker,
            source_broker=made.source_broker,
            topics=made.topics,
            source=made.source,
            clock=clock,
            counters=made.counters,
        )

    return worker


RECORDS, RECORD_BYTES = 900, 100_000


async def test_a_view_reads_a_long_journal_in_bounded_memory(kafka: Kafka, tmp_path: Path) -> None:
    broker, topics = Broker(address=kafka.address), Topics(prefix="longview", shards=1)
    await topics.ensure(broker)
    topic = topics.name(Stream.DEAD_LETTERS)
    await write(
        broker,
        (
            Outgoing(
                topic=topic,
                partition=0,
                key=b"0|%d" % number,
                value=b'{"payload":"%s"}' % os.urandom(RECORD_BYTES // 2).hex().encode(),
            )
            for number in range(RECORDS)
        ),
    )
    caught_up = asyncio.Event()
    with Store(tmp_path / "view.db") as store:
        view = ViewWorker(
            broker=broker,
            topics=topics,
            store=store,
            counters=Counters(CollectorRegistry()),
            caught_up=caught_up.set,
        )
        async with weighed() as peak, working(view.run):
            await asyncio.wait_for(caught_up.wait(), 60)
            assert peak() < FETCHES < RECORDS * RECORD_BYTES / 2
        assert len(store.documents(Stream.DEAD_LETTERS)) == RECORDS

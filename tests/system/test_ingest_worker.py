"""The ingest worker on a real broker: nothing lost, nothing twice, whoever dies or joins."""

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import structlog
from aiokafka.admin import NewPartitions, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition
from prometheus_client import CollectorRegistry

from monitor.definitions.plan import Plan
from monitor.kafka import broker, chain
from monitor.kafka.broker import Broker, Outgoing
from monitor.kafka.framing import Head, Joiner
from monitor.kafka.ingest_worker import IngestWorker
from monitor.kafka.service import Service
from monitor.kafka.topics import Topics
from monitor.model.frame import Frame, decode_frame
from monitor.model.time import HOUR, MINUTE, NEVER, SECOND, to_rfc3339
from monitor.settings import KafkaSource
from monitor.telemetry import Counters
from tests.system import shop
from tests.system.kafka_io import contents, until, working, write
from tests.system.plans import orders_plan
from tests.system.servers import Kafka

pytestmark = pytest.mark.system

START = 1_760_000_400
NOW_US = (START + 10 * shop.DAY) * SECOND


class Setting:
    """A source topic of two partitions, and workers on it."""

    def __init__(self, kafka: Kafka, prefix: str, plan: Plan) -> None:
        self.broker = Broker(address=kafka.address)
        self.plan = plan
        self.service = Service(
            plan=plan,
            broker=self.broker,
            topics=Topics(prefix=prefix, shards=plan.shards),
            source=KafkaSource(topic=f"{prefix}.events", group=prefix),
            fields=None,
        )
        self.registry = CollectorRegistry()
        self.counters = Counters(self.registry)
        self.now_us = NOW_US
        self.fed = 0

    async def create(self) -> None:
        async with self.broker.admin() as admin:
            await admin.create_topics([NewTopic(self.service.source.topic, 2, 1)])
        await until(self._is_there)
        await self.service.prepare()

    async def _is_there(self) -> bool:
        async with self.broker.admin() as admin:
            return self.service.source.topic in await admin.list_topics()

    async def worker(self) -> IngestWorker:
        return await self.service.ingest(
            clock=lambda: self.now_us, counters=self.counters, instance=None
        )

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[asyncio.Task[None]]:
        worker = await self.worker()
        async with working(worker.run) as task:
            yield task

    async def feed(self, bodies: Iterable[bytes], partition: int = 0) -> None:
        topic = self.service.source.topic
        await write(
            self.broker,
            [Outgoing(topic=topic, partition=partition, value=body) for body in bodies],
            writer=f"{topic}-feeder",
        )

    async def orders(self, count: int, *, partition: int = 0) -> None:
        """So many lines of one order each."""
        lines = (
            json.dumps({"name": "order", "time": START + self.fed + n}).encode()
            for n in range(count)
        )
        await self.feed(lines, partition)
        self.fed += count

    async def frames(self, shard: int = 0) -> list[Frame]:
        """Every committed frame of a shard."""
        joiner = Joiner()
        log = await contents(self.broker, self.service.topics.name("frames"), shard)
        return [decode_frame(p.body) for message in log if (p := joiner.add(message))]

    async def counted(self) -> float:
        """Orders in committed frames."""
        return sum(float(d.hi.sum()) for frame in await self.frames() for d in frame.deltas)

    async def until_counted(self, orders: int) -> None:
        async def reached() -> bool:
            return await self.counted() >= orders

        await until(reached)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"monitor_{name}", labels)


@pytest.fixture
async def setting(kafka: Kafka, request: pytest.FixtureRequest) -> Setting:
    made = Setting(kafka, request.node.name, orders_plan(shards=1))
    await made.create()
    return made


def check_chain(frames: Sequence[Frame]) -> None:
    """Every source's ranges follow each other without a gap or a repeat."""
    position: dict[int, int] = {}
    for frame in frames:
        assert frame.start == position.get(frame.source, frame.start)
        assert frame.stop >= frame.start
        position[frame.source] = frame.stop


async def test_every_event_is_in_one_frame_whoever_joins_leaves_or_is_cut_off(
    setting: Setting,
) -> None:
    async with setting.at_work():
        await setting.orders(300)
        await setting.until_counted(300)
        async with setting.at_work():
            await setting.orders(300, partition=1)
            await setting.orders(300)
            await setting.until_counted(900)
        await setting.orders(100, partition=1)
        await setting.until_counted(1000)
    # Who comes or goes as planned costs nobody an error.
    assert setting.value("partitions_dropped_total", role="ingest") == 0
    async with setting.at_work() as task:
        await setting.orders(500)
        await asyncio.sleep(1.0)
        task.cancel()  # what it has read and not committed is read again
    await setting.orders(50)
    async with setting.at_work():
        await setting.until_counted(1550)
    assert await setting.counted() == 1550
    check_chain(await setting.frames())


async def test_the_watermark_goes_on_after_a_restart(setting: Setting) -> None:
    async with setting.at_work():
        await setting.orders(100)
        await setting.until_counted(100)
    before = max(frame.watermark_us for frame in await setting.frames())
    async with setting.at_work():
        await until(lambda: more_frames(setting, 6))
    first_of_second = [f for f in await setting.frames() if f.source == 0][-1]
    assert first_of_second.watermark_us == before > NEVER


async def more_frames(setting: Setting, count: int) -> bool:
    return len(await setting.frames()) >= count


async def test_what_retention_removed_is_declared_lost(setting: Setting) -> None:
    async with setting.at_work():
        await setting.orders(10)
        await setting.until_counted(10)
    await setting.orders(20)
    # The feeder's transactions leave a marker each: 10 + 1 and then 20 + 1 offsets.
    place = TopicPartition(setting.service.source.topic, 0)
    async with setting.broker.admin() as admin:
        await admin.delete_records({place: RecordsToDelete(before_offset=16)})
    with structlog.testing.capture_logs() as logged:
        async with setting.at_work():
            await setting.until_counted(25)
    frames = [f for f in await setting.frames() if f.source == 0]
    assert sum(frame.lost for frame in frames) == 6
    assert setting.value("lost_events_total") == 6
    [told] = [one for one in logged if one["event"] == "events.lost"]
    assert (told["partition"], told["first"], told["events"]) == (0, 10, 6)
    check_chain(await setting.frames())


async def test_a_source_that_was_made_anew_is_told_and_not_mixed_with_the_old(
    setting: Setting,
) -> None:
    async with setting.at_work():
        await setting.orders(10)
        await setting.until_counted(10)
    topic = setting.service.source.topic
    async with setting.broker.admin() as admin:
        await admin.delete_topics([topic])

    async def is_made_anew() -> bool:
        async with setting.broker.admin() as admin:
            answer = await admin.create_topics([NewTopic(topic, 2, 1)])
        return [code for _, code, _ in answer.topic_errors] == [0]

    await until(is_made_anew)
    await setting.orders(3)

    async def told() -> bool:
        return any("was the topic created again?" in one.get("error", "") for one in logged)

    with structlog.testing.capture_logs() as logged:
        async with setting.at_work():
            await until(told)
    assert await setting.counted() == 10


async def test_an_offset_that_is_gone_is_found_in_the_frames(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It expires with a group that nobody was a member of for a week."""
    monkeypatch.setattr(chain, "_FIRST_STEP", 1)
    async with setting.at_work():
        await setting.orders(10)
        await setting.until_counted(10)
    assert setting.value("source_offsets_gone_total") == 0
    await setting.orders(5)
    source = setting.service.source.model_copy(update={"group": "another"})
    setting.service = replace(setting.service, source=source)
    async with setting.at_work():
        await setting.until_counted(15)
    assert setting.value("source_offsets_gone_total") == 2  # of both partitions
    assert await setting.counted() == 15
    check_chain(await setting.frames())


async def test_a_dead_letter_larger_than_a_message_travels_whole(setting: Setting) -> None:
    bad = b"\x00\xff" * 400_000  # its base64 is over the limit
    await setting.feed([b'{"name": "order"}', bad])
    await setting.orders(1)
    async with setting.at_work():
        await setting.until_counted(1)
    topic = setting.service.topics.name("dead_letters")
    small, *parts = await contents(setting.broker, topic)
    assert json.loads(small.value)["reason"] == "missing_time"
    assert len(parts) == 2
    assert json.loads(b"".join(part.value for part in parts))["position"] == 1
    assert setting.value("dead_letters_total", reason="not_json") == 1
    assert setting.value("events_total", outcome="dead_lettered") == 2


def cloud_headers(number: int, **other: bytes | None) -> list[tuple[str, Any]]:
    """Headers of a binary CloudEvent of one order."""
    attributes = {
        "ce_specversion": b"1.0",
        "ce_type": b"order",
        "ce_source": b"/shop",
        "ce_id": b"%d" % number,
        "ce_time": to_rfc3339((START + number) * SECOND).encode(),
        "content-type": b"application/json",
        "traceparent": b"\xff",
    }
    return [*attributes.items(), *other.items()]


async def test_cloud_events_are_read_by_their_headers(setting: Setting) -> None:
    structured = {"specversion": "1.0", "type": "order", "id": "1", "source": "/shop"}
    whole = json.dumps({**structured, "time": to_rfc3339(START * SECOND)}).encode()
    misleading = b'{"name": "view", "time": 5}'
    typed = [("content-type", b"application/cloudevents+json; charset=UTF-8")]
    bad = b'{"country":\xff'
    sent: list[tuple[bytes | None, list[tuple[str, Any]]]] = [
        (b'{"country": "DE"}', cloud_headers(0)),
        (misleading, cloud_headers(1)),
        (None, cloud_headers(2, ce_subject=None)),
        (b"\x00\xff", [*cloud_headers(3), ("content-type", b"application/avro")]),
        (b"{}", [(key.replace("_", "-"), value) for key, value in cloud_headers(4)]),
        (whole, typed),
        (whole, []),
        (bad, cloud_headers(6)),
        (b"{}", cloud_headers(7, ce_time=b"noon")),
        (None, [("traceparent", b"00")]),
    ]
    topic = setting.service.source.topic
    await write(
        setting.broker,
        [
            Outgoing(topic=topic, partition=0, key=b"k", value=value, headers=headers)
            for value, headers in sent
        ],
    )
    await setting.orders(1)
    async with setting.at_work():
        await setting.until_counted(8)
    assert await setting.counted() == 8
    letters = [
        json.loads(record.value)
        for record in await contents(setting.broker, setting.service.topics.name("dead_letters"))
    ]
    assert [(letter["position"], letter["reason"]) for letter in letters] == [
        (7, "not_json"),
        (8, "bad_time"),
    ]
    events = [json.loads(letter["payload"]) for letter in letters]
    assert base64.b64decode(events[0]["data_base64"]) == bad
    assert (events[1]["time"], events[1]["data"]) == ("noon", {})
    # A dead letter holds all that the message held: sent again, it meets the same end.
    await setting.feed([letter["payload"].encode() for letter in letters])
    await setting.orders(1)
    async with setting.at_work():
        await setting.until_counted(9)
    assert setting.value("dead_letters_total", reason="not_json") == 2
    assert setting.value("dead_letters_total", reason="bad_time") == 2
    assert setting.value("events_total", outcome="dead_lettered") == 4


async def test_a_silent_partition_gets_the_wall_clock_once_it_is_read_to_its_end(
    setting: Setting,
) -> None:
    patient = replace(setting.plan, idle_timeout_us=3 * SECOND, allowed_lateness_us=3 * SECOND)
    setting.service = replace(setting.service, plan=patient)
    begun = time.monotonic()
    async with setting.at_work():
        await setting.orders(10)
        await setting.until_counted(10)
        spoke = [f.watermark_us for f in await setting.frames() if f.source == 1]
        assert set(spoke) == {NEVER}
        await until(lambda: idle(setting))
    assert time.monotonic() - begun > 3
    newest = {f.source: f.watermark_us for f in await setting.frames()}
    assert newest[0] == newest[1] == NOW_US - patient.idle_timeout_us


async def test_a_wall_clock_that_is_set_makes_no_partition_idle(setting: Setting) -> None:
    """Nor are the events that come after it lost, whichever way it was set."""
    async with setting.at_work():
        await setting.orders(10)
        await setting.until_counted(10)
        for hours in (10, -24 * 20):  # then what comes is of the future, by that clock
            setting.now_us += hours * HOUR
            await asyncio.sleep(1.0)
            assert not await idle(setting)
            await setting.orders(10)
            await setting.until_counted(setting.fed)
    assert await setting.counted() == 30
    assert setting.value("dead_letters_total", reason="too_far_in_future") == 0


async def test_a_partition_that_is_added_is_read_and_waited_for(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker, "METADATA_MS", 500)
    async with setting.at_work():
        await setting.orders(10)
        await setting.until_counted(10)
        async with setting.broker.admin() as admin:
            await admin.create_partitions({setting.service.source.topic: NewPartitions(3)})
        await setting.orders(5, partition=1)
        await until(lambda: _fed(setting, 2))
        await setting.until_counted(22)
    frames = await setting.frames()
    assert {frame.sources for frame in frames if frame.source == 2} == {3}
    assert await setting.counted() == 22
    check_chain(frames)


async def _fed(setting: Setting, partition: int) -> bool:
    """Whether a new partition has taken orders: its leader may not be there at once."""
    try:
        await setting.orders(7, partition=partition)
    except (KafkaError, AssertionError):
        return False
    return True


async def idle(setting: Setting) -> bool:
    return {f.source for f in await setting.frames() if f.watermark_us > NOW_US - MINUTE} == {0, 1}


async def test_headers_say_what_the_frame_says(setting: Setting) -> None:
    async with setting.at_work():
        await setting.orders(10)
        await setting.until_counted(10)
    log: list[Any] = await contents(setting.broker, setting.service.topics.name("frames"))
    for record in log:
        frame, head = decode_frame(record.value), Head.of(record.headers)
        assert record.key == b"0"
        assert (head.source, head.sources) == (frame.source, 2)
        assert (head.start, head.stop) == (frame.start, frame.stop)
        assert head.watermark_us == frame.watermark_us

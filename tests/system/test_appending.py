"""What is told to the API goes through the journal's topics into every view."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiokafka.structs import TopicPartition
from prometheus_client import CollectorRegistry

from monitor.errors import UnreachableError
from monitor.journal.releases import release_record
from monitor.journal.store import Store
from monitor.kafka.appending import appending
from monitor.kafka.broker import Broker
from monitor.kafka.service import core_of
from monitor.kafka.shard import Shard
from monitor.kafka.topics import FRAMES, Topics
from monitor.kafka.view_worker import ViewWorker
from monitor.model.annotation import Annotation, deletion_of, record_of
from monitor.model.record import Record, Stream
from monitor.telemetry import Counters
from tests.embedded.plans import metric_plan, plan_of
from tests.release.told import release
from tests.system.kafka_io import table, until, working
from tests.system.servers import Kafka, free_port


def noted(number: int, text: str) -> Record:
    return record_of(
        Annotation(id=number, time_us=1, time_end_us=1, text=text, created_us=1, updated_us=1)
    )


@pytest.mark.system
async def test_records_reach_the_view_newest_by_key(tmp_path: Path, kafka: Kafka) -> None:
    broker = Broker(address=kafka.address)
    topics = Topics(prefix=tmp_path.name, shards=2)
    await topics.ensure(broker)
    with Store(tmp_path / "view.db") as store:
        view = ViewWorker(
            broker=broker, topics=topics, store=store, counters=Counters(CollectorRegistry())
        )

        async def newest() -> bool:
            found = store.documents(Stream.RELEASES)
            return set(found) == {"annotation|1"} and b"changed" in found["annotation|1"]

        async with appending(broker, topics) as append, working(view.run):
            await append([noted(1, "first"), noted(2, "second")])
            await asyncio.gather(append([noted(1, "changed")]), append([deletion_of(2)]))
            await until(newest)
    kept = await table(broker, topics.name(Stream.RELEASES), topics.shards)
    assert set(kept) >= {"annotation|1"}


async def test_a_broker_that_is_away_is_told_and_tried_anew() -> None:
    broker = Broker(address=f"127.0.0.1:{free_port()}")
    async with appending(broker, Topics(prefix="nowhere", shards=1)) as append:
        for _ in range(2):
            with pytest.raises(UnreachableError, match="send it again"):
                await append([noted(1, "x")])


@pytest.mark.system
async def test_a_release_reaches_every_shard_and_the_view(tmp_path: Path, kafka: Kafka) -> None:
    broker = Broker(address=kafka.address)
    topics = Topics(prefix=tmp_path.name, shards=3)
    await topics.ensure(broker)
    told = release()
    async with appending(broker, topics) as append:
        for _ in range(2):
            await append.tell(told, release_record(told))
    plan = plan_of(metric_plan("orders"))
    for number in range(topics.shards):
        shard = Shard(
            number,
            broker=broker,
            topics=topics,
            core=core_of(plan),
            counters=Counters(CollectorRegistry()),
        )
        await shard.open()
        await shard.process(await messages_of(broker, topics.name(FRAMES), number))
        assert shard._machine.releases == (told,)
        assert shard._machine.positions == {}
        await shard.close(graceful=True)
    kept = await table(broker, topics.name(Stream.RELEASES), topics.shards)
    assert set(kept) == {f"release|{told.id}"}


async def messages_of(broker: Broker, topic: str, partition: int) -> list[Any]:
    """What is in a partition now."""
    consumer = broker.consumer()
    async with broker.running(consumer):
        place = TopicPartition(topic, partition)
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        end = (await consumer.end_offsets([place]))[place]
        found: list[Any] = []
        while await consumer.position(place) < end:
            found += (await consumer.getmany(place, timeout_ms=200)).get(place, [])
    return found

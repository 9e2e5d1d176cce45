"""The shop's lines on a real broker: all of them, those of an actor in one partition, in order."""

import asyncio
import time
from collections import defaultdict
from itertools import pairwise

import msgspec
import pytest
from aiokafka.structs import TopicPartition

from monitor.errors import UnreachableError
from monitor.ingest.synthetic import Shop
from monitor.kafka.broker import Broker
from monitor.kafka.produce import produce
from tests.system.kafka_io import create_topic
from tests.system.servers import Kafka, free_port

pytestmark = pytest.mark.system

START = 1_793_577_600_000_000


async def read(kafka: Kafka, topic: str, partitions: int) -> dict[int, list[bytes]]:
    """Every message of a topic."""
    broker = Broker(address=kafka.address)
    consumer = broker.consumer()
    found: dict[int, list[bytes]] = defaultdict(list)
    async with broker.running(consumer):
        parts = [TopicPartition(topic, number) for number in range(partitions)]
        consumer.assign(parts)
        ends = await consumer.end_offsets(parts)
        await consumer.seek_to_beginning(*parts)
        while any([await consumer.position(part) < ends[part] for part in parts]):
            for part, messages in (await consumer.getmany(timeout_ms=500)).items():
                found[part.partition] += [message.value for message in messages]
    return found


async def test_every_line_arrives_in_a_topic_made_for_it(kafka: Kafka) -> None:
    lines = list(Shop(seed=5, start_us=START).lines(0, 5))
    told: list[int] = []
    written = await produce(Broker(address=kafka.address), "shop.made", lines, told.append)
    assert written == sum(told) == len(lines)
    found = await read(kafka, "shop.made", 2)
    assert sorted(line for part in found.values() for line in part) == sorted(lines)
    assert min(len(part) for part in found.values()) > len(lines) / 10


async def test_an_actor_stays_in_one_partition_in_order(kafka: Kafka) -> None:
    lines = list(Shop(seed=6, start_us=START).lines(0, 5))
    await produce(Broker(address=kafka.address), "shop.keyed", lines, partitions=3)
    where: dict[str, set[int]] = defaultdict(set)
    for number, part in (await read(kafka, "shop.keyed", 3)).items():
        order = {line: at for at, line in enumerate(lines)}
        places = [order[line] for line in part]
        assert sum(a > b for a, b in pairwise(places)) <= 0.01 * len(places)
        for line in part:
            where[msgspec.json.decode(line)["actor"]].add(number)
    assert {len(parts) for parts in where.values()} == {1}


async def test_sums_without_actors_and_an_existing_topic_will_do(kafka: Kafka) -> None:
    await asyncio.to_thread(create_topic, kafka.address, "shop.there", 4)
    lines = list(Shop(seed=6, start_us=START, aggregated=True).lines(0, 5))
    assert await produce(Broker(address=kafka.address), "shop.there", lines) == len(lines)
    found = await read(kafka, "shop.there", 4)
    assert sum(map(len, found.values())) == len(lines)


async def test_a_broker_that_is_down_is_named_within_ten_seconds() -> None:
    address = f"127.0.0.1:{free_port()}"
    begun = time.monotonic()
    with pytest.raises(UnreachableError, match=f"no Kafka broker answers at {address}") as raised:
        await produce(Broker(address=address), "shop", [b"{}"])
    assert raised.value.exit_code == 4
    assert time.monotonic() - begun < 10

"""Topics on a real broker: created with their settings, verified, and refused with a remedy."""

import time

import pytest
from aiokafka.admin import NewTopic

from monitor.errors import ConfigError, StateError, UnreachableError
from monitor.kafka.broker import Broker
from monitor.kafka.topic_settings import found_settings
from monitor.kafka.topics import STREAMS, Topics, source_partitions
from tests.system.servers import Kafka, free_port

pytestmark = pytest.mark.system


async def test_topics_are_created_with_their_settings_and_found_again(kafka: Kafka) -> None:
    broker = Broker(address=kafka.address)
    topics = Topics(prefix="made", shards=3)
    await topics.ensure(broker)
    await topics.ensure(broker)
    async with broker.admin() as admin:
        asked = {topics.name(stream): topics.settings[stream] for stream in STREAMS}
        found = await found_settings(admin, asked)
        described = await admin.describe_topics(["made.frames", "made.snapshots", "made.alerts"])
        assert await topics.compare(admin) == []
    assert found["made.frames"]["cleanup.policy"] == "delete"
    assert found["made.frames"]["retention.ms"] == str(7 * 24 * 3600 * 1000)
    assert found["made.snapshots"]["cleanup.policy"] == "compact"
    assert set(found["made.buckets"]["cleanup.policy"].split(",")) == {"compact", "delete"}
    assert [len(topic["partitions"]) for topic in described] == [3, 3, 3]


async def test_another_number_of_shards_is_refused_with_the_remedy(kafka: Kafka) -> None:
    broker = Broker(address=kafka.address)
    await Topics(prefix="fixed", shards=2).ensure(broker)
    with pytest.raises(StateError, match=r"fixed\.\w+' has 2 partitions.*set .*shards to 2"):
        await Topics(prefix="fixed", shards=4).ensure(broker)


async def test_a_topic_that_would_delete_alerts_is_refused(kafka: Kafka) -> None:
    broker = Broker(address=kafka.address)
    async with broker.admin() as admin:
        await admin.create_topics(
            [NewTopic("wrong.alerts", 2, 1, topic_configs={"cleanup.policy": "delete"})]
        )
    with pytest.raises(StateError, match=r"'wrong.alerts' has cleanup.policy=delete"):
        await Topics(prefix="wrong", shards=2).ensure(broker)


async def test_impossible_replication_is_refused(kafka: Kafka) -> None:
    with pytest.raises(ConfigError, match=r"replication 3: .*journal.kafka"):
        await Topics(prefix="thrice", shards=1, replication=3).ensure(Broker(address=kafka.address))


async def test_an_absent_source_topic_is_named_with_the_remedy(kafka: Kafka) -> None:
    with pytest.raises(ConfigError, match=rf"'nowhere' does not exist on {kafka.address}; create"):
        await source_partitions(Broker(address=kafka.address), "nowhere")


async def test_a_broker_that_is_down_is_named_within_ten_seconds() -> None:
    address = f"127.0.0.1:{free_port()}"
    begun = time.monotonic()
    with pytest.raises(UnreachableError, match=rf"no Kafka broker answers at {address}; start it"):
        await Topics(prefix="x", shards=1).ensure(Broker(address=address))
    assert time.monotonic() - begun < 10

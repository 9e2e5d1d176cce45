"""What is told to the API goes through the journal's topics into every view."""

import asyncio
from pathlib import Path

import pytest

from monitor.errors import UnreachableError
from monitor.journal.store import Store
from monitor.kafka.appending import appending
from monitor.kafka.broker import Broker
from monitor.kafka.topics import Topics
from monitor.kafka.view_worker import ViewWorker
from monitor.model.annotation import Annotation, deletion_of, record_of
from monitor.model.record import Record, Stream
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
        view = ViewWorker(broker=broker, topics=topics, store=store)

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

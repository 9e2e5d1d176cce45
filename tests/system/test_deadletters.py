"""`monitor deadletters` against a real broker: sent once, marked, known when they come back."""

import asyncio
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.structs import TopicPartition

from monitor.cli import execute
from monitor.journal.letters import Choice, Tally
from monitor.kafka import letters as letters_of_kafka
from monitor.kafka.broker import Broker, Outgoing
from monitor.kafka.letters import TopicLetters
from monitor.model.record import Stream
from tests.system.kafka_io import contents, create_topic, until, working, write
from tests.system.plans import orders_plan
from tests.system.running import configured
from tests.system.servers import Kafka, free_port
from tests.system.test_ingest_worker import Setting

pytestmark = pytest.mark.system

BIG = b"\x00\xff" * 400_000
"""Its base64 does not fit into one message."""


class Service:
    """A source topic with dead letters of a real ingest, and a configuration that names it."""

    def __init__(
        self, kafka: Kafka, prefix: str, folder: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        self.setting = Setting(kafka, prefix, orders_plan(shards=1))
        self.config = configured(
            folder / "config",
            f"source: {{kafka: {{bootstrap_servers: '{kafka.address}', topic: {prefix}.events}}}}\n"
            f"journal: {{kafka: {{prefix: {prefix}, shards: 1}}}}\n",
        )
        self._capfd = capfd

    async def run(self, *words: str, code: int = 0) -> str:
        """What a command line prints."""
        await asyncio.to_thread(self._capfd.readouterr)
        arguments = ["deadletters", *words, "--config", str(self.config)]
        assert await asyncio.to_thread(execute, arguments) == code
        out, err = self._capfd.readouterr()
        return err if code else out

    async def listed(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await self.run("list", "--json", *words))
        return found

    async def source(self, partition: int = 0) -> list[Any]:
        return await contents(
            self.setting.broker, self.setting.service.source.topic, partition=partition
        )

    async def grown(self, *lengths: int) -> None:
        """Wait until the source's partitions show so many messages: a commit is seen a moment later."""

        async def there() -> bool:
            return [len(await self.source(n)) for n in range(len(lengths))] == list(lengths)

        await until(there)

    async def ingest(self, letters: int) -> None:
        """Work until so many dead letters were counted in all."""

        async def there() -> bool:
            return self.setting.value("events_total", outcome="dead_lettered") == letters

        worker = await self.setting.worker()
        async with working(worker.run):
            await until(there)


@pytest.fixture
async def service(
    kafka: Kafka,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> Service:
    made = Service(kafka, request.node.name, tmp_path, capfd)
    await made.setting.create()
    return made


async def test_letters_are_sent_once_and_known_when_they_come_back(service: Service) -> None:
    bad = [b'{"name": "order"}', BIG, b"{"]
    await service.setting.feed(bad[:2])
    await service.setting.feed(bad[2:], partition=1)
    await service.ingest(3)

    found = await service.listed()
    assert found["reasons"] == {"missing_time": 1, "not_json": 2}
    assert {one["source"] for one in found["dead_letters"]} == {"0", "1"}
    assert all(one["read_at"] for one in found["dead_letters"])
    dry = json.loads(await service.run("replay", "--dry-run", "--json"))
    assert (dry["would_send"], dry["sent"]) == (3, 0)
    assert [len(await service.source(n)) for n in (0, 1)] == [2, 1]

    assert (await service.run("replay", "--reason", "not_json")).startswith("sent 2 (not_json 2)")
    await service.grown(3, 2)
    sent = [(await service.source(n))[-1] for n in (0, 1)]
    assert [record.value for record in sent] == [BIG, b"{"]
    assert [dict(record.headers) for record in sent] == [
        {"monitor-replayed": b"0|1"},
        {"monitor-replayed": b"1|0"},
    ]
    assert "sent 1 (missing_time 1)" in await service.run("replay", "--yes")
    assert "nothing to send: 3 in topic" in await service.run("replay")

    await service.ingest(6)
    found = await service.listed()
    assert (found["total"], found["sent_again"], found["came_back"]) == (6, 3, 3)
    assert "nothing to send: 6 in topic" in await service.run("replay")
    await service.grown(4, 2)
    assert "sent 2" in await service.run("replay", "--again", "--reason", "missing_time")
    await service.grown(6, 2)


async def test_a_message_keeps_its_key_and_its_headers(service: Service) -> None:
    topic = service.setting.service.source.topic
    headers = [("trace", b"7"), ("team", b"shop")]
    binary = [("ce_type", b"order"), ("ce_id", b"1"), ("trace", b"8")]
    wrapped = [
        Outgoing(topic=topic, partition=0, key=b"u%d" % n, value=b"{", headers=of)
        for n, of in enumerate((headers, headers, binary))
    ]
    await write(service.setting.broker, wrapped)
    await service.ingest(3)
    place = TopicPartition(topic, 0)
    async with service.setting.broker.admin() as admin:
        await admin.delete_records({place: RecordsToDelete(before_offset=1)})
    assert "sent 3" in await service.run("replay")
    await service.grown(5)
    sent = (await service.source())[-3:]
    assert [record.key for record in sent] == [None, b"u1", b"u2"]
    assert [record.value for record in sent[:2]] == [b"{"] * 2
    assert json.loads(sent[2].value)["type"] == "order"  # with its headers, as ingest took it
    assert [record.headers for record in sent] == [
        (("monitor-replayed", b"0|0"),),
        (*headers, ("monitor-replayed", b"0|1")),
        (("trace", b"8"), ("monitor-replayed", b"0|2")),
    ]


async def test_what_dies_in_the_middle_of_a_transaction_has_sent_nothing(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await service.setting.feed([b"{"] * 5)
    await service.ingest(5)

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(letters_of_kafka, "marked", dies)
        await service.run("replay", code=130)
    assert len(await service.source()) == 5
    assert "sent 5" in await service.run("replay")
    await service.grown(10)


async def test_of_two_at_once_the_later_one_sends(service: Service) -> None:
    await service.setting.feed([b"{"] * 5)
    await service.ingest(5)
    setting = service.setting

    def both() -> None:
        first, second = (
            TopicLetters(
                setting.broker,
                prefix=setting.service.topics.prefix,
                source=setting.service.source.topic,
            )
            for _ in range(2)
        )
        try:
            with first.begin():
                meant = list(Tally().chosen(first, Choice()))
                with second.begin():
                    assert second.send(iter(list(second)), 1) == 5
                    with pytest.raises(Exception, match="another `monitor deadletters replay`"):
                        first.send(iter(meant), 1)
        finally:
            first.close()
            second.close()

    await asyncio.to_thread(both)
    await service.grown(10)


async def test_more_than_one_transaction_and_letters_of_a_backfill(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters_of_kafka, "_BATCH_LETTERS", 3)
    topic = service.setting.service.topics.name(Stream.DEAD_LETTERS)

    def records(sources: Iterable[str]) -> list[Outgoing]:
        line = '{{"source":"{0}","position":{1},"reason":"not_json","detail":"x","payload":"{1}"}}'
        return [
            Outgoing(
                topic=topic,
                partition=0,
                key=f"{source}|{n}".encode(),
                value=line.format(source, n).encode(),
            )
            for n, source in enumerate(sources)
        ]

    await write(service.setting.broker, records(["0"] * 7 + ["past.ndjson"]))
    out = await service.run("replay")
    assert "sent 7 (not_json 7)" in out
    assert "left out 1 that cannot be sent there: it came from a file of a backfill" in out
    await service.grown(7)
    assert [record.value for record in await service.source()] == [b"%d" % n for n in range(7)]
    assert "nothing to send: 7 in" in await service.run("replay")
    assert "none of the" in await service.run("list", "--since", "1h")
    assert "is for a source without Kafka" in await service.run("replay", "--out", "x", code=2)


async def test_a_topic_or_a_broker_that_is_not_there(service: Service, kafka: Kafka) -> None:
    monitor = service.config / "monitor.yaml"
    text = monitor.read_text()
    monitor.write_text(text.replace("prefix: test_", "prefix: no_"))
    assert "no service has run there" in await service.run("list", code=2)
    monitor.write_text(text.replace(".events", ".gone"))
    assert "no dead letter" in await service.run("list")
    assert "does not exist" in await service.run("replay", code=2)
    monitor.write_text(text.replace(kafka.address, f"127.0.0.1:{free_port()}"))
    begun = time.monotonic()
    for verb in ("list", "replay"):
        assert "no Kafka broker answers" in await service.run(verb, code=4)
    assert time.monotonic() - begun < 25


async def test_an_empty_topic_lists_nothing(kafka: Kafka) -> None:
    await asyncio.to_thread(create_topic, kafka.address, "void.dead_letters", 2)

    def read() -> list[Any]:
        kept = TopicLetters(Broker(address=kafka.address), prefix="void", source="void")
        try:
            return list(kept)
        finally:
            kept.close()

    assert await asyncio.to_thread(read) == []

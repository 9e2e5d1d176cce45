"""The core's worker on a real broker, around a machine that only adds up."""

import asyncio
import json
import logging
from typing import Any

import pytest
import structlog
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.structs import TopicPartition
from prometheus_client import CollectorRegistry

from monitor.kafka import shard
from monitor.kafka.broker import Broker, Outgoing
from monitor.kafka.shard import Core
from monitor.kafka.shard_worker import ShardWorker
from monitor.kafka.topics import Topics
from monitor.model.frame import Frame
from monitor.model.record import Record, Stream
from monitor.telemetry import Counters
from tests.system.kafka_io import contents, table, until, working, write, write_frames
from tests.system.servers import Kafka

pytestmark = pytest.mark.system


POISON = -13


class Adding:
    """Adds the lengths of the ranges; a machine whose every state is visible in its records."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        state = state or {"positions": {}, "total": 0}
        self.positions = {int(k): v for k, v in state["positions"].items()}
        self.total = state["total"]

    def snapshot(self) -> bytes:
        return json.dumps({"positions": self.positions, "total": self.total}).encode()

    def apply(self, frame: Frame) -> list[Record]:
        if frame.newest_us == POISON:
            message = "a frame that the machine cannot stand"
            raise ArithmeticError(message)
        self.positions[frame.source] = frame.stop
        self.total += frame.stop - frame.start
        key = f"{frame.source}|{frame.start}"
        return [Record(stream=Stream.ALERTS, key=key, value=b"%d" % self.total)]


def frame(start: int, stop: int, newest_us: int = 1) -> Frame:
    return Frame(source=0, sources=1, start=start, stop=stop, watermark_us=1, newest_us=newest_us)


class Setting:
    """A journal of one shard, and its worker."""

    def __init__(self, kafka: Kafka, prefix: str) -> None:
        self.broker = Broker(address=kafka.address)
        self.topics = Topics(prefix=prefix, shards=1)
        self.registry = CollectorRegistry()
        self.counters = Counters(self.registry)
        self.restored: list[bytes] = []

    def worker(self, snapshot_seconds: float = 300) -> ShardWorker:
        def restore(number: int, state: bytes) -> tuple[Adding, list[Record]]:
            self.restored.append(state)
            return Adding(json.loads(state)), []

        return ShardWorker(
            broker=self.broker,
            topics=self.topics,
            core=Core(fresh=lambda number: Adding(), restore=restore, apply=Adding.apply),
            counters=self.counters,
            snapshot_seconds=snapshot_seconds,
        )

    def frames(self, outcome: str) -> float | None:
        return self.value("frames_total", outcome=outcome)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"monitor_{name}", labels)

    async def feed(self, *frames: Frame, size: int = 900_000) -> None:
        await write_frames(self.broker, self.topics.name("frames"), 0, frames, size)

    async def alerts(self, key: str) -> dict[str, bytes]:
        """The alerts, once this key is there."""

        async def there() -> dict[str, bytes]:
            found = await table(self.broker, self.topics.name("alerts"))
            return found if key in found else {}

        return dict(await until(there))


@pytest.fixture
async def setting(kafka: Kafka, request: pytest.FixtureRequest) -> Setting:
    made = Setting(kafka, prefix=request.node.name)
    await made.topics.ensure(made.broker)
    return made


async def test_it_saves_on_a_stop_and_goes_on_from_there(setting: Setting) -> None:
    await setting.feed(frame(0, 10), frame(10, 15))
    async with working(setting.worker().run):
        assert await setting.alerts("0|10") == {"0|0": b"10", "0|10": b"15"}
    await setting.feed(frame(15, 20))
    async with working(setting.worker().run):
        assert (await setting.alerts("0|15"))["0|15"] == b"20"
    assert [json.loads(state)["total"] for state in setting.restored] == [15]


async def test_killed_without_a_snapshot_it_decides_the_same_again(setting: Setting) -> None:
    await setting.feed(*(frame(n, n + 1) for n in range(50)))
    async with working(setting.worker().run) as task:
        before = await setting.alerts("0|49")
        task.cancel()
    await setting.feed(frame(50, 60))
    async with working(setting.worker().run):
        after = await setting.alerts("0|50")
    assert {**before, "0|50": b"60"} == after
    assert setting.frames("gap") == 0


async def test_a_frame_in_parts_is_applied_once_whole(setting: Setting) -> None:
    await setting.feed(frame(0, 10), frame(10, 30), size=20)
    async with working(setting.worker().run):
        assert await setting.alerts("0|10") == {"0|0": b"10", "0|10": b"30"}


async def test_a_repeat_is_skipped_and_a_gap_counted_after_a_reload(setting: Setting) -> None:
    await setting.feed(frame(0, 10), frame(0, 10), frame(12, 20), frame(20, 25))
    async with working(setting.worker().run):
        assert await setting.alerts("0|20") == {"0|0": b"10", "0|12": b"18", "0|20": b"23"}
    assert setting.frames("gap") == 1
    assert setting.frames("repeated") == 2  # once more after the reload


async def test_what_cannot_be_decoded_moves_the_chain_and_is_counted(setting: Setting) -> None:
    await setting.feed(frame(0, 10))
    [whole, *_] = await contents(setting.broker, setting.topics.name("frames"))
    headers = [(n, {"start": b"10", "stop": b"20"}.get(n, v)) for n, v in whole.headers]
    topic = setting.topics.name("frames")
    await write(
        setting.broker,
        [
            Outgoing(topic=topic, partition=0, value=b"\xc1 not a frame", headers=headers),
            Outgoing(topic=topic, partition=0, value=b"no headers either"),
        ],
    )
    await setting.feed(frame(20, 30))
    async with working(setting.worker().run):
        assert (await setting.alerts("0|20"))["0|20"] == b"30"
    assert setting.frames("quarantined") == 2
    assert setting.frames("gap") == 0


async def test_a_frame_that_breaks_the_machine_is_passed_over_in_the_end(setting: Setting) -> None:
    await setting.feed(frame(0, 10), frame(10, 20, newest_us=POISON), frame(20, 30))
    async with working(setting.worker().run):
        assert (await setting.alerts("0|20"))["0|20"] == b"30"
    assert setting.frames("quarantined") == 1


async def test_a_broken_snapshot_falls_back_to_the_one_before(setting: Setting) -> None:
    await setting.feed(frame(0, 10))
    async with working(setting.worker().run):
        await setting.alerts("0|0")
    await setting.feed(frame(10, 20))
    async with working(setting.worker().run):
        await setting.alerts("0|10")
    topic = setting.topics.name("snapshots")
    newest = (await contents(setting.broker, topic))[-1].key.decode().rsplit("|", 1)[0]
    chunk = f"{newest}|0".encode()
    await write(setting.broker, [Outgoing(topic=topic, partition=0, key=chunk, value=b"broken")])
    setting.restored.clear()
    await setting.feed(frame(20, 30))
    async with working(setting.worker().run):
        assert (await setting.alerts("0|20"))["0|20"] == b"30"
    assert [json.loads(state)["total"] for state in setting.restored] == [10]
    assert setting.value("snapshots_total", outcome="failed") == 1


async def test_without_a_whole_snapshot_the_log_is_applied_from_its_start(setting: Setting) -> None:
    await setting.feed(frame(0, 10), frame(10, 20))
    async with working(setting.worker().run):
        await setting.alerts("0|10")
    topic = setting.topics.name("snapshots")
    [chunk, _] = await table(setting.broker, topic)
    broken = Outgoing(topic=topic, partition=0, key=chunk.encode(), value=b"broken")
    foreign = Outgoing(topic=topic, partition=0, key=b"by mistake", value=b"?")
    await write(setting.broker, [broken, foreign])
    await setting.feed(frame(20, 30))
    async with working(setting.worker().run):
        assert (await setting.alerts("0|20"))["0|20"] == b"30"
    assert setting.restored == []
    assert setting.frames("gap") == 0


async def test_a_log_that_was_made_anew_is_read_from_its_start(setting: Setting) -> None:
    """The chain tells what was applied before, and what is missing."""
    await setting.feed(*(frame(n, n + 1) for n in range(20)))
    async with working(setting.worker().run):
        await setting.alerts("0|19")
    name = setting.topics.name("frames")
    async with setting.broker.admin() as admin:
        await admin.delete_topics([name])
        await until(lambda: _is_gone(admin, name))
    await setting.topics.ensure(setting.broker)
    await setting.feed(frame(19, 20), frame(20, 30))
    async with working(setting.worker().run):
        assert (await setting.alerts("0|20"))["0|20"] == b"30"
    assert setting.frames("repeated") == 1
    assert setting.value("log_resets_total") == 1
    assert setting.value("shard_states_lost_total") == 0


async def test_a_shard_that_must_begin_in_the_middle_of_the_log_says_so(setting: Setting) -> None:
    await setting.feed(frame(0, 10), frame(10, 20))
    place = TopicPartition(setting.topics.name("frames"), 0)
    async with setting.broker.admin() as admin:
        await admin.delete_records({place: RecordsToDelete(before_offset=1)})
    with structlog.testing.capture_logs() as logged:
        async with working(setting.worker().run):
            assert await setting.alerts("0|10") == {"0|10": b"10"}
    assert [one["first"] for one in logged if one["event"] == "shard.state_lost"] == [1]
    assert setting.value("shard_states_lost_total") == 1
    assert setting.value("log_resets_total") == 0


async def _is_gone(admin: Any, topic: str) -> bool:
    return topic not in await admin.list_topics()


async def test_two_snapshots_are_kept(setting: Setting) -> None:
    async with working(setting.worker(snapshot_seconds=0).run):
        for n in range(4):
            await setting.feed(frame(n, n + 1))
            await setting.alerts(f"0|{n}")
        await asyncio.sleep(0.6)
    held = await table(setting.broker, setting.topics.name("snapshots"))
    assert sum(key.endswith("manifest") for key in held) == 2


async def test_a_long_batch_is_worked_off_turn_by_turn(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shard, "SLICE_SECONDS", 0.0)
    monkeypatch.setattr(shard, "TURN_SECONDS", 0.0)
    await setting.feed(*(frame(n, n + 1) for n in range(20)))
    async with working(setting.worker().run):
        assert (await setting.alerts("0|19"))["0|19"] == b"20"
    assert setting.frames("applied") == 20
    assert setting.frames("repeated") == setting.frames("gap") == 0


async def test_a_second_owner_fences_the_first(
    setting: Setting, caplog: pytest.LogCaptureFixture
) -> None:
    """What a zombie still wants to write never reaches the topic."""
    caplog.set_level(logging.CRITICAL)
    await setting.feed(frame(0, 10))
    first, second = (setting.worker()._shard(0) for _ in range(2))
    await first.open()
    await second.open()
    log = await contents(setting.broker, setting.topics.name("frames"))
    with pytest.raises(Exception, match=r"(?i)fence|newer|epoch|transactional"):
        await first.process(log)
    await second.process(log)
    await first.close(graceful=False)
    await second.close(graceful=True)
    assert await setting.alerts("0|0") == {"0|0": b"10"}
    assert len(await contents(setting.broker, setting.topics.name("alerts"))) == 1

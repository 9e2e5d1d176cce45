"""The view of the journal: read once, whole, and never backwards."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from monitor.errors import StateError
from monitor.journal.store import Store
from monitor.kafka import view_worker
from monitor.kafka.broker import Broker, Outgoing
from monitor.kafka.topics import Topics
from monitor.kafka.view_worker import ViewWorker
from monitor.model.incident import Incident, IncidentState
from monitor.model.record import Stream
from monitor.telemetry import Counters
from tests.system.kafka_io import until, working, write
from tests.system.servers import Kafka

pytestmark = pytest.mark.system


class Setting:
    """A journal of two shards and a view of it."""

    def __init__(self, kafka: Kafka, prefix: str, folder: Path) -> None:
        self.broker = Broker(address=kafka.address)
        self.topics = Topics(prefix=prefix, shards=2)
        self.store = Store(folder / "view.db")
        self.changes = 0
        self.registry = CollectorRegistry()
        self.counters = Counters(self.registry)

    def worker(self, caught_up: asyncio.Event) -> ViewWorker:
        return ViewWorker(
            broker=self.broker,
            topics=self.topics,
            store=self.store,
            counters=self.counters,
            changed=self._changed,
            caught_up=caught_up.set,
        )

    def _changed(self) -> None:
        self.changes += 1

    async def read(self) -> None:
        """Run the view until it has caught up."""
        caught_up = asyncio.Event()
        async with working(self.worker(caught_up).run):
            await asyncio.wait_for(caught_up.wait(), 20)

    async def put(self, stream: Stream, key: str, value: bytes | None, **headers: int) -> None:
        message = Outgoing(
            topic=self.topics.name(stream),
            partition=1,
            key=key.encode(),
            value=value,
            headers=[(name, b"%d" % number) for name, number in headers.items()],
        )
        await write(self.broker, [message], writer=f"{self.topics.prefix}-writer")


@pytest.fixture
async def setting(kafka: Kafka, request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    made = Setting(kafka, request.node.name, tmp_path)
    await made.topics.ensure(made.broker)
    with made.store:
        yield made


def incident(state: IncidentState, updated_at: str) -> bytes:
    return msgspec.json.encode(
        Incident(
            alert_id="a1",
            metric="orders",
            dimension="all",
            segment="all",
            direction="down",
            state=state,
            started_at="2026-01-01T00:00:00Z",
            detected_at="2026-01-01T00:10:00Z",
            value=1.0,
            expected=2.0,
            relative_shift=-0.5,
            interval=None,
            n=1.0,
            evidence=9.0,
            threshold=6.0,
            reason="shift",
            severity="page",
            summary="orders fell",
            updated_at=updated_at,
            labels={"metric": "orders"},
        )
    )


async def test_a_restart_goes_on_where_the_last_commit_ended(setting: Setting) -> None:
    await setting.put(Stream.ALERTS, "a1", incident(IncidentState.FIRING, "2026-01-01T00:10:00Z"))
    await setting.read()
    [alert] = setting.store.alerts()
    assert alert.state is IncidentState.FIRING
    commits = setting.changes
    await setting.read()
    assert setting.changes == commits  # nothing was read twice
    await setting.put(Stream.ALERTS, "a1", None)
    await setting.read()
    assert setting.store.alerts() == []


async def test_what_a_restarted_core_says_again_does_not_reopen_an_incident(
    setting: Setting,
) -> None:
    firing = incident(IncidentState.FIRING, "2026-01-01T00:10:00Z")
    resolved = incident(IncidentState.RESOLVED, "2026-01-01T00:30:00Z")
    await setting.put(Stream.ALERTS, "a1", resolved)
    await setting.read()
    _, before = setting.store.alerts_after(0)
    await setting.put(Stream.ALERTS, "a1", firing)
    await setting.read()
    [alert] = setting.store.alerts()
    assert alert.state is IncidentState.RESOLVED
    assert setting.store.alerts_after(before)[0] == []


async def test_a_dead_letter_in_parts_is_joined_also_across_a_restart(setting: Setting) -> None:
    body = json.dumps({"reason": "not_json"}).encode()
    await setting.put(Stream.DEAD_LETTERS, "0|7", body[:5], part=0, parts=2)
    await setting.read()
    assert setting.store.documents(Stream.DEAD_LETTERS) == {}
    await setting.put(Stream.DEAD_LETTERS, "0|7", body[5:], part=1, parts=2)
    await setting.read()
    assert setting.store.documents(Stream.DEAD_LETTERS) == {"0|7": body}


async def test_while_the_disk_is_full_what_is_known_is_served_and_nothing_is_lost(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_worker, "_FIRST_PAUSE_SECONDS", 0.05)
    firing = incident(IncidentState.FIRING, "2026-01-01T00:10:00Z")
    await setting.put(Stream.ALERTS, "a1", firing)
    await setting.read()
    writer = setting.store._connection
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count = {pages}")
    large = json.dumps({"reason": "not_json", "payload": "x" * 500_000}).encode()
    await setting.put(Stream.DEAD_LETTERS, "0|7", large)

    async def failed() -> bool:
        return (setting.registry.get_sample_value("monitor_view_errors_total") or 0) >= 2

    async def there() -> bool:
        return setting.store.documents(Stream.DEAD_LETTERS) == {"0|7": large}

    async with working(setting.worker(asyncio.Event()).run):
        await until(failed)
        assert [alert.alert_id for alert in setting.store.alerts()] == ["a1"]
        writer.execute("PRAGMA max_page_count = 100000")
        await until(there)


async def test_what_nobody_of_ours_wrote_is_passed_over(setting: Setting) -> None:
    firing = incident(IncidentState.FIRING, "2026-01-01T00:10:00Z")
    topic = setting.topics.name(Stream.BUCKETS)
    strange = [
        Outgoing(topic=topic, partition=0, key=key, value=value)
        for key, value in [
            (b"orders|all", b"{}"),
            (b"orders|all|noon", b"{}"),
            (b"\xff", b"{}"),
            (b"", None),
        ]
    ]
    await write(setting.broker, strange)
    await setting.put(Stream.ALERTS, "a0", b"by hand")
    await setting.put(Stream.DEAD_LETTERS, "0|7", b"{}", part=1, parts=2)
    await setting.put(Stream.ALERTS, "a1", firing)
    await setting.read()
    assert [alert.alert_id for alert in setting.store.alerts()] == ["a1"]
    assert setting.registry.get_sample_value("monitor_view_errors_total") == 5
    await setting.read()
    assert setting.registry.get_sample_value("monitor_view_errors_total") == 5


async def test_a_view_that_cannot_be_written_can_be_stopped(setting: Setting) -> None:
    setting.store._connection.execute("PRAGMA query_only = ON")
    await setting.put(Stream.ALERTS, "a1", incident(IncidentState.FIRING, "2026-01-01T00:10:00Z"))

    async def failed() -> bool:
        return bool(setting.registry.get_sample_value("monitor_view_errors_total"))

    with pytest.raises(StateError, match="cannot be written"):
        async with working(setting.worker(asyncio.Event()).run):
            await until(failed)


async def test_a_topic_that_was_made_anew_is_read_from_its_start(setting: Setting) -> None:
    place = f"{setting.topics.name(Stream.ALERTS)}|1"
    setting.store.commit([], positions={place: 1_000})
    await setting.put(Stream.ALERTS, "a1", incident(IncidentState.FIRING, "2026-01-01T00:10:00Z"))

    async def there() -> bool:
        return bool(setting.store.alerts())

    async with working(setting.worker(asyncio.Event()).run):
        await until(there)
    assert setting.store.positions()[place] < 1_000

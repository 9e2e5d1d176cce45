import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry

from monitor.export.alertmanager import (
    Client,
    FailedError,
    RejectedError,
    annotations,
    firing_alert,
    resolved_alert,
)
from monitor.export.pusher import BATCH, AlertmanagerPusher
from monitor.model.incident import DataQuality, Incident, IncidentState
from monitor.model.time import HOUR, MINUTE, SECOND
from monitor.telemetry import Counters
from tests.journal.examples import T0, incident, resolved

NOW = T0 + 2 * HOUR


def test_a_firing_alert_ends_later_unless_it_is_posted_again() -> None:
    alert = firing_alert(
        incident(), now_us=NOW, ends_us=NOW + 90 * SECOND, base_url="http://monitor:8321/"
    )
    assert alert["labels"] == {
        "alertname": "MetricShift",
        "metric": "errors",
        "dimension": "all",
        "segment": "all",
        "direction": "up",
        "severity": "page",
        "owner": "growth@example.com",
    }
    assert alert["startsAt"] == "2026-11-21T10:00:00Z"
    assert alert["endsAt"] == "2026-11-21T12:01:30Z"
    assert alert["generatorURL"] == "http://monitor:8321/#a1"


def test_the_annotations_are_text_and_tell_everything() -> None:
    told = annotations(
        incident(
            summary="errors (city=St. Louis) rose. Evidence: strong. Where: DE.",
            data_quality=DataQuality(suspect=True, reasons=["late events"]),
            release={"service": "api", "version": "8.2.0", "environment": "production"},
        )
    )
    assert told == {
        "summary": "errors (city=St. Louis) rose.",
        "description": "errors (city=St. Louis) rose. Evidence: strong. Where: DE.",
        "runbook_url": "https://runbooks.example.com/errors",
        "alert_id": "a1",
        "reason": "shift",
        "value": "0.25",
        "expected": "0.125",
        "relative_shift": "1",
        "interval": "[0.8, 1.2]",
        "n": "500",
        "evidence": "4",
        "threshold": "2",
        "started_at": "2026-11-21T10:00:00Z",
        "detected_at": "2026-11-21T10:05:00Z",
        "segments": "country=DE +210 %",
        "release": "api 8.2.0 production",
        "data_quality": "late events",
    }


def test_what_is_not_known_is_left_out() -> None:
    bare = incident(
        value=None, relative_shift=None, interval=None, segments=[], runbook_url=None, owner=None
    )
    assert {"value", "relative_shift", "interval", "segments", "runbook_url", "release"}.isdisjoint(
        annotations(bare)
    )
    labels = {**bare.labels, "owner": ""}
    alert = firing_alert(incident(labels=labels), now_us=NOW, ends_us=NOW + SECOND)
    assert "owner" not in alert["labels"]
    assert "generatorURL" not in alert


@pytest.mark.parametrize("now", [T0 - 3 * MINUTE, T0, T0 + HOUR])
def test_an_alert_always_starts_before_it_ends(now: int) -> None:
    """Event time may be ahead of the wall clock."""
    for alert in (
        firing_alert(incident(), now_us=now, ends_us=now + 90 * SECOND),
        resolved_alert(resolved(), ended_us=now),
    ):
        assert alert["startsAt"] < alert["endsAt"]


Answer = Callable[[list[dict[str, Any]]], web.Response]


class Receiver:
    """A server on the loopback that answers as it is told, for the faults a real one rarely has."""

    def __init__(self) -> None:
        self.posts: list[list[dict[str, Any]]] = []
        self.status = 200
        self.headers: list[dict[str, str]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.headers.append(dict(request.headers))
        if self.status != 200:
            return web.Response(status=self.status, text="told to")
        self.posts.append(await request.json())
        return web.Response()


@pytest.fixture
async def receiver() -> AsyncIterator[tuple[Receiver, str]]:
    held = Receiver()
    app = web.Application()
    app.router.add_post("/prefix/api/v2/alerts", held.take)
    server = TestServer(app)
    await server.start_server()
    yield held, str(server.make_url("/prefix"))
    await server.close()


async def test_a_fault_of_the_server_is_told_apart_from_a_rejection(
    receiver: tuple[Receiver, str],
) -> None:
    held, url = receiver
    client = Client(url)
    held.status = 503
    with pytest.raises(FailedError, match="503 Service Unavailable: told to"):
        await client.post([])
    held.status = 400
    with pytest.raises(RejectedError, match="400 Bad Request: told to"):
        await client.post([])
    await client.close()


async def test_credentials_in_the_address_are_sent_and_not_told(
    receiver: tuple[Receiver, str],
) -> None:
    held, url = receiver
    client = Client(url.replace("http://", "http://user:secret@"))
    assert "secret" not in client.address
    await client.post([])
    assert held.headers[-1]["Authorization"] == "Basic dXNlcjpzZWNyZXQ="
    held.status = 500
    with pytest.raises(FailedError) as error:
        await client.post([])
    assert "secret" not in str(error.value)
    await client.close()


class Journal:
    """A view whose changes the test makes."""

    def __init__(self) -> None:
        self.changes: list[Incident] = []
        self.told_until: int | None = None

    def told(self) -> int | None:
        return self.told_until

    def set_told(self, sequence: int) -> None:
        self.told_until = sequence

    def alerts_after(self, sequence: int) -> tuple[list[Incident], int]:
        """As in the store, an incident stands where it changed last, and only once."""
        newest = {a.alert_id: i for i, a in enumerate(self.changes)}
        news = [a for i, a in enumerate(self.changes) if newest[a.alert_id] == i >= sequence]
        return news, len(self.changes)


class Watch:
    """A clock that the test moves, and what it saw being posted meanwhile."""

    def __init__(self, url: str, receiver: Receiver, **changes: Any) -> None:
        self.now = NOW
        self.journal = Journal()
        self.receiver = receiver
        self.url = url
        self.changes = changes
        self.start()

    def start(self) -> None:
        """A new process over the same journal."""
        self.registry = CollectorRegistry()
        counters = Counters(self.registry)
        self.pusher = AlertmanagerPusher(
            self.url, self.journal, lambda: self.now, counters=counters, **self.changes
        )

    async def restart(self) -> None:
        """The process is killed and started again."""
        await self.pusher.close()
        self.start()

    async def pass_seconds(self, seconds: int) -> list[tuple[int, str, bool]]:
        """Look every second; (second, alert id, whether it fires) of every alert posted."""
        seen: list[tuple[int, str, bool]] = []
        for _ in range(seconds):
            before = len(self.receiver.posts)
            await self.pusher.step()
            for alert in (a for post in self.receiver.posts[before:] for a in post):
                fires = alert["endsAt"] > _text(self.now)
                seen.append(((self.now - NOW) // SECOND, alert["annotations"]["alert_id"], fires))
            self.now += SECOND
        return seen

    def posts(self, outcome: str) -> float | None:
        return self.registry.get_sample_value(
            "monitor_alertmanager_posts_total", {"outcome": outcome}
        )


def _text(now_us: int) -> str:
    return str(firing_alert(incident(), now_us=now_us, ends_us=now_us)["endsAt"])


@pytest.fixture
async def watch(receiver: tuple[Receiver, str]) -> AsyncIterator[Watch]:
    held, url = receiver
    made = Watch(url, held)
    yield made
    await made.pusher.close()


async def test_a_firing_incident_is_posted_again_every_half_minute(watch: Watch) -> None:
    await watch.pusher.step()
    watch.journal.changes.append(incident())
    assert await watch.pass_seconds(65) == [(0, "a1", True), (30, "a1", True), (60, "a1", True)]
    assert watch.posts("sent") == 3


async def test_its_end_is_posted_at_once_and_twice_more(watch: Watch) -> None:
    watch.journal.changes.append(incident())
    await watch.pass_seconds(70)
    watch.journal.changes.append(resolved())
    assert await watch.pass_seconds(200) == [
        (70, "a1", False),
        (100, "a1", False),
        (130, "a1", False),
    ]
    ends = {a["endsAt"] for post in watch.receiver.posts[-3:] for a in post}
    assert len(ends) == 1


async def test_what_is_over_or_only_pending_at_the_start_is_not_posted(watch: Watch) -> None:
    watch.journal.changes += [resolved("a1"), incident("a2", state=IncidentState.PENDING)]
    assert await watch.pass_seconds(120) == []


async def test_an_incident_that_came_and_went_unseen_is_shown_and_then_ended(watch: Watch) -> None:
    await watch.pusher.step()
    watch.journal.changes += [incident(), resolved()]
    assert await watch.pass_seconds(110) == [
        (0, "a1", True),
        (30, "a1", True),
        (45, "a1", False),
        (75, "a1", False),
        (105, "a1", False),
    ]


async def test_what_came_and_went_while_the_process_was_down_is_told(watch: Watch) -> None:
    watch.journal.changes += [resolved("a0"), incident("a1", labels={"metric": "orders"})]
    await watch.pass_seconds(2)
    await watch.restart()
    watch.journal.changes += [incident("a2"), resolved("a2")]
    told = {x[1:] for x in await watch.pass_seconds(60)}
    assert told == {("a1", True), ("a2", True), ("a2", False)}
    await watch.restart()
    assert {x[1:] for x in await watch.pass_seconds(60)} == {("a1", True)}


async def test_what_could_not_be_told_before_a_restart_is_told_after_it(watch: Watch) -> None:
    await watch.pass_seconds(1)
    watch.receiver.status = 503
    watch.journal.changes += [incident(), resolved()]
    await watch.pass_seconds(5)
    await watch.restart()
    watch.receiver.status = 200
    told = [x[1:] for x in await watch.pass_seconds(60)]
    assert told[:1] == [("a1", True)]
    assert told[-1:] == [("a1", False)]


async def test_an_end_that_was_told_is_not_told_again_after_a_restart(watch: Watch) -> None:
    watch.journal.changes.append(incident())
    await watch.pass_seconds(50)
    watch.journal.changes.append(resolved())
    await watch.pass_seconds(2)
    await watch.restart()
    assert await watch.pass_seconds(60) == []


async def test_of_incidents_with_the_same_labels_the_latest_is_shown(watch: Watch) -> None:
    await watch.pusher.step()
    watch.journal.changes += [
        incident("a1"),
        resolved("a1"),
        incident("a2", detected_at="2026-11-21T11:00:00Z"),
    ]
    assert [x[1:] for x in await watch.pass_seconds(60)] == [("a2", True), ("a2", True)]


async def test_a_server_that_is_down_is_tried_again_with_pauses_for_ever(watch: Watch) -> None:
    watch.receiver.status = 503
    watch.journal.changes += [incident()]
    await watch.pass_seconds(3600)
    failed = watch.posts("failed")
    assert failed is not None
    assert 100 < failed < 140  # 1, 2, 4, 8, 16 and then 30 seconds apart
    watch.receiver.status = 200
    told = await watch.pass_seconds(61)
    assert [x[1:] for x in told][:2] == [("a1", True), ("a1", True)]
    assert watch.posts("sent") == len(told)


async def test_an_end_during_an_outage_is_not_lost(watch: Watch) -> None:
    watch.journal.changes.append(incident())
    await watch.pass_seconds(60)
    watch.receiver.status = 503
    watch.journal.changes.append(resolved())
    await watch.pass_seconds(600)
    watch.receiver.status = 200
    told = await watch.pass_seconds(120)
    assert [x[1:] for x in told] == [("a1", False)] * 3


@pytest.mark.parametrize("status", [200, 503])
async def test_a_clock_that_is_set_back_holds_no_post_up(watch: Watch, status: int) -> None:
    """Alertmanager ends what is not posted again within a minute and a half."""
    watch.journal.changes.append(incident())
    await watch.pass_seconds(10)
    watch.receiver.status = status
    await watch.pass_seconds(30)
    watch.now -= HOUR
    watch.receiver.status = 200
    assert len(await watch.pass_seconds(61)) == 2


async def test_a_clock_that_is_set_forward_tells_once_and_goes_on(watch: Watch) -> None:
    watch.journal.changes.append(incident())
    await watch.pass_seconds(10)
    watch.now += HOUR
    assert [x[0] - 3600 for x in await watch.pass_seconds(61)] == [10, 40, 70]


async def test_a_rejected_post_is_not_repeated_at_once(watch: Watch) -> None:
    watch.receiver.status = 400
    watch.journal.changes.append(incident())
    await watch.pass_seconds(31)
    assert watch.posts("rejected") == 2
    assert watch.posts("failed") == 0


async def test_many_alerts_go_in_several_posts(watch: Watch) -> None:
    watch.journal.changes += [
        incident(f"a{i}", labels={**incident().labels, "segment": str(i)}) for i in range(BATCH + 1)
    ]
    await watch.pusher.step()
    assert [len(post) for post in watch.receiver.posts] == [BATCH, 1]


async def test_the_loop_survives_a_fault_of_the_reading(receiver: tuple[Receiver, str]) -> None:
    held, url = receiver
    watch = Watch(url, held, look_seconds=0.01)
    read = watch.journal.alerts_after
    calls = 0

    def fails_twice(sequence: int) -> tuple[list[Incident], int]:
        nonlocal calls
        calls += 1
        if calls <= 2:
            raise OSError
        return read(sequence)

    watch.journal.alerts_after = fails_twice  # type: ignore[method-assign]
    watch.journal.changes.append(incident())
    await _while_running(watch, lambda: _until(lambda: bool(held.posts)))
    assert held.posts[0][0]["annotations"]["alert_id"] == "a1"


async def test_news_is_posted_without_waiting_for_the_next_look(
    receiver: tuple[Receiver, str],
) -> None:
    held, url = receiver
    watch = Watch(url, held, look_seconds=3600)

    async def tell() -> None:
        await asyncio.sleep(0.05)
        watch.journal.changes.append(incident())
        watch.pusher.notify()
        await _until(lambda: bool(held.posts))

    await _while_running(watch, tell)


async def _while_running(watch: Watch, act: Callable[[], Awaitable[None]]) -> None:
    task = asyncio.create_task(watch.pusher.run())
    try:
        await asyncio.wait_for(act(), 10)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110
        await asyncio.sleep(0.01)

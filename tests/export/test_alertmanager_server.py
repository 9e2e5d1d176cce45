"""The pusher against a real Alertmanager: what it shows, and what it notifies."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry

from monitor.clock import wall_clock
from monitor.export.pusher import AlertmanagerPusher
from monitor.journal.records import records
from monitor.journal.store import Store
from monitor.model.time import DAY, SECOND, to_rfc3339
from monitor.telemetry import Counters
from tests.journal.examples import changed, incident, resolved
from tests.system import servers

pytestmark = pytest.mark.system

_CONFIG = """
route: {receiver: hook, group_wait: 1s, group_interval: 1s, repeat_interval: 1h, group_by: [metric]}
receivers: [{name: hook, webhook_configs: [{url: "%s", send_resolved: true}]}]
"""


def start(folder: Path, hook: str, port: int) -> servers.Server:
    try:
        binary = servers.program("prometheus-alertmanager", "alertmanager")
    except servers.MissingError as missing:
        if os.environ.get("MONITOR_REQUIRE_SERVERS") == "1":
            pytest.fail(f"{missing} (MONITOR_REQUIRE_SERVERS=1 forbids the skip)")
        pytest.skip(f"needs a real server: {missing}")
    config = folder / "alertmanager.yml"
    config.write_text(_CONFIG % hook)
    address = f"127.0.0.1:{port}"
    command = [
        binary,
        f"--config.file={config}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    return servers.start(
        "alertmanager",
        command,
        address=address,
        folder=folder,
        ready=servers.http_ready(f"http://{address}/-/ready"),
    )


class Scene:
    """A store, a pusher that runs over it, an Alertmanager, and a receiver of notifications."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(folder / "monitor.db")
        self.port = servers.free_port()
        self.registry = CollectorRegistry()
        self.notified: list[tuple[str, str]] = []
        self.hook = TestServer(self._hook_app())
        self.server: servers.Server | None = None
        self.task: asyncio.Task[None] | None = None

    def _hook_app(self) -> web.Application:
        async def take(request: web.Request) -> web.Response:
            for alert in (await request.json())["alerts"]:
                self.notified.append((alert["status"], alert["annotations"]["alert_id"]))
            return web.Response()

        app = web.Application()
        app.router.add_post("/", take)
        return app

    async def open(self) -> None:
        """The pusher runs, and waits for what happens; nothing listens on its address yet."""
        pusher = AlertmanagerPusher(
            f"http://127.0.0.1:{self.port}",
            self.store,
            wall_clock,
            counters=Counters(self.registry),
            interval_seconds=1,
            hold_seconds=2,
            look_seconds=0.1,
        )
        self.task = asyncio.create_task(pusher.run())
        await asyncio.sleep(0.3)

    async def begin(self) -> None:
        """Alertmanager starts."""
        if not self.hook.started:
            await self.hook.start_server()
        hook = str(self.hook.make_url("/"))
        self.server = await asyncio.to_thread(start, self.folder, hook, self.port)

    def end(self) -> None:
        if self.server is not None:
            self.server.stop()
            self.server = None

    async def close(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        self.end()
        await self.hook.close()
        self.store.close()

    async def shown(self) -> list[dict[str, Any]]:
        """The alerts that Alertmanager has."""
        url = f"http://127.0.0.1:{self.port}/api/v2/alerts"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            found: list[dict[str, Any]] = await answer.json()
            return found

    async def shows(self, count: int) -> list[dict[str, Any]]:
        """Wait until it has so many."""
        async with asyncio.timeout(15):
            while len(found := await self.shown()) != count:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        return found

    async def notifies(self, *expected: tuple[str, str]) -> None:
        async with asyncio.timeout(20):
            while not set(expected) <= set(self.notified):  # noqa: ASYNC110
                await asyncio.sleep(0.1)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loopback is never behind a proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(tmp_path)
    await made.begin()
    await made.open()
    try:
        yield made
    finally:
        await made.close()


async def test_an_incident_is_shown_with_labels_and_annotations_and_ends(scene: Scene) -> None:
    started = to_rfc3339(wall_clock() - 600 * SECOND)
    live = incident(started_at=started)
    scene.store.commit(records(changed(live)))
    (alert,) = await scene.shows(1)
    assert alert["labels"] == live.labels
    assert (
        alert["annotations"]["summary"] == "errors rose by 100 %: 0.25 against an expected 0.125."
    )
    assert alert["startsAt"][:19] == started[:19]
    assert alert["status"]["state"] == "active"
    await scene.notifies(("firing", "a1"))
    scene.store.commit(records(changed(resolved(started_at=started))))
    await scene.shows(0)
    await scene.notifies(("resolved", "a1"))


async def test_an_incident_of_the_past_that_is_over_is_notified_and_ends(scene: Scene) -> None:
    """As when a backlog is worked off: it fired and ended a month ago, between two looks."""
    started = to_rfc3339(wall_clock() - 30 * DAY)
    life = [incident(started_at=started), resolved(started_at=started)]
    scene.store.commit([record for state in life for record in records(changed(state))])
    (alert,) = await scene.shows(1)
    assert alert["startsAt"][:19] == started[:19]
    await scene.notifies(("firing", "a1"))
    await scene.shows(0)
    await scene.notifies(("resolved", "a1"))


async def test_a_firing_alert_stays_while_it_is_posted_and_ends_when_the_monitor_dies(
    scene: Scene,
) -> None:
    scene.store.commit(records(changed(incident())))
    await scene.shows(1)
    await asyncio.sleep(4.5)  # longer than the three intervals after which it would end
    assert len(await scene.shown()) == 1
    assert scene.task is not None
    scene.task.cancel()
    await asyncio.sleep(0.5)
    assert len(await scene.shown()) == 1
    await scene.shows(0)


async def test_an_alertmanager_that_was_away_is_told_what_fires(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    try:
        await scene.open()
        scene.store.commit(records(changed(incident())))
        await asyncio.sleep(1.5)
        failed = {"outcome": "failed"}
        assert scene.registry.get_sample_value("monitor_alertmanager_posts_total", failed)
        await scene.begin()
        await scene.shows(1)
        scene.end()
        for path in (tmp_path / "data").iterdir():
            path.unlink()
        await scene.begin()
        await scene.shows(1)
    finally:
        await scene.close()

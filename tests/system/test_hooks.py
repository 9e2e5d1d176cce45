"""The example of one's own stream processor, against a real broker and a webhook that counts."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry

from monitor.api.app import create_app
from monitor.api.tokens import Tokens
from monitor.journal.store import Store
from monitor.kafka.appending import appending
from monitor.kafka.broker import Broker
from monitor.kafka.topics import Topics
from monitor.model.annotation import Annotation, deletion_of, record_of
from monitor.model.incident import IncidentState
from monitor.model.record import Record, Stream
from monitor.settings import Api
from tests.journal.examples import T0, incident, plan
from tests.system.kafka_io import create_topic, until
from tests.system.running import Run, configured
from tests.system.servers import Kafka

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "resolved_to_webhook.py"
SESSION_SECONDS = 120
"""Whoever follows on one that was killed waits until its session ends, a minute by Faust's default."""


@dataclass
class Webhook:
    """What was posted: idempotency keys, in order; the first so many are refused."""

    keys: list[str] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    refusals: int = 0
    server: Any = None

    async def take(self, request: web.Request) -> web.Response:
        if self.refusals:
            self.refusals -= 1
            return web.Response(status=503)
        self.keys.append(request.headers["Idempotency-Key"])
        self.bodies.append(await request.json())
        return web.Response()

    @property
    def url(self) -> str:
        return str(self.server.make_url("/hook"))

    def ids(self) -> set[str]:
        return {key.split("|")[0] for key in self.keys}


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    made = Webhook()
    app = web.Application()
    app.add_routes([web.post("/hook", made.take)])
    made.server = TestServer(app)
    await made.server.start_server()
    yield made
    await made.server.close()


def alert(number: int, state: IncidentState = IncidentState.RESOLVED) -> Record:
    now = datetime.now(UTC).isoformat()
    told = msgspec.structs.replace(
        incident(), alert_id=f"a{number}", state=state, resolved_at=now, updated_at=now
    )
    return Record(stream=Stream.ALERTS, key=told.alert_id, value=msgspec.json.encode(told))


@asynccontextmanager
async def worker(config: Path, url: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The example as a user starts it; killed at the end."""
    folder = config.parent
    with (folder / "worker.log").open("ab") as out:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(EXAMPLE),
            "--datadir",
            str(folder / "faust"),
            "worker",
            "--without-web",
            "-l",
            "info",
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "MONITOR_CONFIG": str(config),
                "WEBHOOK_URL": url,
            },
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


@pytest.mark.system
async def test_every_resolved_incident_reaches_the_webhook(
    tmp_path: Path, kafka: Kafka, webhook: Webhook
) -> None:
    broker = Broker(address=kafka.address)
    topics = Topics(prefix=tmp_path.name, shards=2)
    await topics.ensure(broker)
    config = configured(
        tmp_path / "config",
        f'source: {{kafka: {{bootstrap_servers: "{kafka.address}", topic: x}}}}\n'
        f"journal: {{kafka: {{prefix: {tmp_path.name}, shards: 2}}}}\n",
    )

    def posted(*numbers: int) -> Any:
        async def has_come() -> bool:
            return webhook.ids() >= {f"a{number}" for number in numbers}

        return until(has_come, SESSION_SECONDS)

    async with appending(broker, topics) as append:
        webhook.refusals = 1
        await append([alert(1), alert(2, IncidentState.FIRING), alert(3)])
        await append([Record(stream=Stream.ALERTS, key="a9", value=None)])
        async with worker(config, webhook.url):
            await posted(1, 3)
            await append([alert(1)])  # a core that was killed says it again
            await append([alert(4)])
            await posted(4)
            await append([alert(5)])
            await posted(5)
        assert sorted(webhook.keys) == [f"a{n}|resolved" for n in (1, 3, 4, 5)]
        await append([alert(6), alert(7)])  # while nobody works
        async with worker(config, webhook.url):
            await posted(6, 7)
    assert webhook.ids() == {"a1", "a3", "a4", "a5", "a6", "a7"}
    assert webhook.bodies[0]["summary"]


@pytest.mark.system
async def test_the_role_hooks_keeps_grafana(tmp_path: Path, kafka: Kafka) -> None:
    """Grafana's side is our own annotations API, which keeps to its bodies and answers."""
    broker = Broker(address=kafka.address)
    topics = Topics(prefix=tmp_path.name, shards=2)
    await topics.ensure(broker)
    await asyncio.to_thread(create_topic, kafka.address, f"{tmp_path.name}.events", 1)
    with Store(tmp_path / "grafana.db") as shown:
        app = create_app(
            shown,
            plan(),
            clock=lambda: T0,
            registry=CollectorRegistry(),
            tokens=Tokens.of(Api(), {"MONITOR_TOKEN": "g"}),
        )
        grafana = TestServer(app)
        await grafana.start_server()
        config = configured(
            tmp_path / "config",
            f'source: {{kafka: {{bootstrap_servers: "{kafka.address}", topic: '
            f"{tmp_path.name}.events}}}}\n"
            f"journal: {{kafka: {{prefix: {tmp_path.name}, shards: 2}}}}\n"
            f'grafana: {{url: "{grafana.make_url("/")}", token_env: GRAFANA_TOKEN}}\n',
        )
        run = Run(config, tmp_path / "state", ["--roles", "hooks"])

        def texts() -> list[str]:
            found = shown.documents(Stream.RELEASES).values()
            return sorted(msgspec.json.decode(value)["text"] for value in found)

        async def has(*wanted: str) -> None:
            async def it_does() -> bool:
                return texts() == sorted(wanted)

            await until(it_does, SESSION_SECONDS)

        def noted(number: int, text: str) -> Record:
            at: dict[str, Any] = {"time_us": T0, "time_end_us": T0}
            made = Annotation(id=number, text=text, created_us=T0, updated_us=T0, **at)
            return record_of(made)

        os.environ["GRAFANA_TOKEN"] = "g"
        try:
            async with appending(broker, topics) as append:
                await append([noted(1, "before it started")])
                run.start()
                await has("before it started")
                await append([noted(2, "while it runs")])
                await has("before it started", "while it runs")
                run.kill("hooks")
                await append([noted(1, "changed"), deletion_of(2)])
                await has("changed")
        finally:
            os.environ.pop("GRAFANA_TOKEN")
            code, seconds = await asyncio.to_thread(run.stop)
            await grafana.close()
    assert code == 0
    assert seconds < 15

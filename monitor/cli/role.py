"""The process of one role: `python -m monitor.cli.role ROLE ...`, started by `monitor run`.

It composes what the roles are made of, and ends gracefully on SIGTERM, on SIGINT, and where its
standard input ends, which says that the supervisor is gone.
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterable, Awaitable, Callable
from pathlib import Path

import click
import structlog
from prometheus_client import CollectorRegistry, Counter

from monitor import telemetry
from monitor.api.app import create_app
from monitor.api.serving import serve
from monitor.api.tokens import Tokens
from monitor.cli.clock_watch import watch_clock
from monitor.clock import wall_clock
from monitor.definitions import Configuration, load
from monitor.errors import MonitorError
from monitor.export.grafana import GrafanaKeeper, grafana_keeper
from monitor.export.pusher import AlertmanagerPusher
from monitor.journal.store import Store
from monitor.kafka.broker import on_loop_error
from monitor.kafka.hooks import Hooks, hooks_of
from monitor.kafka.ingest_worker import relax_collector
from monitor.kafka.service import Service
from monitor.kafka.state_folder import StateFolder
from monitor.settings import environment
from monitor.telemetry import Counters

_GRACE_SECONDS = 8.0
_NOT_CAUGHT_UP = "the view has not caught up with the journal"
_log = structlog.get_logger(__name__)


class Role:
    """What the roles share in their processes."""

    def __init__(
        self, configuration: Configuration, folder: StateFolder, counters: Counters
    ) -> None:
        self.configuration = configuration
        self.service = Service.of(configuration)
        self.folder = folder
        self.counters = counters

    async def ingest(self, stopping: asyncio.Event) -> None:
        """Events to frames."""
        worker = await self.service.ingest(
            clock=wall_clock, counters=self.counters, instance=self.folder.instance("ingest")
        )
        await worker.run(stopping)

    async def core(self, stopping: asyncio.Event) -> None:
        """Frames to decisions."""
        worker = self.service.core(counters=self.counters, instance=self.folder.instance("core"))
        await worker.run(stopping)

    async def serve(self, stopping: asyncio.Event) -> None:
        """The view, the API, and what Alertmanager is told."""
        settings = self.configuration.settings
        caught_up = asyncio.Event()
        tokens = Tokens.of(settings.api, environment())
        async with contextlib.AsyncExitStack() as open_now:
            store = open_now.enter_context(Store(self.folder.view(await self.service.cluster())))
            append = await open_now.enter_async_context(self.service.appending())
            app = create_app(
                store,
                self.service.plan,
                clock=wall_clock,
                registry=CollectorRegistry(),
                ready=lambda: () if caught_up.is_set() else (_NOT_CAUGHT_UP,),
                segments=settings.prometheus.segments,
                max_series=settings.prometheus.max_series,
                multiprocess_dir=self.folder.counters,
                tokens=tokens,
                open_reads=settings.api.open_reads,
                github_secret=environment().get(settings.api.github_secret_env, ""),
                append=append,
                tell=append.tell,
            )
            running = await serve(app, settings.api.host, settings.api.port, protected=bool(tokens))
            pusher = self._pusher(store, running.url)
            view = self.service.view(
                store,
                counters=self.counters,
                changed=pusher.notify if pusher else _nothing,
                caught_up=caught_up.set,
            )
            pushing = asyncio.create_task(_push(pusher, caught_up))
            try:
                await view.run(stopping)
            finally:
                pushing.cancel()
                await asyncio.wait({pushing})
                await running.stop()

    async def hooks(self, stopping: asyncio.Event) -> None:
        """What is told to Grafana: looked at when a stream has news, and by a timer."""
        store_path = self.folder.view(await self.service.cluster(), of="hooks")
        async with contextlib.AsyncExitStack() as open_now:
            store = open_now.enter_context(Store(store_path))
            append = await open_now.enter_async_context(self.service.appending())
            keeper = grafana_keeper(
                self.configuration.settings.grafana, environment(), store, append
            )
            hooks = hooks_of(self.configuration, name=f"{self.service.topics.prefix}.hooks")
            caught_up = asyncio.Event()
            if keeper is not None:
                _listen(hooks, keeper)
            view = self.service.view(
                store, counters=self.counters, changed=_nothing, caught_up=caught_up.set
            )
            keeping = asyncio.create_task(_keep(keeper, caught_up))
            try:
                async with hooks.app:
                    await view.run(stopping)
            finally:
                keeping.cancel()
                await asyncio.wait({keeping})

    def _pusher(self, store: Store, url: str) -> AlertmanagerPusher | None:
        alertmanager = self.configuration.settings.alertmanager
        if alertmanager is None:
            return None
        return AlertmanagerPusher(
            alertmanager.url, store, wall_clock, counters=self.counters, base_url=url
        )


def _listen(hooks: Hooks, keeper: GrafanaKeeper) -> None:
    """Agents that have the keeper look at once."""
    for name, stream in (("releases", hooks.releases), ("verdicts", hooks.verdicts)):

        @hooks.app.agent(stream, name=f"grafana-{name}")  # type: ignore[untyped-decorator]
        async def look(told: AsyncIterable[object]) -> None:
            async for _ in told:
                keeper.notify()


async def _keep(keeper: GrafanaKeeper | None, caught_up: asyncio.Event) -> None:
    await caught_up.wait()
    if keeper is not None:
        await keeper.run()


def _nothing() -> None:
    """Nobody is told."""


async def _push(pusher: AlertmanagerPusher | None, caught_up: asyncio.Event) -> None:
    """Tell Alertmanager, from when the view is no longer behind: what is over is no news."""
    await caught_up.wait()
    if pusher is not None:
        await pusher.run()


async def _until_stopped(work: Callable[[asyncio.Event], Awaitable[None]], jumps: Counter) -> None:
    """Run a role until it is told to stop, and then for a few seconds at most."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(on_loop_error)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    orphaned = asyncio.create_task(_orphaned(stopping))
    watching = asyncio.create_task(watch_clock(wall_clock, jumps))
    working = asyncio.ensure_future(work(stopping))
    told = asyncio.create_task(stopping.wait())
    await asyncio.wait({working, told}, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.wait({working}, timeout=_GRACE_SECONDS)
    orphaned.cancel()
    watching.cancel()
    told.cancel()
    if not working.done():
        _log.error("role.overdue", after_seconds=_GRACE_SECONDS)
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
    await working


async def _orphaned(stopping: asyncio.Event) -> None:
    """Set `stopping` when standard input ends."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1):
        pass
    if not stopping.is_set():
        _log.warning("role.orphaned")
        stopping.set()


@click.command()
@click.argument("name", type=click.Choice(["ingest", "core", "serve", "hooks"]))
@click.option("--config", type=click.Path(path_type=Path), required=True)
@click.option("--state", type=click.Path(path_type=Path), required=True)
@click.option("--instance")
@click.option("--again", is_flag=True)
def command(name: str, config: Path, state: Path, instance: str | None, again: bool) -> None:
    """Run one role; its supervisor holds the other end of standard input."""
    telemetry.configure()
    structlog.contextvars.bind_contextvars(role=name)
    configuration = load(config, environment=environment())
    counters = Counters(CollectorRegistry())
    if again:
        counters.restarts.labels(name).inc()
    relax_collector()
    with contextlib.closing(StateFolder.of(configuration, state, name=instance)) as folder:
        role = Role(configuration, folder, counters)
        asyncio.run(_until_stopped(getattr(role, name), counters.clock_jumps.labels(name)))


def main() -> int:
    """Run the role; an error that a person can mend is one line of the log."""
    try:
        command(standalone_mode=False)
    except MonitorError as error:
        _log.error("role.failed", error=str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())

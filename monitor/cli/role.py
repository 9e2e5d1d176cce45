"""The process of one role: `python -m monitor.cli.role ROLE ...`, started by `monitor run`.

It composes what the roles are made of, and ends gracefully on SIGTERM, on SIGINT, and where its
standard input ends, which says that the supervisor is gone.
"""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

import click
import structlog
from prometheus_client import CollectorRegistry

from monitor import telemetry
from monitor.cli.clock_watch import watch_clock
from monitor.cli.role_parts import Parts
from monitor.cli.tuning import ask_for_long_turns, relax_collector, share_one_heap
from monitor.cli.vitals import keep_vitals
from monitor.clock import wall_clock
from monitor.definitions import load
from monitor.errors import MonitorError
from monitor.kafka.broker import on_loop_error
from monitor.kafka.service import Service
from monitor.kafka.state_folder import StateFolder
from monitor.settings import environment
from monitor.telemetry import Counters

_GRACE_SECONDS = 8.0
_log = structlog.get_logger(__name__)


class Role:
    """The roles; each imports what it needs, since a process that only decides starts a second sooner."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    async def ingest(self, stopping: asyncio.Event) -> None:
        """Events to frames."""
        parts = self.parts
        ask_for_long_turns()
        worker = await parts.service.ingest(
            clock=wall_clock, counters=parts.counters, instance=parts.folder.instance("ingest")
        )
        await worker.run(stopping)

    async def core(self, stopping: asyncio.Event) -> None:
        """Frames to decisions."""
        parts = self.parts
        worker = parts.service.core(counters=parts.counters, instance=parts.folder.instance("core"))
        await worker.run(stopping)

    async def serve(self, stopping: asyncio.Event) -> None:
        """The view, the API, and what Alertmanager is told."""
        from monitor.cli import role_serve  # noqa: PLC0415

        await role_serve.run(self.parts, stopping)

    async def hooks(self, stopping: asyncio.Event) -> None:
        """What is told to Grafana."""
        from monitor.cli import role_hooks  # noqa: PLC0415

        await role_hooks.run(self.parts, stopping)


async def _until_stopped(
    work: Callable[[asyncio.Event], Awaitable[None]],
    watches: Callable[[], Iterable[Coroutine[Any, Any, None]]],
) -> None:
    """Run a role until it is told to stop, and then for a few seconds at most."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(on_loop_error)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    beside = [asyncio.create_task(watch) for watch in (_orphaned(stopping), *watches())]
    working = asyncio.ensure_future(work(stopping))
    told = asyncio.create_task(stopping.wait())
    await asyncio.wait({working, told}, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.wait({working}, timeout=_GRACE_SECONDS)
    for watching in (*beside, told):
        watching.cancel()
    if not working.done():
        _log.error("role.overdue", after_seconds=_GRACE_SECONDS)
        working.cancel()
        await asyncio.wait({working})
        return
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
    relax_collector()
    share_one_heap()
    with contextlib.closing(StateFolder.of(configuration, state, name=instance)) as folder:
        telemetry.count_as(folder.seat(name))
        counters = Counters(CollectorRegistry())
        if again:
            counters.restarts.labels(name).inc()
        parts = Parts(
            configuration=configuration,
            service=Service.of(configuration),
            folder=folder,
            counters=counters,
        )
        role, jumps = Role(parts), counters.clock_jumps.labels(name)
        asyncio.run(
            _until_stopped(
                getattr(role, name),
                lambda: (watch_clock(wall_clock, jumps), keep_vitals(name, counters, wall_clock)),
            )
        )


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

"""`monitor demo`: the service on the synthetic shop, in one process, without a broker."""

import asyncio
import contextlib
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
from prometheus_client import CollectorRegistry

from monitor import telemetry
from monitor.cli.demo_screen import Screen
from monitor.cli.one_process import OneProcess, stopped_by_signals
from monitor.clock import wall_clock
from monitor.definitions import Configuration, compile_plan, load
from monitor.embedded.engine import Engine
from monitor.embedded.feeds import SHOP, ShopFeed
from monitor.embedded.state_file import StoreKeeper, held
from monitor.embedded.story import CompressedClock, Story
from monitor.errors import MonitorError
from monitor.model.quantity import parse_duration
from monitor.model.time import DAY, MINUTE, SECOND
from monitor.settings import environment
from monitor.telemetry import Counters

CONFIG = Path(__file__).parent / "demo_config"
_KEPT_US = 2 * DAY
_STEP_MINUTES = 240


class Span(click.ParamType):
    """A duration such as 60s, in seconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds of the text."""
        if isinstance(value, float):
            return value
        try:
            return parse_duration(value) / SECOND
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.option("--for", "lasts", type=Span(), metavar="60s", help="End after so long.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Of page, API and /metrics [8321].")
@click.option("--seed", type=int, default=7, show_default=True, help="Of the shop.")
@click.option("--json", "as_json", is_flag=True, help="Print alerts as lines of JSON.")
def command(lasts: float | None, port: int | None, seed: int, as_json: bool) -> None:
    """See an incident found, understood and resolved.

    A synthetic shop is learnt from three weeks of its history, in seconds. Then its last six hours pass
    in compressed time: orders of one country fall, and a new version breaks requests on one platform.
    """
    telemetry.configure(level="warning")
    configuration = load(
        CONFIG, environment={**environment(), "MONITOR__API__PORT": str(_free(port))}
    )
    screen = Screen(as_json=as_json)
    with tempfile.TemporaryDirectory(prefix="monitor-demo-") as folder:
        asyncio.run(_run(configuration, Path(folder), screen, seed=seed, lasts=lasts))
    screen.end()


def _free(port: int | None) -> int:
    """The port that was asked for, or 8321; where that is in use and was not asked for, any."""
    wanted = 8321 if port is None else port
    try:
        with socket.create_server(("127.0.0.1", wanted)):
            return wanted
    except OSError as error:
        if port is None:
            return 0
        message = f"--port {port}: cannot be listened on ({error.strerror}); name another, or none"
        raise MonitorError(message) from error


async def _run(
    configuration: Configuration, folder: Path, screen: Screen, *, seed: int, lasts: float | None
) -> None:
    plan = compile_plan(configuration)
    story = Story.ending(wall_clock(), seed=seed)
    registry, stopping = CollectorRegistry(), asyncio.Event()
    counters = Counters(registry)
    with held(folder / "demo.db") as store, stopped_by_signals(stopping), _timer(stopping, lasts):
        engine = Engine(
            StoreKeeper(store),
            plan,
            fields=None,
            sources=[SHOP],
            clock=wall_clock,
            counters=counters,
            keep_from_us=story.compressed_us - _KEPT_US,
        )
        await _learn(story, engine, screen, stopping)
        if stopping.is_set():
            return
        clock = CompressedClock(wall_clock, story.compressed_us)
        feed = ShopFeed(engine, SHOP, story.shop(aggregated=False), clock)
        service = OneProcess(
            configuration=configuration,
            plan=plan,
            store=store,
            engine=engine,
            feed=feed,
            registry=registry,
            counters=counters,
            clock=clock,
        )
        watching = asyncio.create_task(screen.watch(story, clock))
        try:
            await service.run(
                stopping,
                decided=screen.decided,
                listening=lambda running: screen.listening(running.url),
            )
        finally:
            watching.cancel()
            await asyncio.wait({watching})


async def _learn(story: Story, engine: Engine, screen: Screen, stopping: asyncio.Event) -> None:
    """Work through the history, up to where time is compressed."""
    shop = story.shop(aggregated=True)
    feed = ShopFeed(engine, SHOP, shop, lambda: story.compressed_us)
    minutes = (story.compressed_us - story.start_us) // MINUTE
    with screen.learning(minutes) as advance:
        while feed.minute < minutes and not stopping.is_set():
            before = feed.minute
            await asyncio.to_thread(feed.step, minutes=_STEP_MINUTES)
            advance(feed.minute - before)


@contextlib.contextmanager
def _timer(stopping: asyncio.Event, seconds: float | None) -> Iterator[None]:
    """Sets the event after so many seconds."""
    if seconds is None:
        yield
        return
    handle = asyncio.get_running_loop().call_later(seconds, stopping.set)
    try:
        yield
    finally:
        handle.cancel()

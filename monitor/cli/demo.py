"""`monitor demo`: the service on the synthetic shop, in one process, without a broker."""

import asyncio
import socket
import tempfile
from dataclasses import replace
from pathlib import Path

import click
from prometheus_client import CollectorRegistry

from monitor import telemetry
from monitor.api.serving import Running
from monitor.cli.demo_events import produce_events, write_file
from monitor.cli.demo_pipeline import run_pipelines
from monitor.cli.demo_screen import Screen
from monitor.cli.one_process import OneProcess, ends_after, stopped_by_signals
from monitor.clock import wall_clock
from monitor.definitions import Configuration, compile_plan, load
from monitor.embedded.engine import Engine
from monitor.embedded.feeds import SHOP, ShopFeed
from monitor.embedded.state_file import StoreKeeper, held
from monitor.embedded.story import HISTORY_US, CompressedClock, Story
from monitor.errors import MonitorError
from monitor.ingest.synthetic import parse_fault
from monitor.kafka.broker import Broker
from monitor.kafka.connections import source_broker
from monitor.model.quantity import parse_duration
from monitor.model.time import DAY, MINUTE, from_rfc3339
from monitor.settings import environment
from monitor.telemetry import Counters

CONFIG = Path(__file__).parent / "demo_config"
_KEPT_US = 2 * DAY
_STEP_MINUTES = 240
_WRITE = (
    "Write the events to FILE (.ndjson, .gz, .zst) and the truth about faults to FILE.truth.json."
)
_FAULT = (
    "Instead of the usual ones, such as incident:orders,country=DE:-45%@2026-11-20T14:05:00Z/80m; kinds "
    "are incident, bad_release, mix_shift, broken_tracking. May be repeated."
)


class Span(click.ParamType):
    """A duration such as 60s, in microseconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Microseconds of the text."""
        if isinstance(value, int):
            return value
        try:
            return parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Instant(click.ParamType):
    """A time such as 2026-11-20T12:00:00Z, in microseconds."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Microseconds of the text."""
        try:
            return value if isinstance(value, int) else from_rfc3339(str(value))
        except ValueError:
            self.fail(f"{value!r} is not a time such as 2026-11-20T12:00:00Z", param, ctx)


@click.command()
@click.option("--for", "lasts_us", type=Span(), metavar="60s", help="End after so long.")
@click.option("--port", type=click.IntRange(0, 65_535), help="Of page, API and /metrics [8321].")
@click.option("--seed", type=int, default=7, show_default=True, help="Of the shop.")
@click.option("--write", type=click.Path(path_type=Path), metavar="FILE", help=_WRITE)
@click.option(
    "--kafka", metavar="HOST:PORT", help="Produce the events to a broker, and go on live."
)
@click.option("--topic", default="events", show_default=True, help="Of --kafka.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Of --kafka: folder whose source.kafka.security lets in [neither TLS nor login].",
)
@click.option(
    "--history",
    "history_us",
    type=Span(),
    default=HISTORY_US,
    metavar="19d",
    help="How much comes before the last six hours.",
)
@click.option(
    "--until", "until_us", type=Instant(), metavar="TIME", help="Of --write: its end [now]."
)
@click.option("--fault", "faults", multiple=True, metavar="TEXT", help=_FAULT)
@click.option("--single", is_flag=True, help="Of --write: no line stands for several events.")
@click.option("--json", "as_json", is_flag=True, help="Print alerts as lines of JSON.")
def command(
    *,
    lasts_us: int | None,
    port: int | None,
    seed: int,
    write: Path | None,
    kafka: str | None,
    topic: str,
    config: Path | None,
    history_us: int,
    until_us: int | None,
    faults: tuple[str, ...],
    single: bool,
    as_json: bool,
) -> None:
    """See an incident found, understood and resolved.

    A synthetic shop is learnt from weeks of its history, in seconds. Then its last six hours pass in
    compressed time: orders of one country fall, and a new version breaks requests on one platform, of
    which a pipeline tells and asks the gate.
    --write and --kafka give the events of the same story to others instead.
    """
    if write is not None and kafka is not None:
        message = "--write and --kafka exclude each other"
        raise click.UsageError(message)
    if config is not None and kafka is None:
        message = "--config belongs to --kafka"
        raise click.UsageError(message)
    if write is None and (single or until_us is not None):
        message = "--single and --until belong to --write"
        raise click.UsageError(message)
    chosen = [parse_fault(text) for text in faults] or None
    end_us = wall_clock() if until_us is None else until_us
    story = Story.ending(end_us, seed=seed, history_us=history_us, faults=chosen)
    if write is not None:
        write_file(story, write, single=single)
    elif kafka is not None:
        asyncio.run(produce_events(story, _broker(kafka, config), topic, lasts_us=lasts_us))
    else:
        _watch(story, port=port, lasts_us=lasts_us, as_json=as_json)


def _broker(address: str, config: Path | None) -> Broker:
    """The broker at an address, with what a configuration says of TLS and login."""
    if config is None:
        return Broker(address=address, setting="--kafka")
    settings = load(config, environment=environment()).settings
    return replace(source_broker(settings), address=address, setting="--kafka")


def _watch(story: Story, *, port: int | None, lasts_us: int | None, as_json: bool) -> None:
    """The service on the shop."""
    telemetry.configure(level="warning")
    variables = {**environment(), "MONITOR__API__PORT": str(_free(port))}
    configuration = load(CONFIG, environment=variables)
    screen = Screen(as_json=as_json)
    with tempfile.TemporaryDirectory(prefix="monitor-demo-") as folder:
        asyncio.run(_run(configuration, Path(folder), screen, story, lasts_us=lasts_us))
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
    configuration: Configuration,
    folder: Path,
    screen: Screen,
    story: Story,
    *,
    lasts_us: int | None,
) -> None:
    plan = compile_plan(configuration)
    registry, stopping = CollectorRegistry(), asyncio.Event()
    counters = Counters(registry)
    with (
        held(folder / "demo.db") as store,
        stopped_by_signals(stopping),
        ends_after(stopping, lasts_us),
    ):
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
        beside = {asyncio.create_task(screen.watch(story, clock))}

        def listening(running: Running) -> None:
            screen.listening(running.url, CONFIG)
            pipelines = run_pipelines(story, running.url, clock, screen.answered)
            beside.add(asyncio.create_task(pipelines))

        try:
            await service.run(stopping, decided=screen.decided, listening=listening)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)


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

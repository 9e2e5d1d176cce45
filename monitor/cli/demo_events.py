"""The events of the demo's story for others: to a file, or to a Kafka broker and on live."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from monitor.cli.one_process import ends_after, stopped_by_signals
from monitor.clock import wall_clock
from monitor.embedded import shop_file
from monitor.embedded.story import Story
from monitor.kafka.broker import Broker
from monitor.kafka.produce import produce
from monitor.model.time import DAY, MINUTE, SECOND

_STEP_MINUTES = DAY // MINUTE // 4


def write_file(story: Story, path: Path, *, single: bool) -> None:
    """The whole story, whole or not at all; the truth about its faults beside it."""
    with _minutes("writing", story.minutes) as advance:
        shop = story.shop(aggregated=not single)
        lines = shop_file.write(shop, path, story.minutes, lambda minutes, _: advance(minutes))
    click.echo(f"wrote {lines:,} lines to {path}; {path}{shop_file.TRUTH} says what went wrong")


async def produce_events(story: Story, broker: Broker, topic: str, *, lasts_us: int | None) -> None:
    """The story so far, then every minute as it ends, until told to stop.

    Raises:
        UnreachableError: no broker answers.
    """
    stopping = asyncio.Event()
    # What it says of a broker that is down is said in one line, with the remedy, by the error.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    shop = story.shop(aggregated=True)
    with stopped_by_signals(stopping), ends_after(stopping, lasts_us):
        minute = 0
        with _minutes("producing", story.minutes) as advance:
            while minute < story.minutes and not stopping.is_set():
                stop = min(minute + _STEP_MINUTES, story.minutes)
                await produce(broker, topic, shop.lines(minute, stop))
                advance(stop - minute)
                minute = stop
        place = f"topic {topic!r} on {broker.address}"
        click.echo(f"{place} has the shop's past; it goes on live", err=True)
        shop = story.shop(aggregated=False)
        while not await _is_set(stopping, (minute + 1) * MINUTE + story.start_us):
            await produce(broker, topic, shop.lines(minute, minute + 1))
            minute += 1


async def _is_set(stopping: asyncio.Event, until_us: int) -> bool:
    """Wait for the event until that time; whether it was set."""
    if stopping.is_set():  # a wait for no time at all would not see it
        return True
    try:
        await asyncio.wait_for(stopping.wait(), max(0.0, (until_us - wall_clock()) / SECOND))
    except TimeoutError:
        return False
    return True


@contextmanager
def _minutes(verb: str, total: int) -> Iterator[Callable[[int], None]]:
    """Progress over the story's minutes, on a terminal."""
    stderr = Console(stderr=True)
    columns = (TextColumn(verb), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(
        *columns,
        TimeElapsedColumn(),
        console=stderr,
        disable=not stderr.is_terminal,
        transient=True,
    ) as bar:
        task = bar.add_task(verb, total=total)
        yield lambda minutes: bar.advance(task, minutes)

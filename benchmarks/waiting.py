"""Waiting for a worker under measurement."""

import asyncio
from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from monitor.ingest.source import Ingest

DEADLINE_SECONDS = 600


async def ingested(
    events: int,
    registry: CollectorRegistry,
    made: Sequence[Ingest],
    task: asyncio.Task[None],
    stopping: asyncio.Event,
) -> None:
    """Wait until every event is in a committed frame of the worker, whose partitions are `made`."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while registry.get_sample_value("monitor_events_total", {"outcome": "accepted"}) != events:
            if task.done():
                await task
            if sum(one.position for one in made) == events:
                stopping.set()  # flushes what is left at once, not at the end of its two seconds
            await asyncio.sleep(0.01)

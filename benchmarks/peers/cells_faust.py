"""The cells in Faust: an agent and a windowed table, as its documentation shows them.

    python cells_faust.py ADDRESS TOPIC PARTITIONS EVENTS OUT

Runs alone: it imports nothing of the monitor. The key of a message is that of its cell and its Kafka
time is the event's, so neither a `group_by` (which writes every event once more) nor the parsing of
times is needed. Prints one JSON line of seconds by the clock and of the processor from the first event
to the last, and writes the cells to OUT.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import faust

ADDRESS, TOPIC, OUT = sys.argv[1], sys.argv[2], sys.argv[5]
PARTITIONS, EVENTS = int(sys.argv[3]), int(sys.argv[4])
FLUSH_SECONDS = 2.0
BATCH = 500


class Event(faust.Record, serializer="json"):  # type: ignore[misc]
    name: str
    actor: str
    dimensions: dict[str, str]
    values: dict[str, float] = {}  # noqa: RUF012 - a field


app = faust.App(
    f"faust-{TOPIC}",
    broker=f"kafka://{ADDRESS}",
    store="memory://",
    topic_partitions=PARTITIONS,
    topic_replication_factor=1,
    topic_disable_leader=True,
    web_enabled=False,
    broker_commit_interval=FLUSH_SECONDS,
    broker_max_poll_records=BATCH,
    producer_compression_type="lz4",
    producer_linger=0.05,
)
events = app.topic(TOPIC, key_type=bytes, key_serializer="raw", value_type=Event)
cells = (
    app.Table("cells", default=list, partitions=PARTITIONS, key_type=str)
    .tumbling(60.0, expires=86_400.0)
    .relative_to_stream()
)
done = asyncio.Event()
measured: dict[str, float] = {}


@app.agent(events)  # type: ignore[untyped-decorator]
async def aggregate(stream: faust.Stream[Event]) -> None:
    seen, began, busy = 0, 0.0, 0.0
    async for event in stream:
        if not seen:
            began, busy = perf_counter(), process_time()
        dimensions = event.dimensions
        key = (
            f"{event.name}|{dimensions['country']}|{dimensions['platform']}"
            f"|{dimensions['app_version']}"
        )
        count, total, actors = cells[key].value() or (0, 0.0, [])
        if event.actor not in actors:
            actors = [*actors, event.actor]
        cells[key] = [count + 1, total + event.values.get("amount", 0.0), actors]
        seen += 1
        if seen == EVENTS:
            measured.update(seconds=perf_counter() - began, cpu=process_time() - busy)
            done.set()


async def run() -> list[Any]:
    await app.start()
    await done.wait()
    return [
        [key, int(window[0]), count, total, len(actors)]
        for (key, window), (count, total, actors) in cells.table.data.items()
    ]


async def main() -> None:
    found = await run()
    await asyncio.to_thread(Path(OUT).write_text, json.dumps(found))
    print(json.dumps(measured), flush=True)
    os._exit(0)  # a graceful stop would wait for what is in its buffers


asyncio.run(main())

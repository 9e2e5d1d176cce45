"""The cells in the monitor: the workers of `monitor run`, one role in one process.

    python -m benchmarks.peers.cells_ours ingest|core CONFIG EVENTS

`ingest` brings all events into committed frames; `core` works these frames off: buckets closed, judged
against their baselines and committed to the topic `buckets`. Each prints one JSON line of seconds by the
clock and of the processor, from its first event or frame to the last commit.
"""

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from prometheus_client import CollectorRegistry

from benchmarks.waiting import DEADLINE_SECONDS, ingested
from monitor import telemetry
from monitor.cli.tuning import relax_collector
from monitor.clock import wall_clock
from monitor.definitions import load
from monitor.kafka.broker import on_loop_error
from monitor.kafka.service import Service
from monitor.kafka.topics import FRAMES
from monitor.telemetry import Counters
from tests.system.kafka_io import contents


class Watch:
    """Seconds by the clock and of the processor from the first to the last."""

    def __init__(self) -> None:
        self._began: tuple[float, float] | None = None

    def start(self) -> None:
        self._began = self._began or (perf_counter(), process_time())

    def told(self) -> str:
        if self._began is None:
            sys.exit("nothing was measured")
        wall, busy = self._began
        return json.dumps({"seconds": perf_counter() - wall, "cpu": process_time() - busy})


async def ingest(service: Service, events: int) -> str:
    registry, watch, made = CollectorRegistry(), Watch(), []
    worker = await service.ingest(clock=wall_clock, counters=Counters(registry), instance=None)
    real = worker.source.ingest

    def make(number: int, sources: int, position: int, state: Any) -> Any:
        watch.start()
        made.append(real(number, sources, position, state))
        return made[-1]

    worker = replace(worker, source=replace(worker.source, ingest=make))
    stopping = asyncio.Event()
    task = asyncio.create_task(worker.run(stopping))
    await ingested(events, registry, made, task, stopping)
    told = watch.told()
    await task
    return told


async def core(service: Service) -> str:
    shards = range(service.topics.shards)
    kept = [await contents(service.broker, service.topics.name(FRAMES), shard) for shard in shards]
    # A frame over the broker's message limit is several records.
    frames = sum(dict(record.headers)["part"] == b"0" for shard in kept for record in shard)
    del kept
    registry, watch = CollectorRegistry(), Watch()
    worker = service.core(counters=Counters(registry), instance=None)
    stopping = asyncio.Event()
    task = asyncio.create_task(worker.run(stopping))
    watch.start()
    async with asyncio.timeout(DEADLINE_SECONDS):
        while registry.get_sample_value("monitor_frames_total", {"outcome": "applied"}) != frames:
            if task.done():
                await task
            await asyncio.sleep(0.005)
    told = watch.told()
    stopping.set()
    await task
    return told


async def main() -> None:
    role, config, events = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    asyncio.get_running_loop().set_exception_handler(on_loop_error)
    service = Service.of(load(config, environment={}))
    await service.prepare()
    relax_collector()
    print(await (core(service) if role == "core" else ingest(service, events)), flush=True)


if __name__ == "__main__":
    telemetry.configure(level="error")
    asyncio.run(main())

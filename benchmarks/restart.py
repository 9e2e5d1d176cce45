"""How long a restart takes: from the start of `monitor run` to the first judged bucket, and its end.

    python benchmarks/restart.py [--series 100000]

The state is that of a service which has learnt for four weeks: eight metrics by customer, every hour of the
history filled (with noise, which compresses worst), written as the snapshots of eight shards on a real
broker. Then `monitor run` with all roles is started, stopped with SIGTERM and started again; events of the
minutes that it missed wait in the topic each time. Beside the seconds stand those of the processor that all
of it took (of the service, not of the broker): on a machine that does other work they tell more.
"""

import argparse
import asyncio
import os
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from monitor.clock import wall_clock
from monitor.core.machine import Machine
from monitor.definitions import compile_plan, load
from monitor.definitions.plan import Plan
from monitor.ingest.source import Ingest
from monitor.kafka import snapshots
from monitor.kafka.broker import Broker, Outgoing, on_loop_error, transact
from monitor.kafka.topics import SNAPSHOTS, Topics
from monitor.model.record import Stream
from monitor.model.time import MINUTE
from tests.system.kafka_io import create_topic, write
from tests.system.running import Run, configured
from tests.system.servers import free_port, running_kafka

METRICS = SHARDS = 8
EVENTS = "shop"
_SLOT_CODES = (30_000, 30_400)
"""Codes of an hour's totals that differ by some tens of percent (`baseline/codes.py`)."""
_WAIT_SECONDS = 170.0


def configure(folder: Path, address: str, port: int, customers: int) -> Path:
    lines = [
        f"  - {{name: orders_{number}, kind: count, of: {{event: order}}, segments: [customer]}}"
        for number in range(METRICS)
    ]
    return configured(
        folder / "config",
        f"source: {{kafka: {{bootstrap_servers: '{address}', topic: {EVENTS}}}}}\n"
        f"journal: {{kafka: {{shards: {SHARDS}}}}}\n"
        f"cardinality: {{per_dimension: {customers}}}\n"
        f"api: {{port: {port}}}\n",
        "metrics:\n" + "\n".join(lines) + "\n",
    )


def events(minute: int, customers: int) -> list[bytes]:
    """One line of every customer in this minute since the epoch."""
    return [
        b'{"name":"order","time":%d,"count":%d,"dimensions":{"customer":"c%d"}}'
        % (60 * minute + customer % 59, 1 + (7 * minute + customer) % 9, customer)
        for customer in range(customers)
    ]


def learnt(plan: Plan, minute: int, customers: int) -> list[bytes]:
    """The state of every shard after four weeks that end with this minute."""
    clock = wall_clock()
    ingest = Ingest(
        plan, None, source=0, sources=1, name="0", position=0, clock=lambda: clock, state=None
    )
    machines = [Machine(plan, shard) for shard in range(SHARDS)]
    position = 0
    for at in range(minute - 3, minute + 1):
        lines = events(at, customers)
        ingest.add_many(
            lines, list(range(position, position + len(lines))), clock, [-1] * len(lines)
        )
        position += len(lines)
        for shard, frame in ingest.flush().frames.items():
            machines[shard].apply(frame)
    chance = np.random.default_rng(7)
    for machine in machines:
        for lane in machine.lanes:
            history = lane.baseline._history  # noqa: SLF001 - filled as four weeks would
            for name in ("x", "n"):
                shape = history.table[name].shape
                history.table[name] = chance.integers(*_SLOT_CODES, size=shape, dtype=np.uint16)
        machine.end_history()
    return [machine.snapshot() for machine in machines]


async def put(broker: Broker, topics: Topics, states: list[bytes]) -> None:
    asyncio.get_running_loop().set_exception_handler(on_loop_error)
    await topics.ensure(broker)
    producer = broker.producer("bench")
    async with broker.running(producer):
        for shard, state in enumerate(states):
            entries = snapshots.entries(shard, 0, state)
            topic = topics.name(SNAPSHOTS)
            await transact(
                producer,
                [Outgoing(topic=topic, partition=shard, key=key, value=v) for key, v in entries],
            )


class Scene:
    """The service, and what is asked of it."""

    def __init__(
        self, folder: Path, broker: Broker, topics: Topics, *, port: int, written: set[int]
    ) -> None:
        self.broker, self.topics, self.written = broker, topics, written
        self.ready = f"http://127.0.0.1:{port}/readyz"
        self.run = Run(folder / "config", folder / "state")

    async def produce(self, minutes: range, customers: int) -> None:
        lines = [line for minute in minutes for line in events(minute, customers)]
        for at in range(0, len(lines), 10_000):
            batch = lines[at : at + 10_000]
            await write(
                self.broker, [Outgoing(topic=EVENTS, partition=0, value=line) for line in batch]
            )

    async def ends(self, consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
        places = [TopicPartition(self.topics.name(Stream.BUCKETS), shard) for shard in self.written]
        found: dict[TopicPartition, int] = await consumer.end_offsets(places)
        return found

    async def until_judged(self, act: Callable[[], Any]) -> dict[str, float]:
        """Seconds from an act to the first bucket of any shard, of every shard, and to readiness."""
        consumer = self.broker.consumer()
        async with self.broker.running(consumer):
            before = await self.ends(consumer)
            begun = time.monotonic()
            await asyncio.to_thread(act)
            found: dict[str, float] = {}
            while len(found) < 3 and time.monotonic() - begun < _WAIT_SECONDS:
                now = await self.ends(consumer)
                grown = sum(now[place] > before[place] for place in before)
                spent = time.monotonic() - begun
                if grown and "first judged bucket" not in found:
                    found["first judged bucket"] = spent
                    self.work = self.spent()
                if grown == len(self.written):
                    found.setdefault("of every shard", spent)
                if await asyncio.to_thread(self.is_ready):
                    found.setdefault("ready", spent)
                await asyncio.sleep(0.1)
        return found

    def spent(self) -> dict[str, float]:
        """Processor seconds of each role's process so far."""
        ticks = os.sysconf("SC_CLK_TCK")
        found = {}
        for role in ("ingest", "core", "serve"):
            stat = Path(f"/proc/{self.run.pids(role)[-1]}/stat").read_text().rsplit(")", 1)[1]
            found[role] = sum(map(int, stat.split()[11:13])) / ticks
        return found

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(self.ready, timeout=1) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def told(what: str, found: dict[str, float], work: dict[str, float]) -> None:
    print(f"{what:28}", ", ".join(f"{k} {v:.1f} s" for k, v in found.items()))
    roles = ", ".join(f"{role} {seconds:.1f}" for role, seconds in work.items())
    print(f"{'':28} cpu-s until the first: {roles}", flush=True)


async def measure(folder: Path, address: str, port: int, customers: int) -> None:
    asyncio.get_running_loop().set_exception_handler(on_loop_error)
    plan = compile_plan(load(folder / "config", environment={}))
    broker, topics = Broker(address=address), Topics(prefix="monitor", shards=SHARDS)
    # Early in an hour that is over: at the end of one a baseline commits it, and once a day fits anew.
    minute = (wall_clock() // MINUTE - 30) // 60 * 60 + 5
    begun = time.monotonic()
    states = await asyncio.to_thread(learnt, plan, minute, customers)
    await put(broker, topics, states)
    size = sum(map(len, states)) / 1e6
    print(
        f"state: {customers * METRICS:,} series, {size:.0f} MB in {time.monotonic() - begun:.0f} s"
    )
    written = {plan.shard_of(f"orders_{number}") for number in range(METRICS)}
    scene = Scene(folder, broker, topics, port=port, written=written)
    try:
        await scene.produce(range(minute + 1, minute + 5), customers)
        told("start", await scene.until_judged(scene.run.start), scene.work)
        await asyncio.sleep(5)
        code, seconds = await asyncio.to_thread(scene.run.stop)
        print(f"{'SIGTERM':28} ended with {code} after {seconds:.1f} s", flush=True)
        await scene.produce(range(minute + 5, minute + 8), customers)
        told("start again", await scene.until_judged(scene.run.start), scene.work)
        await asyncio.sleep(5)
        overdue = [entry for entry in scene.run.log() if entry["event"] == "role.overdue"]
        print(f"{'roles overdue at the end':28} {len(overdue)}")
    finally:
        scene.run.destroy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=100_000)
    args = parser.parse_args()
    customers = args.series // METRICS
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        with running_kafka(folder) as kafka:
            create_topic(kafka.address, EVENTS, 1)
            configure(folder, kafka.address, port, customers)
            asyncio.run(measure(folder, kafka.address, port, customers))


if __name__ == "__main__":
    main()

"""Events a second on a real broker, frames committed, beside a bare drain of the same topic.

    python benchmarks/kafka.py [--events 400000] [--rounds 3] [--densities 100 1000 10000]
        [--without-faust]

Starts its own broker (see tests/system/servers.py for where its jars come from). For every density,
events per second of event time, a topic of two partitions is filled, and then in turns: drained by a
consumer that only calls `getmany`, and worked off by the ingest worker of `monitor run` with its
transactions, for 12 metrics of sums and for 20 of all kinds, three of which follow units. Each round
starts afresh. Speeds are the best of each, ratios the median over the rounds of what stood beside each
other, so that what else the machine does counts little. The drain runs as any program would, and once more in
ingest's small batches, which spare cache and garbage collector. Then a Faust agent that only counts
reads one of the topics, and the core works off the frames that ingest has left for the sums.
"""

import argparse
import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import NewTopic
from aiokafka.structs import TopicPartition
from prometheus_client import CollectorRegistry

from benchmarks.ingest import START_US, all_kinds, lines, plan
from benchmarks.waiting import DEADLINE_SECONDS, ingested
from monitor import telemetry
from monitor.cli.tuning import relax_collector
from monitor.definitions.plan import Plan
from monitor.ingest.source import Ingest
from monitor.kafka.broker import Broker, on_loop_error
from monitor.kafka.ingest_worker import BATCH, IngestWorker
from monitor.kafka.service import core_of
from monitor.kafka.shard_worker import ShardWorker
from monitor.kafka.source_partition import SourceTopic
from monitor.kafka.topics import FRAMES, Topics
from monitor.model.frame import decode_frame
from monitor.model.time import HOUR
from monitor.telemetry import Counters
from tests.system.kafka_io import contents
from tests.system.servers import running_kafka

DENSITIES = (100, 1_000, 10_000)
PARTITIONS = 2
BATCH_BYTES = 256 * 1024
FAUST_EVENTS = 60_000
FAUST_DENSITY = 1_000
PLAN = plan()
ALL_KINDS = all_kinds()
DEFAULT_COLLECTOR = gc.get_threshold()


async def fill(broker: Broker, topic: str, payloads: Sequence[bytes]) -> None:
    """Write the events, in order, to the partitions in turn."""
    async with broker.admin() as admin:
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1)])
    await asyncio.sleep(0.5)
    producer = AIOKafkaProducer(
        bootstrap_servers=broker.address, compression_type="lz4", max_batch_size=BATCH_BYTES
    )
    await producer.start()
    try:
        for partition in range(PARTITIONS):
            batch = producer.create_batch()
            for payload in payloads[partition::PARTITIONS]:
                if batch.append(key=None, value=payload, timestamp=None) is None:
                    await producer.send_batch(batch, topic, partition=partition)
                    batch = producer.create_batch()
                    batch.append(key=None, value=payload, timestamp=None)
            await producer.send_batch(batch, topic, partition=partition)
        await producer.flush()
    finally:
        await producer.stop()


Seconds = tuple[float, float]
"""By the wall clock, and of the processor: of this process alone, whatever else the machine does."""


async def drain(broker: Broker, topic: str, events: int, batch: int | None) -> Seconds:
    """What a consumer needs that does nothing but `getmany`, with aiokafka's defaults."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=broker.address, enable_auto_commit=False, auto_offset_reset="earliest"
    )
    async with broker.running(consumer):
        consumer.assign([TopicPartition(topic, p) for p in range(PARTITIONS)])
        seen, began, busy = 0, perf_counter(), process_time()
        while seen < events:
            for records in (await consumer.getmany(timeout_ms=1000, max_records=batch)).values():
                seen += len(records)
        return perf_counter() - began, process_time() - busy


async def ingest(broker: Broker, topic: str, events: int, prefix: str, of: Plan) -> Seconds:
    """What it takes from the assignment until every event is in a committed frame."""
    registry = CollectorRegistry()
    topics = Topics(prefix=prefix, shards=of.shards)
    await topics.ensure(broker)
    opened: list[Seconds] = []
    made: list[Ingest] = []

    def make(number: int, sources: int, position: int, state: Any) -> Ingest:
        opened.append((perf_counter(), process_time()))
        one = Ingest(
            of,
            None,
            source=number,
            sources=sources,
            name=str(number),
            position=position,
            clock=lambda: START_US * 2,
            state=state,
        )
        made.append(one)
        return one

    worker = IngestWorker(
        broker=broker,
        topics=topics,
        source=SourceTopic(
            name=topic, group=prefix, partitions=PARTITIONS, idle_timeout_us=HOUR, ingest=make
        ),
        clock=lambda: START_US * 2,
        counters=Counters(registry),
    )
    stopping = asyncio.Event()
    task = asyncio.create_task(worker.run(stopping))
    await ingested(events, registry, made, task, stopping)
    seconds = perf_counter() - opened[0][0], process_time() - opened[0][1]
    await task
    return seconds


async def core(broker: Broker, prefix: str) -> tuple[int, int, float]:
    """Deltas and frames in the log, and the seconds in which shard workers worked them off."""
    topics = Topics(prefix=prefix, shards=PLAN.shards)
    frames = [
        decode_frame(record.value)
        for shard in range(PLAN.shards)
        for record in await contents(broker, topics.name(FRAMES), shard)
    ]
    registry = CollectorRegistry()
    worker = ShardWorker(
        broker=broker, topics=topics, core=core_of(PLAN), counters=Counters(registry)
    )
    stopping = asyncio.Event()
    task = asyncio.create_task(worker.run(stopping))
    began = 0.0
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            applied = registry.get_sample_value("monitor_frames_total", {"outcome": "applied"})
            began = began or (perf_counter() if applied else 0.0)
            if applied == len(frames):
                break
            if task.done():
                await task
            await asyncio.sleep(0.002)
    seconds = perf_counter() - began
    stopping.set()
    await task
    return sum(len(d.bucket) for f in frames for d in f.deltas), len(frames), seconds


def faust_agent(address: str, topic: str, events: int) -> None:
    """A Faust worker whose agent only counts; prints the seconds from the first to the last."""
    import faust  # noqa: PLC0415 - only here

    app = faust.App(
        "counting",
        broker=f"kafka://{address}",
        store="memory://",
        topic_partitions=1,
        topic_replication_factor=1,
        topic_disable_leader=True,
        web_enabled=False,
        value_serializer="raw",
    )
    source = app.topic(topic, value_type=bytes, partitions=PARTITIONS)
    state = {"seen": 0, "began": 0.0}

    @app.agent(source)  # type: ignore[untyped-decorator]
    async def count(stream: Any) -> None:
        async for _ in stream:
            state["began"] = state["began"] or perf_counter()
            state["seen"] += 1
            if state["seen"] == events:
                print(json.dumps({"seconds": perf_counter() - state["began"]}), flush=True)

    async def run() -> None:
        await app.start()
        await asyncio.sleep(DEADLINE_SECONDS)

    asyncio.run(run())


def faust(broker: Broker, topic: str) -> float:
    """Events a second of the Faust agent, in a process of its own."""
    command = [sys.executable, __file__, "--faust-agent", broker.address, topic, str(FAUST_EVENTS)]
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        try:
            line = process.stdout.readline() if process.stdout else b""
        finally:
            process.kill()
            process.wait()
    if not line:
        sys.exit("the Faust agent ended without a result")
    return FAUST_EVENTS / float(json.loads(line)["seconds"])


async def compare(broker: Broker, density: int, events: int, rounds: int) -> float:
    """Print one density; the best events a second of ingest."""
    topic = f"events-{density}"
    payloads = lines(events, density)
    size = sum(map(len, payloads)) / events
    await fill(broker, topic, payloads)
    bare: list[Seconds] = []
    small: list[Seconds] = []
    ours: list[Seconds] = []
    kinds: list[Seconds] = []
    for number in range(rounds):
        gc.unfreeze()
        gc.set_threshold(*DEFAULT_COLLECTOR)
        bare.append(await drain(broker, topic, events, None))
        small.append(await drain(broker, topic, events, BATCH))
        relax_collector()
        ours.append(await ingest(broker, topic, events, f"bench-{density}-{number}", PLAN))
        kinds.append(await ingest(broker, topic, events, f"kinds-{density}-{number}", ALL_KINDS))
    drained = [events / min(seconds)[0] for seconds in (bare, small)]
    print(
        f"density {density:>6}/s, {size:.0f} bytes: bare getmany {drained[0]:,.0f} events/s, "
        f"in batches of {BATCH} {drained[1]:,.0f}/s",
        flush=True,
    )
    for of, seconds in ((PLAN, ours), (ALL_KINDS, kinds)):
        wall, busy = zip(_ratios(bare, seconds), _ratios(small, seconds), strict=True)
        print(
            f"  {len(of.metrics)} metrics, frames committed: {events / min(seconds)[0]:>9,.0f} "
            f"events/s, ratio {wall[0]:.2f} ({wall[1]:.2f} to small batches); by processor time "
            f"{busy[0]:.2f} ({busy[1]:.2f})",
            flush=True,
        )
    return events / min(ours)[0]


def _ratios(base: Sequence[Seconds], ours: Sequence[Seconds]) -> Seconds:
    """How much of the speed of a base is left, round by round, the median: by wall clock, by processor."""
    pairs = list(zip(base, ours, strict=True))
    return median(b[0] / o[0] for b, o in pairs), median(b[1] / o[1] for b, o in pairs)


async def measure(arguments: argparse.Namespace) -> None:
    asyncio.get_running_loop().set_exception_handler(on_loop_error)
    with tempfile.TemporaryDirectory() as folder, running_kafka(Path(folder)) as kafka:
        broker = Broker(address=kafka.address)
        print(f"{arguments.events:,} events; {len(PLAN.metrics)} metrics over 3 dimensions")
        best = {
            density: await compare(broker, density, arguments.events, arguments.rounds)
            for density in arguments.densities
        }
        if not arguments.without_faust and FAUST_DENSITY in best:
            counted = await asyncio.to_thread(faust, broker, f"events-{FAUST_DENSITY}")
            print(f"Faust agent that only counts: {counted:,.0f} events/s; ", end="")
            print(f"ingest is {best[FAUST_DENSITY] / counted:.1f} times as fast", flush=True)
        deltas, frames, seconds = await core(broker, f"bench-{arguments.densities[0]}-0")
        print(
            f"core: {deltas:,} deltas in {frames} frames, buckets judged and committed, "
            f"in {seconds:.2f} s: {deltas / seconds:,.0f} deltas/s"
        )


def main() -> None:
    if len(sys.argv) > 1 and sys.argv[1] == "--faust-agent":
        faust_agent(sys.argv[2], sys.argv[3], int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--densities", type=int, nargs="+", default=DENSITIES)
    parser.add_argument("--without-faust", action="store_true")
    asyncio.run(measure(parser.parse_args()))


if __name__ == "__main__":
    telemetry.configure(level="error")
    main()

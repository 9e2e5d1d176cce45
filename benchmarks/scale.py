"""What an event costs in 1, 2 and 4 ingest processes, beside a bare drain by as many.

    python benchmarks/scale.py [--events 1000000] [--processes 1 2 4] [--rounds 1] [--write]
    python benchmarks/scale.py --table [--write]

Every process is a `monitor run --roles ingest` of its own, as on as many machines. They share a topic of
four partitions. The events are in one open transaction, so nobody reads before every process has its
partitions; then it is committed. What is counted is the processor time of the role's processes from
there until the offset of every event is committed together with its frames. "Of a bare drain" is the
processor time of as many programs that only read, in the same batches, over that. Events a second say
little where there are more processes than cores; the cost of an event must stay within 15 %. Where more
processes are awake than there are cores, caches are shared and everything costs more, reading alone too:
the last two columns tell by how much.

With --write the costs go to `benchmarks/costs.json`, with those of the core (`benchmarks/sizing.py`).
--table prints, from that file, how much a load needs, and with --write puts it into `docs/scaling.md`.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, process_time

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from benchmarks.ingest import lines
from benchmarks.processes import look
from benchmarks.sizing import COSTS, core_costs, table
from benchmarks.topics import Message, hidden, make
from monitor import telemetry
from monitor.cli.tuning import ask_for_long_turns, relax_collector
from monitor.kafka.broker import Broker
from monitor.kafka.ingest_worker import BATCH
from monitor.kafka.source_partition import committed_offsets
from tests.system.running import Run, configured
from tests.system.servers import free_port, running_kafka

PARTITIONS = 4
DENSITY = 1_000
WITHIN = 0.15
PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"
BEGIN, END = "<!-- begin -->", "<!-- end -->"
DEADLINE_SECONDS = 900

METRICS = """\
metrics:
  - {name: requests, kind: count, of: {event: request}, segments: [country, platform, app_version]}
  - name: error_rate
    kind: ratio
    numerator: {event: request, where: {status: error}}
    denominator: {event: request}
    segments: [country, platform, app_version]
  - {name: signups, kind: count, of: {event: signup}, segments: [country, platform, app_version]}
  - {name: views, kind: count, of: {event: view}, segments: [country, platform, app_version]}
  - {name: carts, kind: count, of: {event: cart}, segments: [country, platform, app_version]}
  - {name: orders, kind: count, of: {event: order}, segments: [country, platform, app_version]}
  - name: revenue
    kind: sum
    of: {event: order, value: amount}
    segments: [country, platform, app_version]
  - name: order_value
    kind: mean
    of: {event: order, value: amount}
    segments: [country, platform, app_version]
  - name: view_to_cart
    kind: ratio
    numerator: {event: cart}
    denominator: {event: view}
    segments: [country, platform, app_version]
  - name: cart_to_order
    kind: ratio
    numerator: {event: order}
    denominator: {event: cart}
    segments: [country, platform, app_version]
  - name: request_time
    kind: mean
    of: {event: request, value: amount}
    segments: [country, platform, app_version]
  - {name: buyers, kind: uniques, of: {event: order}, unit: actor, segments: [country]}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one number of processes.

    Attributes:
        seconds: by the clock.
        cpu: of the processor, all processes together.
        resident: bytes of the largest process.
    """

    seconds: float
    cpu: float
    resident: int = 0


def configuration(folder: Path, address: str, topic: str) -> Path:
    return configured(
        folder / "config",
        f'source: {{kafka: {{bootstrap_servers: "{address}", topic: {topic}, group: {topic}}}}}\n'
        f"journal: {{kafka: {{prefix: {topic}, shards: 8}}}}\n"
        f"idle_timeout: 1h\napi: {{host: 127.0.0.1, port: {free_port()}}}\n",
        METRICS,
    )


def held(run: Run) -> int:
    """How many partitions the process of a run has open, by its log."""
    opened: set[int] = set()
    for entry in run.log():
        if entry["event"] == "partition.opened":
            opened.add(entry["partition"])
        elif entry["event"] in ("partition.released", "partition.dropped"):
            opened.discard(entry["partition"])
    return len(opened)


async def committed(broker: Broker, topic: str) -> int:
    """Events whose frames are committed."""
    found = await committed_offsets(broker, topic)
    return sum(place.offset for place in found.values())


async def ingest(
    broker: Broker, topic: str, processes: int, messages: Sequence[Sequence[Message]], folder: Path
) -> Cost:
    """All events through so many processes."""
    total = sum(map(len, messages))
    await make(broker, topic, PARTITIONS)
    config = configuration(folder, broker.address, topic)
    runs = [Run(config, folder / f"state{n}", ["--roles", "ingest"]) for n in range(processes)]
    try:
        async with hidden(broker, topic, messages) as show:
            for run in runs:
                run.start()
            async with asyncio.timeout(DEADLINE_SECONDS):
                while any(  # noqa: ASYNC110 - what is awaited is outside
                    held(run) != PARTITIONS // processes for run in runs
                ):
                    await asyncio.sleep(0.5)
            await asyncio.sleep(3)  # what was opened has written its first, empty frames
            pids = [run.pids("ingest")[-1] for run in runs]
            before, began = sum(look(pid).cpu for pid in pids), perf_counter()
            await show()
        async with asyncio.timeout(DEADLINE_SECONDS):
            while await committed(broker, topic) < total:  # noqa: ASYNC110 - outside
                await asyncio.sleep(0.2)
        seconds, after = perf_counter() - began, [look(pid) for pid in pids]
        if [run.pids("ingest")[-1] for run in runs] != pids:
            sys.exit("a process was started again: the figures are void")
        return Cost(
            seconds=seconds,
            cpu=sum(one.cpu for one in after) - before,
            resident=max(one.resident for one in after),
        )
    finally:
        for run in runs:
            run.destroy()


async def drained(address: str, topic: str, mine: Sequence[int]) -> str:
    """Read partitions to their ends and do nothing; seconds by the clock and of the processor."""
    broker, seen = Broker(address=address), 0
    consumer: AIOKafkaConsumer = broker.consumer()
    async with broker.running(consumer):
        places = [TopicPartition(topic, number) for number in mine]
        consumer.assign(places)
        ends = await consumer.end_offsets(places)
        total = sum(ends.values()) - len(places)  # less the marker of the transaction
        began, busy = perf_counter(), process_time()
        while seen < total:
            for records in (await consumer.getmany(timeout_ms=1000, max_records=BATCH)).values():
                seen += len(records)
        return json.dumps({"seconds": perf_counter() - began, "cpu": process_time() - busy})


def drain(address: str, topic: str, processes: int) -> Cost:
    """As many programs as there are ingest processes, which only read."""
    running = [
        subprocess.Popen(
            [sys.executable, __file__, "--drain", address, topic, *map(str, mine)],
            stdout=subprocess.PIPE,
        )
        for mine in ([*range(PARTITIONS)][n::processes] for n in range(processes))
    ]
    told = [json.loads(one.communicate()[0]) for one in running]
    return Cost(seconds=max(one["seconds"] for one in told), cpu=sum(one["cpu"] for one in told))


async def measure(
    events: int, processes: Sequence[int], rounds: int
) -> dict[int, tuple[Cost, Cost]]:
    """Ingest and drain by number of processes: of each the round of the least processor time."""
    payloads = lines(events, DENSITY)
    messages: list[list[Message]] = [
        [(None, line, None) for line in payloads[number::PARTITIONS]]
        for number in range(PARTITIONS)
    ]
    found: dict[int, list[tuple[Cost, Cost]]] = {count: [] for count in processes}
    for number in range(rounds):
        for count in processes:
            with tempfile.TemporaryDirectory() as place, running_kafka(Path(place)) as kafka:
                broker, topic = Broker(address=kafka.address), f"scale-{count}-{number}"
                cost = await ingest(broker, topic, count, messages, Path(place))
                bare = await asyncio.to_thread(drain, kafka.address, topic, count)
                found[count].append((cost, bare))
    return {
        count: (
            min((cost for cost, _ in costs), key=lambda one: one.cpu),
            min((bare for _, bare in costs), key=lambda one: one.cpu),
        )
        for count, costs in found.items()
    }


def told(found: dict[int, tuple[Cost, Cost]], events: int) -> bool:
    """Print the table; whether the cost of an event stays."""
    print(
        "| processes | events/s | cpu-s per million events | to the first | of a bare drain's | "
        "cpu-s of the drain | to the first |"
    )
    print("|---|---|---|---|---|---|---|")
    one, least = next(iter(found.values()))
    holds, apart = True, True
    for count, (cost, bare) in found.items():
        more, machine = cost.cpu / one.cpu, bare.cpu / least.cpu
        holds &= more <= 1 + WITHIN
        apart &= more / machine <= 1 + WITHIN
        print(
            f"| {count} | {events / cost.seconds:,.0f} | {cost.cpu / events * 1e6:.2f} | {more:.2f} | "
            f"{bare.cpu / cost.cpu:.2f} | {bare.cpu / events * 1e6:.2f} | {machine:.2f} |"
        )
    print(
        f"cost of an event within {WITHIN:.0%} of the first: {'yes' if holds else 'NO'}; over what "
        f"reading alone costs in as many processes: {'yes' if apart else 'NO'}"
    )
    return holds


def main() -> None:
    if sys.argv[1:2] == ["--drain"]:
        relax_collector()
        ask_for_long_turns()
        print(asyncio.run(drained(sys.argv[2], sys.argv[3], [*map(int, sys.argv[4:])])))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write costs.json, or the page")
    parser.add_argument("--table", action="store_true", help="what loads need; measures nothing")
    options = parser.parse_args()
    if options.table:
        print(found := table(json.loads(COSTS.read_text())))
        if options.write:
            before, rest = PAGE.read_text().split(BEGIN)
            PAGE.write_text(f"{before}{BEGIN}\n{found}\n{END}{rest.split(END)[1]}")
        return
    by_count = asyncio.run(measure(options.events, options.processes, options.rounds))
    holds = told(by_count, options.events)
    if options.write:
        cost, bare = by_count[min(by_count)]
        costs = {
            "ingest_cpu_per_event": cost.cpu / options.events,
            "drain_cpu_per_event": bare.cpu / options.events,
            "ingest_resident": cost.resident,
            **core_costs(),
        }
        COSTS.write_text(json.dumps(costs, indent=2) + "\n")
    if not holds:
        sys.exit(1)


if __name__ == "__main__":
    telemetry.configure(level="error")
    main()

"""The same cells in Faust, in quixstreams and in the monitor, on the same topic, in one run.

    python -m venv PEERS
    PEERS/bin/pip install quixstreams==3.28.1 "faust-streaming[fast]==0.15.3" "aiokafka[lz4]==0.14.0"
    python -m benchmarks.peers --python PEERS/bin/python [--events 300000] [--rounds 1]

A cell is an event name, a minute and the values of three dimensions; it holds a count, a sum and the
number of different actors. Every program runs in a process of its own, alone, and all of its cells are
compared with a brute-force computation. The programs take turns; the best round of each counts.

quixstreams is no dependency of the monitor, so it needs a virtual environment; Faust runs in it as well,
with its extensions in C. Without --python only Faust runs, in the monitor's own. The comparison favours
the peers: the keys of the messages are those of the cells and their Kafka times those of the events, so
that no peer needs to repartition or to parse a time; and only the monitor's figures include its last
commit. Commits are two seconds apart in all of them, and all of them guarantee no less than at least
once (the monitor: exactly once). The monitor's core judges every series besides, which no peer does. On a
machine that others use too, only processor time says something, so the goals are held against that.
"""

import argparse
import asyncio
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec

from benchmarks.peers import events as world
from benchmarks.peers.events import Cell, Key
from benchmarks.topics import fill
from monitor import telemetry
from monitor.kafka.broker import Broker
from monitor.model.bucket import BucketColumns
from monitor.model.record import Stream
from tests.system.kafka_io import contents
from tests.system.running import configured
from tests.system.servers import running_kafka

TOPIC = "cells"
HERE = Path(__file__).parent
DIMENSIONS = "country,platform,app_version"
GOALS = {"Faust": 15.0, "quixstreams": 2.0}
TIMEOUT_SECONDS = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One program's run.

    Attributes:
        seconds, cpu: by the clock, and of the processor.
        wrong: what is wrong with its cells.
    """

    seconds: float
    cpu: float
    wrong: Sequence[str] = ()


def metrics() -> str:
    """The monitor's definitions of the same cells."""
    lines = ["metrics:"]
    for name in sorted(set(world.NAMES)):
        more = f"segments: [[{DIMENSIONS}]]"
        lines.append(f"  - {{name: {name}_count, kind: count, of: {{event: {name}}}, {more}}}")
        people = f"kind: uniques, of: {{event: {name}}}, unit: actor"
        lines.append(f"  - {{name: {name}_actors, {people}, {more}}}")
        if name in world.PAID:
            paid = f"of: {{event: {name}, value: amount}}"
            lines.append(f"  - {{name: {name}_sum, kind: sum, {paid}, {more}}}")
    return "\n".join(lines) + "\n"


def configuration(folder: Path, address: str, prefix: str) -> Path:
    return configured(
        folder / prefix,
        f'source: {{kafka: {{bootstrap_servers: "{address}", topic: {TOPIC}, group: {prefix}}}}}\n'
        f"journal: {{kafka: {{prefix: {prefix}, shards: 8}}}}\n"
        "cardinality: {per_dimension: 1000}\n",
        metrics(),
    )


def started(command: Sequence[str], folder: Path) -> Run:
    """Run a program; what its last line says."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
    told = json.loads(done.stdout.splitlines()[-1])
    return Run(seconds=told["seconds"], cpu=told["cpu"])


def peer(
    command: Sequence[str], address: str, count: int, folder: Path, expected: dict[Key, Cell]
) -> Run:
    """A peer, from the beginning of the topic, with a group, topics and a state of its own."""
    out = folder / "out.json"
    arguments = [address, TOPIC, str(world.PARTITIONS), str(count), str(out)]
    with tempfile.TemporaryDirectory() as place:
        run = started([*command, *arguments], Path(place))
    found = {
        (key, minute): (n, total, actors)
        for key, minute, n, total, actors in json.loads(out.read_text())
        if not key.startswith("end|")
    }
    return Run(seconds=run.seconds, cpu=run.cpu, wrong=world.differences(found, expected))


async def buckets(broker: Broker, prefix: str, shards: int = 8) -> dict[Key, Cell]:
    """The cells of the closed buckets."""
    parts: dict[Key, dict[str, float]] = {}
    decoder = msgspec.json.Decoder(BucketColumns)
    for shard in range(shards):
        for record in await contents(broker, f"{prefix}.{Stream.BUCKETS}", shard):
            if record.value is None or record.key.endswith(b"restated"):
                continue
            bucket = decoder.decode(record.value)
            name, _, what = bucket.metric.rpartition("_")
            if bucket.dimension != DIMENSIONS or what not in ("count", "sum", "actors"):
                continue
            minute = int(datetime.fromisoformat(bucket.start).timestamp())
            for row, value in zip(csv.reader(bucket.segments), bucket.value, strict=True):
                key = "|".join([name, *row]), minute
                parts.setdefault(key, {})[what] = value or 0
    return {
        key: (int(cell["count"]), cell.get("sum", 0.0), int(cell["actors"]))
        for key, cell in parts.items()
        if cell.get("count")
    }


def ours(
    broker: Broker, prefix: str, count: int, folder: Path, expected: dict[Key, Cell]
) -> tuple[Run, Run]:
    """Ingest, then core."""
    config = configuration(folder, broker.address, prefix)
    module = [sys.executable, "-m", "benchmarks.peers.cells_ours"]
    ingest, core = (
        started([*module, role, str(config), str(count)], Path.cwd()) for role in ("ingest", "core")
    )
    wrong = world.differences(asyncio.run(buckets(broker, prefix)), expected)
    return ingest, Run(seconds=core.seconds, cpu=core.cpu, wrong=wrong)


def best_of(runs: Sequence[Run]) -> Run:
    return Run(
        seconds=min(run.seconds for run in runs),
        cpu=min(run.cpu for run in runs),
        wrong=[line for run in runs for line in run.wrong],
    )


def told(name: str, run: Run, count: int, cells: str = "") -> None:
    print(
        f"{name:<20} {count / run.seconds:>9,.0f} events/s {run.cpu / count * 1e6:>7.1f} cpu-s per "
        f"million events {cells}",
        flush=True,
    )


def verdict(run: Run) -> str:
    return f"WRONG: {'; '.join(run.wrong)}" if run.wrong else "all cells are right"


def compare(arguments: argparse.Namespace) -> bool:
    count = arguments.events
    messages, expected = world.made(count, arguments.density)
    print(
        f"{count:,} events, {len(expected):,} cells, {world.PARTITIONS} partitions; best of "
        f"{arguments.rounds} rounds in turns"
    )
    peers = {"Faust": [arguments.python or sys.executable, str(HERE / "cells_faust.py")]}
    if arguments.python:
        peers["quixstreams"] = [arguments.python, str(HERE / "cells_quix.py")]
    else:
        print("quixstreams is left out: see --python")
    runs: dict[str, list[Run]] = {name: [] for name in ("ingest", "core", *peers)}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for number in range(arguments.rounds):
            for name in ("ours", *peers):
                # A broker of its own each time: nobody's changelog topics cost the next one.
                home = folder / f"{name}-{number}"
                home.mkdir()
                with running_kafka(home) as kafka:
                    broker = Broker(address=kafka.address)
                    asyncio.run(fill(broker, TOPIC, messages))
                    if name == "ours":
                        ingest, core = ours(broker, "ours", count, home, expected)
                        runs["ingest"].append(ingest)
                        runs["core"].append(core)
                    else:
                        run = peer(peers[name], kafka.address, count, home, expected)
                        runs[name].append(run)
    return _report(runs, count)


def _report(runs: dict[str, list[Run]], count: int) -> bool:
    """Print all of them; whether cells are right and goals are reached."""
    ingest, core = best_of(runs.pop("ingest")), best_of(runs.pop("core"))
    whole = Run(seconds=ingest.seconds + core.seconds, cpu=ingest.cpu + core.cpu, wrong=core.wrong)
    told("the monitor: ingest", ingest, count)
    told("the monitor: core", core, count)
    told("the monitor: both", whole, count, verdict(whole))
    holds = not whole.wrong
    for name, rounds in runs.items():
        run = best_of(rounds)
        told(name, run, count, verdict(run))
        fast, cheap = run.seconds / whole.seconds, run.cpu / whole.cpu
        reached = cheap >= GOALS[name]
        holds &= reached and not run.wrong
        print(
            f"  of {name}, the monitor's both, one after the other: {fast:.1f} times as fast, "
            f"{cheap:.1f} times by processor time (goal {GOALS[name]:.0f}: "
            f"{'reached' if reached else 'MISSED'}); ingest alone {run.seconds / ingest.seconds:.1f} and "
            f"{run.cpu / ingest.cpu:.1f}",
            flush=True,
        )
    return holds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", help="interpreter of a virtual environment with the peers")
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument(
        "--density", type=float, default=1_000, help="events a second of event time"
    )
    parser.add_argument("--rounds", type=int, default=1)
    if not compare(parser.parse_args()):
        sys.exit(1)


if __name__ == "__main__":
    telemetry.configure(level="error")
    main()

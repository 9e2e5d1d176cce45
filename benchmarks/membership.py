"""How long the shards of a killed core stand still, with and without a static name in the group.

    python benchmarks/membership.py [--rounds 5] [--shards 4]

Two core workers share the shards on a real broker; one is killed with SIGKILL and started again at once.
Measured is the time from the kill until every shard that it had has been loaded again, by whomever.
"""

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import structlog
from prometheus_client import CollectorRegistry

from monitor import telemetry
from monitor.kafka.broker import Broker, on_loop_error
from monitor.kafka.shard import Core
from monitor.kafka.shard_worker import ShardWorker
from monitor.kafka.topics import Topics
from monitor.telemetry import Counters
from tests.system.servers import running_kafka

PREFIX = "bench"
_WAIT_SECONDS = 60.0
_LOADED = "shard.loaded"


class Worker:
    """A core worker as a process, and the shards that it says it loaded."""

    def __init__(self, folder: Path, address: str, shards: int, name: str | None) -> None:
        self.command = [sys.executable, __file__, "--worker", address, "--shards", str(shards)]
        if name is not None:
            self.command += ["--instance", name]
        self.log = folder / f"{time.monotonic_ns()}.log"

    def start(self) -> None:
        with self.log.open("ab") as out:
            path = {"PYTHONPATH": str(Path.cwd())}
            self.process = subprocess.Popen(
                self.command, stdout=out, stderr=out, env={**os.environ, **path}
            )

    def loaded(self) -> list[tuple[float, int]]:
        """Time and number of every shard loaded, by all processes of this worker."""
        text = [line for line in self.log.read_text().splitlines() if line.startswith("{")]
        entries = [entry for line in text if (entry := json.loads(line))["event"] == _LOADED]
        return [(entry["at"], entry["shard"]) for entry in entries]

    def stop(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.wait(timeout=30)


def until_all(workers: list[Worker], since: float, shards: set[int]) -> float:
    """Wait until every one of these shards was loaded after that time; when the last one was."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline:
        found: dict[int, float] = {}
        for worker in workers:
            for at, shard in worker.loaded():
                if at > since:
                    found.setdefault(shard, at)
        if shards <= found.keys():
            return max(found[shard] for shard in shards)
        time.sleep(0.05)
    message = "the shards did not come back"
    raise TimeoutError(message)


def measured(folder: Path, address: str, shards: int, rounds: int, *, static: bool) -> list[float]:
    names = ["one", "two"] if static else [None, None]
    workers = [Worker(folder, address, shards, name) for name in names]
    begun = time.monotonic()
    seconds = []
    try:
        for worker in workers:
            worker.start()
        until_all(workers, begun, set(range(shards)))
        time.sleep(12)  # until the group has settled over both
        for _ in range(rounds):
            held = last_owner(workers)
            own = {shard for shard, owner in held.items() if owner is workers[0]}
            killed = time.monotonic()
            workers[0].stop()
            workers[0].start()
            seconds.append(until_all(workers, killed, own) - killed)
            time.sleep(12)
    finally:
        for worker in workers:
            worker.stop()
    return seconds


def last_owner(workers: list[Worker]) -> dict[int, Worker]:
    last: dict[int, tuple[float, Worker]] = {}
    for worker in workers:
        for at, shard in worker.loaded():
            if shard not in last or at > last[shard][0]:
                last[shard] = (at, worker)
    return {shard: worker for shard, (_, worker) in last.items()}


def work(address: str, shards: int, instance: str | None) -> None:
    """The process of a worker: shards without definitions, which cost nothing to load."""
    telemetry.configure(json=True)
    configured = structlog.get_config()["processors"]
    structlog.configure(processors=[_timed, *configured])

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(on_loop_error)
        core = Core(fresh=lambda _: None, restore=lambda *_: (None, []), apply=lambda *_: [])
        await ShardWorker(
            broker=Broker(address=address),
            topics=Topics(prefix=PREFIX, shards=shards),
            core=core,
            counters=Counters(CollectorRegistry()),
            instance=instance,
        ).run(asyncio.Event())

    asyncio.run(run())


def _timed(_logger: object, _name: str, event: dict) -> dict:
    return {**event, "at": time.monotonic()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--worker", metavar="ADDRESS", help=argparse.SUPPRESS)
    parser.add_argument("--instance", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args.worker, args.shards, args.instance)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_kafka(folder) as kafka:
            topics = Topics(prefix=PREFIX, shards=args.shards)
            asyncio.run(topics.ensure(Broker(address=kafka.address)))
            for static in (False, True):
                found = measured(folder, kafka.address, args.shards, args.rounds, static=static)
                told = " ".join(f"{one:.1f}" for one in found)
                kind = "with a static name" if static else "without"
                print(f"{kind:20} median {statistics.median(found):5.1f} s   ({told})", flush=True)


if __name__ == "__main__":
    main()

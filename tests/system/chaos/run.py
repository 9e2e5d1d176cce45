"""`make chaos`: real Kafka, five `monitor run` processes, faults by a seed; then every figure is compared.

python -m tests.system.chaos.run --events 1000000 --faults 30 --seed 7
"""

import asyncio
import contextlib
import itertools
import json
import logging
import os
import platform
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import click
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError

from monitor.clock import wall_clock
from monitor.definitions import compile_plan, load
from monitor.embedded.replay import Replay
from monitor.ingest.files import open_files
from monitor.kafka.broker import Broker, on_loop_error
from monitor.kafka.topics import Topics
from monitor.model.record import Stream
from tests.system import servers
from tests.system.chaos import truth, world
from tests.system.chaos.faults import Cast
from tests.system.chaos.schedule import Fault, schedule, table
from tests.system.chaos.world import DAY, HOUR, PARTITIONS, World
from tests.system.running import configured
from tests.system.test_flow import Embedded

PREFIX: Final = "chaos"
_CHUNK: Final = 200
_BATCHES: Final = 20
_DAYS: Final = 22
_EVENTS_A_DAY: Final = 400_000
"""At most: of a cohort 4,096 units are kept, and here every one is to be counted."""
_REPLAY: Final = "an undisturbed replay of the same lines, beside it"
_PATIENCE_SECONDS: Final = 60.0
_ALERTMANAGER_SECONDS: Final = 60.0
_RECENT: Final = 26 * HOUR


class Chaos:
    """One run.

    Args:
        folder: for everything that is written.
        seed: of events and faults.
        events: about how many.
        faults: how many.
        pace: events a second at most.
        shards: of the core.
        patient: whether Alertmanager must have come to forget what is over.
    """

    def __init__(
        self,
        folder: Path,
        *,
        seed: int,
        events: int,
        faults: int,
        pace: float,
        shards: int = 4,
        patient: bool = True,
    ) -> None:
        self.folder, self.pace, self.shards, self.patient = folder, pace, shards, patient
        now = wall_clock() // 1000
        self.world = World(
            seed=seed,
            events=events,
            days=max(_DAYS, -(-events // _EVENTS_A_DAY)),
            end=(now - _RECENT) // DAY * DAY,
        )
        self.faults = schedule(seed, faults)
        self.verdict = truth.Verdict()
        self.seconds: dict[str, float] = {}
        self.log: Counter[str] = Counter()
        self._sent = 0
        self._total = 0

    def run(self) -> bool:
        """Do it all; whether everything is as it must be."""
        say(f"the schedule, at shares of the events:\n{table(self.faults)}")
        with self._timed("making the events"):
            files = self.world.write(self.folder)
        self._total = sum(self.world.truth.lines)
        say(f"{self._total:,} lines, of them {len(self.world.truth.letters):,} malformed")
        with servers.running_kafka(self.folder) as kafka:
            port, alertmanager = servers.free_port(), servers.free_port()
            config = self._configure(kafka.address, port, f"127.0.0.1:{alertmanager}")
            cast = Cast(
                self.folder,
                kafka,
                config,
                lambda: servers.start_alertmanager(self.folder, alertmanager),
                f"{PREFIX}.{Stream.DEAD_LETTERS}",
            )
            try:
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as beside:
                    begun = time.monotonic()
                    replaying = beside.submit(replayed, config, files)
                    replaying.add_done_callback(lambda _: self._took(_REPLAY, begun))
                    asyncio.run(self._play(cast, files, replaying, port, alertmanager))
            finally:
                cast.destroy()
                self._read_logs(cast)
        return not self.verdict.faults

    def _configure(self, broker: str, port: int, alertmanager: str) -> Path:
        text = world.service(
            broker=broker, prefix=PREFIX, shards=self.shards, port=port, alertmanager=alertmanager
        )
        return configured(self.folder / "config", text, world.METRICS)

    async def _play(
        self,
        cast: Cast,
        files: Sequence[Path],
        replaying: Future[dict[Stream, dict[str, bytes]]],
        port: int,
        alertmanager: int,
    ) -> None:
        asyncio.get_running_loop().set_exception_handler(on_loop_error)
        broker = Broker(address=cast.kafka.address)
        async with broker.admin() as admin:
            settings = {"retention.ms": "-1"}
            topic = NewTopic(f"{PREFIX}.events", PARTITIONS, 1, topic_configs=settings)
            await admin.create_topics([topic])
        with self._timed("starting the workers"):
            await asyncio.to_thread(cast.start)
        with self._timed("events and faults"):
            doing = asyncio.create_task(self._do_all(cast))
            await self._feed(cast.kafka.address, files)
            await doing
        journal = truth.Journal()
        topics = Topics(prefix=PREFIX, shards=self.shards)
        expected = await asyncio.wrap_future(replaying)
        with self._timed("from the last event to the last bucket"):
            wanted = truth.closed(expected[Stream.BUCKETS])
            await journal.read(broker, topics, wanted, _PATIENCE_SECONDS)
        with self._timed("comparing what is told"):
            await self._check_told(journal, port, alertmanager)
        stopped = await asyncio.to_thread(cast.stop)
        for name, (code, _) in stopped.items():
            self.verdict.equal("exit codes", name, code, 0)
        self.seconds["the slowest stop"] = max(seconds for _, seconds in stopped.values())
        journal = truth.Journal()
        await journal.read(broker, topics, {}, 1)
        self._check_journal(journal, expected)

    def _check_journal(
        self, journal: truth.Journal, expected: dict[Stream, dict[str, bytes]]
    ) -> None:
        with self._timed("comparing the journal"):
            buckets = journal.newest[Stream.BUCKETS]
            truth.check_cells(self.verdict, self.world.truth, buckets)
            truth.check_replay(self.verdict, buckets, expected[Stream.BUCKETS])
            alerts = journal.newest[Stream.ALERTS]
            truth.check_alerts(self.verdict, alerts, expected[Stream.ALERTS])
            truth.check_letters(self.verdict, self.world.truth, journal)

    async def _check_told(self, journal: truth.Journal, port: int, alertmanager: int) -> None:
        """The API lists every incident once; Alertmanager has those that fire, once each."""
        known = truth.told(journal.newest[Stream.ALERTS])
        firing = sorted(key for key, body in known.items() if body["state"] == "firing")

        def listed() -> list[str]:
            alerts = get(f"http://127.0.0.1:{port}/api/v1/alerts")["alerts"]
            return sorted(a["alert_id"] for a in alerts if a["state"] != "pending")

        def posted() -> list[str]:
            alerts = get(f"http://127.0.0.1:{alertmanager}/api/v2/alerts?active=true")
            return sorted(alert["annotations"]["alert_id"] for alert in alerts)

        await truth.settled(lambda: listed() == sorted(known), 20)
        truth.check_once(self.verdict, "incidents of the API, each once", listed(), list(known))
        await truth.settled(lambda: set(firing) <= set(posted()), _ALERTMANAGER_SECONDS)
        if self.patient:  # what has ended is shown for 45 s at least
            await truth.settled(lambda: posted() == firing, _ALERTMANAGER_SECONDS)
        shown = [one for one in posted() if self.patient or one in firing or one not in known]
        truth.check_once(self.verdict, "alerts of Alertmanager, each once", shown, firing)

    async def _feed(self, address: str, files: Sequence[Path]) -> None:
        """Send the lines, those of a partition in their order, no faster than the pace."""
        producer = AIOKafkaProducer(
            bootstrap_servers=address,
            acks="all",
            enable_idempotence=True,
            compression_type="lz4",
            linger_ms=20,
            max_batch_size=131_072,
        )
        await producer.start()
        try:
            with contextlib.ExitStack() as opened:
                lines = [opened.enter_context(file.open("rb")) for file in files]
                waiting: list[Any] = []
                due = time.monotonic()
                for partition in itertools.cycle(range(PARTITIONS)):
                    chunk = list(itertools.islice(lines[partition], _CHUNK))
                    if chunk:
                        waiting.append(await self._send(producer, partition, chunk))
                    self._sent += len(chunk)
                    if len(waiting) >= _BATCHES or self._sent == self._total:
                        await asyncio.gather(*waiting)
                        waiting = []
                    if self._sent == self._total:
                        break
                    due = max(due + len(chunk) / self.pace, time.monotonic() - 1)
                    await asyncio.sleep(due - time.monotonic())
        finally:
            await producer.stop()

    async def _send(
        self, producer: AIOKafkaProducer, partition: int, lines: Sequence[bytes]
    ) -> Any:
        batch = producer.create_batch()
        for line in lines:
            taken = batch.append(key=None, value=line.rstrip(b"\n"), timestamp=None)
            assert taken is not None, "a chunk is longer than a batch may be"
        while True:
            try:
                return await producer.send_batch(batch, f"{PREFIX}.events", partition=partition)
            except KafkaError:  # the broker is away; nothing of it was taken
                await asyncio.sleep(0.5)

    async def _do_all(self, cast: Cast) -> None:
        """Begin every fault when its share of the events is sent; wait until all are over."""
        doing = []
        for number, fault in enumerate(self.faults, 1):
            while self._sent < fault.at * self._total:  # noqa: ASYNC110 - another task counts
                await asyncio.sleep(0.05)
            doing.append(asyncio.create_task(asyncio.to_thread(self._do, cast, number, fault)))
        await asyncio.gather(*doing)

    def _do(self, cast: Cast, number: int, fault: Fault) -> None:
        begun = time.monotonic()
        cast.do(fault)
        say(f"{number:3}  {fault}  ({time.monotonic() - begun:.1f} s)")

    def _read_logs(self, cast: Cast) -> None:
        for run in cast.workers.values():
            self.log.update(str(entry["event"]) for entry in run.log())

    @contextlib.contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        begun = time.monotonic()
        yield
        self._took(what, begun)

    def _took(self, what: str, begun: float) -> None:
        self.seconds[what] = time.monotonic() - begun
        say(f"{what}: {self.seconds[what]:.1f} s")

    def report(self) -> str:
        """What was compared, how long it took, and what the log told."""
        told = ("partition.dropped", "partition.opened", "role.died", "shard.loaded", "shard.saved")
        logged = "\n".join(f"  {self.log[event]:>9,}  {event}" for event in told)
        took = "\n".join(f"  {seconds:>9.1f}  {what}" for what, seconds in self.seconds.items())
        return f"compared:\n{self.verdict}\nlogged:\n{logged}\nseconds:\n{took}"


def replayed(config: Path, files: Sequence[Path]) -> dict[Stream, dict[str, bytes]]:
    """What the journal would hold had nobody disturbed anything; in a process of its own."""
    kept = Embedded()
    Replay(
        open_files([str(file) for file in files]),
        plan=compile_plan(load(config, environment={}), shards=1),
        fields=None,
        clock=wall_clock,
        sink=kept,
    ).run()
    return kept.kept


def get(url: str) -> Any:
    """The JSON that a server answers with."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
        return json.loads(answer.read())


_lock = threading.Lock()


def say(text: str) -> None:
    """Print at once: a run takes minutes."""
    with _lock:
        print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)  # noqa: T201


@click.command()
@click.option("--events", default=200_000, show_default=True)
@click.option("--faults", default=12, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--pace", default=3_000.0, show_default=True, help="Events a second at most.")
@click.option("--keep", type=click.Path(path_type=Path), help="Keep all files in this folder.")
def main(events: int, faults: int, seed: int, pace: float, keep: Path | None) -> None:
    """Faults on real Kafka; exit code 1 where a figure does not fit."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the broker is away on purpose
    say(f"Python {platform.python_version()}, {os.cpu_count()} processors")
    with contextlib.ExitStack() as opened:
        folder = keep or Path(opened.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        chaos = Chaos(folder, seed=seed, events=events, faults=faults, pace=pace)
        whole = chaos.run()
        say(chaos.report())
    say("everything is as it must be" if whole else "SOMETHING IS WRONG")
    sys.exit(0 if whole else 1)


if __name__ == "__main__":
    main()

"""A service under a steady load for long: does anything grow?

    python benchmarks/soak.py [--minutes 60] [--rate EVENTS_A_SECOND] [--every 10]

Starts a broker and `monitor run` with its roles ingest, core and serve, finds out how many events a second
they keep up with (a backlog, worked off by ingest), and then feeds half of that, or --rate, as they happen
now. Every ten seconds it asks `/metrics` for the memory, the open files and the asyncio tasks of every
role, and for the lag. Then, of each, the slope an hour with its uncertainty, and a chart.

The rule. The slope is that of a straight line through the samples after the first twelve minutes, or half of
a run that is shorter than 24 (the restatement window is five minutes here, so that what is kept for late
events has filled up by then, and two snapshots were written), plus or minus twice its standard error, which is widened by the autocorrelation of the residuals.
With growth that can be tolerated of 5 % of the mean an hour (at least 8 MB; one file; one task; one second
of events) it is `flat` where the whole interval is below that, `GROWS` where the whole interval is above,
and `undecided` where a longer run must tell. Exit code 1 where anything grows.
"""

import argparse
import asyncio
import json
import math
import random
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter

import numpy as np
from aiokafka import AIOKafkaProducer
from numpy.typing import ArrayLike
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.ingest import COUNTRIES, PLATFORMS, VERSIONS
from benchmarks.processes import look
from benchmarks.scale import METRICS
from benchmarks.topics import Message, hidden, make
from monitor import telemetry
from monitor.clock import wall_clock
from monitor.kafka.broker import Broker
from monitor.model.time import to_rfc3339
from tests.system.running import Run, configured
from tests.system.servers import free_port, running_kafka

TOPIC = "soak"
PARTITIONS = 2
SHARDS = 4
ROLES = ("ingest", "core", "serve")
BACKLOG = 600_000
POOL = 20_000
TURNS = 20
SHARE = 0.5
WARM_UP_SECONDS = 720.0
WIDTH = 60
BLOCKS = "▁▂▃▄▅▆▇█"
NAMES = {
    "monitor_role_resident_bytes": "memory, MB",
    "monitor_role_open_files": "open files",
    "monitor_role_tasks": "tasks",
}
LAG = "lag, events"
ACCEPTED = "accepted"


def halves() -> list[tuple[bytes, bytes]]:
    """Events without their time: what comes before and after it."""
    rng = random.Random(5)
    made = []
    for _ in range(POOL):
        name = rng.choice(["request", "signup", "view", "view", "cart", "order"])
        status = f',"status":"{"error" if rng.random() < 0.1 else "ok"}"' * (name == "request")
        paid = f',"values":{{"amount":{rng.randrange(10_000) / 100}}}'
        rest = (
            f'","actor":"u{rng.randrange(99999)}","dimensions":{{"country":"{rng.choice(COUNTRIES)}"'
            f',"platform":"{rng.choice(PLATFORMS)}","app_version":"{rng.choice(VERSIONS)}"{status}}}'
            f"{paid if name in ('request', 'order') else ''}}}"
        )
        made.append((f'{{"name":"{name}","time":"'.encode(), rest.encode()))
    return made


def now() -> bytes:
    return to_rfc3339(wall_clock() // 1000 * 1000).encode()


def backlog() -> list[list[Message]]:
    """Events of now, by partition."""
    pool, time = halves(), now()
    made: list[Message] = [
        (None, head + time + rest, None) for head, rest in islice(cycle(pool), BACKLOG)
    ]
    return [made[number::PARTITIONS] for number in range(PARTITIONS)]


async def produce(address: str, rate: int, seconds: float) -> None:
    """Write so many events a second, each with the time of its writing; prints how many."""
    pool, sent, began = cycle(halves()), 0, perf_counter()
    producer = AIOKafkaProducer(bootstrap_servers=address, compression_type="lz4")
    await producer.start()
    try:
        while (elapsed := perf_counter() - began) < seconds:
            due, time = min(rate // TURNS * 4, int(elapsed * rate) - sent), now()
            for partition in range(PARTITIONS):
                batch = producer.create_batch()
                for head, rest in islice(pool, due // PARTITIONS):
                    value = head + time + rest
                    if batch.append(key=None, value=value, timestamp=None) is None:
                        await producer.send_batch(batch, TOPIC, partition=partition)
                        batch = producer.create_batch()
                        batch.append(key=None, value=value, timestamp=None)
                    sent += 1
                if batch.record_count():
                    await producer.send_batch(batch, TOPIC, partition=partition)
            await asyncio.sleep(1 / TURNS)
        await producer.flush()
    finally:
        await producer.stop()
    print(sent)


def scrape(url: str) -> dict[tuple[str, str], float]:
    """What `/metrics` says now, by quantity and role."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:  # noqa: S310
        text = answer.read().decode()
    seen: dict[tuple[str, str], float] = {(LAG, "ingest"): 0.0}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name in NAMES:
                scale = 1e-6 if "bytes" in sample.name else 1.0
                seen[NAMES[sample.name], sample.labels["role"]] = sample.value * scale
            elif sample.name == "monitor_source_lag_events":
                seen[LAG, "ingest"] += sample.value
            elif sample.name == "monitor_events_total" and sample.labels["outcome"] == "accepted":
                seen[ACCEPTED, "ingest"] = sample.value
    return seen


def configuration(folder: Path, address: str, port: int) -> Path:
    return configured(
        folder / "config",
        f'source: {{kafka: {{bootstrap_servers: "{address}", topic: {TOPIC}, group: {TOPIC}}}}}\n'
        f"journal: {{kafka: {{prefix: {TOPIC}, shards: {SHARDS}}}}}\n"
        f"restatement_window: 5m\napi: {{host: 127.0.0.1, port: {port}}}\n",
        METRICS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """Growth an hour.

    Attributes:
        mean: of the samples that count.
        hourly, error: the slope and twice its standard error, an hour.
        tolerated: the growth an hour that counts as none.
    """

    mean: float
    hourly: float
    error: float
    tolerated: float

    @property
    def verdict(self) -> str:
        if self.hourly + self.error <= self.tolerated:
            return "flat"
        return "GROWS" if self.hourly - self.error > self.tolerated else "undecided"


def slope(seconds: ArrayLike, values: ArrayLike, least: float) -> Slope:
    """Least squares, its error widened by the residuals' autocorrelation.

    For residuals with lag-one correlation r the variance of a slope is about (1 + r) / (1 - r) times
    that of independent ones.

    Args:
        seconds: when.
        values: what, at least five.
        least: growth an hour that is tolerated whatever the mean is.
    """
    x, y = np.asarray(seconds, dtype=float) / 3600, np.asarray(values, dtype=float)
    x, mean = x - x.mean(), float(y.mean())
    square = float(x @ x)
    hourly = float(x @ y) / square
    rest = y - mean - hourly * x
    variance = float(rest @ rest) / (len(y) - 2)
    r = float(rest[1:] @ rest[:-1] / (rest @ rest)) if variance > 1e-12 else 0.0
    r = min(max(r, 0.0), 0.95)
    error = 2 * math.sqrt(variance / square * (1 + r) / (1 - r))
    return Slope(mean=mean, hourly=hourly, error=error, tolerated=max(0.05 * abs(mean), least))


def chart(values: Sequence[float]) -> str:
    """One line of blocks, from the lowest to the highest value.

    >>> chart([0, 1, 2, 7])
    '▁▂▃█'
    """
    parts = [float(np.mean(part)) for part in np.array_split(values, min(WIDTH, len(values)))]
    low, high = min(parts), max(parts)
    width = (high - low) or 1.0
    return "".join(BLOCKS[int((part - low) / width * (len(BLOCKS) - 1))] for part in parts)


Samples = list[tuple[float, dict[tuple[str, str], float]]]


def report(samples: Samples, rate: int) -> Iterator[tuple[str, Slope | None]]:
    """Lines, each with its slope."""
    first = min(samples[-1][0] / 2, WARM_UP_SECONDS)
    used = [(at, seen) for at, seen in samples if at >= first]
    yield f"{len(used)} of {len(samples)} samples count: those after {first:.0f} s", None
    least: Mapping[str, float] = {"memory, MB": 8.0, "open files": 1.0, "tasks": 1.0, LAG: rate}
    names = [(what, role) for role in ROLES for what in NAMES.values()] + [(LAG, "ingest")]
    for what, role in names:
        found = [(at, seen[what, role]) for at, seen in used if (what, role) in seen]
        if len(found) < 5:
            yield f"{role:<7}{what:<12} too few samples: {len(found)}", None
            continue
        it = slope([at for at, _ in found], [value for _, value in found], least[what])
        line = chart([seen[what, role] for _, seen in samples if (what, role) in seen])
        yield (
            (
                f"{role:<7}{what:<12}{it.mean:>11,.1f}  {it.hourly:>+10,.1f} +- {it.error:<9,.1f} an hour  "
                f"{it.verdict:<10}{line}"
            ),
            it,
        )


async def accepted(url: str, count: float) -> float:
    """Wait until so many events are in committed frames; the seconds it took."""
    began = perf_counter()
    async with asyncio.timeout(600):
        seen = 0.0
        while seen < count:
            await asyncio.sleep(0.1)
            seen = (await asyncio.to_thread(scrape, url)).get((ACCEPTED, "ingest"), 0.0)
    return perf_counter() - began


async def soak(options: argparse.Namespace) -> bool:
    """Run it; whether nothing grows."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as place, running_kafka(Path(place)) as kafka:
        folder, broker = Path(place), Broker(address=kafka.address)
        await make(broker, TOPIC, PARTITIONS)
        config = configuration(folder, kafka.address, port)
        run = Run(config, folder / "state", ["--roles", ",".join(ROLES)])
        try:
            run.start()
            await asyncio.to_thread(run.wait_for_event, "view.caught_up")
            await asyncio.to_thread(run.wait_for_event, "partition.opened", PARTITIONS + SHARDS)
            async with hidden(broker, TOPIC, backlog()) as show:
                began = perf_counter()
                await show()
            await accepted(url, BACKLOG)
            maximum = BACKLOG / (perf_counter() - began)
            rate = options.rate or int(maximum * SHARE)
            print(
                f"a backlog of {BACKLOG:,} events at {maximum:,.0f}/s, then {rate:,}/s for "
                f"{options.minutes:g} minutes",
                flush=True,
            )
            samples = await fed(kafka.address, url, run, rate, options)
        finally:
            run.destroy()
    lines = [*report(samples, rate)]
    for line, _ in lines:
        print(line)
    verdicts = {it.verdict for _, it in lines if it is not None}
    worst = next((one for one in ("GROWS", "undecided") if one in verdicts), "flat")
    print(f"altogether: {worst if verdicts else 'undecided'}")
    return "GROWS" not in verdicts


async def fed(address: str, url: str, run: Run, rate: int, options: argparse.Namespace) -> Samples:
    """Feed and look; the samples."""
    pids = {role: run.pids(role)[-1] for role in ROLES}
    busy = {role: look(pid).cpu for role, pid in pids.items()}
    feeder = await asyncio.create_subprocess_exec(
        *(sys.executable, __file__, "--produce", address, str(rate), str(options.minutes * 60)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        samples = await watched(url, options)
        sent = int((await feeder.communicate())[0])
    finally:
        if feeder.returncode is None:
            feeder.kill()
    seconds = await accepted(url, BACKLOG + sent)
    spent = {role: look(pid).cpu - busy[role] for role, pid in pids.items()}
    if {role: run.pids(role)[-1] for role in ROLES} != pids:
        sys.exit("a role died and was started again")
    print(
        f"{sent:,} events fed ({sent / options.minutes / 60:,.0f}/s); all are in committed frames "
        f"{seconds:.1f} s after the last; cpu-s: "
        + ", ".join(f"{role} {used:.0f}" for role, used in spent.items())
    )
    return samples


async def watched(url: str, options: argparse.Namespace) -> Samples:
    """Samples until the time is over."""
    samples: Samples = []
    began = perf_counter()
    while (now := perf_counter() - began) < options.minutes * 60:
        samples.append((now, await asyncio.to_thread(scrape, url)))
        if options.log:
            with Path(options.log).open("a") as file:  # noqa: ASYNC230 - one line
                seen = {f"{role} {what}": value for (what, role), value in samples[-1][1].items()}
                file.write(json.dumps({"seconds": round(now, 1), **seen}) + "\n")
        await asyncio.sleep(options.every)
    return samples


def main() -> None:
    if sys.argv[1:2] == ["--produce"]:
        asyncio.run(produce(sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=int, help="events a second; by default half of the maximum")
    parser.add_argument("--every", type=float, default=10, help="seconds between two samples")
    parser.add_argument("--log", help="a file that gets every sample as a line of JSON")
    if not asyncio.run(soak(parser.parse_args())):
        sys.exit(1)


if __name__ == "__main__":
    telemetry.configure(level="error")
    main()

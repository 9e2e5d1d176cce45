"""Peak memory against length: a year of history beside a month, a million values of a dimension beside a few.

    python benchmarks/memory.py                      # some minutes
    python benchmarks/memory.py --only values

Every line is a process of its own (`monitor backfill`, `monitor replay`, `monitor run`), whose greatest resident memory the
system tells (VmHWM; Linux), but the last ones. `history`: the small shop in buckets of an hour, 216 lines a day.
`started`: the same, read by a service as it starts, until it has caught up. `quiet`: an event every
six hours, in buckets of a minute. `values`: so many events, each with a country that no other has.
`stuck`: what a core holds while one source of two stands still for so many minutes, with 50 series in buckets of a minute.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from benchmarks.core import resident_mb
from monitor.core.machine import Machine
from monitor.definitions import compile_plan, load
from monitor.definitions.plan import Plan
from monitor.ingest.source import Ingest
from monitor.model.time import SECOND
from tests.system import shop
from tests.system.servers import free_port

END = 20_400 * shop.DAY
BUSY = shop.METRICS.replace("15m", "1h")
QUIET = "metrics: [{name: orders, kind: count, of: {event: order}}]"
SEGMENTED = "metrics: [{name: orders, kind: count, of: {event: order}, segments: [country]}]"
VALUES = """
metrics:
  - {name: orders, kind: count, of: {event: order}, segments: [country, platform, [country, platform]]}
  - {name: buyers, kind: uniques, of: {event: order}, segments: [country], window: 1h}
"""
WEIGHED = """
import sys
from pathlib import Path
from monitor.cli import execute
code = execute(sys.argv[1:])
status = Path("/proc/self/status").read_text()
print([line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")][0], file=sys.stderr)
sys.exit(code)
"""


def history(days: int) -> Iterator[bytes]:
    """Every fourth quarter of an hour of the shop."""
    for line in shop.lines(END - days * shop.DAY, END):
        if line.time % shop.HOUR < shop.STEP:
            yield line.body


def quiet(days: int) -> Iterator[bytes]:
    """Few events in many buckets."""
    for at in range(END - days * shop.DAY, END, 6 * shop.HOUR):
        yield json.dumps({"name": "order", "time": at, "count": 40}).encode()


def values(count: int) -> Iterator[bytes]:
    """Two hours of events."""
    line = (
        b'{"name":"order","time":%d,"actor":"u%d","dimensions":{"country":"c%d","platform":"ios"}}'
    )
    for number in range(count):
        yield line % (END + number * 7200 // count, number % 1000, number)


CASES = {
    "history": (history, BUSY, "backfill", (30, 360)),
    "started": (history, BUSY, "run", (30, 360)),
    "quiet": (quiet, QUIET, "backfill", (4, 12)),
    "values": (values, VALUES, "replay", (100_000, 400_000, 1_000_000)),
}


def weigh(folder: Path, metrics: str, verb: str, lines: Iterator[bytes]) -> tuple[float, float]:
    """Greatest resident memory in MB, and seconds."""
    (folder / "config" / "metrics").mkdir(parents=True)
    (folder / "config" / "metrics" / "m.yaml").write_text(metrics)
    place = folder / "state.db"
    file, config = folder / "input.ndjson", folder / "config"
    (config / "monitor.yaml").write_text(
        f"source: {{files: [{file if verb == 'run' else 'none'}]}}\njournal: {{sqlite: {place}}}\n"
        f"api: {{host: 127.0.0.1, port: {free_port()}}}\n"
    )
    with file.open("wb") as out:
        out.writelines(line + b"\n" for line in lines)
    command = [verb, *([] if verb == "run" else [str(file)]), "--config", str(config)]
    if verb == "replay":
        command += ["--out", str(folder / "out"), "--buckets", "parents"]
    began = perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", WEIGHED, *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        said = [""]
        for line in process.stderr or ():
            said.append(line)
            if '"run.caught_up"' in line:
                process.terminate()
    if process.returncode != 0:
        sys.exit("".join(said))
    return int(said[-1]) / 1024, perf_counter() - began


def plan_of(folder: Path, metrics: str) -> Plan:
    """The plan of these metrics."""
    (folder / "metrics").mkdir()
    (folder / "metrics" / "m.yaml").write_text(metrics)
    (folder / "monitor.yaml").write_text("source: {files: [none]}")
    return compile_plan(load(folder, environment={}), shards=1)


def stuck(minutes: int) -> Iterator[tuple[int, float]]:
    """Minutes, and MB that the process holds, a thousand minutes apart."""
    with tempfile.TemporaryDirectory() as folder:
        plan = plan_of(Path(folder), SEGMENTED)
    sources = [
        Ingest(plan, None, source=n, sources=2, name="x", clock=lambda: END * 2 * SECOND)
        for n in range(2)
    ]
    machine = Machine(plan, 0)
    line = b'{"name":"order","time":%d,"dimensions":{"country":"c%d"}}'
    sources[1].add_many([line % (END, 1)] * 5)
    machine.apply(sources[1].flush().frames[0])
    for minute in range(minutes + 1):
        sources[0].add_many([line % (END + minute * 60, country) for country in range(49)])
        if minute % 20 == 0:
            machine.apply(sources[0].flush().frames[0])
        if minute % 1000 == 0:
            yield minute, resident_mb()


def main() -> None:
    """Weigh and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=[*CASES, "stuck"])
    chosen = parser.parse_args().only
    for name, (make, metrics, verb, sizes) in CASES.items():
        if chosen in (None, name):
            for size in sizes:
                with tempfile.TemporaryDirectory() as folder:
                    peak, seconds = weigh(Path(folder), metrics, verb, make(size))
                print(f"{name:8} {size:>9,}  {peak:6.0f} MB  {seconds:6.1f} s", flush=True)

    if chosen in (None, "stuck"):
        for minute, held in stuck(6000):
            print(f"stuck    {minute:>9,}  {held:6.0f} MB", flush=True)


if __name__ == "__main__":
    main()

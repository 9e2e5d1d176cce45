"""What a series costs in the core and in the view, and what a load needs.

    python benchmarks/sizing.py [--series 200 2000] [--minutes 3000]
    python benchmarks/sizing.py --steady

Prints, as JSON, the processor time of merging a delta and of closing, judging, encoding and storing a
bucket, and the memory and bytes of a series; a part of a tick is there whatever it holds, so two sizes
are measured. `benchmarks/scale.py --write` keeps them in `benchmarks/costs.json`. --steady prints the memory of
a machine whose restatement window is five minutes, every 500 buckets: beyond the first it holds no more.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from time import process_time

import numpy as np

from benchmarks.core import START, frame, plan_of, resident_mb
from monitor.core.machine import Machine
from monitor.journal.records import records
from monitor.journal.store import Store
from monitor.model.frame import decode_frame, encode_frame
from monitor.model.time import MINUTE

COSTS = Path(__file__).with_name("costs.json")
DEEP_MINUTES = 200
"""Of so many the records are made and stored as well."""

LOADS = (10_000, 100_000, 1_000_000)
SERIES = (10_000, 100_000, 1_000_000)
BUSY = 0.6
FLUSH_SECONDS = 2.0
TOUCHED = 10
MEMORY_SLACK = 1.5
SHARDS_A_PROCESS = 4
LEAST_SHARDS = 8
LANES_A_SHARD = 4
SERIES_A_PROCESS = 100_000
PROCESS_MB = 100


def merging(series: int) -> float:
    """Seconds a delta, from the bytes of its frame into a bucket that stays open."""
    counts = np.random.default_rng(1).poisson(100, (5, series))
    frames = [encode_frame(frame(i, np.arange(5), series, counts, START)) for i in range(40)]
    machine = Machine(plan_of(series))
    machine.apply(decode_frame(frames[0]))
    began = process_time()
    for data in frames[1:]:
        machine.apply(decode_frame(data))
    return (process_time() - began) / (39 * counts.size)


def ticking(series: int, minutes: int) -> dict[str, float]:
    """Of a tick: seconds in the core, of its records and in the view; of a series: its bytes."""
    chance, before = np.random.default_rng(2), resident_mb()
    machine, took, deep, stored, size = Machine(plan_of(series)), 0.0, 0.0, 0.0, 0
    with tempfile.TemporaryDirectory() as place, Store(Path(place) / "view.db") as store:
        for minute in range(minutes):
            counts = chance.poisson(1000, (1, series))
            mark = START + (minute + 1) * MINUTE
            one = frame(minute, np.array([minute]), series, counts, mark)
            began = process_time()
            effects = machine.apply(one)
            took += process_time() - began
            if minute >= minutes - DEEP_MINUTES:
                began = process_time()
                made = [record for effect in effects for record in records(effect)]
                deep += process_time() - began
                began = process_time()
                store.commit(made)
                stored += process_time() - began
                size += sum(len(record.value or b"") for record in made)
            del effects
        resident = resident_mb() - before
        snapshot = len(machine.snapshot())
    return {
        "core": took / minutes + deep / DEEP_MINUTES,
        "view": stored / DEEP_MINUTES,
        "journal_bytes": size / DEEP_MINUTES / series,
        "resident_bytes": resident * 1e6 / series,
        "snapshot_bytes": snapshot / series,
    }


def steady(series: int = 200, minutes: int = 6000) -> None:
    """Print whether a state machine alone grows."""
    machine = Machine(replace(plan_of(series), restatement_window_us=5 * MINUTE))
    chance = np.random.default_rng(2)
    for minute in range(minutes):
        counts = chance.poisson(1000, (1, series))
        mark = START + (minute + 1) * MINUTE
        machine.apply(frame(minute, np.array([minute]), series, counts, mark))
        if minute % 500 == 499:
            machine.snapshot()
            print(f"{minute + 1:>5} buckets: {resident_mb():.1f} MB", flush=True)


def core_costs() -> dict[str, float]:
    """Measured in a process of its own, whose memory is that of the core alone."""
    done = subprocess.run([sys.executable, __file__], stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measured(small: int, large: int, minutes: int) -> dict[str, float]:
    few, many = ticking(small, minutes), ticking(large, minutes)
    by_series = {
        name: max(many[name] - few[name], 0.0) / (large - small) for name in ("core", "view")
    }
    return {
        "delta_cpu": merging(large),
        "tick_cpu": few["core"] - by_series["core"] * small,
        "series_tick_cpu": by_series["core"],
        "view_tick_cpu": max(few["view"] - by_series["view"] * small, 0.0),
        "view_series_tick_cpu": by_series["view"],
        "series_resident": many["resident_bytes"],
        "series_snapshot": many["snapshot_bytes"],
        "series_bucket_bytes": many["journal_bytes"],
    }


def power_of_two(least: float) -> int:
    """The lowest one that is no less."""
    return 1 << math.ceil(math.log2(max(least, 1)))


def need(load: int, series: int, costs: Mapping[str, float]) -> dict[str, float]:
    """What so many events a second and so many series of one-minute buckets need."""
    ingest = math.ceil(load * costs["ingest_cpu_per_event"] / BUSY)
    partitions = max(power_of_two(ingest), 4)
    deltas = min(series * partitions / FLUSH_SECONDS, TOUCHED * load)
    closing = costs["series_tick_cpu"] * series / 60
    busy = deltas * costs["delta_cpu"] + closing
    core = math.ceil(max(busy / BUSY, series / SERIES_A_PROCESS))
    shards = max(power_of_two(core * SHARDS_A_PROCESS), LEAST_SHARDS)
    ticks = shards * LANES_A_SHARD / 60
    core = max(core, math.ceil((busy + ticks * costs["tick_cpu"]) / BUSY))
    view = costs["view_series_tick_cpu"] * series / 60 + ticks * costs["view_tick_cpu"]
    memory = series * costs["series_resident"] * MEMORY_SLACK / 1e9 + core * PROCESS_MB / 1e3
    return {
        "ingest": ingest,
        "partitions": partitions,
        "core": core,
        "shards": shards,
        "view": view / BUSY,
        "ingest_gb": ingest * costs["ingest_resident"] * MEMORY_SLACK / 1e9,
        "core_gb": memory,
        "journal_gb": series * costs["series_bucket_bytes"] * 1440 / 1e9,
        "snapshot_gb": series * costs["series_snapshot"] / 1e9,
    }


def table(costs: Mapping[str, float]) -> str:
    """The tables of `docs/scaling.md`."""
    return "\n".join([*_measured(costs), "", *_loads(costs)])


def _measured(costs: Mapping[str, float]) -> Iterator[str]:
    yield "| measured | |"
    yield "|---|---|"
    drain = costs["drain_cpu_per_event"]
    yield f"| ingest, an event | {costs['ingest_cpu_per_event'] * 1e6:.1f} us |"
    yield f"| a bare drain, an event | {drain * 1e6:.1f} us |"
    yield f"| ingest, memory of a process | {costs['ingest_resident'] / 1e6:.0f} MB |"
    yield f"| core, a delta merged | {costs['delta_cpu'] * 1e6:.2f} us |"
    yield f"| core, a tick, whatever it holds | {costs['tick_cpu'] * 1e3:.1f} ms |"
    yield f"| core, a series in a tick | {costs['series_tick_cpu'] * 1e6:.1f} us |"
    yield f"| view, a series in a tick | {costs['view_series_tick_cpu'] * 1e6:.1f} us |"
    yield f"| core, memory of a series | {costs['series_resident'] / 1e3:.0f} kB |"
    yield f"| snapshot, a series | {costs['series_snapshot'] / 1e3:.1f} kB |"
    yield f"| journal, a series in a bucket | {costs['series_bucket_bytes']:.0f} bytes |"


def _loads(costs: Mapping[str, float]) -> Iterator[str]:
    yield (
        "| events/s | series | ingest processes | source partitions | core processes | shards | "
        "serve, share of a core | memory: ingest, core | buckets a day | a snapshot of all |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for load in LOADS:
        for series in SERIES:
            it = need(load, series, costs)
            yield (
                f"| {load:,} | {series:,} | {it['ingest']:.0f} | {it['partitions']:.0f} | "
                f"{it['core']:.0f} | {it['shards']:.0f} | {it['view']:.2f} | "
                f"{it['ingest_gb']:.1f} GB, {it['core_gb']:.1f} GB | {it['journal_gb']:,.1f} GB | "
                f"{it['snapshot_gb']:.2f} GB |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, nargs=2, default=[200, 2000])
    parser.add_argument("--minutes", type=int, default=3000)
    parser.add_argument("--steady", action="store_true", help="does a machine grow?")
    options = parser.parse_args()
    if options.steady:
        steady()
        return
    small, large = sorted(options.series)
    print(json.dumps(measured(small, large, options.minutes), indent=2))


if __name__ == "__main__":
    main()

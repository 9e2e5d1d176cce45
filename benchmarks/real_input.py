"""Real service KPIs with labels, as events: what the monitor pages, and what the labels say.

    python benchmarks/real_input.py events --data kpi.npz --out DIR     # events, config, labels
    monitor replay DIR/events.ndjson.zst --config DIR/config --out DIR/replay --buckets parents
    python benchmarks/real_input.py judge --dir DIR --alerts DIR/replay/alerts.ndjson

The same without files and events, faster, over the first days only:

    python benchmarks/real_input.py direct --data kpi.npz --days 48

The same through a real Kafka, with `monitor run --config DIR/service` beside it, and then compared:

    python benchmarks/real_input.py produce --dir DIR --bootstrap localhost:9092
    python benchmarks/real_input.py compare --dir DIR --url http://127.0.0.1:8321

The data is an npz of the public AIOps-2018 KPI set (MIT, NetManAIOps): per id `<id>|value`,
`<id>|label` and `<id>|meta` = [first epoch second, seconds a row, rows of the training half]. Every
KPI becomes one event name and one metric (`mean`, one event a bucket). They are moved by whole weeks
so that they end in the same week: one stream, and the weekly season stays where it was.
"""

import argparse
import asyncio
import heapq
import io
import json
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import numpy as np
import zstandard
from aiokafka import AIOKafkaProducer
from worlds import World, traits_of

from monitor.baseline import Baseline
from monitor.guard import Guard
from monitor.model.tick import Observation, Reason
from monitor.model.time import FOREVER

WEEK = 7 * 86_400
GRACE_SECONDS = 600
"""A page counts for a labelled stretch until this long after its end."""


def load(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray, int, int]]:
    data = np.load(path)
    kpis = {}
    for name in sorted({key.split("|")[0] for key in data.files}):
        first, step, _ = (int(v) for v in data[f"{name}|meta"])
        kpis[f"kpi_{name[:8]}"] = (data[f"{name}|value"], data[f"{name}|label"], first, step)
    return kpis


def shifts(kpis: dict[str, tuple[np.ndarray, np.ndarray, int, int]]) -> dict[str, int]:
    """By KPI, the seconds by which it is moved: whole weeks, so that all end in the same week."""
    ends = {name: first + step * len(value) for name, (value, _, first, step) in kpis.items()}
    newest = max(ends.values())
    return {name: (newest - end) // WEEK * WEEK for name, end in ends.items()}


def events(
    name: str, value: np.ndarray, first: int, step: int, shift: int
) -> Iterator[tuple[int, bytes]]:
    for i, v in enumerate(value.tolist()):
        time = first + shift + i * step
        stamp = datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        yield time, msgspec.json.encode({"name": name, "time": stamp, "values": {"value": v}})


def write_events(args: argparse.Namespace) -> None:
    kpis = load(args.data)
    moved = shifts(kpis)
    args.out.mkdir(parents=True, exist_ok=True)
    streams = [
        events(name, value, first, step, moved[name])
        for name, (value, _, first, step) in kpis.items()
    ]
    path = args.out / "events.ndjson.zst"
    with path.open("wb") as raw, zstandard.ZstdCompressor(level=3).stream_writer(raw) as out:
        for _, line in heapq.merge(*streams, key=lambda event: event[0]):
            out.write(line + b"\n")
    metrics = args.out / "config" / "metrics"
    metrics.mkdir(parents=True, exist_ok=True)
    entries = "".join(
        f"  - name: {name}\n    kind: mean\n    of: {{event: {name}, value: value}}\n"
        f"    bucket: {step // 60}m\n    detect: {{min_units: 1}}\n"
        for name, (_, _, _, step) in kpis.items()
    )
    (metrics / "kpis.yaml").write_text(f"metrics:\n{entries}")
    (args.out / "config" / "monitor.yaml").write_text(
        'source: {files: ["events.ndjson.zst"]}\njournal: {sqlite: var/monitor.db}\n'
    )
    service = args.out / "service"
    (service / "metrics").mkdir(parents=True, exist_ok=True)
    (service / "metrics" / "kpis.yaml").write_text(f"metrics:\n{entries}")
    # the events are old: only they may move the watermark, not silence
    (service / "monitor.yaml").write_text(
        f"source: {{kafka: {{bootstrap_servers: '{args.bootstrap}', topic: kpis, group: kpis}}}}\n"
        "journal: {kafka: {prefix: kpis, shards: 2, replication: 1}}\nidle_timeout: 1d\n"
    )
    labels = {
        name: [
            [first + moved[name] + a * step, first + moved[name] + b * step]
            for a, b in stretches(label)
        ]
        for name, (_, label, first, step) in kpis.items()
    }
    (args.out / "labels.json").write_text(json.dumps(labels))
    rows = sum(len(value) for value, *_ in kpis.values())
    print(f"{rows:,} events of {len(kpis)} KPIs in {path}")


async def send(args: argparse.Namespace) -> None:
    path = args.dir / "events.ndjson.zst"
    producer = AIOKafkaProducer(
        bootstrap_servers=args.bootstrap, compression_type="lz4", linger_ms=50
    )
    await producer.start()
    count, began = 0, time.perf_counter()
    with path.open("rb") as raw:
        lines = io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(raw), 1 << 20)
        for line in lines:
            # the two partitions advance together, as they do for events of now
            await producer.send("kpis", line.rstrip(), partition=count % 2)
            count += 1
    await producer.stop()
    print(f"{count:,} events in {time.perf_counter() - began:.0f} s")


def produce(args: argparse.Namespace) -> None:
    asyncio.run(send(args))


def fetch(url: str) -> dict:
    with urllib.request.urlopen(url) as answer:  # noqa: S310
        return json.loads(answer.read())


def compare(args: argparse.Namespace) -> None:
    """Alerts by id, and every bucket of every KPI, between the replay and the service."""
    replayed = [json.loads(x) for x in (args.dir / "replay/alerts.ndjson").read_text().splitlines()]
    served = fetch(f"{args.url}/api/v1/alerts")["alerts"]
    there = {a["alert_id"]: a for a in served if a["state"] != "pending"}
    last = {a["alert_id"]: a for a in replayed if a["state"] != "pending"}
    same = sum(
        there[i]["state"] == a["state"] and there[i]["started_at"] == a["started_at"]
        for i, a in last.items()
        if i in there
    )
    print(f"alerts: {len(last):,} in the replay, {len(there):,} in the service, {same:,} the same")
    buckets: dict[str, dict[str, tuple]] = {}
    with (args.dir / "replay/buckets.ndjson").open() as file:
        for line in file:
            row = json.loads(line)
            buckets.setdefault(row["metric"], {})[row["start"]] = row
    columns = ("value", "n", "expected", "lower", "upper", "evidence", "state")
    for metric, rows in buckets.items():
        found = fetch(f"{args.url}/api/v1/metrics/{metric}/buckets")["buckets"]
        differing = sum(
            any(row[c] != rows[row["start"]][c] for c in columns)
            for row in found
            if row["start"] in rows
        )
        unknown = sum(row["start"] not in rows for row in found)
        print(
            f"{metric}: {len(found):,} of {len(rows):,} buckets kept, {differing} differ, {unknown} unknown"
        )


def stretches(label: np.ndarray) -> list[tuple[int, int]]:
    """Runs of 1, as [first, last + 1)."""
    edges = np.flatnonzero(np.diff(np.r_[0, label, 0]))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def direct(args: argparse.Namespace) -> None:
    """Through baseline and guard alone, at the threshold that one page in 30 days over all KPIs sets."""
    kpis = load(args.data)
    print("| KPI | pages | on a label | not on a label | labelled stretches | hit |")
    print("|---|---:|---:|---:|---:|---:|")
    totals = np.zeros(5, dtype=int)
    for step in sorted({kpi[3] for kpi in kpis.values()}):
        some = {name: kpi for name, kpi in kpis.items() if kpi[3] == step}
        for name, row in _judged(some, step, args.days * 86_400 // step, len(kpis)).items():
            totals += row
            print(f"| {name} | " + " | ".join(str(v) for v in row) + " |", flush=True)
    print("| all | " + " | ".join(str(v) for v in totals) + " |")


def _judged(
    kpis: dict[str, tuple[np.ndarray, np.ndarray, int, int]], step: int, rows: int, metrics: int
) -> dict[str, np.ndarray]:
    size, width = len(kpis), step * 1_000_000
    origin = min(first for _, _, first, _ in kpis.values())
    values, labels = np.full((rows, size), np.nan), np.zeros((rows, size), dtype=bool)
    for column, (value, label, first, _) in enumerate(kpis.values()):
        at = (first - origin) % WEEK // step
        count = max(0, min(len(value), rows - at))
        values[at : at + count, column] = value[:count]
        labels[at : at + count, column] = label[:count]
    traits = traits_of(World(name="", law="normal_mean"), size, 30 * 86_400 / step * metrics)
    traits.min_units[:] = 1.0
    baseline, guard = Baseline(bucket_us=width, timezones=["UTC"]), Guard(bucket_us=width)
    baseline.append(size)
    guard.append(size)
    open_at, spans = {}, [[] for _ in range(size)]
    for t in range(rows):
        seen = ~np.isnan(values[t])
        start = origin * 1_000_000 + t * width
        observation = Observation(
            start_us=start, end_us=start + width, x=np.where(seen, values[t], 0.0),
            n=seen.astype(float), observed=seen,
        )  # fmt: skip
        expected = baseline.expect(start, start + width, traits)
        decision = guard.step(observation, expected, traits)
        baseline.learn(
            observation, expected, traits, hold=decision.open | decision.pending,
            incident_start_us=np.where(decision.open, decision.start_us, FOREVER),
            accepted=decision.closed & (decision.reason == Reason.NEW_NORMAL),
        )  # fmt: skip
        for row in np.flatnonzero(decision.opened).tolist():
            open_at[row] = (int(decision.start_us[row]) - origin * 1_000_000) // width
        for row in np.flatnonzero(decision.closed).tolist():
            spans[row].append((open_at.pop(row), t))
    for row, began in open_at.items():
        spans[row].append((began, rows))
    grace = GRACE_SECONDS // step
    found = {}
    for column, name in enumerate(kpis):
        runs, mine = stretches(labels[:, column]), spans[column]
        on = sum(any(s < b + grace and e > a for a, b in runs) for s, e in mine)
        hit = sum(any(s < b + grace and e > a for s, e in mine) for a, b in runs)
        found[name] = np.array([len(mine), on, len(mine) - on, len(runs), hit])
    return found


def seconds(stamp: str) -> int:
    return int(datetime.fromisoformat(stamp).timestamp())


def judge(args: argparse.Namespace) -> None:
    labels = json.loads((args.dir / "labels.json").read_text())
    lines = [json.loads(line) for line in args.alerts.read_text().splitlines()]
    fired = [a for a in lines if a["state"] == "firing"]
    ended = {a["alert_id"]: seconds(a["resolved_at"]) for a in lines if a["state"] == "resolved"}
    print("| KPI | pages | on a label | not on a label | labelled stretches | hit |")
    print("|---|---:|---:|---:|---:|---:|")
    totals = np.zeros(5, dtype=int)
    for name, runs in labels.items():
        spans = [
            (seconds(a["started_at"]), ended.get(a["alert_id"], 2**40))
            for a in fired
            if a["metric"] == name
        ]
        on = sum(any(s < b + GRACE_SECONDS and e > a for a, b in runs) for s, e in spans)
        hit = sum(any(s < b + GRACE_SECONDS and e > a for s, e in spans) for a, b in runs)
        row = np.array([len(spans), on, len(spans) - on, len(runs), hit])
        totals += row
        print(f"| {name} | " + " | ".join(str(v) for v in row) + " |")
    print("| all | " + " | ".join(str(v) for v in totals) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(required=True)
    make = verbs.add_parser("events")
    make.add_argument("--data", type=Path, required=True)
    make.add_argument("--out", type=Path, required=True)
    make.add_argument("--bootstrap", default="localhost:9092")
    make.set_defaults(run=write_events)
    stream = verbs.add_parser("produce")
    stream.add_argument("--dir", type=Path, required=True)
    stream.add_argument("--bootstrap", default="localhost:9092")
    stream.set_defaults(run=produce)
    side = verbs.add_parser("compare")
    side.add_argument("--dir", type=Path, required=True)
    side.add_argument("--url", default="http://127.0.0.1:8321")
    side.set_defaults(run=compare)
    short = verbs.add_parser("direct")
    short.add_argument("--data", type=Path, required=True)
    short.add_argument("--days", type=int, default=48)
    short.set_defaults(run=direct)
    weigh = verbs.add_parser("judge")
    weigh.add_argument("--dir", type=Path, required=True)
    weigh.add_argument("--alerts", type=Path, required=True)
    weigh.set_defaults(run=judge)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()

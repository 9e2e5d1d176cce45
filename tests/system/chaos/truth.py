"""What must come out, and whether it did.

Three witnesses: the cells that the world knows by construction, a replay of the same lines that nobody
disturbs, and the lines themselves for the dead letters.
"""

import asyncio
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec
from aiokafka.structs import TopicPartition

from monitor.journal.records import RESTATED
from monitor.kafka.broker import Broker
from monitor.kafka.topics import Topics
from monitor.model.bucket import BucketColumns, Number, RestatedColumns
from monitor.model.incident import IncidentState
from monitor.model.record import Stream
from tests.system.chaos.world import Cell, Truth

_READ: Final = (Stream.BUCKETS, Stream.ALERTS, Stream.DEAD_LETTERS)
_SHOWN: Final = 3
_OPEN: Final = ("immature", "partial")
_MEASUREMENT: Final = "data_quality_"
"""A replay does not make these buckets; what is found in them, the incidents, is compared."""
_REL: Final = 1e-9

_columns = msgspec.json.Decoder(BucketColumns)
_restated = msgspec.json.Decoder(RestatedColumns)
Table = Mapping[str, bytes]


@dataclass(slots=True)
class Journal:
    """What the journal's topics hold, read as far as they go.

    Attributes:
        newest: by stream and key, the newest value.
        letters: by key, the parts of every dead letter record, in order.
    """

    newest: dict[Stream, dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))
    letters: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))

    async def read(self, broker: Broker, topics: Topics, expected: Table, patience: float) -> None:
        """Read until every one of these buckets is there, closed, or nothing new comes any more.

        Args:
            expected: the buckets that must come.
            patience: seconds without a new record.
        """
        streams = {topics.name(stream): stream for stream in _READ}
        consumer = broker.consumer()
        wanted = {key for key in expected if RESTATED not in key and not _of_measurement(key)}
        async with broker.running(consumer):
            consumer.assign([TopicPartition(t, p) for t in streams for p in range(topics.shards)])
            silent = 0.0
            while silent < patience and (wanted or silent < 1):
                batches = await consumer.getmany(timeout_ms=200)
                silent = 0.0 if batches else silent + 0.2
                for place, records in batches.items():
                    for record in records:
                        self._take(streams[place.topic], record)
                        wanted.discard(self._closed(record.key.decode()))

    def _take(self, stream: Stream, record: Any) -> None:
        key = record.key.decode()
        if stream is Stream.DEAD_LETTERS:
            self.letters[key].append(record)
        elif record.value is None:
            self.newest[stream].pop(key, None)
        else:
            self.newest[stream][key] = record.value

    def _closed(self, key: str) -> str:
        """The key, if its bucket is final; else nothing that anybody waits for."""
        value = self.newest[Stream.BUCKETS].get(key)
        return "" if value is None or _is_open(value) else key


def _of_measurement(key: str) -> bool:
    return key.startswith(_MEASUREMENT)


def _is_open(value: bytes) -> bool:
    return any(f'"{state}"'.encode() in value for state in _OPEN)


def closed(table: Table) -> dict[str, bytes]:
    """The buckets that are final."""
    return {key: value for key, value in table.items() if not _is_open(value)}


@dataclass(slots=True)
class Verdict:
    """What was compared, and what does not fit.

    Attributes:
        counts: of what was compared.
        faults: by what does not fit, the cases.
    """

    counts: Counter[str] = field(default_factory=Counter)
    faults: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def equal(self, what: str, name: object, found: object, expected: object) -> None:
        """Compare two values."""
        self.counts[what] += 1
        if found != expected:
            self.faults[what].append(f"{name}: {found} instead of {expected}")

    def __str__(self) -> str:
        lines = [f"  {count:>9,}  {what}" for what, count in sorted(self.counts.items())]
        for what, cases in self.faults.items():
            shown = "".join(f"\n      {case[:4000]}" for case in cases[:_SHOWN])
            lines.append(f"  WRONG: {what}, {len(cases)} times{shown}")
        return "\n".join(lines)


def check_cells(verdict: Verdict, truth: Truth, buckets: Table) -> None:
    """Every cell of the world is a segment of a bucket, with its number and value; no other has any."""
    found = dict(_cells(buckets))
    totals: dict[str, list[float]] = defaultdict(lambda: [0, 0])
    for cell, (n, x) in truth.cells.items():
        got = found.pop(cell, (None, None))
        verdict.equal("cells: number", cell, got[0], n)
        value = _value(cell[0], n, x)
        if value is not None and (got[1] is None or not math.isclose(got[1], value, rel_tol=_REL)):
            verdict.faults["cells: value"].append(f"{cell}: {got[1]} instead of {value}")
        if cell[1] == "all":
            totals[cell[0]][0] += n
            totals[cell[0]][1] += got[0] or 0
    for metric, (sent, counted) in sorted(totals.items()):
        verdict.equal("sums over all buckets", metric, counted, sent)
    for cell, (left, _) in found.items():
        if left and cell[0] in totals:
            verdict.faults["cells that nobody sent"].append(f"{cell}: {left}")
    _check_derived(verdict, truth, dict(_cells(buckets)))


def _value(metric: str, n: float, x: float) -> float | None:
    if metric == "latency_p95":
        return None  # the world knows how many, the replay knows the quantile
    return x if metric in {"orders", "revenue", "active_users"} else x / n


def _check_derived(
    verdict: Verdict, truth: Truth, found: Mapping[Cell, tuple[Number, Number]]
) -> None:
    for (metric, *where), (n, _) in truth.cells.items():
        if metric != "active_users":
            continue
        _, revenue = truth.cells.get(("revenue", *where), (0, 0))  # type: ignore[arg-type]
        cell: Cell = ("revenue_per_user", *where)  # type: ignore[assignment]
        value = found.get(cell, (None, None))[1]
        is_right = value is not None and math.isclose(value, revenue / n, rel_tol=_REL)
        verdict.equal("cells: derived", cell, is_right, True)


def _cells(buckets: Table) -> Iterator[tuple[Cell, tuple[Number, Number]]]:
    for merged in _merged(buckets).values():
        start = round(datetime.fromisoformat(merged.start).timestamp() * 1000)
        for place, segment in enumerate(merged.segments):
            cell = (merged.metric, merged.dimension, segment, start)
            yield cell, (merged.n[place], merged.value[place])


def _merged(buckets: Table) -> dict[str, BucketColumns]:
    """Every bucket in its last revision."""
    out = {}
    for key, value in buckets.items():
        if not key.endswith(RESTATED):
            body = _columns.decode(value)
            restated = buckets.get(f"{key}|{RESTATED}")
            out[key] = body if restated is None else _restated.decode(restated).over(body)
    return out


def check_replay(verdict: Verdict, found: Table, expected: Table) -> None:
    """Every bucket is what an undisturbed replay says: values, expectation, evidence, state."""
    got, wanted = _merged(found), _merged(closed(expected))
    for key in wanted.keys() | {key for key in got if not _is_open(found[key])}:
        if not _of_measurement(key):
            here, there = got.get(key), wanted.get(key)
            verdict.equal("buckets as in a replay", key, _comparable(here), _comparable(there))


def _comparable(columns: BucketColumns | None) -> Any:
    """A bucket by segment, without what depends on when late events met it: revision numbers.

    The order of segments is that in which they were first seen, which differs between partitions' order.
    """
    if columns is None:
        return None
    rows = zip(
        columns.segments,
        columns.value,
        columns.n,
        columns.expected,
        columns.lower,
        columns.upper,
        columns.evidence,
        columns.state,
        strict=True,
    )
    return sorted(rows)


def check_alerts(verdict: Verdict, found: Table, expected: Table) -> None:
    """The incidents are those of the replay, word for word."""
    got, wanted = told(found), told(expected)
    for alert_id in got.keys() | wanted.keys():
        here, there = got.get(alert_id, {}), wanted.get(alert_id, {})
        differs = {n for n in here.keys() | there.keys() if here.get(n) != there.get(n)}
        name = f"{alert_id} {(here or there)['metric']}"
        is_, should = ({n: one.get(n) for n in differs} for one in (here, there))
        verdict.equal("incidents", name, is_, should)


def told(alerts: Table) -> dict[str, dict[str, Any]]:
    """The incidents that somebody was told of, by id."""
    decoded = {key: json.loads(value) for key, value in alerts.items()}
    return {key: body for key, body in decoded.items() if body["state"] != IncidentState.PENDING}


def check_once(verdict: Verdict, what: str, ids: Sequence[str], expected: Sequence[str]) -> None:
    """Each of these ids is there, once, and no other."""
    verdict.equal(what, "ids", sorted(ids), sorted(expected))


def check_letters(verdict: Verdict, truth: Truth, journal: Journal) -> None:
    """Every line that could not be used is a dead letter, once, whole, and no other is."""
    for (partition, offset), (reason, payload) in truth.letters.items():
        parts = journal.letters.pop(f"{partition}|{offset}", [])
        line = json.loads(b"".join(part.value for part in parts)) if len(parts) == 1 else {}
        expected = payload.decode(errors="backslashreplace")
        got = line.get("payload", expected if "payload_base64" in line else None)
        found = (len(parts), line.get("reason"), got)
        verdict.equal("dead letters", (partition, offset), found, (1, reason, expected))
    for key in journal.letters:
        verdict.faults["dead letters that are none"].append(key)


async def settled(what: Any, seconds: float) -> bool:
    """Whether this comes to be true within so many seconds."""
    for _ in range(round(seconds * 2)):
        if await asyncio.to_thread(what):
            return True
        await asyncio.sleep(0.5)
    return False

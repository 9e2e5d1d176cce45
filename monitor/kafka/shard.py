"""One shard of the core: its machine, its producer, and where it stands in the log."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.structs import TopicPartition

from monitor.core.tally import SKIPPED
from monitor.errors import StateError
from monitor.kafka import snapshots
from monitor.kafka.broker import Broker, Outgoing, stop, transact
from monitor.kafka.framing import Joiner, Link, Message, Parcel
from monitor.kafka.snapshots import Archive, Held
from monitor.kafka.topics import FRAMES, SNAPSHOTS, Topics
from monitor.model.frame import Frame, decode_frame
from monitor.model.record import Record
from monitor.telemetry import Counters

_log = structlog.get_logger(__name__)
_APPLY_TRIES = 3

SLICE_SECONDS = 1.0
"""Frames are applied for so long before what they decided is sent."""

TURN_SECONDS = 2.0
"""A shard works for so long before the others, and the consumer, have their turn."""

TRANSACTION_RECORDS = 2_000
"""Records in one transaction: one of weeks of buckets would outlast the broker's patience."""
_SLICE_SECONDS = 5.0
_SLICE_RECORDS = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """How a shard makes and drives its machine.

    Attributes:
        fresh: a machine of a shard without state.
        restore: a machine of a shard from a snapshot, and what changed definitions made it decide.
        apply: what a machine decides on a frame, as records.
        tally: totals of a machine so far, by counter and label, for `Counters.grew`.

    A machine has `positions`, the next offset of every source, and `snapshot()`, its state in bytes.
    """

    fresh: Callable[[int], Any]
    restore: Callable[[int, bytes], tuple[Any, list[Record]]]
    apply: Callable[[Any, Frame], list[Record]]
    tally: Callable[[Any], Mapping[tuple[str, str], int]] = lambda _: {}


class ReloadError(Exception):
    """The shard must be loaded again before this offset is applied."""


class Shard:
    """The owner of one partition of the frames.

    Args:
        number: the shard, which is the partition of every topic it reads and writes.
        counters: the service's own figures.
    """

    def __init__(
        self,
        number: int,
        *,
        broker: Broker,
        topics: Topics,
        core: Core,
        counters: Counters,
    ) -> None:
        self.number = number
        self.next_offset = 0
        self._broker = broker
        self._topics = topics
        self._core = core
        self._counters = counters
        self._trouble: Counter[int] = Counter()
        self._producer: AIOKafkaProducer | None = None
        self._machine: Any = None
        self._joiner = Joiner()
        self._held = Held()
        self._saved_at: int | None = None
        self._tally: Mapping[tuple[str, str], int] = {}
        self._told: set[str] = set()

    async def open(self) -> None:
        """Fence the former owner, load the newest whole snapshot, send what it decided."""
        self._producer = self._broker.producer(f"{self._topics.prefix}-core-{self.number}")
        await self._broker.start(self._producer)
        name = self._topics.name(SNAPSHOTS)
        archive = await Archive.read(self._broker, name, self.number)
        self._held = Held.of(self.number, archive)
        self._joiner = Joiner()
        decided = await asyncio.to_thread(self._load, archive)
        self._counters.snapshots.labels("failed").inc(archive.unusable)
        await self._look_for_log()
        self._tally = self._core.tally(self._machine)
        await self._send(decided)
        _log.info("shard.loaded", shard=self.number, offset=self.next_offset)

    def _load(self, archive: Archive) -> list[Record]:
        for offset, state in archive.complete():
            try:
                self._machine, decided = self._core.restore(self.number, state)
            except (StateError, ValueError, KeyError, msgspec.DecodeError) as error:
                _log.warning(
                    "snapshot.unusable", shard=self.number, offset=offset, error=str(error)
                )
                self._counters.snapshots.labels("failed").inc()
                continue
            self.next_offset = self._saved_at = offset
            self._counters.snapshots.labels("restored").inc()
            return decided
        self._machine = self._core.fresh(self.number)
        self.next_offset, self._saved_at = 0, None
        return []

    async def _look_for_log(self) -> None:
        """Begin at the log's start where it ends before the snapshot: it was made anew.

        The chains of the sources tell what of it was applied before, and what is missing.
        """
        place = TopicPartition(self._topics.name(FRAMES), self.number)
        consumer = self._broker.consumer()
        async with self._broker.running(consumer):
            first = (await consumer.beginning_offsets([place]))[place]
            end = (await consumer.end_offsets([place]))[place]
        if self._saved_at is None and first > 0:
            self._counters.states_lost.inc()
            _log.error(
                "shard.state_lost",
                shard=self.number,
                first=first,
                remedy="without a snapshot it begins in the middle of the log: it learns anew, and the "
                "first buckets may be partial",
            )
        if self.next_offset > end:
            self._counters.log_resets.inc()
            _log.error("shard.log_is_new", shard=self.number, offset=self.next_offset, end=end)
            self.next_offset = 0

    async def process(self, messages: Sequence[Message]) -> None:
        """Apply frames and send what they decide, for as long as a turn lasts; see `next_offset`.

        Raises:
            ReloadError: the state must be loaded again; any error of the broker means the same.
        """
        fresh = [message for message in messages if message.offset >= self.next_offset]
        clock = asyncio.get_running_loop().time
        begun, at = clock(), 0
        while at < len(fresh) and (at == 0 or clock() - begun < TURN_SECONDS):
            taken, decided = await asyncio.to_thread(self._apply, fresh[at:])
            await self._send(decided)
            at += taken
            self.next_offset = fresh[at - 1].offset + 1
            before, self._tally = self._tally, self._core.tally(self._machine)
            self._counters.grew(before, self._tally)
            self._tell_skipped(before)

    def _tell_skipped(self, before: Mapping[tuple[str, str], int]) -> None:
        """Say once of which metrics ingest measures something else."""
        more = {
            label
            for (name, label), total in self._tally.items()
            if name == SKIPPED and total > before.get((name, label), 0)
        }
        if news := sorted(more - self._told):
            self._told |= more
            _log.warning(
                "deltas.skipped",
                shard=self.number,
                metrics=news,
                remedy="frames of before a change of definitions, or an ingest that still has the old",
            )

    async def save(self) -> None:
        """Write a snapshot, unless nothing was read since the last one."""
        offset = self._joiner.resume(self.next_offset)
        if offset == self._saved_at or self._producer is None:
            return
        entries = await asyncio.to_thread(self._encoded, offset)
        gone = self._held.replaced_by(offset, [key for key, _ in entries])
        topic = self._topics.name(SNAPSHOTS)
        writes = [*entries, *((key, None) for key in gone)]
        await transact(
            self._producer,
            [Outgoing(topic=topic, partition=self.number, key=k, value=v) for k, v in writes],
        )
        self._saved_at = offset
        shard = str(self.number)
        self._counters.snapshots.labels("written").inc()
        self._counters.snapshot_offset.labels(shard).set(offset)
        self._counters.snapshot_bytes.labels(shard).set(sum(len(v) for _, v in entries))
        _log.info("shard.saved", shard=self.number, offset=offset, chunks=len(entries) - 1)

    def _encoded(self, offset: int) -> list[tuple[bytes, bytes]]:
        return snapshots.entries(self.number, offset, self._machine.snapshot())

    async def close(self, *, graceful: bool) -> None:
        """Stop; a graceful one saves first, so that the next owner need not apply again."""
        try:
            if graceful:
                await self.save()
        finally:
            if self._producer is not None:
                await stop(self._producer)
            self._producer = self._machine = None

    def _apply(self, messages: Sequence[Message]) -> tuple[int, list[Record]]:
        """Apply frames for a slice of time; how many messages that took, and what they decided."""
        decided: list[Record] = []
        until = monotonic() + SLICE_SECONDS
        for number, message in enumerate(messages, 1):
            try:
                parcel = self._joiner.add(message)
            except ValueError as error:
                self._quarantine(message.offset, f"headers: {error}")
                continue
            if parcel is not None:
                decided += self._apply_parcel(parcel)
            if monotonic() >= until:
                return number, decided
        return len(messages), decided

    def _apply_parcel(self, parcel: Parcel) -> list[Record]:
        head = parcel.head
        match head.link(self._machine.positions.get(head.source)):
            case Link.REPEAT:
                self._counters.frames.labels("repeated").inc()
                return []
            case Link.GAP:
                self._gap(parcel)
        frame = self._decoded(parcel)
        try:
            decided = self._core.apply(self._machine, frame)
        except Exception as error:
            # The state may be half changed: only a reload makes it whole.
            self._trouble[parcel.offset] += 1
            message = f"frame at offset {parcel.offset}: {type(error).__name__}: {error}"
            raise ReloadError(message) from error
        self._counters.frames.labels("applied").inc()
        return decided

    def _gap(self, parcel: Parcel) -> None:
        head, offset = parcel.head, parcel.offset
        message = (
            f"source {head.source} goes on at {head.start} and not at "
            f"{self._machine.positions[head.source]} (frame at offset {offset})"
        )
        if not self._trouble[offset]:
            self._trouble[offset] += 1
            raise ReloadError(message)
        _log.error("frames.gap", shard=self.number, detail=message)
        self._counters.frames.labels("gap").inc()

    def _decoded(self, parcel: Parcel) -> Frame:
        if self._trouble[parcel.offset] >= _APPLY_TRIES:
            self._quarantine(parcel.offset, f"it failed {_APPLY_TRIES} times")
            return parcel.head.empty()
        try:
            return decode_frame(parcel.body)
        except (msgspec.DecodeError, ValueError, TypeError) as error:
            self._quarantine(parcel.offset, str(error))
            return parcel.head.empty()

    def _quarantine(self, offset: int, why: str) -> None:
        """Pass over a frame that cannot be used; it stays in the log for whoever looks."""
        _log.error(
            "frame.quarantined",
            topic=self._topics.name(FRAMES),
            partition=self.number,
            offset=offset,
            error=why,
        )
        self._counters.frames.labels("quarantined").inc()

    async def _send(self, records: Sequence[Record]) -> None:
        """Write records, many in more than one transaction: a reload would write the same again."""
        if self._producer is None:
            return
        for batch in batched(records, TRANSACTION_RECORDS):
            await transact(
                self._producer,
                [
                    Outgoing(
                        topic=self._topics.name(record.stream),
                        partition=self.number,
                        key=record.key.encode(),
                        value=record.value,
                    )
                    for record in batch
                ],
            )


def batched(records: Sequence[Record], size: int) -> Iterator[Sequence[Record]]:
    """The records in runs of at most that size; none where there are none."""
    for at in range(0, len(records), size):
        yield records[at : at + size]

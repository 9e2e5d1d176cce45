"""One partition of the source topic: its cells, its watermark, its producer, its committed offset.

A flush is one transaction: a frame for every shard, the dead letters, and the offset up to which the
events are in them, with ingest's state in the offset's metadata. It is written beside the reading of
what follows, one at a time and in order.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from monitor.clock import Clock
from monitor.errors import StateError
from monitor.ingest.cloud_events import structured
from monitor.ingest.source import Flush, Ingest
from monitor.journal.records import dead_letter_record
from monitor.kafka.alignment import ASK_SECONDS
from monitor.kafka.arrival import Arrival
from monitor.kafka.broker import Broker, Outgoing, slices, stop, transact
from monitor.kafka.catching_up import CatchUp
from monitor.kafka.chain import chain_end
from monitor.kafka.framing import messages
from monitor.kafka.topics import FRAMES, Topics
from monitor.model.event import DeadLetter
from monitor.model.record import Stream
from monitor.model.time import NEVER, SECOND
from monitor.telemetry import Counters

FLUSH_SECONDS = 2.0
FLUSH_CELLS = 50_000

_OBSERVE_SECONDS = 1.0
_log = structlog.get_logger(__name__)

_STALE_US = 5 * SECOND
"""A partition that was not polled for so long may hold more than its last known end says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTopic:
    """What all partitions of the source have in common.

    Attributes:
        name: the topic.
        group: the consumer group that keeps the offsets.
        partitions: how many it has at least: some may have been added since the start.
        idle_timeout_us: a partition read to its end and silent for so long is idle.
        ingest: makes the ingest of (partition, number of partitions, position, state).
    """

    name: str
    group: str
    partitions: int
    idle_timeout_us: int
    ingest: Callable[[int, int, int, Any], Ingest]


async def committed_offsets(
    broker: Broker, group: str, places: Sequence[TopicPartition] | None = None
) -> dict[TopicPartition, OffsetAndMetadata]:
    """What a group has committed, by partition.

    Args:
        broker: of the group.
        group: its name.
        places: of which partitions; None for all that it has committed, of whatever topic.
    """
    async with broker.admin() as admin:
        found = await admin.list_consumer_group_offsets(group, partitions=places)
    return {place: one for place, one in found.items() if one.offset >= 0}


def ingest_state(committed: OffsetAndMetadata) -> dict[str, Any] | None:
    """Ingest's state in the metadata of an offset; None where somebody else has committed it."""
    try:
        state = msgspec.json.decode(committed.metadata, type=dict[str, Any])
    except (msgspec.DecodeError, TypeError):
        return None
    return state if isinstance(state.get("watermark"), int) else None


class SourcePartition:
    """The owner of one partition of the source topic.

    Attributes:
        next_offset: where reading goes on.
        waits: it is hours ahead of the slowest, and is not read now.
    """

    def __init__(
        self,
        number: int,
        *,
        source: SourceTopic,
        broker: Broker,
        topics: Topics,
        consumer: AIOKafkaConsumer,
        clock: Clock,
        counters: Counters,
    ) -> None:
        self.next_offset = 0
        self.waits = False
        self.place = TopicPartition(source.name, number)
        self._source = source
        self._broker = broker
        self._topics = topics
        self._consumer = consumer
        self._clock = clock
        self._counters = counters
        self._producer: AIOKafkaProducer | None = None
        self._ingest: Ingest | None = None
        self._writing: asyncio.Task[None] | None = None
        self._flushed_at = self._observed_at = 0.0
        self._flushed = (0, 0)
        self._catch_up = CatchUp(number)
        self._heard_at = 0.0
        self._end = 0
        self._looking: asyncio.Task[None] | None = None
        self._arrival = Arrival()

    async def open(self) -> None:
        """Fence the former owner, go on where the last flush ended, and say so in empty frames."""
        number = self.place.partition
        # frames are mostly hashes and times, on which zstd works long for little
        self._producer = self._broker.producer(
            f"{self._topics.prefix}-ingest-{number}", compression="snappy"
        )
        await self._broker.start(self._producer)
        offset, state = await self._committed()
        if offset is None:
            # Deleted with its topic, or expired with its group: the frames know how far it was read.
            offset = await chain_end(self._broker, self._topics.name(FRAMES), 0, number)
            if offset is not None:
                self._counters.offsets_gone.inc()
                _log.warning("source.offset_gone", partition=number, frames_end=offset)
        first = (await self._consumer.beginning_offsets([self.place]))[self.place]
        end = (await self._consumer.end_offsets([self.place]))[self.place]
        if offset is not None and offset > end:
            message = (
                f"group {self._source.group!r} has read partition {number} of topic "
                f"{self._source.name!r} up to {offset}, but it ends at {end}: was the topic "
                "created again? Choose another source.kafka.group and journal.kafka.prefix"
            )
            raise StateError(message)
        start = first if offset is None else offset
        self.next_offset = max(start, first)
        known = self._consumer.partitions_for_topic(self._source.name) or ()
        partitions = max(self._source.partitions, len(known))
        self._ingest = self._source.ingest(number, partitions, start, state)
        self._ingest.skip(self.next_offset, lost=self.next_offset - start)
        self._hear()
        self._begin_flush()
        await self._written()
        if self.next_offset > start:
            lost = self.next_offset - start
            self._counters.lost.inc(lost)
            _log.error(
                "events.lost",
                partition=number,
                first=start,
                events=lost,
                remedy="retention removed them unread; lengthen retention.ms of the source's topic",
            )

    async def _committed(self) -> tuple[int | None, Any]:
        found = await committed_offsets(self._broker, self._source.group, [self.place])
        committed = found.get(self.place)
        return (None, None) if committed is None else (committed.offset, ingest_state(committed))

    @property
    def watermark_us(self) -> int:
        """Event time up to which it was read; `NEVER` before it has any."""
        return NEVER if self._ingest is None else self._ingest.watermark_us

    async def step(self, records: Sequence[Any]) -> None:
        """Take a batch, perhaps empty; flush where it is time to.

        Raises:
            Exception: the partition must be opened again.
        """
        ingest = self._ingest
        assert ingest is not None, "step() of a partition that is not open"  # noqa: S101
        now_us = self._clock()
        if records and records[0].offset < self.next_offset:
            records = [record for record in records if record.offset >= self.next_offset]
        if records:
            await self._refuse_lost(records[0].offset)
            ingest.add_many(
                [_payload(r) if r.headers else r.value or b"" for r in records],
                _offsets(records),
                self._arrival.at(now_us, asyncio.get_running_loop().time()),
                [-1 if record.timestamp is None else record.timestamp for record in records],
            )
            self.next_offset = records[-1].offset + 1
            self._hear()
        elif await self._is_idle(now_us):
            ingest.idle(now_us)
        if self._writing is not None and self._writing.done():
            await self._written()
        if self._is_due(ingest):
            await self._written()
            self._begin_flush()
        await self._observe(ingest)

    async def _refuse_lost(self, offset: int) -> None:
        """Where offsets are missing, ask whether retention has overtaken the reading."""
        if offset > self.next_offset:
            first = (await self._consumer.beginning_offsets([self.place]))[self.place]
            if first > self.next_offset:
                message = f"events from {self.next_offset} to {first} were removed unread"
                raise StateError(message)

    async def _is_idle(self, now_us: int) -> bool:
        """Whether it was read to its end, which is known by now, and has been silent."""
        end = self._consumer.last_stable_offset(self.place)
        polled_ms = self._consumer.last_poll_timestamp(self.place)
        if end is None or polled_ms is None or now_us - polled_ms * 1000 > _STALE_US:
            self._hear()  # what may have come meanwhile is not known
            return False
        # Not by the wall clock: one that is set forward would make every partition idle.
        silent_us = (asyncio.get_running_loop().time() - self._heard_at) * SECOND
        if silent_us < self._source.idle_timeout_us:
            return False
        # The consumer passes markers of transactions and aborted records without a record.
        return bool(await self._consumer.position(self.place) >= end)

    def _hear(self) -> None:
        self._heard_at = asyncio.get_running_loop().time()

    def _is_due(self, ingest: Ingest) -> bool:
        if ingest.cells >= FLUSH_CELLS:
            return True
        since = asyncio.get_running_loop().time() - self._flushed_at
        # For whom this one waits may wait for it next, in another process: it hears soon.
        moved = self._flushed[0] != self.next_offset
        pause = ASK_SECONDS if self.waits and moved else FLUSH_SECONDS
        return since >= pause and self._flushed != (
            self.next_offset,
            ingest.watermark_us,
        )

    def _begin_flush(self) -> None:
        """Take the cells now, write them in a task."""
        assert self._ingest is not None  # noqa: S101
        flush = self._ingest.flush()
        outgoing = list(self._outgoing(flush))
        state = msgspec.json.encode(flush.state).decode()
        self._flushed_at = asyncio.get_running_loop().time()
        self._flushed = (self.next_offset, self._ingest.watermark_us)
        self._writing = asyncio.create_task(
            self._write(outgoing, OffsetAndMetadata(self.next_offset, state), flush)
        )

    def _outgoing(self, flush: Flush) -> Iterator[Outgoing]:
        topic = self._topics.name(FRAMES)
        for shard, frame in flush.frames.items():
            for value, headers in messages(frame):
                yield Outgoing(
                    topic=topic, partition=shard, key=b"%d" % shard, value=value, headers=headers
                )
        for letter in flush.dead_letters:
            yield from self._dead_letter(letter)

    def _dead_letter(self, letter: DeadLetter) -> Iterator[Outgoing]:
        record = dead_letter_record(letter)
        pieces = list(slices(record.value or b""))
        for part, piece in enumerate(pieces):
            yield Outgoing(
                topic=self._topics.name(Stream.DEAD_LETTERS),
                partition=self.place.partition % self._topics.shards,
                key=record.key.encode(),
                value=piece,
                headers=[("part", b"%d" % part), ("parts", b"%d" % len(pieces))],
            )

    async def _write(
        self, outgoing: Sequence[Outgoing], offset: OffsetAndMetadata, flush: Flush
    ) -> None:
        assert self._producer is not None  # noqa: S101
        await transact(
            self._producer, outgoing, group=self._source.group, offsets={self.place: offset}
        )
        self._counters.flushed(flush.counts, (d.reason.value for d in flush.dead_letters))

    async def _written(self) -> None:
        """Wait for the flush under way; raises what it met."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            await writing

    async def _observe(self, ingest: Ingest) -> None:
        """Show the watermark and the lag, once a second."""
        now = asyncio.get_running_loop().time()
        if now - self._observed_at < _OBSERVE_SECONDS:
            return
        self._observed_at = now
        name = str(self.place.partition)
        if ingest.watermark_us > 0:
            self._counters.watermark.labels(name).set(ingest.watermark_us / SECOND)
        self._counters.waits.labels(name).set(self.waits)
        end = self._consumer.last_stable_offset(self.place)
        if self.waits and self._looking is None:
            self._looking = asyncio.create_task(self._look_for_end())
        if end is not None:
            position = max(self.next_offset, await self._consumer.position(self.place))
            lag = max(end - position, self._end - position, 0)
            self._counters.lag.labels(name).set(lag)
            if not self.waits:
                self._catch_up.note(now, position, lag)

    async def _look_for_end(self) -> None:
        """Learn the end of the partition beside the reading: what is not fetched brings no news of it."""
        try:
            with contextlib.suppress(KafkaError):
                self._end = (await self._consumer.end_offsets([self.place]))[self.place]
        finally:
            self._looking = None

    async def close(self, *, graceful: bool) -> None:
        """Stop; a graceful one flushes what is in memory."""
        try:
            if graceful and self._ingest is not None:
                await self._written()
                self._begin_flush()
                await self._written()
        finally:
            if self._writing is not None:
                self._writing.cancel()
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await self._writing
            if self._looking is not None:
                self._looking.cancel()
                await asyncio.wait({self._looking})
                self._looking = None
            self._counters.waits.labels(str(self.place.partition)).set(0)
            if self._producer is not None:
                await stop(self._producer)
            self._producer = self._ingest = self._writing = None


def _offsets(records: Sequence[Any]) -> Sequence[int]:
    """Their offsets: a range, as a rule, where none is missing."""
    first, last = records[0].offset, records[-1].offset
    if last - first == len(records) - 1:
        return range(first, last + 1)
    return [record.offset for record in records]


def _payload(record: Any) -> bytes:
    """The bytes of a message with headers: with them, where they make it a CloudEvent."""
    body: bytes = record.value or b""
    whole = structured(record.headers, body)
    return body if whole is None else whole

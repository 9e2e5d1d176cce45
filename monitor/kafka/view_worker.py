"""The role `serve`, its first half: the journal's public topics into the local SQLite file.

Records and the offsets they were read at are committed together, so a restart goes on where it was.
The file is a view: whatever is wrong with it, it can be removed and is built again from the topics.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition

from monitor.errors import StateError
from monitor.journal.store import Store
from monitor.kafka.broker import Broker
from monitor.kafka.topics import Topics
from monitor.model.incident import IncidentState
from monitor.model.record import Record, Stream
from monitor.telemetry import Counters

_POLL_MS = 200
_BATCH = 1_000
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
_log = structlog.get_logger(__name__)


_UNUSABLE = (ValueError, TypeError, LookupError, AttributeError, msgspec.MsgspecError)
"""What a record raises that nobody of ours has written."""


class _Standing(msgspec.Struct, frozen=True):
    """What decides whether an incident's record is news."""

    state: IncidentState
    updated_at: str


_standing = msgspec.json.Decoder(_Standing)


@dataclass(slots=True)
class Reader:
    """Turns messages into records and positions.

    Attributes:
        streams: by topic.
        known: by alert id, how far the incident's records have come.
        passed_over: called with the place of what cannot be used, and why.
    """

    streams: Mapping[str, Stream]
    known: dict[str, str] = field(default_factory=dict)
    passed_over: Callable[[str, Exception], None] = lambda _place, _error: None
    _open: dict[tuple[TopicPartition, bytes], tuple[int, list[bytes]]] = field(default_factory=dict)

    def read(
        self, batches: Mapping[TopicPartition, Sequence[Any]]
    ) -> tuple[list[Record], dict[str, int]]:
        """The records of a poll, and by topic and partition where reading goes on after them."""
        records: list[Record] = []
        positions: dict[str, int] = {}
        for place, messages in batches.items():
            for message in messages:
                try:
                    record = self._record(place, message)
                    if record is not None and self._is_news(record):
                        records.append(record)
                except _UNUSABLE as error:
                    self.passed_over(f"{place.topic} at {message.offset}", error)
            held = [first for (where, _), (first, _) in self._open.items() if where == place]
            positions[position_key(place)] = min(held, default=messages[-1].offset + 1)
        return records, positions

    def _record(self, place: TopicPartition, message: Any) -> Record | None:
        """The record of a message; None until the last part of one that travels in parts is read."""
        value = message.value
        headers = dict(message.headers)
        if int(headers.get("parts", 1)) > 1:
            value = self._joined(place, message, int(headers["part"]), int(headers["parts"]))
            if value is None:
                return None
        return Record(stream=self.streams[place.topic], key=message.key.decode(), value=value)

    def _joined(self, place: TopicPartition, message: Any, part: int, parts: int) -> bytes | None:
        name = (place, message.key)
        if part == 0:
            self._open[name] = (message.offset, [])
        if name not in self._open:
            return None
        pieces = self._open[name][1]
        pieces.append(message.value)
        if len(pieces) < parts:
            return None
        del self._open[name]
        return b"".join(pieces)

    def _is_news(self, record: Record) -> bool:
        """Whether an incident's record does not fall behind what is known of it.

        A core that was killed says again what it had decided since its last snapshot: an incident
        that is over must not be shown as firing meanwhile.
        """
        if record.stream is not Stream.ALERTS or record.value is None:
            return True
        standing = _standing.decode(record.value)
        over = standing.state is IncidentState.RESOLVED
        if not over and standing.updated_at < self.known.get(record.key, ""):
            return False
        self.known[record.key] = standing.updated_at
        return True


def position_key(place: TopicPartition) -> str:
    """The name under which the store keeps a position."""
    return f"{place.topic}|{place.partition}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewWorker:
    """Keeps the view up to date.

    Attributes:
        store: the view.
        counters: the service's own figures.
        changed: called in the loop's thread after every commit.
        caught_up: called once, when everything that was there at the start has been read.
    """

    broker: Broker
    topics: Topics
    store: Store
    counters: Counters
    changed: Callable[[], None] = lambda: None
    caught_up: Callable[[], None] = lambda: None

    async def run(self, stopping: asyncio.Event) -> None:
        """Read until `stopping` is set."""
        streams = {self.topics.name(stream): stream for stream in Stream}
        places = [TopicPartition(t, p) for t in streams for p in range(self.topics.shards)]
        known = {a.alert_id: a.updated_at for a in await asyncio.to_thread(self.store.alerts)}
        reader = Reader(streams, known, self._pass_over)
        consumer = self.broker.consumer()
        async with self.broker.running(consumer):
            consumer.assign(places)
            ends = await self._seek(consumer, places)
            while not stopping.is_set():
                ends = await self._told_when_caught_up(consumer, ends)
                batches = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_BATCH)
                if batches:
                    records, positions = reader.read(batches)
                    await self._commit(records, positions, stopping)
                    self.changed()

    def _pass_over(self, place: str, error: Exception) -> None:
        self.counters.view_errors.inc()
        _log.error("view.passed_over", place=place, error=f"{type(error).__name__}: {error}")

    def _keep(self, records: Sequence[Record], positions: Mapping[str, int]) -> None:
        """Commit; where one of them cannot be used, each by itself and that one not."""
        try:
            self.store.commit(records, positions=positions)
        except _UNUSABLE:
            for record in records:
                try:
                    self.store.commit([record])
                except _UNUSABLE as error:
                    self._pass_over(f"{record.stream}, key {record.key!r}", error)
            self.store.commit([], positions=positions)

    async def _commit(
        self, records: Sequence[Record], positions: Mapping[str, int], stopping: asyncio.Event
    ) -> None:
        """Keep them, tried again for as long as the disk is full: what is known stays served."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                await asyncio.to_thread(self._keep, records, positions)
            except StateError as error:
                if stopping.is_set():
                    raise
                self.counters.view_errors.inc()
                _log.error("view.not_written", error=str(error), again_in_seconds=pause)
            else:
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _seek(
        self, consumer: AIOKafkaConsumer, places: Iterable[TopicPartition]
    ) -> dict[TopicPartition, int]:
        """Go where the last commit ended; returns the ends as they are now."""
        ends: dict[TopicPartition, int] = await consumer.end_offsets(places)
        positions = self.store.positions()
        for place, end in ends.items():
            position = positions.get(position_key(place), 0)
            if position > end:
                _log.warning("view.topic_is_new", topic=place.topic, position=position, end=end)
                position = 0
            consumer.seek(place, position)
        return ends

    async def _told_when_caught_up(
        self, consumer: AIOKafkaConsumer, ends: dict[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        """The ends that are still ahead; tells once there are none."""
        if not ends:
            return ends
        ahead = {place: end for place, end in ends.items() if await consumer.position(place) < end}
        if not ahead:
            _log.info("view.caught_up")
            self.caught_up()
        return ahead

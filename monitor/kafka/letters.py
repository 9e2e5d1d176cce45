"""The dead letters of a service on Kafka, and how they are sent again.

A letter, the event made of it and the mark that it was sent travel in one transaction: whatever dies, a
letter that was sent is marked, and one that is marked was sent. The mark stands in the topic of the dead
letters and so outlives its letter; a search for the header in the source topic would read all of it, and
find nothing that the source's own retention had removed.
"""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable, Iterator
from typing import Any, Final, TypeVar

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, ProducerFenced
from aiokafka.structs import TopicPartition

from monitor.errors import InputError, StateError, UnreachableError
from monitor.ingest.cloud_events import structured
from monitor.journal.letters import MARK, decode_letter, marked
from monitor.kafka.broker import Broker, is_down, on_loop_error, slices, stop
from monitor.kafka.topics import source_partitions
from monitor.kafka.view_worker import Reader
from monitor.model.letter import Letter
from monitor.model.record import Record, Stream

HEADER: Final = "monitor-replayed"
"""Of an event that was sent again: the partition and the offset where it stood first, `0|7`."""

_POLL_MS = 200
_STALLED_SECONDS = 30.0
_BATCH_LETTERS = 500
_BATCH_BYTES = 4 << 20
_REQUEST_BYTES = 1 << 30
"""No bound of our own: the topic took the message once, and its broker knows its limit."""
_T = TypeVar("_T")
Wrapping = tuple[bytes | None, list[tuple[str, bytes]]]
"""Key and headers of a message."""


class TopicLetters:
    """The topic `{prefix}.dead_letters`; used without a running loop.

    Args:
        broker: where it is.
        prefix: of the journal's topics.
        source: the topic that letters came from and go to again.

    Raises:
        UnreachableError: no broker answers.
        InputError: there is no such topic.
    """

    def __init__(self, broker: Broker, *, prefix: str, source: str) -> None:
        self._broker = broker
        self._topic = f"{prefix}.{Stream.DEAD_LETTERS}"
        self._transactions = f"{prefix}-deadletters"
        self._source = source
        self.place = f"topic {self._topic} on {broker.address}"
        self.target = f"topic {source} on {broker.address}"
        self.dated = True
        self._producer: AIOKafkaProducer | None = None
        self._consumers: list[AIOKafkaConsumer] = []
        self._runner = asyncio.Runner()
        try:
            self._runner.get_loop().set_exception_handler(on_loop_error)
            self._partitions = self._run(self._count())
        except BaseException:
            self._runner.close()
            raise

    async def _count(self) -> int:
        async with self._broker.admin() as admin:
            if self._topic not in await admin.list_topics():
                message = (
                    f"topic {self._topic!r} does not exist on {self._broker.address}: no service "
                    "has run there with this journal.kafka.prefix; correct it, or name a folder or "
                    "a state file with --from"
                )
                raise InputError(message)
            return len((await admin.describe_topics([self._topic]))[0]["partitions"])

    def close(self) -> None:
        """Release the loop, and what an iteration that was broken off has left in it."""
        for consumer in list(self._consumers):
            self._release(consumer)
        self._runner.close()

    def __iter__(self) -> Iterator[Letter]:
        """Every letter, partition by partition, with what is known of its sending by now."""
        newest: dict[str, tuple[int | None, str | None]] = {}
        expected: set[str | None] = set()
        for record in self._records():
            if record.value is not None and record.value.startswith(MARK):
                letter = self._letter(record)
                newest[letter.key] = (letter.replayed_us, letter.replayed_as)
                expected.add(letter.replayed_as)
        for record in self._records():
            if record.value is None or record.value.startswith(MARK):
                continue
            letter = self._letter(record)
            replayed_us, replayed_as = newest.get(letter.key, (None, None))
            yield msgspec.structs.replace(
                letter,
                replayed_us=replayed_us,
                replayed_as=replayed_as,
                returned=letter.key in expected,
            )

    def _letter(self, record: Record) -> Letter:
        try:
            return decode_letter(record.value or b"")
        except ValueError as error:
            message = f"{self.place}: what stands under the key {record.key!r} {error}"
            raise StateError(message) from error

    def _records(self) -> Iterator[Record]:
        """All records up to the end as it is now, parts joined."""
        consumer = self._run(self._made(self._broker.consumer))
        self._consumers.append(consumer)
        try:
            self._run(self._broker.start(consumer))
            for partition in range(self._partitions):
                place = TopicPartition(self._topic, partition)
                reader = Reader({self._topic: Stream.DEAD_LETTERS})
                end = self._run(self._rewind(consumer, place))
                while (batches := self._run(self._poll(consumer, place, end))) is not None:
                    yield from reader.read(batches)[0]
        finally:
            self._release(consumer)

    def _release(self, consumer: AIOKafkaConsumer) -> None:
        if consumer in self._consumers:
            self._consumers.remove(consumer)
            self._run(stop(consumer))

    @staticmethod
    async def _made(make: Any) -> Any:
        """A client, which must be made inside of the loop."""
        return make()

    async def _rewind(self, consumer: AIOKafkaConsumer, place: TopicPartition) -> int:
        consumer.assign([place])
        async with asyncio.timeout(_STALLED_SECONDS):
            await consumer.seek_to_beginning(place)
            return int((await consumer.end_offsets([place]))[place])

    async def _poll(self, consumer: AIOKafkaConsumer, place: TopicPartition, end: int) -> Any:
        """The next records; None at the end."""
        async with asyncio.timeout(_STALLED_SECONDS):
            while await consumer.position(place) < end:
                if batches := await consumer.getmany(place, timeout_ms=_POLL_MS):
                    return batches
        return None

    def refuses(self, letter: Letter) -> str | None:
        """Only what came from a partition goes there again."""
        return None if letter.source.isdecimal() else "it came from a file of a backfill"

    @contextlib.contextmanager
    def begin(self) -> Iterator[None]:
        """Fence whoever else sends this service's letters; what he had not finished is undone."""
        self._run(source_partitions(self._broker, self._source))
        self._producer = self._run(
            self._made(
                lambda: self._broker.producer(self._transactions, request_bytes=_REQUEST_BYTES)
            )
        )
        try:
            self._run(self._broker.start(self._producer))
            yield
        finally:
            self._run(stop(self._producer))
            self._producer = None

    def send(self, letters: Iterable[Letter], now_us: int) -> int:
        """Send them, some hundred in a transaction, each to the partition that it came from."""
        sent = 0
        for batch in _batches(letters):
            self._run(self._transact(batch, now_us))
            sent += len(batch)
        return sent

    async def _transact(self, letters: list[Letter], now_us: int) -> None:
        producer = self._producer
        assert producer is not None, "send() outside of begin()"  # noqa: S101
        wrappings = await self._wrappings(letters)
        async with asyncio.timeout(_STALLED_SECONDS), producer.transaction():
            taken = [
                await producer.send(
                    self._source,
                    letter.payload,
                    partition=int(letter.source),
                    key=key,
                    headers=[*headers, (HEADER, letter.key.encode())],
                )
                for letter, (key, headers) in zip(letters, wrappings, strict=True)
            ]
            # Where an event came to stand is known once it was taken, before anything is committed.
            places = await asyncio.gather(*taken)
            marks = [
                await producer.send(
                    self._topic,
                    piece,
                    key=letter.key.encode(),
                    partition=int(letter.source) % self._partitions,
                    headers=[("part", b"%d" % part), ("parts", b"%d" % len(pieces))],
                )
                for letter, place in zip(letters, places, strict=True)
                for pieces in (_pieces(letter, now_us, f"{place.partition}|{place.offset}"),)
                for part, piece in enumerate(pieces)
            ]
            await asyncio.gather(*marks)

    async def _wrappings(self, letters: list[Letter]) -> list[Wrapping]:
        """Key and headers of the messages that letters were, while the source topic still has them.

        A letter keeps the bytes of its message only, and part of an event may stand in headers.
        """
        found: dict[str, Wrapping] = {}
        by_partition: dict[int, list[Letter]] = {}
        for letter in letters:
            by_partition.setdefault(int(letter.source), []).append(letter)
        async with self._broker.running(self._broker.consumer()) as consumer:
            for partition, own in by_partition.items():
                place = TopicPartition(self._source, partition)
                consumer.assign([place])
                first = (await consumer.beginning_offsets([place]))[place]
                end = (await consumer.end_offsets([place]))[place]
                for letter in sorted(own, key=lambda letter: letter.position):
                    if first <= letter.position < end:
                        message = await _message(consumer, place, letter.position)
                        headers = None if message is None else _headers(message, letter)
                        if headers is not None:
                            found[letter.key] = (message.key, headers)
        return [found.get(letter.key, (None, [])) for letter in letters]

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do it in the loop; what Kafka says against it in one line, with the remedy."""
        try:
            return self._runner.run(work)
        except ProducerFenced as error:
            message = (
                f"another `monitor deadletters replay` has taken over on {self._broker.address}; "
                "list what is left when it is done"
            )
            raise StateError(message) from error
        except MessageSizeTooLargeError as error:
            message = (
                f"{self.target} does not take a letter as large as one of these any more: raise its "
                "max.message.bytes, or leave the largest out with --reason"
            )
            raise StateError(message) from error
        except (KafkaError, TimeoutError, OSError) as error:
            what = f"({type(error).__name__}: {error})"
            if is_down(error):
                message = (
                    f"the Kafka broker at {self._broker.address} does not answer any more {what}; "
                    "repeat when it does: what was sent is marked"
                )
                raise UnreachableError(message) from error
            message = f"{self.place} cannot be used {what}; what was sent is marked"
            raise StateError(message) from error


async def _message(consumer: AIOKafkaConsumer, place: TopicPartition, offset: int) -> Any:
    """The message at an offset; None where there is none any more."""
    async with asyncio.timeout(_STALLED_SECONDS):
        if await consumer.position(place) != offset:
            consumer.seek(place, offset)
        # The consumer passes markers of transactions, and what was compacted away, without a record.
        while await consumer.position(place) <= offset:
            found = await consumer.getmany(place, timeout_ms=_POLL_MS, max_records=1)
            for message in found.get(place, ()):
                return message if message.offset == offset else None
    return None


def _headers(message: Any, letter: Letter) -> list[tuple[str, bytes]] | None:
    """The headers that belong to a letter; None where the message is not the one it was.

    A binary CloudEvent's are in the letter's bytes already (`ingest.cloud_events`).
    """
    others = [one for one in message.headers if one[0] != HEADER]
    if message.value == letter.payload:
        return others
    if structured(message.headers, message.value or b"") == letter.payload:
        return [one for one in others if not one[0].lower().startswith(("ce_", "ce-", "content-"))]
    return None


def _pieces(letter: Letter, now_us: int, replayed_as: str) -> list[bytes]:
    return list(slices(marked(letter, now_us, replayed_as)))


def _batches(letters: Iterable[Letter]) -> Iterator[list[Letter]]:
    """Some letters at a time, of some megabytes together."""
    batch: list[Letter] = []
    held = 0
    for letter in letters:
        batch.append(letter)
        held += len(letter.payload)
        if len(batch) >= _BATCH_LETTERS or held >= _BATCH_BYTES:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch

"""Connections to the broker, with the settings that keep what was promised.

Consumers read committed records only and never commit by themselves; producers are transactional,
and their id belongs to what they write for (a source partition, a shard), never to a process: who
starts one under the same id fences the former owner and ends its open transaction.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, NodeNotReadyError
from aiokafka.structs import OffsetAndMetadata, TopicPartition

from monitor.errors import UnreachableError
from monitor.kafka.reach import Look, look
from monitor.kafka.security import OPEN, Security
from monitor.settings import OVERRIDE_PREFIX

PART_BYTES = 900_000
"""What one message carries at most: the broker's default limit is 1,048,588 with its overhead."""

_CONNECT_SECONDS = 8.0
_SESSION_MS = 10_000
_HEARTBEAT_MS = 2_000
_MAX_POLL_MS = 300_000
"""A dead process is found by its heartbeats; this must outlast the longest frame: one that brings
months of a quiet history closes tens of thousands of buckets."""
_TRANSACTION_MS = 15_000
_REQUEST_MS = 10_000
METADATA_MS = 60_000
"""A partition that was added to a topic is noticed within so long."""
_BATCH_BYTES = 131_072
_FETCH_BYTES = 4 * 1024 * 1024
_DOWN = (KafkaConnectionError, KafkaTimeoutError, NodeNotReadyError, TimeoutError, OSError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message to write.

    Attributes:
        topic, partition: where to.
        key: None where nobody looks it up.
        value: None deletes the key from a compacted topic.
    """

    topic: str
    partition: int
    value: bytes | None
    key: bytes | None = None
    headers: list[tuple[str, bytes]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where the broker is, and how it lets clients in: what every client is made by.

    Attributes:
        address: `bootstrap_servers`, host:port joined by commas.
        security: TLS and login.
        setting: where the address is configured, for messages: a key, or an option.
    """

    address: str
    security: Security = OPEN
    setting: str = "source.kafka"

    @property
    def options(self) -> dict[str, Any]:
        """What every aiokafka client must be given."""
        return {"bootstrap_servers": self.address, **self.security.options}

    def consumer(
        self, *, group: str | None = None, instance: str | None = None
    ) -> AIOKafkaConsumer:
        """A consumer, not started, of nothing yet.

        Args:
            group: its consumer group; None for one that is told its partitions.
            instance: its name as a static member of the group: a restart under the same name takes
                its partitions back without waiting for the old session to end.
        """
        return AIOKafkaConsumer(
            **self.options,
            group_id=group,
            group_instance_id=instance,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=_SESSION_MS,
            heartbeat_interval_ms=_HEARTBEAT_MS,
            max_poll_interval_ms=_MAX_POLL_MS,
            metadata_max_age_ms=METADATA_MS,
            request_timeout_ms=_REQUEST_MS,
            max_partition_fetch_bytes=_FETCH_BYTES,
        )

    def producer(
        self,
        transactional_id: str,
        *,
        request_bytes: int = 2 * PART_BYTES,
        compression: str = "zstd",
    ) -> AIOKafkaProducer:
        """A transactional producer, not started; its start fences the former one of this id.

        Args:
            transactional_id: what it writes for.
            request_bytes: the longest message that it sends.
            compression: zstd (at its level 3 it costs less processor time than lz4 at 9), or snappy,
                which takes a fifth of that time and leaves some 1.7 times the bytes.
        """
        return AIOKafkaProducer(
            **self.options,
            transactional_id=transactional_id,
            acks="all",
            transaction_timeout_ms=_TRANSACTION_MS,
            request_timeout_ms=_REQUEST_MS,
            compression_type=compression,
            max_batch_size=_BATCH_BYTES,
            max_request_size=request_bytes,
        )

    @contextlib.asynccontextmanager
    async def admin(self) -> AsyncIterator[AIOKafkaAdminClient]:
        """An administrator for the time of a `with` block."""
        client = AIOKafkaAdminClient(**self.options, request_timeout_ms=_REQUEST_MS)
        async with self.running(client):
            yield client

    @contextlib.asynccontextmanager
    async def running(self, client: Any) -> AsyncIterator[Any]:
        """Start a client and stop it at the end; `UnreachableError` where no broker answers."""
        try:
            await self.start(client)
            yield client
        finally:
            await stop(client)

    async def start(self, client: Any) -> None:
        """Start a client; `UnreachableError` within about ten seconds where no broker answers."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await client.start()
        except _DOWN as error:
            raise UnreachableError(await self.why_not()) from error

    async def look(self) -> Look:
        """What a client meets at the address, step by step."""
        return await look(self.address, self.security, setting=self.setting)

    async def why_not(self) -> str:
        """Why it cannot be reached, with the remedy, in one line."""
        found = (await self.look()).troubles
        told = [str(trouble) for trouble in found if not trouble.is_silence]
        if told:
            return f"the Kafka broker cannot be used: {'; '.join(told)}"
        remedy = f"correct {self.setting}"
        if not self.setting.startswith("-"):
            variable = f"{OVERRIDE_PREFIX}{self.setting.upper().replace('.', '__')}"
            remedy += f".bootstrap_servers (or {variable}__BOOTSTRAP_SERVERS)"
        return f"no Kafka broker answers at {self.address}; start it, or {remedy}"


async def cluster_of(broker: Broker) -> str:
    """The id of the cluster that a broker belongs to."""
    async with broker.admin() as admin:
        described = await admin.describe_cluster()
    return str(described.get("cluster_id") or "unknown")


async def stop(client: Any) -> None:
    """Stop a client, whatever state it is in."""
    close = client.stop if hasattr(client, "stop") else client.close
    with contextlib.suppress(KafkaError, TimeoutError, OSError):
        async with asyncio.timeout(_CONNECT_SECONDS):
            await close()
    await asyncio.sleep(0)  # its sockets are closed in the loop's next turn


async def transact(
    producer: AIOKafkaProducer,
    outgoing: Iterable[Outgoing],
    *,
    group: str | None = None,
    offsets: Mapping[TopicPartition, OffsetAndMetadata] | None = None,
) -> None:
    """Write messages, and the offsets that they came from, in one transaction: all or nothing."""
    async with producer.transaction():
        written = [
            await producer.send(
                each.topic,
                each.value,
                key=each.key,
                partition=each.partition,
                headers=each.headers,
            )
            for each in outgoing
        ]
        for future in written:
            future.add_done_callback(_noticed)
        if offsets:
            await producer.send_offsets_to_transaction(dict(offsets), group)
        # A commit does not say that every message was taken: each of them does.
        await asyncio.gather(*written)


def _noticed(future: "asyncio.Future[Any]") -> None:
    """Where the transaction fails first, nobody asks for the errors of its messages."""
    if not future.cancelled():
        future.exception()


def on_loop_error(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An event loop's exception handler that knows aiokafka.

    A failed transaction raises its error where it is awaited, and leaves it in futures of the
    client's own besides, which nobody awaits.
    """
    if not isinstance(context.get("exception"), KafkaError):
        loop.default_exception_handler(context)


def is_down(error: BaseException) -> bool:
    """Whether this error says that no broker can be reached."""
    return isinstance(error, (*_DOWN, UnreachableError))


def slices(data: bytes, size: int = PART_BYTES) -> Iterable[bytes]:
    """The data in pieces of at most `size` bytes, at least one.

    >>> list(slices(b"abcde", 2))
    [b'ab', b'cd', b'e']
    >>> list(slices(b""))
    [b'']
    """
    return [data[at : at + size] for at in range(0, max(len(data), 1), size)]

"""The journal's topics: their names, their settings, and what is refused of existing ones."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError, for_code

from monitor.errors import ConfigError, StateError
from monitor.kafka.broker import Broker
from monitor.model.record import Stream
from monitor.model.time import DAY, HOUR

FRAMES = "frames"
SNAPSHOTS = "snapshots"

_FRAMES_RETENTION_US = 7 * DAY
_BUCKETS_RETENTION_US = 35 * DAY
_SNAPSHOT_SEGMENT_BYTES = 64 * 1024 * 1024
_CREATED_TRIES = 100
_CREATED_PAUSE_SECONDS = 0.05


def _ms(duration_us: int) -> str:
    return str(duration_us // 1000)


_COMPACT = {"cleanup.policy": "compact"}
_SETTINGS: Mapping[str, Mapping[str, str]] = {
    FRAMES: {"cleanup.policy": "delete", "retention.ms": _ms(_FRAMES_RETENTION_US)},
    # A snapshot is superseded within minutes: small segments and an eager cleaner keep what a
    # restart has to read short.
    SNAPSHOTS: {
        **_COMPACT,
        "segment.bytes": str(_SNAPSHOT_SEGMENT_BYTES),
        "min.cleanable.dirty.ratio": "0.1",
        "delete.retention.ms": _ms(HOUR),
    },
    Stream.BUCKETS: {
        "cleanup.policy": "compact,delete",
        "retention.ms": _ms(_BUCKETS_RETENTION_US),
    },
    Stream.ALERTS: _COMPACT,
    Stream.RELEASES: _COMPACT,
    Stream.VERDICTS: _COMPACT,
    Stream.DEAD_LETTERS: {
        "cleanup.policy": "delete",
        "retention.ms": _ms(_BUCKETS_RETENTION_US),
    },
}
STREAMS: tuple[str, ...] = tuple(_SETTINGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """The journal on Kafka.

    Attributes:
        prefix: what the names begin with.
        shards: partitions of every topic: what shard n writes goes to partition n.
        replication: copies of every partition.
    """

    prefix: str
    shards: int
    replication: int = 1

    def name(self, stream: str) -> str:
        """The topic of a stream."""
        return f"{self.prefix}.{stream}"

    async def ensure(self, broker: Broker) -> None:
        """Create what is missing, verify what exists.

        Raises:
            UnreachableError: no broker answers.
            ConfigError: the broker refuses to create a topic.
            StateError: an existing topic has other partitions or another clean-up policy.
        """
        async with broker.admin() as admin:
            existing = set(await admin.list_topics())
            missing = [stream for stream in STREAMS if self.name(stream) not in existing]
            if missing:
                await self._create(admin, missing)
            await self._verify(admin)

    async def _create(self, admin: AIOKafkaAdminClient, streams: list[str]) -> None:
        topics = [
            NewTopic(self.name(s), self.shards, self.replication, topic_configs=dict(_SETTINGS[s]))
            for s in streams
        ]
        answer = await admin.create_topics(topics)
        for topic, code, text in answer.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                message = (
                    f"topic {topic!r} cannot be created with {self.shards} partitions and "
                    f"replication {self.replication}: {text or error.message}; "
                    "correct journal.kafka or ask for the right to create topics"
                )
                raise ConfigError(message)
        await until_known(admin, {self.name(stream) for stream in streams})

    async def _verify(self, admin: AIOKafkaAdminClient) -> None:
        names = [self.name(stream) for stream in STREAMS]
        for topic in await admin.describe_topics(names):
            _verify_partitions(topic["topic"], len(topic["partitions"]), self.shards)
        policies = await _policies(admin, names)
        for stream, name in zip(STREAMS, names, strict=True):
            wanted = _SETTINGS[stream]["cleanup.policy"]
            found = policies.get(name, wanted)
            if set(found.split(",")) != set(wanted.split(",")):
                message = (
                    f"topic {name!r} has cleanup.policy={found}, the journal needs {wanted}; set "
                    f"it with kafka-configs.sh --alter --entity-type topics --entity-name {name} "
                    f"--add-config cleanup.policy=[{wanted}]"
                )
                raise StateError(message)


def _verify_partitions(topic: str, found: int, shards: int) -> None:
    if found != shards:
        message = (
            f"topic {topic!r} has {found} partitions but journal.kafka.shards is {shards}, and the "
            f"number of shards cannot change: set journal.kafka.shards to {found}, or choose "
            "another journal.kafka.prefix and backfill it"
        )
        raise StateError(message)


async def _policies(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, str]:
    resources = [
        ConfigResource(ConfigResourceType.TOPIC, name, {"cleanup.policy": None}) for name in names
    ]
    found: dict[str, str] = {}
    for answer in await admin.describe_configs(resources):
        for _code, _text, _kind, name, entries in answer.resources:
            found.update((name, entry[1]) for entry in entries if entry[0] == "cleanup.policy")
    return found


async def until_known(admin: AIOKafkaAdminClient, names: set[str]) -> None:
    """Wait until the broker lists new topics with leaders; it answers `create` before that."""
    for _ in range(_CREATED_TRIES):
        if names <= set(await admin.list_topics()):
            described: list[Any] = await admin.describe_topics(sorted(names))
            if all(p["leader"] >= 0 for topic in described for p in topic["partitions"]):
                return
        await asyncio.sleep(_CREATED_PAUSE_SECONDS)
    message = (
        f"the broker did not come to know its new topics {', '.join(sorted(names))}; try again"
    )
    raise StateError(message)


async def source_partitions(broker: Broker, topic: str) -> int:
    """How many partitions the topic with the events has.

    Raises:
        UnreachableError: no broker answers.
        ConfigError: there is no such topic.
    """
    async with broker.admin() as admin:
        # A request for one topic by name would create it where the broker does that by itself.
        if topic not in await admin.list_topics():
            message = (
                f"topic {topic!r} does not exist on {broker.address}; create it, for example with "
                f"kafka-topics.sh --bootstrap-server {broker.address} --create --topic {topic} "
                "--partitions 4, or correct source.kafka.topic"
            )
            raise ConfigError(message)
        described = await admin.describe_topics([topic])
    return len(described[0]["partitions"])

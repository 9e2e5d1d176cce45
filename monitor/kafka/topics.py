"""The journal's topics: their names, their settings, and what is refused of existing ones."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from monitor.errors import ConfigError, StateError
from monitor.kafka.broker import Broker
from monitor.kafka.topic_settings import (
    FRAMES,
    PARTITIONS,
    REPLICATION,
    SNAPSHOTS,
    Difference,
    differences,
    found_settings,
    settings_of,
)
from monitor.settings import KafkaJournal

_CREATED_TRIES = 100
_CREATED_PAUSE_SECONDS = 0.05
_log = structlog.get_logger(__name__)

__all__ = ("FRAMES", "SNAPSHOTS", "STREAMS", "Topics", "source_partitions", "until_known")

STREAMS: tuple[str, ...] = tuple(settings_of(KafkaJournal()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """The journal on Kafka.

    Attributes:
        prefix: what the names begin with.
        shards: partitions of every topic: what shard n writes goes to partition n.
        replication: copies of every partition.
        settings: of each stream's topic, by Kafka's names.
    """

    prefix: str
    shards: int
    replication: int = 1
    settings: Mapping[str, Mapping[str, str]] = field(
        default_factory=lambda: settings_of(KafkaJournal())
    )

    @classmethod
    def of(cls, journal: KafkaJournal) -> "Topics":
        """The topics that the configuration wants."""
        return cls(
            prefix=journal.prefix,
            shards=journal.shards,
            replication=journal.replication,
            settings=settings_of(journal),
        )

    def name(self, stream: str) -> str:
        """The topic of a stream."""
        return f"{self.prefix}.{stream}"

    async def ensure(self, broker: Broker) -> None:
        """Create what is missing, verify what exists; what only differs is logged, never changed.

        Raises:
            UnreachableError: no broker answers.
            ConfigError: the broker refuses to create a topic.
            StateError: an existing topic has other partitions, or a setting that would lose data.
        """
        async with broker.admin() as admin:
            existing = set(await admin.list_topics())
            missing = [stream for stream in STREAMS if self.name(stream) not in existing]
            if missing:
                await self._create(admin, missing)
            found = await self.compare(admin)
        for difference in found:
            if difference.breaks:
                raise StateError(difference.said(broker.address))
            _log.warning(
                "topic.differs",
                topic=difference.topic,
                setting=difference.setting,
                found=difference.found,
                wanted=difference.wanted,
                remedy=difference.remedy(broker.address),
            )

    async def _create(self, admin: AIOKafkaAdminClient, streams: list[str]) -> None:
        topics = [
            NewTopic(
                self.name(s), self.shards, self.replication, topic_configs=dict(self.settings[s])
            )
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

    async def compare(
        self, admin: AIOKafkaAdminClient, streams: Sequence[str] = STREAMS
    ) -> list[Difference]:
        """How topics that are there differ from what is wanted."""
        names = {self.name(stream): self.settings[stream] for stream in streams}
        found = [
            difference
            for topic in await admin.describe_topics(list(names))
            for difference in self._layout(topic)
        ]
        shown = await found_settings(admin, names)
        for name, wanted in names.items():
            if name not in shown:
                _log.warning("topic.settings_unseen", topic=name, remedy="allow DescribeConfigs")
            found += differences(name, wanted, shown.get(name, {}))
        return found

    def _layout(self, topic: Mapping[str, Any]) -> Iterator[Difference]:
        partitions = topic["partitions"]
        copies = min((len(partition["replicas"]) for partition in partitions), default=0)
        for setting, found, wanted in (
            (PARTITIONS, len(partitions), self.shards),
            (REPLICATION, copies, self.replication),
        ):
            if found != wanted:
                yield Difference(
                    topic=topic["topic"],
                    setting=setting,
                    found=str(found),
                    wanted=str(wanted),
                    breaks=setting == PARTITIONS,
                )


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
            seen = (
                ", or this user may not describe it"
                if broker.security.protocol != "PLAINTEXT"
                else ""
            )
            message = (
                f"topic {topic!r} does not exist on {broker.address}{seen}; create it, for example with "
                f"kafka-topics.sh --bootstrap-server {broker.address} --create --topic {topic} "
                "--partitions 4, or correct source.kafka.topic"
            )
            raise ConfigError(message)
        described = await admin.describe_topics([topic])
    return len(described[0]["partitions"])

"""What the journal's topics are made with, and how what exists differs from it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from monitor.model.record import Stream
from monitor.model.time import HOUR
from monitor.settings import KafkaJournal

FRAMES = "frames"
SNAPSHOTS = "snapshots"
POLICY = "cleanup.policy"
PARTITIONS = "partitions"
REPLICATION = "replication"
LONGEST_MESSAGE = "max.message.bytes"
LEAST_MESSAGE_BYTES = 1_000_000
"""What a topic must take in one message: a part (`broker.PART_BYTES`) with its headers."""

_SNAPSHOT_SEGMENT_BYTES = 64 * 1024 * 1024
_COMPACT = {POLICY: "compact"}


def _ms(duration_us: int) -> str:
    return str(duration_us // 1000)


def settings_of(journal: KafkaJournal) -> dict[str, dict[str, str]]:
    """The settings of every topic, by stream and Kafka's name."""
    kept, least = journal.retention, journal.min_insync_replicas
    own = {
        FRAMES: {POLICY: "delete", "retention.ms": _ms(kept.frames)},
        # A snapshot is superseded within minutes: small segments and an eager cleaner keep what a
        # restart has to read short.
        SNAPSHOTS: {
            **_COMPACT,
            "segment.bytes": str(_SNAPSHOT_SEGMENT_BYTES),
            "min.cleanable.dirty.ratio": "0.1",
            "delete.retention.ms": _ms(HOUR),
        },
        Stream.BUCKETS: {POLICY: "compact,delete", "retention.ms": _ms(kept.buckets)},
        Stream.ALERTS: _COMPACT,
        Stream.RELEASES: _COMPACT,
        Stream.VERDICTS: _COMPACT,
        Stream.DEAD_LETTERS: {POLICY: "delete", "retention.ms": _ms(kept.dead_letters)},
    }
    common = {"min.insync.replicas": str(least or max(journal.replication - 1, 1))}
    more = {stream: {k: _text(v) for k, v in given.items()} for stream, given in journal.topics}
    return {
        stream: {**common, **settings, **more.get(stream, {})} for stream, settings in own.items()
    }


def _text(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A setting of a topic that is not what the configuration wants.

    Attributes:
        topic: its name.
        setting: Kafka's name of the setting, or `partitions`, `replication`.
        found, wanted: the values.
        breaks: whether the journal cannot work with what was found.
    """

    topic: str
    setting: str
    found: str
    wanted: str
    breaks: bool = False

    def remedy(self, address: str) -> str:
        """The command that changes it, or what else to do."""
        if self.setting == PARTITIONS:
            return (
                f"the number of shards cannot change: set journal.kafka.shards to {self.found}, or "
                "choose another journal.kafka.prefix and backfill it"
            )
        if self.setting == REPLICATION:
            return (
                f"kafka-reassign-partitions.sh --bootstrap-server {address} "
                f"--reassignment-json-file FILE --execute, with {self.wanted} replicas a partition"
            )
        value = f"[{self.wanted}]" if "," in self.wanted else self.wanted
        return (
            f"kafka-configs.sh --bootstrap-server {address} --alter --entity-type topics "
            f"--entity-name {self.topic} --add-config {self.setting}={value}"
        )

    def said(self, address: str) -> str:
        """All of it in one line."""
        if self.setting == PARTITIONS:
            return (
                f"topic {self.topic!r} has {self.found} partitions but journal.kafka.shards is "
                f"{self.wanted}, and {self.remedy(address)}"
            )
        return (
            f"topic {self.topic!r} has {self.setting}={self.found}, the configuration wants "
            f"{self.wanted}; change it with {self.remedy(address)}, or change journal.kafka"
        )


def differences(
    topic: str, wanted: Mapping[str, str], found: Mapping[str, str]
) -> Iterator[Difference]:
    """How the settings of a topic differ; what the broker does not show is passed over."""
    for setting, value in wanted.items():
        other = found.get(setting)
        if other is not None and not _same(setting, other, value):
            yield Difference(
                topic=topic, setting=setting, found=other, wanted=value, breaks=setting == POLICY
            )
    longest = found.get(LONGEST_MESSAGE)
    if LONGEST_MESSAGE not in wanted and longest and int(longest) < LEAST_MESSAGE_BYTES:
        yield Difference(
            topic=topic,
            setting=LONGEST_MESSAGE,
            found=longest,
            wanted=str(LEAST_MESSAGE_BYTES),
            breaks=True,
        )


def _same(setting: str, one: str, other: str) -> bool:
    if setting == POLICY:
        return set(one.split(",")) == set(other.split(","))
    try:
        return float(one) == float(other)
    except ValueError:
        return one == other


async def found_settings(
    admin: AIOKafkaAdminClient, topics: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """Settings by topic, as the broker shows them; topics that it does not show are absent.

    Args:
        admin: an administrator.
        topics: by name, the settings that are asked for.
    """
    resources = [
        ConfigResource(
            ConfigResourceType.TOPIC, name, dict.fromkeys([*settings, LONGEST_MESSAGE], None)
        )
        for name, settings in topics.items()
    ]
    found: dict[str, dict[str, str]] = {}
    answers: list[Any] = await admin.describe_configs(resources)
    for answer in answers:
        for code, _text, _kind, name, entries in answer.resources:
            if not code:
                found[name] = {entry[0]: entry[1] for entry in entries if entry[1] is not None}
    return found

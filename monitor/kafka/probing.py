"""What a configuration would meet on Kafka, looked at without changing anything."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError, for_code

from monitor.errors import MonitorError
from monitor.kafka.broker import Broker
from monitor.kafka.connections import journal_broker, source_broker, source_of
from monitor.kafka.permissions import (
    Operation,
    coordinator,
    on_group,
    on_topics,
    on_transactions,
)
from monitor.kafka.reach import Look, connection
from monitor.kafka.topic_settings import Difference
from monitor.kafka.topics import STREAMS, Topics
from monitor.model.probe import Probe, ProbeState
from monitor.settings import KafkaJournal, Settings

_COORDINATOR_TRIES = 40
_COORDINATOR_PAUSE_SECONDS = 0.25
_READ = frozenset({Operation.READ})
_JOURNAL = frozenset(
    {Operation.READ, Operation.WRITE, Operation.CREATE, Operation.DESCRIBE_CONFIGS}
)


async def probes(settings: Settings) -> AsyncIterator[Probe]:
    """Every broker, topic and right in turn; what depends on a broker that is away is left out.

    Raises:
        ConfigError: the source is not Kafka, or a secret is not there.
    """
    source, reading, writing = (
        source_of(settings),
        source_broker(settings),
        journal_broker(settings),
    )
    journal = settings.kafka_journal or KafkaJournal()
    seen = await reading.look()
    for probe in _servers("source broker", reading, seen):
        yield probe
    other = seen
    if writing != reading:
        other = await writing.look()
        for probe in _servers("journal broker", writing, other):
            yield probe
        for probe in _one_cluster(seen, other):
            yield probe
    if seen.server:
        yield await _source_topic(reading, source.topic)
        yield await _rights(reading, seen.server, "source topic", source.topic, _READ)
        yield await _group(reading, seen.server, source.group)
    if other.server:
        topics = Topics.of(journal)
        async for probe in _journal(writing, other.server, topics):
            yield probe
        async for probe in _groups(writing, other.server, topics, settings):
            yield probe


def _one_cluster(seen: Look, other: Look) -> Iterator[Probe]:
    if seen.server and other.server and seen.cluster != other.cluster:
        yield Probe(
            what="cluster",
            name=other.cluster,
            state=ProbeState.FINDING,
            detail=f"the source is on the cluster {seen.cluster}",
            remedy="offsets and results share a transaction: take two listeners of one cluster",
        )


async def _groups(
    broker: Broker, server: str, topics: Topics, settings: Settings
) -> AsyncIterator[Probe]:
    yield await _group(broker, server, f"{topics.prefix}-core")
    if settings.grafana is not None:
        yield await _group(broker, server, f"{topics.prefix}.hooks")


def _servers(what: str, broker: Broker, seen: Look) -> Iterator[Probe]:
    for trouble in seen.troubles:
        yield Probe(
            what=what,
            name=trouble.server,
            state=ProbeState.FINDING if seen.server else ProbeState.UNREACHABLE,
            detail=trouble.what,
            remedy=trouble.remedy,
        )
    if seen.server:
        security = broker.security
        user = f" as {security.username} by {security.mechanism}" if security.mechanism else ""
        count = f"{seen.brokers} broker{'s' if seen.brokers != 1 else ''}"
        yield Probe(
            what=what,
            name=seen.server,
            detail=f"{security.protocol}{user}; cluster {seen.cluster} of {count}",
        )


async def _source_topic(broker: Broker, topic: str) -> Probe:
    what = "source topic"
    try:
        async with broker.admin() as admin:
            found = [one for one in await admin.describe_topics(None) if one["topic"] == topic]
    except (KafkaError, MonitorError) as error:
        return _broken(what, topic, error)
    if not found:
        return Probe(
            what=what,
            name=topic,
            state=ProbeState.FINDING,
            detail="does not exist, or may not be described by this user",
            remedy=f"kafka-topics.sh --bootstrap-server {broker.address} --create --topic {topic} "
            "--partitions 4, or correct source.kafka.topic",
        )
    partitions = found[0]["partitions"]
    copies = min((len(one["replicas"]) for one in partitions), default=0)
    without = [one["partition"] for one in partitions if one["leader"] < 0]
    if without:
        return Probe(
            what=what,
            name=topic,
            state=ProbeState.FINDING,
            detail=f"partitions {without} of {len(partitions)} have no leader",
            remedy="start the brokers that hold them",
        )
    return Probe(
        what=what, name=topic, detail=f"{len(partitions)} partitions, replication {copies}"
    )


async def _rights(
    broker: Broker, server: str, what: str, topic: str, needed: frozenset[Operation]
) -> Probe:
    async with connection(server, broker.security) as conn:
        allowed = (await on_topics(conn, [topic])).get(topic)
    return _allowed(f"{what}, rights", topic, needed, allowed, kind="--topic", broker=broker)


async def _group(broker: Broker, server: str, group: str) -> Probe:
    try:
        async with connection(server, broker.security) as conn:
            keeper = await _coordinator(conn, group)
        allowed: frozenset[Operation] | None = frozenset()
        if keeper is not None:
            async with connection(keeper, broker.security) as conn:
                allowed = await on_group(conn, group)
    except (KafkaError, OSError) as error:
        return _broken("group", group, error)
    return _allowed("group, rights", group, _READ, allowed, kind="--group", broker=broker)


async def _coordinator(conn: AIOKafkaConnection, group: str) -> str | None:
    """Who keeps a group; a cluster that never had one makes up its mind when it is first asked."""
    for _ in range(_COORDINATOR_TRIES):
        try:
            return await coordinator(conn, group)
        except GroupCoordinatorNotAvailableError:
            await asyncio.sleep(_COORDINATOR_PAUSE_SECONDS)
    return await coordinator(conn, group)


def _allowed(
    what: str,
    name: str,
    needed: frozenset[Operation],
    allowed: frozenset[Operation] | None,
    *,
    kind: str,
    broker: Broker,
) -> Probe:
    """Whether all that is needed is allowed; `kind` is the option of `kafka-acls.sh` that names it."""
    if allowed is None:
        return Probe(what=what, name=name, detail="the broker does not tell")
    missing = sorted(needed - allowed)
    if not missing:
        return Probe(what=what, name=name, detail=_listed(needed))
    return Probe(
        what=what,
        name=name,
        state=ProbeState.FINDING,
        detail=f"lacks {_listed(missing)}",
        remedy=_grant(broker, kind, name, missing),
    )


def _listed(operations: Sequence[Operation] | frozenset[Operation]) -> str:
    return ", ".join(one.words for one in sorted(operations))


def _grant(broker: Broker, kind: str, name: str, missing: Sequence[Operation]) -> str:
    """The command that allows it; without a login the principal is not known here."""
    user = broker.security.username or "..."
    wanted = " ".join(f"--operation {one.words}" for one in missing)
    return (
        f"kafka-acls.sh --bootstrap-server {broker.address} --add --allow-principal User:{user} "
        f"{wanted} {kind} {name}"
    )


async def _journal(broker: Broker, server: str, topics: Topics) -> AsyncIterator[Probe]:
    try:
        async with broker.admin() as admin:
            there = set(await admin.list_topics())
            held = [stream for stream in STREAMS if topics.name(stream) in there]
            for stream in STREAMS:
                if stream not in held:
                    yield await _to_be_made(admin, topics, stream)
            differing = await topics.compare(admin, held) if held else []
        names = [topics.name(stream) for stream in held]
        for name in names:
            for probe in _compared(name, topics, differing, broker):
                yield probe
        async with connection(server, broker.security) as conn:
            allowed = await on_topics(conn, names) if names else {}
            described = await on_transactions(conn, f"{topics.prefix}-core-0")
    except (KafkaError, MonitorError, OSError) as error:
        yield _broken("journal", f"{topics.prefix}.*", error)
        return
    for probe in _journal_rights(broker, topics, allowed, described=described):
        yield probe


def _journal_rights(
    broker: Broker,
    topics: Topics,
    allowed: Mapping[str, frozenset[Operation] | None],
    *,
    described: bool,
) -> Iterator[Probe]:
    told = [one for one in allowed.values() if one is not None]
    if allowed:
        common = frozenset.intersection(*told) if told else None
        yield _allowed(
            "journal, rights",
            f"{topics.prefix}.",
            # Whoever finds the topics made need not be allowed to make them.
            _JOURNAL - {Operation.CREATE},
            common,
            kind="--resource-pattern-type prefixed --topic",
            broker=broker,
        )
    if described:
        yield Probe(what="transactions", name=f"{topics.prefix}-*", detail="may be described")
        return
    kind = "--resource-pattern-type prefixed --transactional-id"
    yield Probe(
        what="transactions",
        name=f"{topics.prefix}-*",
        state=ProbeState.FINDING,
        detail="lacks Write",
        remedy=_grant(broker, kind, topics.prefix, [Operation.WRITE]),
    )


async def _to_be_made(admin: AIOKafkaAdminClient, topics: Topics, stream: str) -> Probe:
    """Ask whether a topic could be made, without making it."""
    what, name = "journal topic", topics.name(stream)
    new = NewTopic(
        name, topics.shards, topics.replication, topic_configs=dict(topics.settings[stream])
    )
    answer: Any = await admin.create_topics([new], validate_only=True)
    _, code, text = answer.topic_errors[0]
    if not code:
        return Probe(what=what, name=name, detail="is not there yet: the first start makes it")
    return Probe(
        what=what,
        name=name,
        state=ProbeState.FINDING,
        detail=f"is not there and cannot be made: {text or for_code(code).message}",
        remedy="correct journal.kafka, allow Create on it, or have it made",
    )


def _compared(
    name: str, topics: Topics, differing: Sequence[Difference], broker: Broker
) -> Iterator[Probe]:
    own = [difference for difference in differing if difference.topic == name]
    for difference in own:
        yield Probe(
            what="journal topic",
            name=name,
            state=ProbeState.FINDING,
            detail=f"{difference.setting}={difference.found}, wanted {difference.wanted}",
            remedy=difference.remedy(broker.address),
        )
    if not own:
        detail = f"{topics.shards} partitions, replication {topics.replication}, as configured"
        yield Probe(what="journal topic", name=name, detail=detail)


def _broken(what: str, name: str, error: BaseException) -> Probe:
    return Probe(
        what=what,
        name=name,
        state=ProbeState.UNREACHABLE,
        detail=f"{type(error).__name__}: {error}",
        remedy="repeat; see the broker's own log",
    )

"""Stream processors of your own: typed Faust records and topics for every public stream of the journal.

    from monitor.kafka.hooks import hooks_of

    hooks = hooks_of("config", name="resolved-to-webhook")

    @hooks.app.agent(hooks.alerts)
    async def tell(alerts):
        async for alert in alerts:
            ...

    if __name__ == "__main__":
        hooks.app.main()  # python this_file.py worker

Agents are told at least once: after a crash some messages come again, under the same key. So what an agent does
must be the same when it is done twice. Only what was committed is seen. A value of None says that a
key was deleted. `examples/` has one that is complete.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faust
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport

from monitor.definitions import Configuration, load
from monitor.errors import ConfigError
from monitor.kafka.connections import journal_broker
from monitor.kafka.security import Security
from monitor.model.record import Stream
from monitor.settings import KafkaJournal, environment

_NEWEST_FIRST = "earliest"
"""Where a new group begins: a compacted topic holds what is true now."""


class Alert(faust.Record, serializer="json"):
    """One incident, as in `alerts.ndjson`; `updated_at` tells the newer of two."""

    alert_id: str
    metric: str
    dimension: str
    segment: str
    direction: str
    state: str
    started_at: str
    detected_at: str
    updated_at: str
    reason: str
    severity: str
    summary: str
    evidence: float
    threshold: float
    n: float
    resolved_at: str | None = None
    value: float | None = None
    expected: float | None = None
    relative_shift: float | None = None
    interval: list[float] | None = None
    owner: str | None = None
    runbook_url: str | None = None
    segments: list[Any] | None = None
    mix: dict[str, Any] | None = None
    release: dict[str, Any] | None = None
    data_quality: dict[str, Any] | None = None
    labels: dict[str, str] | None = None


class Buckets(faust.Record, serializer="json"):
    """One closed bucket of all segments of a metric and dimension: lists, one entry a segment."""

    metric: str
    dimension: str
    start: str
    end: str
    segments: list[str]
    value: list[float | None]
    n: list[float]
    expected: list[float | None]
    state: list[str]


class Release(faust.Record, serializer="json"):
    """A release (key `release|...`) or an annotation (key `annotation|...`)."""

    id: Any = None
    service: str | None = None
    environment: str | None = None
    version: str | None = None
    status: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    text: str | None = None
    tags: list[str] | None = None
    time_us: int | None = None
    time_end_us: int | None = None


class Verdict(faust.Record, serializer="json"):
    """What the core knows of a release's effect on one metric."""

    release: Any = None
    metric: str | None = None


class DeadLetter(faust.Record, serializer="json"):
    """A message that could not be used."""

    source: str | None = None
    position: int | None = None
    reason: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """A Faust application over the journal.

    Attributes:
        app: to register agents and timers with.
        alerts, buckets, releases, verdicts, dead_letters: the streams.
    """

    app: Any
    alerts: Any
    buckets: Any
    releases: Any
    verdicts: Any
    dead_letters: Any


def hooks_of(config: Path | str | Configuration, *, name: str, **options: Any) -> Hooks:
    """The application of a configuration.

    Args:
        config: the folder, or what was loaded of it.
        name: the consumer group, and the client's name; instances of one name share the work.
        options: more settings of `faust.App`.

    Raises:
        ConfigError: the configuration is wrong, or its source is not Kafka.
    """
    loaded = (
        config
        if isinstance(config, Configuration)
        else load(Path(config), environment=environment())
    )
    if loaded.settings.source.kafka is None:
        message = "hooks need the journal on Kafka: set source.kafka"
        raise ConfigError(message)
    broker = journal_broker(loaded.settings)
    journal = loaded.settings.kafka_journal or KafkaJournal()
    return hooks_on(
        broker.address,
        journal.prefix,
        name=name,
        partitions=journal.shards,
        replication=journal.replication,
        **_credentials(broker.security),
        **options,
    )


def _credentials(security: Security) -> dict[str, Any]:
    """What Faust calls the same things; it has no setting for the host name, which is the context's."""
    if security.mechanism is not None:
        return {
            "broker_credentials": faust.SASLCredentials(
                username=security.username,
                password=security.password,
                mechanism=security.mechanism,
                ssl_context=security.context,
            )
        }
    if security.context is not None:
        return {"broker_credentials": faust.SSLCredentials(security.context)}
    return {}


def hooks_on(
    address: str, prefix: str, *, name: str, partitions: int, replication: int = 1, **options: Any
) -> Hooks:
    """The application over the topics of a prefix on a broker."""
    app = _App(
        name,
        **{
            "broker": [f"kafka://{one.strip()}" for one in address.split(",")],
            "store": "memory://",
            "web_enabled": False,
            "topic_partitions": partitions,
            "topic_replication_factor": replication,
            "topic_disable_leader": True,
            "consumer_auto_offset_reset": _NEWEST_FIRST,
            "broker_commit_interval": 1.0,
            "stream_wait_empty": False,
            **options,
        },
    )

    def topic(stream: Stream, record: type[faust.Record]) -> Any:
        return app.topic(
            f"{prefix}.{stream}",
            key_type=str,
            key_serializer="raw",
            value_type=record,
            allow_empty=True,
            internal=False,
        )

    return Hooks(
        app=app,
        alerts=topic(Stream.ALERTS, Alert),
        buckets=topic(Stream.BUCKETS, Buckets),
        releases=topic(Stream.RELEASES, Release),
        verdicts=topic(Stream.VERDICTS, Verdict),
        dead_letters=topic(Stream.DEAD_LETTERS, DeadLetter),
    )


class _CommittedThread(AIOKafkaConsumerThread):
    """Reads what was committed: the core sends in transactions, and says some things again."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # noqa: SLF001 - Faust has no setting for it
        return consumer


class _CommittedConsumer(Consumer):
    def _new_consumer_thread(self) -> Any:
        return _CommittedThread(self, loop=self.loop, beacon=self.beacon)


class _CommittedTransport(Transport):
    Consumer = _CommittedConsumer


class _App(faust.App):
    def _new_transport(self) -> Any:
        return _CommittedTransport(self.conf.broker_consumer, self)

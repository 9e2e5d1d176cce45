"""From a configuration to the workers of its roles: what they read, write and share."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from monitor.clock import Clock
from monitor.core.machine import Machine
from monitor.core.tally import tally
from monitor.definitions import Configuration, compile_plan
from monitor.definitions.plan import Plan
from monitor.errors import ConfigError
from monitor.ingest.source import Ingest
from monitor.journal.records import records
from monitor.journal.store import Store
from monitor.kafka.appending import Appender, appending
from monitor.kafka.broker import Broker, cluster_of
from monitor.kafka.connections import journal_broker, source_broker, source_of
from monitor.kafka.ingest_worker import IngestWorker
from monitor.kafka.shard import Core
from monitor.kafka.shard_worker import ShardWorker
from monitor.kafka.source_partition import SourceTopic
from monitor.kafka.topics import Topics, source_partitions
from monitor.kafka.view_worker import ViewWorker
from monitor.model.frame import Frame
from monitor.model.record import Record
from monitor.settings import KafkaJournal, KafkaSource
from monitor.telemetry import Counters


def core_of(plan: Plan) -> Core:
    """How a shard drives the machine of `monitor.core`."""

    def restore(shard: int, state: bytes) -> tuple[Machine, list[Record]]:
        machine, effects = Machine.restore(plan, shard, state)
        return machine, [record for effect in effects for record in records(effect)]

    def apply(machine: Machine, frame: Frame) -> list[Record]:
        return [record for effect in machine.apply(frame) for record in records(effect)]

    return Core(fresh=lambda shard: Machine(plan, shard), restore=restore, apply=apply, tally=tally)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A configuration on Kafka.

    Attributes:
        broker: where the journal's topics are.
        source_broker: where events are read: the same cluster, perhaps by another
            listener; None for the same one.
        fields: the custom envelope, or None.
    """

    plan: Plan
    broker: Broker
    topics: Topics
    source: KafkaSource
    fields: Mapping[str, str] | None
    source_broker: Broker | None = None

    @classmethod
    def of(cls, configuration: Configuration) -> "Service":
        """The service of a configuration; raises `ConfigError` where its source is not Kafka."""
        settings = configuration.settings
        source = source_of(settings)
        return cls(
            plan=compile_plan(configuration),
            broker=journal_broker(settings),
            source_broker=source_broker(settings),
            topics=Topics.of(settings.kafka_journal or KafkaJournal()),
            source=source,
            fields=configuration.fields or None,
        )

    @property
    def reading(self) -> Broker:
        """Where events are read."""
        return self.source_broker or self.broker

    async def prepare(self) -> None:
        """Create the journal's topics, and see that the source is there.

        Raises:
            MonitorError: one line on what is missing or wrong, with the remedy.
        """
        await source_partitions(self.reading, self.source.topic)
        if self.reading != self.broker:
            await self._require_one_cluster()
        await self.topics.ensure(self.broker)

    async def _require_one_cluster(self) -> None:
        found = [await cluster_of(broker) for broker in (self.reading, self.broker)]
        if found[0] != found[1]:
            message = (
                f"source.kafka is the cluster {found[0]}, journal.kafka the cluster {found[1]}: "
                "offsets and results are kept in one transaction; make both listeners of one "
                "cluster, or leave journal.kafka.bootstrap_servers away"
            )
            raise ConfigError(message)

    async def cluster(self) -> str:
        """The id of the Kafka cluster: offsets mean something only within it."""
        return await cluster_of(self.broker)

    async def ingest(
        self, *, clock: Clock, counters: Counters, instance: str | None
    ) -> IngestWorker:
        """The worker of the role `ingest`."""
        partitions = await source_partitions(self.reading, self.source.topic)

        def ingest(number: int, sources: int, position: int, state: Any) -> Ingest:
            return Ingest(
                self.plan,
                self.fields,
                source=number,
                sources=sources,
                name=str(number),
                position=position,
                clock=clock,
                state=state,
            )

        return IngestWorker(
            broker=self.broker,
            source_broker=self.reading,
            topics=self.topics,
            source=SourceTopic(
                name=self.source.topic,
                group=self.source.group,
                partitions=partitions,
                idle_timeout_us=self.plan.idle_timeout_us,
                ingest=ingest,
            ),
            clock=clock,
            counters=counters,
            instance=instance,
        )

    def core(self, *, counters: Counters, instance: str | None) -> ShardWorker:
        """The worker of the role `core`."""
        return ShardWorker(
            broker=self.broker,
            topics=self.topics,
            core=core_of(self.plan),
            counters=counters,
            instance=instance,
        )

    def appending(self) -> contextlib.AbstractAsyncContextManager[Appender]:
        """What the API appends to the journal by, while it is open."""
        return appending(self.broker, self.topics)

    def view(
        self,
        store: Store,
        *,
        counters: Counters,
        changed: Callable[[], None],
        caught_up: Callable[[], None],
    ) -> ViewWorker:
        """The worker of the role `serve` that keeps the view."""
        return ViewWorker(
            broker=self.broker,
            topics=self.topics,
            store=store,
            counters=counters,
            changed=changed,
            caught_up=caught_up,
        )

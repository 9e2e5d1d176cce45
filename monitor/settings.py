"""The service's settings, `monitor.yaml`, and the environment: only this file reads it."""

import os
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from monitor.model.time import DAY, MINUTE, SECOND
from monitor.scalars import (
    Day,
    Duration,
    Many,
    Positive,
    PositiveDuration,
    Text,
    Url,
    Variable,
    null_is_empty,
)

OVERRIDE_PREFIX = "MONITOR__"
"""Environment variables that begin so override settings: `MONITOR__ALERT_BUDGET__PAGES=2`."""


def environment() -> dict[str, str]:
    """A copy of the process environment."""
    return dict(os.environ)


def overrides(variables: Mapping[str, str]) -> list[tuple[str, tuple[str, ...], str]]:
    """The overrides in an environment: variable, path of the setting, text; sorted by variable.

    >>> overrides({"MONITOR__API__PORT": "80", "HOME": "/"})
    [('MONITOR__API__PORT', ('api', 'port'), '80')]
    """
    return [
        (name, tuple(name.removeprefix(OVERRIDE_PREFIX).lower().split("__")), text)
        for name, text in sorted(variables.items())
        if name.startswith(OVERRIDE_PREFIX)
    ]


class Group(BaseModel):
    """A mapping of the configuration: unknown keys are errors, null is as good as absent."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )
    keeps_null: ClassVar[frozenset[str]] = frozenset()
    """Keys for which null says more than absence."""

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {k: v for k, v in data.items() if v is not None or k in cls.keeps_null}


class KafkaSecurity(Group):
    """How to connect to Kafka: the names are Kafka's own ones, without `security.`, `sasl.`, `ssl.`.

    Secrets stand in the environment or in files of their own, never here.
    """

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
    """Of the listener: whether it encrypts (SSL), and whether it asks for a login (SASL)."""
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    """Of the login, where the protocol has SASL."""
    username: Text | None = None
    """Of the login."""
    password_env: Variable | None = None
    """Name of the environment variable with the password."""
    password_file: Text | None = None
    """File that holds the password and nothing else."""
    ca_file: Text | None = None
    """PEM file with the authorities whose certificates are trusted; default: the system's."""
    cert_file: Text | None = None
    """PEM file with the client's own certificate, where the listener asks for one."""
    key_file: Text | None = None
    """PEM file with its key; default: it stands in `cert_file`."""
    key_password_env: Variable | None = None
    """Name of the environment variable with the key's password."""
    key_password_file: Text | None = None
    """File that holds the key's password and nothing else."""
    check_hostname: bool = True
    """Whether a broker's certificate must be for the name that it is reached by."""


class KafkaSource(Group):
    """Events from a Kafka topic."""

    bootstrap_servers: Text = "localhost:9092"
    """`host:port`, several separated by commas."""
    security: KafkaSecurity | None = None
    """TLS and login; absent: neither."""
    topic: Text = "events"
    """The topic that the events arrive on."""
    group: Text = "monitor"
    """The consumer group that keeps the offsets."""


class SyntheticSource(Group):
    """Events of the built-in synthetic shop."""

    seed: int = 7
    """The same seed gives the same events."""
    volume: Annotated[float, Field(gt=0, le=100)] = 1.0
    """Multiplies all traffic; 1 is about 1,250 events a minute."""


class Fields(Group):
    """Where a custom envelope keeps what; paths go into objects with dots: `user.id`."""

    event_id: Text = "event_id"
    """Path of the producer's id."""
    name: Text = "name"
    """Path of the event name."""
    time: Text = "time"
    """Path of the event time."""
    actor: Text = "actor"
    """Path of whoever did it."""
    count: Text = "count"
    """Path of the number of equal events."""
    dimensions: Text = "dimensions"
    """Path of the object of dimensions."""
    values: Text = "values"
    """Path of the object of numbers."""


class Source(Group):
    """Where events come from: exactly one of `kafka`, `files`, `synthetic`."""

    keeps_null = frozenset({"kafka", "synthetic"})

    kafka: Annotated[KafkaSource | None, BeforeValidator(null_is_empty)] = None
    """A Kafka topic."""
    files: Many[Text] | None = None
    """Patterns of files of events, one JSON object a line."""
    synthetic: Annotated[SyntheticSource | None, BeforeValidator(null_is_empty)] = None
    """The built-in shop."""
    fields: Fields | None = None
    """A custom envelope, beside those that are always known (docs/events.md)."""


class AlertBudget(Group):
    """How many false pages are acceptable, over everything."""

    pages: Positive = 1.0
    """Expected false pages per period; tickets have a budget of 10 times this."""
    per: PositiveDuration = 30 * DAY
    """The period."""


class Retention(Group):
    """How long the journal's topics keep what is no state; the other topics keep the newest of every key."""

    frames: PositiveDuration = 7 * DAY
    """The log; a core that stands still for longer loses what it has not read."""
    buckets: PositiveDuration = 35 * DAY
    """Closed buckets, for charts and the API."""
    dead_letters: PositiveDuration = 35 * DAY
    """What could not be used."""


TopicSettings = dict[Text, str | int | float | bool]
"""Settings of a topic, by Kafka's names: `segment.bytes: 67108864`."""


class StreamSettings(Group):
    """More settings of the journal's topics, by Kafka's names, a mapping a stream."""

    frames: TopicSettings = {}
    """Of the log."""
    snapshots: TopicSettings = {}
    """Of the state."""
    buckets: TopicSettings = {}
    """Of closed buckets."""
    alerts: TopicSettings = {}
    """Of incidents."""
    releases: TopicSettings = {}
    """Of releases and annotations."""
    verdicts: TopicSettings = {}
    """Of what is known of releases."""
    dead_letters: TopicSettings = {}
    """Of what could not be used."""


class KafkaJournal(Group):
    """The journal as Kafka topics `{prefix}.{stream}`."""

    bootstrap_servers: Text | None = None
    """Another listener of the source's cluster; default: the source's."""
    security: KafkaSecurity | None = None
    """TLS and login; default: the source's."""

    prefix: Text = "monitor"
    """First part of the topics' names."""
    shards: Annotated[int, Field(ge=1, le=1024)] = 8
    """Partitions of the log; cannot be changed later."""
    replication: Annotated[int, Field(ge=1)] = 1
    """Replication factor of the topics."""
    min_insync_replicas: Annotated[int, Field(ge=1)] | None = None
    """Copies that must have a write before it counts; default: one less than `replication`."""
    retention: Retention = Retention()
    """How long the topics keep what is no state."""
    topics: StreamSettings = StreamSettings()
    """More settings of the topics, by Kafka's names."""


class Journal(Group):
    """Where state and results are kept: one of `kafka`, `sqlite`."""

    keeps_null = frozenset({"kafka"})

    kafka: Annotated[KafkaJournal | None, BeforeValidator(null_is_empty)] = None
    """Topics; the default where the source is Kafka."""
    sqlite: Text | None = None
    """A SQLite file; the default, `var/monitor.db`, of the other sources."""


class Cardinality(Group):
    """Bounds of the number of series."""

    per_dimension: Annotated[int, Field(ge=1, le=100_000)] = 50
    """Values of a dimension that a metric keeps apart; the rest is `other`."""


class Alertmanager(Group):
    """The Alertmanager that firing incidents are sent to."""

    url: Url
    """Its address."""


class Grafana(Group):
    """The Grafana that gets annotations."""

    url: Url
    """Its address."""
    token_env: Variable = "GRAFANA_TOKEN"  # noqa: S105 - a name, not a token
    """Name of the environment variable with its token."""


class Prometheus(Group):
    """What `/metrics` shows."""

    segments: Literal["all", "firing", "none"] = "all"
    """Which segments have series beside the whole."""
    max_series: Annotated[int, Field(ge=1)] = 10_000
    """Most series exported."""


class ApiToken(Group):
    """A token of its own for one writer: in an environment variable, or in a file."""

    name: Text
    """Who has it; recorded with what it writes."""
    token_env: Variable | None = None
    """Name of the environment variable with the token."""
    token_file: Text | None = None
    """File that holds the token and nothing else."""
    scopes: Many[Literal["annotate", "read", "admin"]] = ("annotate",)
    """What it allows: `annotate` (annotations, releases), `read` (needed where `open_reads` is
    false), `admin` (everything)."""


class Api(Group):
    """The HTTP interface."""

    keeps_null = frozenset({"token_env"})

    host: Text = "127.0.0.1"
    """Address to listen on; other than loopback needs a token."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 8321
    """Port; 0 takes a free one."""
    token_env: Variable | None = "MONITOR_TOKEN"  # noqa: S105 - a name, not a token
    """Name of the environment variable with the token that writes need."""
    tokens: Many[ApiToken] = ()
    """More tokens, each with a name and scopes."""
    open_reads: bool = True
    """Whether reads (pages, `GET`, gates, `/metrics`) need no token; the probes never do."""
    github_secret_env: Variable = "MONITOR_GITHUB_SECRET"  # noqa: S105 - a name, not a secret
    """Name of the environment variable with the secret of GitHub's webhook."""


class Settings(Group):
    """`monitor.yaml`; all of it optional but the source. Durations are microseconds."""

    keeps_null = frozenset({"hash_key_env"})

    source: Source
    """Where events come from."""
    alert_budget: AlertBudget = AlertBudget()
    """The one number the operator sets."""
    allowed_lateness: Duration = 30 * SECOND
    """How far the watermark stays behind the newest event."""
    restatement_window: Duration = 2 * DAY
    """Older late events are counted, not applied."""
    max_clock_skew: Duration = 5 * MINUTE
    """An event further ahead of the wall clock is a dead letter."""
    idle_timeout: PositiveDuration = MINUTE
    """A partition silent for so long no longer holds buckets open."""
    holidays: Many[Day] = ()
    """Days that are neither judged nor learnt, in each metric's time zone."""
    journal: Journal = Journal()
    """Where state and results are kept."""
    hash_key_env: Variable | None = "MONITOR_HASH_KEY"
    """Name of the environment variable with the key of the units' hashes."""
    cardinality: Cardinality = Cardinality()
    """Bounds of the number of series."""
    alertmanager: Alertmanager | None = None
    """Absent: incidents are not sent."""
    grafana: Grafana | None = None
    """Absent: no annotations are written."""
    prometheus: Prometheus = Prometheus()
    """What `/metrics` shows."""
    api: Api = Api()
    """The HTTP interface."""

    @property
    def kafka_journal(self) -> KafkaJournal | None:
        """The topics in use: only a Kafka source has them; None means SQLite."""
        return (self.journal.kafka or KafkaJournal()) if self.source.kafka else None

    @property
    def sqlite_path(self) -> str:
        """The SQLite file of the embedded mode."""
        return self.journal.sqlite or "var/monitor.db"

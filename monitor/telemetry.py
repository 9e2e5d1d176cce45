"""How the service speaks of itself: structured logs, and counters for Prometheus.

Events of the log have dotted names (`alertmanager.unreachable`) and values beside them; payloads
never go in: a value of bytes is told by its length only.
"""

import logging
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client import values as stored
from structlog.typing import Processor

from monitor.model.event import Reject
from monitor.settings import environment

_QUIET = ("faust", "mode", "monitor.kafka.hooks", "aiohttp.access", "aiokafka", "asyncio", "kafka")
"""Libraries whose chatter at `info` would bury the service's own lines."""


_REPEATING = "aiokafka"
"""While a broker is away its clients say so some hundred times a second."""
_REPEAT_SECONDS = 30.0
_MESSAGES_KEPT = 1_000


class Seldom(logging.Filter):
    """Lets each message of a library through once in a while, with the number of those held back.

    Args:
        library: name of its loggers, and what they begin with.
        seconds: between two of the same message, whatever its values.
    """

    def __init__(self, library: str, seconds: float) -> None:
        super().__init__()
        self._library = library
        self._seconds = seconds
        self._passed: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is shown."""
        if record.name.split(".")[0] != self._library:
            return True
        message = str(record.msg)
        at, held = self._passed.get(message, (None, 0))
        if at is not None and 0 <= record.created - at < self._seconds:
            self._passed[message] = (at, held + 1)
            return False
        if len(self._passed) >= _MESSAGES_KEPT:
            self._passed.clear()
        self._passed[message] = (record.created, 0)
        if held:
            record.msg, record.args = f"{record.getMessage()} (and {held} like it)", ()
        return True


def configure(
    json: bool | None = None,
    level: str = "info",
    *,
    stream: TextIO | None = None,
    no_color: bool | None = None,
) -> None:
    """Set up structlog, and the standard library's logging to come out the same way.

    Args:
        json: one JSON object a line; by default where the stream is no terminal.
        level: the least severe level that is shown: debug, info, warning, error.
        stream: where to; standard error by default.
        no_color: no colours on a terminal either; by default where NO_COLOR is set (no-color.org).

    Raises:
        ValueError: the level is none.
    """
    out = stream or sys.stderr
    as_json = not out.isatty() if json is None else json
    numeric = logging.getLevelNamesMapping().get(level.upper())
    if numeric is None:
        message = f"log level '{level}' is not one of debug, info, warning, error"
        raise ValueError(message)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        without_payloads,
    ]
    plain = bool(environment().get("NO_COLOR")) if no_color is None else no_color
    # Tracebacks without local variables: those may hold payloads.
    traces = structlog.processors.ExceptionRenderer(
        structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    )
    last: list[Processor] = (
        [traces, structlog.processors.JSONRenderer()]
        if as_json
        else [
            structlog.dev.ConsoleRenderer(
                colors=out.isatty() and not plain,
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    )
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    _configure_standard(shared, last, out, numeric)


def without_payloads(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A processor that puts the length of bytes in the place of the bytes.

    >>> without_payloads(None, "info", {"event": "ingest.rejected", "payload": b"secret"})
    {'event': 'ingest.rejected', 'payload': '<6 bytes>'}
    """
    for key, value in event.items():
        if isinstance(value, bytes | bytearray | memoryview):
            event[key] = f"<{len(value)} bytes>"
    return event


def _configure_standard(
    shared: list[Processor], last: list[Processor], out: TextIO, level: int
) -> None:
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    handler.addFilter(Seldom(_REPEATING, _REPEAT_SECONDS))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def count_as(name: str) -> None:
    """Let what is counted from now on go on in the files of this name, in prometheus-client's multiprocess mode.

    By default every process has files of its own, which stay when it dies: a role that is started again for
    days, while its broker is away, would leave thousands, all read at every scrape.

    Args:
        name: of this process and its predecessors, of no other that runs; without `_`.
    """
    if "PROMETHEUS_MULTIPROC_DIR" in environment():
        stored.ValueClass = stored.MultiProcessValue(lambda: name)  # type: ignore[no-untyped-call]


class Counters:
    """The service's own figures; a role touches those that it knows.

    In prometheus-client's multiprocess mode each role writes to its own files, and the role that
    serves `/metrics` adds them up: what only ever advances is combined by its maximum.

    Args:
        registry: what they are registered with.

    Attributes:
        events: lines read, by outcome: `accepted`, `dead_lettered`.
        dead_letters: by reason.
        late: accepted events whose bucket had ended by their source's watermark.
        duplicates: lines that some metric uses whose event id was seen shortly before.
        folded: dimension values counted as `other`, by dimension.
        set_aside: events of units that a cohort could not count, by reason: `cohort_gone` (late, for one
            that is not kept any more), `too_many_starts` (of one unit in one cohort).
        skipped: sums of buckets that were measured by other definitions than the core's, by metric.
        lost: events that retention removed before they were read.
        watermark: newest watermark, Unix seconds, by source.
        lag: events of the source that are not read yet.
        frames: frames met by a core, by outcome: `applied`, `repeated`, `quarantined`, `gap`.
        snapshots: snapshots, by outcome: `written`, `failed`, `restored`.
        snapshot_bytes, snapshot_offset: of the newest snapshot, by shard.
        alertmanager_posts: by outcome: `sent`, `rejected`, `failed`.
        restarts: how often a role was started again after a fault, by role.
        dropped: how often a partition (of the source, or a shard) was let go of after an error, to be
            opened again, by role.
        offsets_gone: how often the group had no offset of a source, and the frames told where it stood.
        states_lost: shards that began in the middle of the log, with no snapshot that could be used.
        log_resets: shards whose log was made anew below their snapshot.
        view_errors: how often the view could not be written, or a record not be used.
        clock_jumps: how often the wall clock was set by more than a few seconds, by role.
        role_resident, role_files, role_tasks: bytes of memory, open files and asyncio tasks of a role's
            process, by role; of two processes of one role, those of the one that spoke last.
        role_seen: when a role's process last spoke of itself, Unix seconds, by role.
        role_memory_limit, role_file_limit: what a role's process may hold at most: bytes, which it may
            have to share with the other roles, and open files.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"monitor_{name}", text, labels, registry=registry)

        def latest(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(
                f"monitor_{name}",
                text,
                labels,
                registry=registry,
                multiprocess_mode="mostrecent",
            )

        self.events = counter("events_total", "Event lines read, by outcome.", "outcome")
        self.dead_letters = counter(
            "dead_letters_total", "Lines that could not be used, by reason.", "reason"
        )
        self.late = counter("late_events_total", "Accepted events that came after their bucket.")
        self.duplicates = counter(
            "duplicate_events_total", "Event lines whose event_id was seen shortly before."
        )
        self.folded = counter(
            "folded_values_total", "Dimension values counted as other.", "dimension"
        )
        self.set_aside = counter(
            "unit_events_set_aside_total",
            "Events of units that count in no cohort, by reason.",
            "reason",
        )
        self.skipped = counter(
            "skipped_deltas_total", "Sums measured by other definitions than the core's.", "metric"
        )
        self.lost = counter("lost_events_total", "Events removed by retention before the reading.")
        self.watermark = Gauge(
            "monitor_watermark_timestamp_seconds",
            "Event time up to which a source is complete.",
            ["source"],
            registry=registry,
            multiprocess_mode="max",
        )
        self.lag = latest("source_lag_events", "Events of a source not read yet.", "source")
        self.waits = latest(
            "source_waits", "1 where a source is hours ahead of the slowest, and waits.", "source"
        )
        self.frames = counter("frames_total", "Frames met by the core, by outcome.", "outcome")
        self.snapshots = counter("snapshots_total", "Snapshots, by outcome.", "outcome")
        self.snapshot_bytes = latest("snapshot_bytes", "Size of the newest snapshot.", "shard")
        self.snapshot_offset = latest(
            "snapshot_offset", "Log offset that the newest snapshot stands at.", "shard"
        )
        self.alertmanager_posts = counter(
            "alertmanager_posts_total", "Posts to Alertmanager, by outcome.", "outcome"
        )
        self.restarts = counter("restarts_total", "Starts of a role after a fault.", "role")
        self.dropped = counter(
            "partitions_dropped_total", "Partitions dropped after an error, to be reopened.", "role"
        )
        self.offsets_gone = counter(
            "source_offsets_gone_total",
            "Offsets of the group that were gone, and found in the frames.",
        )
        self.states_lost = counter(
            "shard_states_lost_total", "Shards begun in the middle of the log, without a state."
        )
        self.log_resets = counter(
            "log_resets_total", "Shards whose log was made anew below their snapshot."
        )
        self.view_errors = counter(
            "view_errors_total", "Writes of the view that failed, and records passed over."
        )
        self.clock_jumps = counter("clock_jumps_total", "Jumps of the wall clock.", "role")
        self.role_resident = latest("role_resident_bytes", "Memory of a role's process.", "role")
        self.role_files = latest("role_open_files", "Open files of a role's process.", "role")
        self.role_tasks = latest("role_tasks", "Asyncio tasks of a role's process.", "role")
        self.role_seen = latest(
            "role_seen_timestamp_seconds", "When a role's process last spoke of itself.", "role"
        )
        self.role_memory_limit = latest(
            "role_memory_limit_bytes", "Memory that a role's process may hold at most.", "role"
        )
        self.role_file_limit = latest(
            "role_file_limit", "Open files that a role's process may hold at most.", "role"
        )
        self._begin()

    def flushed(self, counts: Mapping[str, int], reasons: Iterable[str]) -> None:
        """Count the lines of one flush of a source.

        Args:
            counts: lines by what became of them.
            reasons: why each dead letter is one.
        """
        for outcome in ("accepted", "dead_lettered"):
            self.events.labels(outcome).inc(counts.get(outcome, 0))
        self.late.inc(counts.get("late", 0))
        self.duplicates.inc(counts.get("duplicates", 0))
        for reason in reasons:
            self.dead_letters.labels(reason).inc()

    def grew(
        self, before: Mapping[tuple[str, str], int], after: Mapping[tuple[str, str], int]
    ) -> None:
        """Count what totals grew by.

        Args:
            before: totals by the name of a counter (an attribute) and its label.
            after: the same ones, later.
        """
        for (name, label), total in after.items():
            more = total - before.get((name, label), 0)
            getattr(self, name).labels(label).inc(max(more, 0))

    def _begin(self) -> None:
        """Zero where the labels are known, so that the first fault is an increase."""
        known: dict[Counter, tuple[str, ...]] = {
            self.events: ("accepted", "dead_lettered"),
            self.dead_letters: tuple(Reject),
            self.set_aside: ("cohort_gone", "too_many_starts"),
            self.frames: ("applied", "repeated", "quarantined", "gap"),
            self.snapshots: ("written", "failed", "restored"),
            self.alertmanager_posts: ("sent", "rejected", "failed"),
            self.restarts: ("ingest", "core", "serve", "hooks"),
            self.dropped: ("ingest", "core"),
            self.clock_jumps: ("ingest", "core", "serve", "hooks"),
        }
        for metric, values in known.items():
            for value in values:
                metric.labels(value)

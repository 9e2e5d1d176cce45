"""History through the same pipeline, at full speed. Every file is a source partition of its own."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from monitor.clock import Clock
from monitor.core.effects import ClosedBucket, Effect, IncidentChanged
from monitor.core.machine import Machine
from monitor.definitions.plan import Plan
from monitor.ingest.envelope import Fields
from monitor.ingest.files import LineFile
from monitor.ingest.source import Flush, Ingest
from monitor.model.event import DeadLetter
from monitor.model.incident import IncidentState
from monitor.model.time import to_rfc3339

CHUNK_LINES = 20_000
CHUNK_CELLS = 50_000
"""Lines and cells read of a file before another one may have its turn: a flush, and so a frame."""


SHOWN = 5
"""Alerts that a person is shown on the terminal; all of them stand in `alerts.ndjson`."""


class Sink(Protocol):
    """Where a replay leaves what it finds."""

    def effects(self, effects: Sequence[Effect]) -> None:
        """Take what the core decided, in order."""

    def dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Take what could not be used."""


@dataclass(slots=True)
class Totals:
    """What a replay has read and found; `summary` is `summary.json`.

    Attributes:
        events: lines by what became of them.
        reasons: dead letters by reason.
        alerts: changes of incidents by the state they changed to.
        buckets: judged buckets of all series.
        series: every (metric, dimension, segment).
        fired: the first alerts in words.
        span_us: earliest and newest event time.
    """

    events: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    alerts: Counter[str] = field(default_factory=Counter)
    buckets: int = 0
    series: set[tuple[str, str, str]] = field(default_factory=set)
    fired: list[str] = field(default_factory=list)
    span_us: tuple[int, int] | None = None

    def flushed(self, flush: Flush) -> None:
        """Count a flush."""
        self.events.update(flush.counts)
        self.reasons.update(letter.reason.value for letter in flush.dead_letters)
        if flush.first_us is not None and flush.last_us is not None:
            first, last = self.span_us or (flush.first_us, flush.last_us)
            self.span_us = min(first, flush.first_us), max(last, flush.last_us)

    def decided(self, effects: Sequence[Effect]) -> None:
        """Count what the core decided."""
        for effect in effects:
            if isinstance(effect, ClosedBucket):
                for group in effect.groups:
                    self.buckets += len(group.rows)
                    self.series.update((group.metric, group.dimension, s) for s in group.segments)
            elif isinstance(effect, IncidentChanged) and effect.transition:
                self.alerts[effect.incident.state] += 1
                if effect.incident.state == IncidentState.FIRING and len(self.fired) < SHOWN:
                    self.fired.append(effect.incident.summary)

    def summary(self, seconds: float, folded: int) -> dict[str, Any]:
        """The body of `summary.json`."""
        read = self.events["read"]
        first, last = map(to_rfc3339, self.span_us) if self.span_us else (None, None)
        return {
            "events": {
                "read": read,
                "accepted": self.events["accepted"],
                "late": self.events["late"],
                "dead_lettered": self.events["dead_lettered"],
                "folded": folded,
            },
            "dead_letters": dict(sorted(self.reasons.items())),
            "buckets": self.buckets,
            "series": len(self.series),
            "alerts": {
                "fired": self.alerts[IncidentState.FIRING],
                "resolved": self.alerts[IncidentState.RESOLVED],
            },
            "span": {"first": first, "last": last},
            "seconds": round(seconds, 3),
            "events_per_second": round(read / seconds) if seconds > 0 else 0,
        }


class Replay:
    """One run over some files.

    Args:
        files: what to read, in the order given.
        plan: the compiled definitions.
        fields: the custom envelope, or None for the default one.
        clock: the wall clock, against which events of the future are judged.
        sink: where the findings go.
        progress: called with the bytes and the lines read since the last call.
    """

    def __init__(
        self,
        files: Sequence[LineFile],
        *,
        plan: Plan,
        fields: Fields | None,
        clock: Clock,
        sink: Sink,
        progress: Callable[[int, int], None] = lambda _bytes, _lines: None,
    ) -> None:
        self.machine = Machine(plan)
        self.totals = Totals()
        self._sink = sink
        self._progress = progress
        self._files = list(files)
        self._readers: dict[int, Iterator[list[bytes]]] = {
            i: file.blocks() for i, file in enumerate(self._files)
        }
        self._ingests = [
            Ingest(plan, fields, source=i, sources=len(self._files), name=file.name, clock=clock)
            for i, file in enumerate(self._files)
        ]

    def run(self) -> None:
        """Read everything, lowest watermark first, and close what the input closes."""
        while self._readers:
            source = min(self._readers, key=lambda i: (self._ingests[i].watermark_us, i))
            self._read_chunk(source)
        self._decided(self.machine.finish())

    def _read_chunk(self, source: int) -> None:
        ingest, file = self._ingests[source], self._files[source]
        before, taken = file.bytes_read, 0
        ended = True
        for lines in self._readers[source]:
            ingest.add_many(lines)
            taken += len(lines)
            if taken >= CHUNK_LINES or ingest.cells >= CHUNK_CELLS:
                ended = False
                break
        if ended:
            del self._readers[source]
        flush = ingest.finish() if ended else ingest.flush()
        self.totals.flushed(flush)
        if flush.dead_letters:
            self._sink.dead_letters(flush.dead_letters)
        for frame in flush.frames.values():
            self._decided(self.machine.apply(frame))
        self._progress(file.bytes_read - before, taken)

    def _decided(self, effects: list[Effect]) -> None:
        self.totals.decided(effects)
        self._sink.effects(effects)

    def folded(self) -> int:
        """Events that went to `other`, of the metric and dimension where most did."""
        return max(self.machine.folded.values(), default=0)


def reasons_in_words(reasons: Mapping[str, int]) -> str:
    """Dead letters by reason, most frequent first."""
    ranked = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{reason} {count:,}" for reason, count in ranked)

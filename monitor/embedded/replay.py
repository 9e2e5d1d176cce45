"""History through the same pipeline, at full speed. Every file is a source partition of its own."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from monitor.clock import Clock
from monitor.core.effects import Effect
from monitor.core.machine import Machine
from monitor.definitions.plan import Plan
from monitor.embedded.detectable import detectable_by_metric
from monitor.embedded.record import Recorder
from monitor.embedded.survey import BLOCK_LINES, FRAME_US, Survey
from monitor.embedded.totals import Totals
from monitor.embedded.trial import Trial
from monitor.embedded.verdicts import Verdicts
from monitor.ingest.envelope import Fields
from monitor.ingest.files import LineFile
from monitor.ingest.pace import MOST, Pace
from monitor.ingest.source import Ingest
from monitor.model.event import DeadLetter
from monitor.model.frame import release_frame
from monitor.model.release import Release
from monitor.model.time import FOREVER

CHUNK_LINES = 20_000
CHUNK_CELLS = 50_000
"""Lines and cells read of a file before another one may have its turn: a flush, and so a frame."""


class Sink(Protocol):
    """Where a replay leaves what it finds."""

    def effects(self, effects: Sequence[Effect]) -> None:
        """Take what the core decided, in order."""

    def dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Take what could not be used."""


class Replay:
    """One run over some files.

    Args:
        files: what to read, in the order given.
        plan: the compiled definitions.
        fields: the custom envelope, or None for the default one.
        clock: the wall clock, against which events of the future are judged.
        sink: where the findings go.
        progress: called with the bytes and the lines read since the last call.
        trials: injections that are followed beside it, each at its time or at many times.
        recorder: keeps the buckets around alerts, where a report is asked for.
        releases: what was released in that time.

    Attributes:
        machine: the core.
        totals: what was counted.
        verdicts: follows the releases.
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
        trials: Sequence[Trial | Survey] = (),
        recorder: Recorder | None = None,
        releases: Sequence[Release] = (),
    ) -> None:
        self.machine = Machine(plan, shows_running=False)
        self.machine.apply(release_frame(releases))
        self.verdicts = Verdicts(plan)
        self.totals = Totals.of(plan)
        self._trials = trials
        self._recorder = recorder
        self._sink = sink
        self._progress = progress
        self._files = list(files)
        surveyed = any(isinstance(trial, Survey) for trial in trials)
        self._frame_us = FRAME_US if surveyed else FOREVER
        self._paces = [Pace(BLOCK_LINES if surveyed else MOST) for _ in self._files]
        self._readers: dict[int, Iterator[list[bytes]]] = {
            i: file.pieces(self._paces[i].next) for i, file in enumerate(self._files)
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
        before, taken, since_us = file.bytes_read, 0, ingest.watermark_us
        pace, waiting = self._paces[source], 0
        ended = True
        for lines in self._readers[source]:
            ingest.add_many(lines)
            taken += len(lines)
            is_long = ingest.watermark_us - since_us >= self._frame_us
            waited, waiting = waiting, ingest.cells
            pace.took(waiting - waited, is_long=is_long)
            if taken >= CHUNK_LINES or waiting >= CHUNK_CELLS or is_long:
                ended = False
                break
        if ended:
            del self._readers[source]
        flush = ingest.finish() if ended else ingest.flush()
        self.totals.flushed(flush)
        if flush.dead_letters:
            self._sink.dead_letters(flush.dead_letters)
        for frame in flush.frames.values():
            for trial in self._trials:
                trial.take(frame, self.machine)
            self._decided(self.machine.apply(frame))
        self._progress(file.bytes_read - before, taken)

    def _decided(self, effects: list[Effect]) -> None:
        self.totals.decided(effects)
        self.verdicts.effects(effects)
        self._sink.effects(effects)
        for trial in self._trials:
            trial.control(effects)
        if self._recorder is not None:
            self._recorder.effects(effects)

    def summary(self, seconds: float) -> dict[str, Any]:
        """The body of `summary.json`, after `run`.

        Args:
            seconds: that the replay took.
        """
        span = self.totals.span_us
        return self.totals.summary(
            seconds,
            # of the metric and dimension where most were folded: an event counts in several
            max(self.machine.folded.values(), default=0),
            detectable=detectable_by_metric(self.machine, span[1] if span else None),
            injections=[t.result(span) for t in self._trials if isinstance(t, Trial)],
            surveys=[t.result(span, self.machine) for t in self._trials if isinstance(t, Survey)],
        )


def reasons_in_words(reasons: Mapping[str, int]) -> str:
    """Dead letters by reason, most frequent first."""
    ranked = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{reason} {count:,}" for reason, count in ranked)

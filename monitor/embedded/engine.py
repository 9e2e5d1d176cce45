"""The flow in one process: sources in, a machine a shard, what they decide to whoever keeps it.

What a flush decided is kept at once; where the sources stand, their watermarks and the core's state are
kept together, now and then, by `save`. A process that dies goes on from the last save: the core says
again, under the same keys, what it had said since.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
import structlog

from monitor.clock import Clock
from monitor.core.effects import ClosedBucket, Effect, RestatedBucket, RunningBucket
from monitor.core.machine import Machine
from monitor.core.tally import tally
from monitor.definitions.plan import Plan
from monitor.errors import StateError
from monitor.ingest.envelope import Fields
from monitor.ingest.source import Flush, Ingest
from monitor.journal.records import dead_letter_record, records
from monitor.model.record import Record
from monitor.model.time import FOREVER, NEVER, SECOND
from monitor.telemetry import Counters

FIRST = 0
"""The shard that every service has."""
_log = structlog.get_logger(__name__)


class SourceState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a source stood at the last save.

    Attributes:
        number: it has in frames.
        position: of the next message.
        watermark: `Flush.state`.
        ended: it was read to its end.
        note: what its feed must remember, such as when a synthetic source began.
    """

    number: int
    position: int
    watermark: dict[str, Any]
    ended: bool = False
    note: int = 0


class Keeper(Protocol):
    """Keeps what an engine decides, and its state."""

    @property
    def place(self) -> str:
        """Where it keeps, for whoever must look."""

    def sources(self) -> dict[str, SourceState]:
        """Where the sources stood at the last save; nothing where there was none."""

    def state(self, shard: int) -> bytes | None:
        """The state of a shard at the last save."""

    def keep(self, shard: int, kept: Sequence[Record]) -> None:
        """Keep these, in order; the same key twice is the same thing again."""

    def save(self, states: Mapping[int, bytes], sources: Mapping[str, SourceState]) -> None:
        """Keep the states of all shards and where the sources stand: both or neither."""


class Engine:
    """Takes in the messages of some sources, and has kept what follows from them.

    Args:
        keeper: what it holds of a former run is gone on from.
        plan: the compiled definitions.
        fields: the custom envelope, or None.
        sources: their names; one that is new gets the next number.
        clock: the wall clock, against which events of the future are judged.
        counters: the service's own figures.
        keep_from_us: buckets that start earlier are judged, but not kept.

    Attributes:
        machines: the core, by shard.
        counts: lines by what became of them, of this run.
    """

    def __init__(
        self,
        keeper: Keeper,
        plan: Plan,
        *,
        fields: Fields | None,
        sources: Sequence[str],
        clock: Clock,
        counters: Counters,
        keep_from_us: int = NEVER,
    ) -> None:
        self._keeper = keeper
        self._plan = plan
        self._counters = counters
        self._keep_from_us = keep_from_us
        self.counts: Counter[str] = Counter()
        self._known = keeper.sources()
        for name in sources:
            number = 1 + max((s.number for s in self._known.values()), default=-1)
            state = SourceState(number=number, position=1, watermark={})
            self._known.setdefault(name, state)
        self.machines = {shard: self._open(shard) for shard in range(plan.shards)}
        self._tallies = {shard: tally(machine) for shard, machine in self.machines.items()}
        self._ingests = {
            name: Ingest(
                plan,
                fields,
                source=state.number,
                sources=len(self._known),
                name=name,
                position=state.position,
                clock=clock,
                state=state.watermark,
            )
            for name, state in self._known.items()
            if not state.ended
        }
        for name in sorted(self._ingests.keys() - set(sources)):
            self._let_go(name)

    def _let_go(self, source: str) -> None:
        """A source of a former run that is not named any more holds nothing back.

        It has not ended: where it is named again, it goes on from where it stood.
        """
        _log.warning("source.gone", source=source, read_to=self._known[source].position)
        self._take(source, self._ingests.pop(source).finish())

    def _open(self, shard: int) -> Machine:
        state = self._keeper.state(shard)
        if state is None:
            return Machine(self._plan, shard)
        try:
            machine, effects = Machine.restore(self._plan, shard, state)
        except StateError as error:
            message = f"{self._keeper.place}: {error}; move it away to start anew"
            raise StateError(message) from error
        self._keep(shard, effects)
        self._counters.snapshots.labels("restored").inc()
        return machine

    @property
    def sources(self) -> list[str]:
        """The names of the sources, ended ones too."""
        return list(self._known)

    def state(self, source: str) -> SourceState:
        """Where a source stands as far as flushes have told."""
        return self._known[source]

    def note(self, source: str, note: int) -> None:
        """Let the feed of a source remember a number."""
        self._known[source] = msgspec.structs.replace(self._known[source], note=note)

    def watermark_us(self, source: str) -> int:
        """Event time up to which a source is complete."""
        return self._ingests[source].watermark_us

    def waiting(self, source: str) -> int:
        """What a source has for the next flush, in cells."""
        return self._ingests[source].cells

    def feed(
        self, source: str, lines: Sequence[bytes], positions: Sequence[int] | None = None
    ) -> None:
        """Take in messages of a source, in order; `flush` lets them count."""
        self._ingests[source].add_many(lines, positions)

    def lags(self, source: str, events: int) -> None:
        """Show how many events of a source are not read yet."""
        self._counters.lag.labels(source).set(events)

    def skip(self, source: str, position: int) -> None:
        """Let a source go on at a later position."""
        self._ingests[source].skip(position)

    def flush(self, source: str) -> list[Effect]:
        """Apply and keep what a source has brought; returns what the core decided."""
        return self._take(source, self._ingests[source].flush())

    def finish(self, source: str) -> list[Effect]:
        """The end of a source: it holds nothing back any more."""
        effects = self._take(source, self._ingests.pop(source).finish())
        self._known[source] = msgspec.structs.replace(self._known[source], ended=True)
        return effects

    def save(self) -> None:
        """Keep the core's state and where the sources stand, as of their last flush."""
        states = {shard: machine.snapshot() for shard, machine in self.machines.items()}
        self._keeper.save(states, self._known)
        self._counters.snapshots.labels("written").inc()

    def end_history(self) -> None:
        """All sources have ended: forget them, and save a state that a service can begin with."""
        for shard, machine in self.machines.items():
            self._keep(shard, machine.end_history())
        self._known = {}
        self.save()

    def _take(self, source: str, flush: Flush) -> list[Effect]:
        effects = []
        for shard, frame in flush.frames.items():
            machine = self.machines[shard]
            decided = machine.apply(frame)
            self._keep(shard, decided)
            effects += decided
            self._counters.frames.labels("applied").inc()
            before, self._tallies[shard] = self._tallies[shard], tally(machine)
            self._counters.grew(before, self._tallies[shard])
        if flush.dead_letters:
            self._keeper.keep(FIRST, [dead_letter_record(one) for one in flush.dead_letters])
        self._known[source] = msgspec.structs.replace(
            self._known[source], position=flush.stop, watermark=flush.state
        )
        self.counts.update(flush.counts)
        self._counters.flushed(flush.counts, (d.reason.value for d in flush.dead_letters))
        watermark_us = flush.frames[FIRST].watermark_us
        if NEVER < watermark_us < FOREVER:
            self._counters.watermark.labels(source).set(watermark_us / SECOND)
        return effects

    def _keep(self, shard: int, effects: Iterable[Effect]) -> None:
        kept = [record for effect in effects if self._is_kept(effect) for record in records(effect)]
        if kept:
            self._keeper.keep(shard, kept)

    def _is_kept(self, effect: Effect) -> bool:
        if isinstance(effect, RunningBucket):
            effect = effect.bucket
        if isinstance(effect, ClosedBucket | RestatedBucket):
            return effect.start_us >= self._keep_from_us
        return True

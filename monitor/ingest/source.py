"""One source partition (or file): messages in, frames for every shard out, flush by flush.

What the flushes of a source add up to does not depend on where they are cut. The way of a message: it
is decoded and placed in time (`reading`, `placing`) and becomes a line of the flush (`lines`). The way
of a flush: lines to cells (`cells`), cells to the deltas of every metric (`rollup`), and what was seen
of the measurement itself (`ledger`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from monitor.clock import Clock
from monitor.definitions.plan import Plan
from monitor.ingest.cells import Block, blocks_of, units_of
from monitor.ingest.dead import Dead
from monitor.ingest.dimensions import Dimensions
from monitor.ingest.envelope import Envelope, Fields
from monitor.ingest.folding import Folding
from monitor.ingest.kinds import EventCells
from monitor.ingest.ledger import ledger_of, worst_lateness
from monitor.ingest.lines import Lines
from monitor.ingest.placing import Placing
from monitor.ingest.reading import Reading
from monitor.ingest.repeats import Repeats
from monitor.ingest.rollup import Rollup
from monitor.ingest.series import Projections
from monitor.ingest.shape import ACTOR, calendars_of, shapes_of, wants_of
from monitor.ingest.slots import Lateness, Slots
from monitor.ingest.tally import Tallied
from monitor.ingest.units import NOBODY, Ranked, Units
from monitor.ingest.watermark import Watermark
from monitor.model.event import DeadLetter
from monitor.model.frame import Deltas, Frame
from monitor.model.ledger import Ledger
from monitor.model.time import FOREVER, NEVER

_DIMENSIONS_A_CELL: Final = 2
"""What else waits for a flush, in cells: so many of it cost the memory of one."""
_CELLS_A_BUCKET: Final = 50
"""What the core decides on one frame is all in its memory: a frame of a quiet history ends after a thousand
buckets, not after the 50,000 lines of a busy one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flush:
    """What one source has to say since its last flush.

    Attributes:
        frames: one for every shard, also where it has no deltas: watermarks travel in all of them.
        dead_letters: what could not be used, in the order it came.
        counts: lines: `read` = `accepted` + `dead_lettered`; of the accepted, `late` for some metric
            that uses them, `too_late` for some (not counted by it), `folded` to `other`; of those
            that some metric uses, late or not, `duplicates` of an id that was seen shortly before.
        state: watermark and jump guard, to start from after this flush; small, of JSON's types.
        start, stop: the positions covered, from `start` to before `stop`.
        first_us, last_us: earliest and latest time of the events accepted since the source was
            opened; None where there was none.
    """

    frames: dict[int, Frame]
    dead_letters: list[DeadLetter]
    counts: dict[str, int]
    state: dict[str, Any]
    start: int
    stop: int
    first_us: int | None
    last_us: int | None


class Ingest:
    """Turns the messages of one source into frames.

    Args:
        plan: the compiled definitions.
        fields: the custom envelope; None for the default one.
        source: number of the partition (of the file, in a replay).
        sources: how many there are.
        name: of the source in dead letters: the number, or the file.
        position: of the next message: its offset, or its line from 1.
        clock: the wall clock, against which the future is judged.
        state: `Flush.state` of the last flush, where there was one.
    """

    def __init__(
        self,
        plan: Plan,
        fields: Fields | None,
        *,
        source: int,
        sources: int,
        name: str,
        position: int = 1,
        clock: Clock,
        state: Mapping[str, Any] | None = None,
    ) -> None:
        shapes = shapes_of(plan)
        self._plan, self._shapes, self._clock = plan, shapes, clock
        self._source, self._sources = source, sources
        self._watermark = Watermark(
            allowed_lateness_us=plan.allowed_lateness_us, idle_timeout_us=plan.idle_timeout_us
        )
        if state:
            self._watermark.load(state)
        self._calendars = calendars_of(plan)
        self._slots = Slots(self._calendars, restatement_window_us=plan.restatement_window_us)
        self._placing = Placing(self._watermark, self._slots, base_us=plan.base_us)
        self._folding = Folding(plan.cardinality)
        self._units = Units(plan.hash_key)
        self._repeats, self._dead = Repeats(), Dead(name)
        self._lines = Lines(shapes)
        self._projections = Projections()
        for metric in plan.metrics:
            for want in wants_of(metric):
                self._projections.want(want.event, want.groupings)
        picked = {name for shape in shapes.values() for name in shape.picked}
        units = {name for shape in shapes.values() for name in shape.units}
        self._needed = frozenset(picked | (units - {ACTOR}))
        self._envelope = Envelope(
            fields,
            dimensions=self._needed,
            values=frozenset(name for shape in shapes.values() for name in shape.fields),
        )
        self._open()
        self._start = self._stop = position
        self._lost = self._accepted = 0
        self._ended = False
        self._flushed_us = self._watermark.watermark_us
        self._narrowest_us = min((m.calendar.width_us for m in plan.metrics), default=plan.base_us)

    def _open(self) -> None:
        """Begin with empty memories of dimensions, combinations and series."""
        self._projections.clear()
        self._dimensions = Dimensions(sorted(self._needed))
        self._known = 0
        self._cells = {
            event: EventCells(shape, self._dimensions) for event, shape in self._shapes.items()
        }
        self._reading = Reading(
            self._envelope,
            self._dimensions,
            self._placing,
            self._dead,
            used=self._shapes.keys(),
            max_clock_skew_us=self._plan.max_clock_skew_us,
        )

    @property
    def watermark_us(self) -> int:
        """Event time up to which this source is complete; `NEVER` at first, `FOREVER` at its end."""
        return FOREVER if self._ended else self._watermark.watermark_us

    @property
    def position(self) -> int:
        """The position after the last message that was taken in."""
        return self._stop

    @property
    def cells(self) -> int:
        """What waits for a flush, measured in cells."""
        return (
            self._lines.held
            + self._dead.held
            + (len(self._dimensions.values) - self._known) // _DIMENSIONS_A_CELL
            + self._passed * _CELLS_A_BUCKET
        )

    @property
    def _passed(self) -> int:
        """How many buckets of a metric the watermark has passed since the last flush."""
        watermark_us = self._watermark.watermark_us
        since_us = self._flushed_us if self._flushed_us != NEVER else self._placing.first_us
        return max(0, watermark_us - since_us) // self._narrowest_us

    def add(self, position: int, payload: bytes, arrival_us: int | None = None) -> None:
        """Take in one message."""
        self.add_many((payload,), (position,), arrival_us)

    def add_many(
        self,
        payloads: Sequence[bytes],
        positions: Sequence[int] | None = None,
        arrival_us: int | None = None,
        stamps_ms: Sequence[int] | None = None,
    ) -> None:
        """Take in messages, in order.

        Args:
            payloads: their bytes, without line ends.
            positions: theirs, ascending; without, each follows on the one before.
            arrival_us: the wall clock to judge the future by, if not the current one.
            stamps_ms: when each arrived, by the log's own record, in milliseconds since the epoch;
                negative where that is not known.
        """
        if not payloads:
            return
        if positions is None:
            positions = range(self._stop, self._stop + len(payloads))
        now_us = self._clock() if arrival_us is None else arrival_us
        batch = self._reading.read(payloads, positions, stamps_ms, now_us)
        self._lines.add(batch)
        self._accepted += len(batch.events)
        self._stop = positions[-1] + 1

    def idle(self, now_us: int) -> None:
        """Declare the source read to its end and silent for the idle timeout."""
        self._watermark.idle(now_us)
        self._placing.close()

    def skip(self, position: int, *, lost: int = 0) -> None:
        """Go on at a later position.

        Args:
            position: of the next message.
            lost: how many messages retention removed before they were read.
        """
        self._stop = max(self._stop, position)
        self._lost += lost

    def finish(self) -> Flush:
        """The last flush of a source that has ended: it holds nothing back any more."""
        self._ended = True
        return self.flush()

    def flush(self) -> Flush:
        """What came since the last flush; the source starts afresh."""
        columns, names = self._lines.take(), list(self._cells.values())
        units = units_of(columns, names, self._dimensions, self._units)
        folding = self._folding if self._dimensions.most > self._folding.most else None
        blocks, folded = blocks_of(columns, names, units, folding)
        numbers = {event: number for number, event in enumerate(self._shapes)}
        tallied = Tallied.of(columns, blocks, numbers=numbers, dead=self._dead.homes)
        worst = worst_lateness(tallied, names, self._slots)
        repeated = self._repeated(tallied)
        ledger = ledger_of(tallied, names, self._slots, worst=worst, repeated=repeated)
        dead = self._dead.letters
        spoke = self._placing.last_us != NEVER
        flush = Flush(
            frames=self._frames(blocks, units, ledger),
            dead_letters=dead,
            counts={
                "read": self._accepted + len(dead),
                "accepted": self._accepted,
                "late": int(tallied.lines[worst >= Lateness.LATE].sum()),
                "too_late": int(tallied.lines[worst == Lateness.TOO_LATE].sum()),
                "duplicates": int(np.count_nonzero(repeated)),
                "dead_lettered": len(dead),
                "folded": folded,
            },
            state=self._watermark.dump(),
            start=self._start,
            stop=self._stop,
            first_us=self._placing.first_us if spoke else None,
            last_us=self._placing.last_us if spoke else None,
        )
        self._forget()
        return flush

    def _repeated(self, tallied: Tallied) -> NDArray[np.bool_]:
        """By line, whether its id was seen shortly before."""
        repeated = np.zeros(tallied.ident.size, np.bool_)
        identified = tallied.ident != NOBODY
        repeated[identified] = self._repeats.among(tallied.ident[identified])
        return repeated

    def _frames(
        self, blocks: Mapping[str, Block], units: Mapping[str, Ranked], ledger: Ledger | None
    ) -> dict[int, Frame]:
        rollup = Rollup(
            shapes=self._shapes,
            combos={event: cells.combos for event, cells in self._cells.items()},
            blocks=blocks,
            keys={unit: ranked.keys for unit, ranked in units.items()},
            rows=[self._slots.rows(number) for number in range(len(self._calendars))],
            projections=self._projections,
        )
        deltas: dict[int, list[Deltas]] = {shard: [] for shard in range(self._plan.shards)}
        for metric in self._plan.metrics:
            found = rollup.deltas(metric, self._calendars.index(metric.calendar))
            if found is not None:
                deltas[self._plan.shard_of(metric.name)].append(found)
        activity = self._slots.activity()
        return {
            shard: Frame(
                source=self._source,
                sources=self._sources,
                start=self._start,
                stop=self._stop,
                watermark_us=self.watermark_us,
                newest_us=self._watermark.best_newest_us,
                lost=self._lost,
                activity=activity,
                deltas=own,
                ledger=ledger,
            )
            for shard, own in deltas.items()
        }

    def _forget(self) -> None:
        self._start, self._lost, self._accepted = self._stop, 0, 0
        self._flushed_us = self._watermark.watermark_us
        self._dead.forget()
        self._slots.clear()
        self._placing.close()
        self._folding.clear()
        self._units.flushed()
        self._known = len(self._dimensions.values)
        if self._dimensions.is_full or any(cells.combos.is_full for cells in self._cells.values()):
            self._open()

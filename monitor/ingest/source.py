"""One source partition (or file): messages in, frames for every shard out, flush by flush.

What the flushes of a source add up to does not depend on where they are cut: whether an event is late
is judged by the watermark as it stood when the event was read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from monitor.clock import Clock
from monitor.definitions.plan import Plan
from monitor.ingest.cells import Block, EventCells
from monitor.ingest.envelope import UNDECODED, Envelope, Fields, Wire, are_plain, vet
from monitor.ingest.fields import OLDEST, Fault, from_number
from monitor.ingest.folding import Folding
from monitor.ingest.ledger import ledger_of, worst_lateness
from monitor.ingest.observations import ACTOR, When
from monitor.ingest.repeats import Repeats
from monitor.ingest.rollup import Rollup
from monitor.ingest.sampling import Sampling
from monitor.ingest.series import Projections
from monitor.ingest.shape import calendars_of, shapes_of, wants_of
from monitor.ingest.slots import Lateness, Slots
from monitor.ingest.tally import NOBODY, Tallied, Tally
from monitor.ingest.units import Units
from monitor.ingest.watermark import JUMP_US, Watermark
from monitor.model.event import DeadLetter, Event
from monitor.model.frame import Deltas, Frame
from monitor.model.ledger import Ledger
from monitor.model.time import FOREVER, NEVER, from_datetime

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOWEST: Final = datetime.min.replace(tzinfo=UTC)
_HIGHEST_US: Final = from_datetime(datetime.max.replace(tzinfo=UTC))
_MICROSECOND: Final = timedelta(microseconds=1)
_MILLISECOND: Final = 1000
_COUNTS: Final = (
    "read",
    "accepted",
    "late",
    "too_late",
    "duplicates",
    "dead_lettered",
    "folded",
)
_VALUES_A_CELL: Final = 8
_UNITS_A_CELL: Final = 2
_DEAD_BYTES_A_CELL: Final = 256
_LINES_A_CELL: Final = 32
"""What else waits for a flush, in cells: so many of it cost the memory of one."""


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
        self._source, self._sources, self._name = source, sources, name
        picked = frozenset(name for shape in shapes.values() for name in shape.picked)
        units = frozenset(name for shape in shapes.values() for name in shape.units)
        self._envelope = Envelope(
            fields,
            dimensions=picked | (units - {ACTOR}),
            values=frozenset(name for shape in shapes.values() for name in shape.fields),
        )
        self._watermark = Watermark(
            allowed_lateness_us=plan.allowed_lateness_us, idle_timeout_us=plan.idle_timeout_us
        )
        if state:
            self._watermark.load(state)
        self._tally, self._repeats = Tally(), Repeats()
        self._sampling = Sampling()
        self._calendars = calendars_of(plan)
        self._slots = Slots(self._calendars, restatement_window_us=plan.restatement_window_us)
        self._folding = Folding(plan.cardinality)
        self._units = Units(plan.hash_key)
        self._projections = Projections()
        for metric in plan.metrics:
            for want in wants_of(metric):
                self._projections.want(want.event, want.groupings)
        self._open()
        self._first_us, self._last_us = FOREVER, NEVER
        self._start = self._stop = position
        self._lost = 0
        self._dead: list[DeadLetter] = []
        self._dead_bytes = 0
        self._counts = dict.fromkeys(_COUNTS, 0)
        self._ended = False

    def _open(self) -> None:
        """Begin with empty memories of combinations and series."""
        self._projections.clear()
        self._cells = {
            event: EventCells(number, shape, self._folding, self._units, self._tally)
            for number, (event, shape) in enumerate(self._shapes.items())
        }
        self._adders = {event: cells.add for event, cells in self._cells.items()}

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
            sum(len(cells) + cells.held // _VALUES_A_CELL for cells in self._cells.values())
            + self._units.fresh // _UNITS_A_CELL
            + self._tally.held // _LINES_A_CELL
            + self._dead_bytes // _DEAD_BYTES_A_CELL
        )

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
        horizon_us = now_us + self._plan.max_clock_skew_us
        stamps = repeat(-1, len(payloads)) if stamps_ms is None else stamps_ms
        blank_or_dead = self._take_in(payloads, positions, stamps, horizon_us)
        self._counts["accepted"] += len(payloads) - blank_or_dead
        self._stop = positions[-1] + 1

    def _take_in(  # noqa: C901, PLR0912, PLR0915 - one loop: a call per event halves its speed
        self,
        payloads: Sequence[bytes],
        positions: Iterable[int],
        stamps_ms: Iterable[int],
        horizon_us: int,
    ) -> int:
        """The hot loop. Returns how many messages were blank or dead letters.

        Most events fall into the bucket of the one before. From `low` to before `high` that is certain,
        and all that moves is the newest time, `top`, which can wait until somebody asks for it.
        """
        decode, read, adders = self._envelope.decode, self._read, self._adders
        tally, sampling = self._tally, self._sampling
        to_cell, identify, mask = tally.cell.append, tally.ident.append, sampling.mask
        base_us, slots = self._plan.base_us, self._slots
        lateness_us, clock = self._plan.allowed_lateness_us, self._watermark
        newest_us, limit_us, watermark_us = clock.newest_us, clock.limit_us, clock.watermark_us
        first_us, bucket_us, time_us, slot, refused = self._first_us, NEVER, NEVER, 0, 0
        plain, low, high, top = are_plain(payloads), _LOWEST, _LOWEST, _LOWEST
        event: Wire | Event | None
        when: When
        for position, payload, stamp_ms in zip(positions, payloads, stamps_ms, strict=True):
            here = -1
            try:
                event = decode(payload)
                if not plain:
                    vet(payload)
                moment = event.time
                if type(moment) is not datetime:
                    time_us = from_number(moment)  # type: ignore[arg-type]
                elif low <= moment < high:
                    here, when = slot, moment
                    if moment > top:  # noqa: PLR1730 - a call of max() takes longer
                        top = moment
                else:
                    time_us = (moment - _EPOCH) // _MICROSECOND
                if here < 0 and not OLDEST <= time_us <= horizon_us:
                    event = read(position, payload, horizon_us, _later(newest_us, top))
            except UNDECODED:
                event = read(position, payload, horizon_us, _later(newest_us, top))
                time_us = NEVER if event is None else event.time_us
            if event is None:
                refused += 1
                continue
            add = adders.get(event.name)
            if here < 0:
                when = time_us
                if top is not _LOWEST:
                    later_us, top = _later(newest_us, top), _LOWEST
                    if later_us > newest_us:
                        newest_us, limit_us = later_us, later_us + JUMP_US
                        watermark_us = max(watermark_us, newest_us - lateness_us)
                if time_us < first_us:  # noqa: PLR1730 - likewise
                    first_us = time_us
                start_us = time_us - time_us % base_us
                settled = start_us == bucket_us
                if start_us + base_us <= watermark_us:
                    settled = False
                    if add is not None:
                        reached_us = max(newest_us, watermark_us)
                        here = slots.late(start_us, watermark_us, reached_us - reached_us % base_us)
                elif settled:
                    here = slot
                else:
                    bucket_us, low = start_us, high
                    here = slot = slots.on_time(start_us)
                if time_us > newest_us:
                    if time_us <= limit_us:
                        newest_us, limit_us = time_us, time_us + JUMP_US
                        if time_us - lateness_us > watermark_us:  # noqa: PLR1730 - likewise
                            watermark_us = time_us - lateness_us
                    else:
                        clock.newest_us, clock.watermark_us = newest_us, watermark_us
                        clock.observe(time_us)
                        newest_us, watermark_us = clock.newest_us, clock.watermark_us
                        limit_us, low = clock.limit_us, high
                    if newest_us >= sampling.next_us:
                        mask = sampling.begin(position, newest_us // base_us * base_us + base_us)
                # what was confirmed just now may have ended the bucket
                if settled and newest_us != NEVER and start_us + base_us > watermark_us:
                    low = _moment(max(start_us, first_us))
                    high = _moment(min(start_us + base_us, limit_us + 1, horizon_us + 1))
            if add is None:
                continue
            cell = add(here, event, when)
            to_cell(cell)
            identify(hash(event.event_id))
            if event.count != 1:
                tally.more.append((cell, event.count - 1))
            if stamp_ms >= 0 and not position & mask:
                time_us = when if isinstance(when, int) else from_datetime(when)
                tally.delays.append((cell, stamp_ms * _MILLISECOND - time_us))
        later_us = _later(newest_us, top)
        if later_us > newest_us:
            newest_us, watermark_us = later_us, max(watermark_us, later_us - lateness_us)
        clock.newest_us, clock.watermark_us = newest_us, watermark_us
        self._first_us, self._last_us = first_us, max(newest_us, clock.seen_us)
        return refused

    def _read(self, position: int, payload: bytes, horizon_us: int, newest_us: int) -> Event | None:
        """The event of a message off the fast path; None where it is blank or now a dead letter."""
        try:
            return self._envelope.read(payload, horizon_us)
        except Fault as fault:
            self._dead.append(
                DeadLetter(
                    source=self._name,
                    position=position,
                    reason=fault.reason,
                    detail=fault.detail,
                    payload=payload,
                    read_us=horizon_us - self._plan.max_clock_skew_us,
                )
            )
            self._dead_bytes += len(payload)
            if not fault.event or fault.event in self._shapes:
                reached_us = max(newest_us, self._watermark.watermark_us)
                if reached_us != NEVER:
                    home_us = reached_us - reached_us % self._plan.base_us
                    self._tally.dead[home_us, fault.event, fault.reason] += 1
            return None

    def idle(self, now_us: int) -> None:
        """Declare the source read to its end and silent for the idle timeout."""
        self._watermark.idle(now_us)

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
        tallied, names = self._tally.take(), list(self._cells.values())
        worst = worst_lateness(tallied, names, self._slots)
        repeated = self._repeated(tallied)
        ledger = ledger_of(tallied, names, self._slots, worst=worst, repeated=repeated)
        blocks = {event: cells.take(tallied) for event, cells in self._cells.items() if len(cells)}
        frames = self._frames(blocks, ledger)
        counts = self._counts
        counts["late"] = int(tallied.lines[worst >= Lateness.LATE].sum())
        counts["too_late"] = int(tallied.lines[worst == Lateness.TOO_LATE].sum())
        counts["duplicates"] = int(np.count_nonzero(repeated))
        counts["dead_lettered"] = len(self._dead)
        counts["read"] = counts["accepted"] + counts["dead_lettered"]
        counts["folded"] = sum(cells.take_folded() for cells in self._cells.values())
        spoke = self._last_us != NEVER
        flush = Flush(
            frames=frames,
            dead_letters=self._dead,
            counts=counts,
            state=self._watermark.dump(),
            start=self._start,
            stop=self._stop,
            first_us=self._first_us if spoke else None,
            last_us=self._last_us if spoke else None,
        )
        self._forget()
        return flush

    def _repeated(self, tallied: Tallied) -> NDArray[np.bool_]:
        """By line, whether its id was seen shortly before."""
        repeated = np.zeros(tallied.ident.size, np.bool_)
        identified = tallied.ident != NOBODY
        repeated[identified] = self._repeats.among(tallied.ident[identified])
        return repeated

    def _frames(self, blocks: Mapping[str, Block], ledger: Ledger | None) -> dict[int, Frame]:
        rollup = Rollup(
            shapes=self._shapes,
            combos={event: cells.combos for event, cells in self._cells.items()},
            blocks=blocks,
            hashes=self._units.hashes(),
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
        self._start, self._lost = self._stop, 0
        self._dead, self._dead_bytes = [], 0
        self._counts = dict.fromkeys(_COUNTS, 0)
        self._slots.clear()
        self._folding.clear()
        self._units.flushed()
        if any(cells.combos.is_full for cells in self._cells.values()):
            self._open()


def _later(newest_us: int, top: datetime) -> int:
    """The newest time, where `top` may be newer."""
    return newest_us if top is _LOWEST else max(newest_us, from_datetime(top))


def _moment(time_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=min(time_us, _HIGHEST_US))

"""The lines of one flush of a source, column by column, in the order they came.

The hot loop only appends to these columns; what the lines add up to is worked out of whole columns, at
the flush (`cells`).
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.shape import ACTOR, Shape
from monitor.ingest.units import as_texts
from monitor.ingest.wire import Wire
from monitor.model.event import Event
from monitor.model.time import SECOND, from_datetime

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
When = datetime | int
"""The time of an event: aware, or microseconds."""

_UNUSED: Final = -1
_LINES_A_CELL: Final = 4
_VALUES_A_CELL: Final = 8
"""What waits for a flush, in cells: so many of it cost the memory, or the time, of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Events that were read together, in order.

    Attributes:
        events: they.
        dimensions: of each, the number of its dimensions.
        slots: of each, its slot; -1 where it does not count. One number where all have the same.
        times: of each, its time.
        delays: of those whose arrival is looked at, the index and how many microseconds after the
            event it was.
    """

    events: Sequence[Wire | Event]
    dimensions: Sequence[int]
    slots: Sequence[int] | int
    times: Sequence[When]
    delays: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What `Lines` held: n lines of the event names that some metric uses.

    Attributes:
        event: number of the event name. int64[n]
        dimensions: number of the dimensions. int64[n]
        slot: int64[n]
        ident: hash of the id, `NOBODY` where it has none. int64[n]
        count: how many events the line stands for. int64[n]
        actor: hash of the actor, `NOBODY` where it has none; empty where no metric follows any. int64[n]
        actors: their texts; likewise.
        time_us: empty where no metric keeps times. int64[n]
        values: by field that some metric looks at, the numbers; NaN where absent. float64[n]
        delayed, delay_us: of lines whose arrival was looked at, which, and how long after the event
            they arrived. int64[d]
    """

    event: Ints
    dimensions: Ints
    slot: Ints
    ident: Ints
    count: Ints
    actor: Ints
    actors: list[str | None]
    time_us: Ints
    values: dict[str, Floats]
    delayed: Ints
    delay_us: Ints


class Lines:
    """Collects the lines of a flush.

    Args:
        shapes: by event name, what is kept of it.
    """

    def __init__(self, shapes: Mapping[str, Shape]) -> None:
        self._numbers = _Numbers((event, number) for number, event in enumerate(shapes))
        self._with_actors = any(ACTOR in shape.units for shape in shapes.values())
        self._with_times = any(shape.timed for shape in shapes.values())
        self._fields = sorted({name for one in shapes.values() for name in one.numbers})
        self._forget()

    def _forget(self) -> None:
        self._size = 0
        self._event, self._dimensions, self._slot = _Column(), _Column(), _Column()
        self._ident, self._actor, self._time_us = _Column(), _Column(), _Column()
        self._actors: list[str | None] = []
        self._more: list[tuple[int, int]] = []
        self._delays: list[tuple[int, int]] = []
        self._values = {field: (array("q"), array("d")) for field in self._fields}

    @property
    def held(self) -> int:
        """What waits for a flush, in cells."""
        values = sum(len(numbers) for _, numbers in self._values.values())
        return self._size // _LINES_A_CELL + values // _VALUES_A_CELL

    def add(self, batch: Batch) -> None:
        """Take in those events that some metric uses."""
        codes = list(map(self._numbers.__getitem__, [event.name for event in batch.events]))
        if _UNUSED in codes or not isinstance(batch.slots, int):
            batch, codes = _used(batch, codes)
        events, size = batch.events, len(batch.events)
        if not size:
            return
        first, self._size = self._size, self._size + size
        slots = batch.slots
        self._event.add(codes, size)
        self._dimensions.add(batch.dimensions, size)
        self._slot.chunks.append(
            np.full(size, slots) if isinstance(slots, int) else np.array(slots, np.int64)
        )
        self._ident.add(map(hash, [event.event_id for event in events]), size)
        if self._with_actors:
            actors = as_texts([event.actor for event in events])
            self._actors += actors
            self._actor.add(map(hash, actors), size)
        if self._with_times:
            self._time_us.add(microseconds(batch.times), size)
        if self._fields:
            self._add_values(events, first)
        self._more += [(at, one.count - 1) for at, one in enumerate(events, first) if one.count > 1]
        self._delays += [(first + at, delay_us) for at, delay_us in batch.delays]

    def _add_values(self, events: Sequence[Wire | Event], first: int) -> None:
        columns = self._values
        given = [(at, event.values) for at, event in enumerate(events, first) if event.values]
        for at, values in given:
            for field, number in values.items():
                if number is not None and field in columns:
                    places, numbers = columns[field]
                    places.append(at)
                    numbers.append(number)

    def take(self) -> Columns:
        """What there is; it is then forgotten."""
        size = self._size
        count = np.ones(size, np.int64)
        more = np.array(self._more, np.int64).reshape(-1, 2)
        count[more[:, 0]] += more[:, 1]
        delays = np.array(self._delays, np.int64).reshape(-1, 2)
        values = {}
        for field, (places, numbers) in self._values.items():
            values[field] = np.full(size, np.nan)
            values[field][np.frombuffer(places, np.int64)] = np.frombuffer(numbers)
        columns = Columns(
            event=self._event.whole(),
            dimensions=self._dimensions.whole(),
            slot=self._slot.whole(),
            ident=self._ident.whole(),
            count=count,
            actor=self._actor.whole(),
            actors=self._actors,
            time_us=self._time_us.whole(),
            values=values,
            delayed=delays[:, 0],
            delay_us=delays[:, 1],
        )
        self._forget()
        return columns


def _used(batch: Batch, codes: list[int]) -> tuple[Batch, list[int]]:
    """Those events of a batch that count, with the numbers of their names."""
    slots = batch.slots
    if isinstance(slots, int):
        kept = [at for at, code in enumerate(codes) if code >= 0]
        slots = [slots] * len(codes)
    else:
        kept = [at for at, code in enumerate(codes) if code >= 0 <= slots[at]]
    if len(kept) == len(codes):
        return batch, codes
    place = {at: number for number, at in enumerate(kept)}
    few = Batch(
        events=[batch.events[at] for at in kept],
        dimensions=[batch.dimensions[at] for at in kept],
        slots=[slots[at] for at in kept],
        times=[batch.times[at] for at in kept],
        delays=[(place[at], delay_us) for at, delay_us in batch.delays if at in place],
    )
    return few, [codes[at] for at in kept]


def microseconds(times: Sequence[Any]) -> list[int]:
    """Of datetimes that lie within a day, or of what is microseconds already.

    >>> from datetime import UTC
    >>> microseconds([datetime(1970, 1, 1, 0, 0, 1, 5, UTC), datetime(1970, 1, 1, tzinfo=UTC)])
    [1000005, 0]
    """
    if not times or isinstance(times[0], int):
        return list(times)
    lowest = min(times)
    start_us = from_datetime(lowest)
    # the two attributes take half of the time of a division by a timedelta
    return [
        start_us + (past := time - lowest).seconds * SECOND + past.microseconds for time in times
    ]


class _Numbers(dict[str, int]):
    """The numbers of event names; of those that no metric uses, `_UNUSED`."""

    def __missing__(self, event: str) -> int:
        return _UNUSED


class _Column:
    """Whole numbers, a chunk a batch."""

    def __init__(self) -> None:
        self.chunks: list[Ints] = []

    def add(self, numbers: Iterable[int], size: int) -> None:
        self.chunks.append(np.fromiter(numbers, np.int64, size))

    def whole(self) -> Ints:
        return np.concatenate(self.chunks) if self.chunks else np.empty(0, np.int64)

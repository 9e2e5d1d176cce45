"""What events leave beside their cell where a measure is no sum: their unit, or their value as it is."""

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.envelope import Wire
from monitor.ingest.shape import Shape
from monitor.ingest.units import Unit, Units
from monitor.model.event import Event
from monitor.stats.histogram import bins

Ints = NDArray[np.int64]
When = datetime | int
"""The time of an event: aware, or microseconds."""


class Add(Protocol):
    """Finds the cell of an event."""

    def __call__(self, slot: int, event: Wire | Event, when: When, bits: int = 0, /) -> int:
        """The number of the cell, in the tally.

        Args:
            slot: its base bucket.
            event: it.
            when: its time.
            bits: what is known already of those that `Shape` places.
        """


_NONE: Final = np.empty(0, np.int64)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

ACTOR: Final = "actor"
"""The unit that is no dimension."""


def finder(unit: str) -> Callable[[Wire | Event], Unit | None]:
    """What finds the actor of an event, or its value of a dimension; None where it is absent.

    >>> finder("city")(Wire(name="order", time=0, dimensions={"city": "Ulm"}))
    'Ulm'
    """
    return attrgetter(ACTOR) if unit == ACTOR else lambda event: (event.dimensions or {}).get(unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was observed of one unit, or of one value, by event.

    Attributes:
        cell: index of the event's cell. int64
        what: number of the unit, or bin of the value. int64
        count: how many events it stands for; of units 1. int64
        time_us: when, of units whose times are kept; else none. int64
    """

    cell: Ints
    what: Ints
    count: Ints
    time_us: Ints


class Observations:
    """The observations of one event name since the last flush.

    Args:
        shape: says which units and values matter.
        units: numbers the units; shared by all event names of a source.
    """

    def __init__(self, shape: Shape, units: Units) -> None:
        self._numbers = units.numbers
        self._units: dict[str, tuple[list[int], list[int]]] = {
            unit: ([], []) for unit in sorted(shape.units)
        }
        # each time is an object of its own: as bare numbers they take a fifth of the room
        self._times = {unit: array("q") for unit in sorted(shape.timed)}
        self._values: dict[str, tuple[list[int], list[float], list[int]]] = {
            field: ([], [], []) for field in sorted(shape.binned)
        }
        self._first_bit = shape.unit_bit

    @property
    def held(self) -> int:
        """Numbers that wait for a flush."""
        units = sum(len(cells) for cells, _ in self._units.values())
        units += sum(map(len, self._times.values()))
        return units + 2 * sum(len(cells) for cells, _, _ in self._values.values())

    def observing(self, add: Add) -> Add:
        """What also observes the events that `add` counts; `add` itself where nothing matters."""
        if self._values:
            add = self._observing_values(add)
        return self._observing_units(add) if self._units else add

    def take(self, rank: Ints) -> tuple[dict[str, Observed], dict[str, Observed]]:
        """What was observed, by unit and by field; it is then forgotten.

        Args:
            rank: by number of a cell in the tally, its index among the cells of the event name.
        """
        units = {
            unit: Observed(
                cell=rank[np.array(cells, np.int64)],
                what=np.array(numbers, np.int64),
                count=np.ones(len(cells), np.int64),
                time_us=np.array(self._times.get(unit, ()), np.int64),
            )
            for unit, (cells, numbers) in self._units.items()
        }
        values = {
            field: Observed(
                cell=rank[np.array(cells, np.int64)],
                what=bins(np.array(numbers, np.float64)),
                count=np.array(counts, np.int64),
                time_us=_NONE,
            )
            for field, (cells, numbers, counts) in self._values.items()
        }
        for columns in (*self._units.values(), *self._values.values()):
            for column in columns:
                column.clear()
        for times in self._times.values():
            del times[:]
        return units, values

    def _observing_values(self, add: Add) -> Add:
        columns = [
            (field, cells.append, numbers.append, counts.append)
            for field, (cells, numbers, counts) in self._values.items()
        ]

        def observe(slot: int, event: Wire | Event, when: When, bits: int = 0) -> int:
            cell = add(slot, event, when, bits)
            given: Mapping[str, float | None] = event.values or {}
            for field, add_cell, add_number, add_count in columns:
                number = given.get(field)
                if number is not None:
                    add_cell(cell)
                    add_number(number)
                    add_count(event.count)
            return cell

        return observe

    def _observing_units(self, add: Add) -> Add:
        """What looks for the units first: which of them an event lacks tells its cell."""
        if len(self._units) == 1:
            return self._observing_one_unit(add)
        known = self._numbers
        columns = [
            (finder(unit), 1 << bit, cells.append, numbers.append, self._keeping_time(unit))
            for bit, (unit, (cells, numbers)) in enumerate(self._units.items(), self._first_bit)
        ]

        def observe(slot: int, event: Wire | Event, when: When, bits: int = 0) -> int:
            found = [find(event) for find, _, _, _, _ in columns]
            for one, (_, bit, _, _, _) in zip(found, columns, strict=True):
                if one is None:
                    bits |= bit
            cell = add(slot, event, when, bits)
            for one, (_, _, add_cell, add_number, add_time) in zip(found, columns, strict=True):
                if one is not None:
                    add_cell(cell)
                    add_number(known.setdefault(one, len(known)))
                    if add_time is not None:
                        add_time(when if isinstance(when, int) else (when - _EPOCH) // _MICROSECOND)
            return cell

        return observe

    def _observing_one_unit(self, add: Add) -> Add:
        """The same of the one unit that there is, which most are."""
        known = self._numbers
        [(unit, (cells, numbers))] = self._units.items()
        find, lacking = finder(unit), 1 << self._first_bit
        add_cell, add_number, add_time = cells.append, numbers.append, self._keeping_time(unit)

        def observe(slot: int, event: Wire | Event, when: When, _bits: int = 0) -> int:
            found = find(event)
            if found is None:
                return add(slot, event, when, lacking)
            cell = add(slot, event, when, 0)
            add_cell(cell)
            add_number(known.setdefault(found, len(known)))
            if add_time is not None:
                add_time(when if isinstance(when, int) else (when - _EPOCH) // _MICROSECOND)
            return cell

        return observe

    def _keeping_time(self, unit: str) -> Callable[[int], None] | None:
        times = self._times.get(unit)
        return None if times is None else times.append

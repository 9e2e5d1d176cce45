"""What events leave beside their cell where a measure is no sum: their unit, or their value as it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.envelope import Wire
from monitor.ingest.shape import Shape
from monitor.ingest.units import Unit, Units
from monitor.model.event import Event
from monitor.stats.histogram import bins

Ints = NDArray[np.int64]
Add = Callable[[int, Wire | Event], int]
"""(slot, event) -> index of the cell that counts it."""

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
    """

    cell: Ints
    what: Ints
    count: Ints


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
        self._values: dict[str, tuple[list[int], list[float], list[int]]] = {
            field: ([], [], []) for field in sorted(shape.binned)
        }

    @property
    def held(self) -> int:
        """Numbers that wait for a flush."""
        units = sum(len(cells) for cells, _ in self._units.values())
        return units + 2 * sum(len(cells) for cells, _, _ in self._values.values())

    def observing(self, add: Add) -> Add:
        """What also observes the events that `add` counts; `add` itself where nothing matters."""
        if self._values:
            add = self._observing_values(add)
        return self._observing_units(add) if self._units else add

    def take(self) -> tuple[dict[str, Observed], dict[str, Observed]]:
        """What was observed, by unit and by field; it is then forgotten."""
        units = {
            unit: Observed(
                cell=np.array(cells, np.int64),
                what=np.array(numbers, np.int64),
                count=np.ones(len(cells), np.int64),
            )
            for unit, (cells, numbers) in self._units.items()
        }
        values = {
            field: Observed(
                cell=np.array(cells, np.int64),
                what=bins(np.array(numbers, np.float64)),
                count=np.array(counts, np.int64),
            )
            for field, (cells, numbers, counts) in self._values.items()
        }
        for columns in (*self._units.values(), *self._values.values()):
            for column in columns:
                column.clear()
        return units, values

    def _observing_values(self, add: Add) -> Add:
        columns = [
            (field, cells.append, numbers.append, counts.append)
            for field, (cells, numbers, counts) in self._values.items()
        ]

        def observe(slot: int, event: Wire | Event) -> int:
            cell = add(slot, event)
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
        known = self._numbers
        columns = [
            (finder(unit), cells.append, numbers.append)
            for unit, (cells, numbers) in self._units.items()
        ]

        def observe(slot: int, event: Wire | Event) -> int:
            cell = add(slot, event)
            for find, add_cell, add_number in columns:
                found = find(event)
                if found is not None:
                    add_cell(cell)
                    add_number(known.setdefault(found, len(known)))
            return cell

        return observe

"""Events to cells: one update per event, however many metrics there are.

A cell is what events of one name have in common within a flush: the base bucket with its lateness
(the slot), the values of the dimensions that some metric needs, and the selectors that hold.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.combos import Combos, Numbers, probe
from monitor.ingest.folding import Folding, Values
from monitor.ingest.shape import Shape
from monitor.ingest.slots import Lateness

Dimensions = dict[str, str] | dict[str, str | None]
Add = Callable[
    [int, Dimensions | None, dict[str, float] | dict[str, float | None] | None, int], int
]
"""(slot, dimensions, values, count) -> index of the cell."""

_NONE: Final[Numbers] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The cells of one event name at a flush, columnar.

    Attributes:
        slot, combo, count: by cell. int64
        values: by summed field, the cells (int64) and the numbers, times `count`, of its events.
    """

    slot: NDArray[np.int64]
    combo: NDArray[np.int64]
    count: NDArray[np.int64]
    values: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]


class EventCells:
    """The cells of one event name since the last flush.

    Attributes:
        add: count an event.
    """

    def __init__(self, shape: Shape, folding: Folding) -> None:
        self.shape = shape
        self.combos = Combos(shape)
        self._folded = 0
        self._folding = folding
        self._maps: dict[int, dict[object, int]] = defaultdict(dict)
        self._cells: dict[tuple[int, int], int] = {}
        self._slot: list[int] = []
        self._combo: list[int] = []
        self._count: list[int] = []
        self._values: dict[str, tuple[list[int], list[float]]] = {
            field: ([], []) for field in sorted(shape.summed)
        }
        self.add: Add = self._adder() if shape.fields or shape.conditions else self._plain_adder()

    def __len__(self) -> int:
        """How many cells there are."""
        return len(self._count)

    @property
    def held(self) -> int:
        """Numbers that wait to be summed."""
        return sum(len(numbers) for _, numbers in self._values.values())

    def worst(self, cell: int, standing: tuple[Lateness, ...]) -> Lateness:
        """How late the events of a cell are for the metric for which they are latest.

        Args:
            cell: its index.
            standing: lateness by calendar.
        """
        chosen = self.combos.chosen[self._combo[cell]]
        calendars = (
            number
            for holds, numbers in zip(chosen, self.shape.calendars, strict=True)
            if holds
            for number in numbers
        )
        return max((standing[number] for number in calendars), default=Lateness.ON_TIME)

    def take(self) -> Block:
        """The cells, which are then forgotten."""
        block = Block(
            slot=np.array(self._slot, np.int64),
            combo=np.array(self._combo, np.int64),
            count=np.array(self._count, np.int64),
            values={
                field: (np.array(cells, np.int64), np.array(numbers, np.float64))
                for field, (cells, numbers) in self._values.items()
            },
        )
        lists = [self._slot, self._combo, self._count]
        for column in (*lists, *(part for parts in self._values.values() for part in parts)):
            column.clear()
        self._maps.clear()
        self._cells.clear()
        return block

    def take_folded(self) -> int:
        """Events with a dimension value that was folded to `other`, since the last call."""
        folded, self._folded = self._folded, 0
        return folded

    def _plain_adder(self) -> Add:
        """The hot path of names whose values do not matter."""
        pick, maps, counts, create = (
            picker(self.shape.picked),
            self._maps,
            self._count,
            self._create,
        )

        def add(slot: int, dimensions: Dimensions | None, _: Numbers | None, count: int) -> int:
            key = pick(dimensions)
            cell = maps[slot].get(key)
            if cell is None:
                cell = create(slot, key, 0, _NONE)
            counts[cell] += count
            return cell

        return add

    def _adder(self) -> Add:
        """The hot path of names with values that are summed, or that conditions may look at."""
        shape = self.shape
        pick, maps, counts, create = picker(shape.picked), self._maps, self._count, self._create
        fields = [(field, 1 << place) for place, field in enumerate(shape.fields)]
        columns = self._values.items()
        summed = [(field, cells.append, numbers.append) for field, (cells, numbers) in columns]
        conditional = bool(shape.conditions)

        def add(
            slot: int, dimensions: Dimensions | None, values: Numbers | None, count: int
        ) -> int:
            key = pick(dimensions)
            given = values or _NONE
            bits = 0
            for field, bit in fields:
                if given.get(field) is not None:
                    bits |= bit
            if conditional and None in key:
                bits |= probe(shape, key, given)
            cell = maps[slot].get((bits, key) if bits else key)
            if cell is None:
                cell = create(slot, key, bits, given)
            counts[cell] += count
            for field, add_cell, add_number in summed:
                number = given.get(field)
                if number is not None:
                    add_cell(cell)
                    add_number(number * count)
            return cell

        return add

    def _create(self, slot: int, picked: Values, bits: int, values: Numbers) -> int:
        """The cell of an event whose like was not seen in this flush, a new one if it is new."""
        chosen = self.combos.select(picked, bits, values)
        names = self.shape.dimensions
        label = picked[: len(names)]
        folded = self._folding.fold(names, label)
        combo = self.combos.number(folded, chosen)
        cell = self._cells.get((slot, combo))
        if cell is None:
            cell = self._cells[slot, combo] = len(self._count)
            self._slot.append(slot)
            self._combo.append(combo)
            self._count.append(0)
        if folded == label:
            self._maps[slot][(bits, picked) if bits else picked] = cell
        else:  # not remembered, so that each of them is counted
            self._folded += 1
        return cell


def picker(names: tuple[str, ...]) -> Callable[[Dimensions | None], Values]:
    """What gets the values of these dimensions; None for those that are absent.

    >>> picker(("country", "platform"))({"country": "DE"})
    ('DE', None)
    """

    def lacking(dimensions: Dimensions | None) -> Values:
        return tuple(map((dimensions or {}).get, names))

    if len(names) <= 1:
        return lacking
    every: Callable[[Any], Values] = itemgetter(*names)

    def pick(dimensions: Dimensions | None) -> Values:
        try:
            return every(dimensions)
        except (KeyError, TypeError):
            return lacking(dimensions)

    return pick

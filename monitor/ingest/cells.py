"""Events to cells: one update per event, however many metrics there are.

A cell is what events of one name have in common within a flush: the base bucket with its lateness
(the slot), the values of the dimensions that some metric needs, and the selectors that hold.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.combos import Combos, Numbers, probe
from monitor.ingest.envelope import Wire
from monitor.ingest.fields import number_text
from monitor.ingest.folding import Folding
from monitor.ingest.observations import Add, Observations, Observed, When
from monitor.ingest.shape import Shape
from monitor.ingest.tally import Tallied, Tally
from monitor.ingest.units import Units
from monitor.model.event import Event

Dimensions = Mapping[str, str | float | None]
"""Values of dimensions by name: text, or numbers that read as text; a null is absent."""
Picked = tuple[str | float | None, ...]
"""Values of the picked dimensions as they came. Numbers that are equal read as the same text."""

_NONE: Final[Numbers] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The cells of one event name at a flush, columnar.

    Attributes:
        slot, combo, count: by cell; events. int64
        values: by summed field, the cells (int64) and the numbers, times `count`, of its events.
        units: by unit, which ones came, by number.
        binned: by field of which quantiles are kept, its values.
    """

    slot: NDArray[np.int64]
    combo: NDArray[np.int64]
    count: NDArray[np.int64]
    values: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]
    units: dict[str, Observed]
    binned: dict[str, Observed]


class EventCells:
    """The cells of one event name since the last flush.

    Args:
        number: of the event name.
        shape: what is kept of it.
        folding: bounds the values of dimensions.
        units: numbers the units.
        tally: numbers the cells of all event names, and counts their lines.

    Attributes:
        add: find the cell of an event, and keep its values and units.
    """

    def __init__(
        self, number: int, shape: Shape, folding: Folding, units: Units, tally: Tally
    ) -> None:
        self.shape = shape
        self._number, self._tally = number, tally
        self.combos = Combos(shape)
        self._folded = 0
        self._folding = folding
        self._bits = shape.bits
        self._maps: dict[int, dict[Picked, int]] = defaultdict(dict)
        self._combos_of_flush: dict[tuple[int, Picked], int] = {}
        self._cells: dict[tuple[int, int], int] = {}
        self._several_a_cell = shape.picked != shape.dimensions
        self._own: list[int] = []
        self._values: dict[str, tuple[list[int], list[float]]] = {
            field: ([], []) for field in sorted(shape.summed)
        }
        self._observations = Observations(shape, units)
        add = self._adder() if shape.bits else self._plain_adder()
        self.add: Add = self._observations.observing(add)

    def __len__(self) -> int:
        """How many cells there are."""
        return len(self._own)

    @property
    def held(self) -> int:
        """Numbers that wait for a flush beside the cells."""
        summed = sum(len(numbers) for _, numbers in self._values.values())
        return summed + self._observations.held

    def take(self, tallied: Tallied) -> Block:
        """The cells, which are then forgotten.

        Args:
            tallied: the cells of all event names.
        """
        own = np.array(self._own, np.int64)
        rank = np.empty(tallied.slot.size, np.int64)
        rank[own] = np.arange(own.size)
        units, binned = self._observations.take(rank)
        block = Block(
            slot=tallied.slot[own],
            combo=tallied.combo[own],
            count=tallied.events[own],
            values={
                field: (rank[np.array(cells, np.int64)], np.array(numbers, np.float64))
                for field, (cells, numbers) in self._values.items()
            },
            units=units,
            binned=binned,
        )
        self._own.clear()
        for column in (part for parts in self._values.values() for part in parts):
            column.clear()
        self._maps.clear()
        self._combos_of_flush.clear()
        self._cells.clear()
        return block

    def take_folded(self) -> int:
        """Events with a dimension value that was folded to `other`, since the last call."""
        folded, self._folded = self._folded, 0
        return folded

    def _plain_adder(self) -> Add:
        """The hot path of names whose values do not matter."""
        every, some = pickers(self.shape.picked)
        maps, create = self._maps, self._create

        def add(slot: int, event: Wire | Event, _when: When, _bits: int = 0) -> int:
            try:
                key = every(event.dimensions)
            except ABSENT:
                key = some(event.dimensions)
            cell = maps[slot].get(key)
            return create(slot, key, 0, _NONE) if cell is None else cell

        return add

    def _adder(self) -> Add:  # noqa: C901 - it is the hot path inside
        """The hot path of names with units, with values that are summed, or with conditions."""
        shape = self.shape
        every, some = pickers(shape.picked)
        maps, create = self._maps, self._create
        width, conditional = self._bits, bool(shape.conditions)
        fields = [(field, 1 << place) for place, field in enumerate(shape.fields)]
        columns = self._values.items()
        summed = [(field, cells.append, numbers.append) for field, (cells, numbers) in columns]

        def add(slot: int, event: Wire | Event, _when: When, bits: int = 0) -> int:
            try:
                key = every(event.dimensions)
            except ABSENT:
                key = some(event.dimensions)
            given: Numbers = event.values or _NONE
            for field, bit in fields:
                if given.get(field) is not None:
                    bits |= bit
            if conditional and None in key:
                bits |= probe(shape, key, given)
            cell = maps[slot << width | bits].get(key)
            if cell is None:
                cell = create(slot, key, bits, given)
            for field, add_cell, add_number in summed:
                number = given.get(field)
                if number is not None:
                    add_cell(cell)
                    add_number(number * event.count)
            return cell

        return add

    def _create(self, slot: int, picked: Picked, bits: int, values: Numbers) -> int:
        """The cell of an event whose like was not seen in its slot: a new one, as a rule."""
        key = (bits, picked)
        combo = self._combos_of_flush.get(key)
        if combo is None:
            combo, folded = self._combine(picked, bits, values)
            if folded:  # not remembered, so that each of them is counted
                self._folded += 1
                return self._cell_of(slot, combo)
            self._combos_of_flush[key] = combo
        cell = self._cell_of(slot, combo) if self._several_a_cell else self._new_cell(slot, combo)
        self._maps[slot << self._bits | bits][picked] = cell
        return cell

    def _combine(self, picked: Picked, bits: int, values: Numbers) -> tuple[int, bool]:
        """The number of an event's combination, and whether a value of it was folded."""
        texts = tuple(
            value if value is None or isinstance(value, str) else number_text(value)
            for value in picked
        )
        choice = self.combos.select(texts, bits, values)
        names = self.shape.dimensions
        label = texts[: len(names)]
        folded = self._folding.fold(names, label)
        return self.combos.number(folded, choice), folded != label

    def _cell_of(self, slot: int, combo: int) -> int:
        cell = self._cells.get((slot, combo))
        if cell is None:
            cell = self._cells[slot, combo] = self._new_cell(slot, combo)
        return cell

    def _new_cell(self, slot: int, combo: int) -> int:
        cell = self._tally.new_cell(self._number, slot, combo)
        self._own.append(cell)
        return cell


ABSENT: Final = (KeyError, TypeError)
"""What the first of `pickers` raises where a dimension, or all of them, are absent."""
_Pick = Callable[[Any], Picked]


def pickers(names: tuple[str, ...]) -> tuple[_Pick, _Pick]:
    """What gets the values of dimensions: a fast one that needs them all, and one that does not.

    >>> every, some = pickers(("country", "platform"))
    >>> every({"country": "DE", "platform": "ios"}), some({"country": "DE"})
    (('DE', 'ios'), ('DE', None))
    """

    def some(dimensions: Dimensions | None) -> Picked:
        return tuple(map((dimensions or {}).get, names))

    every: _Pick = itemgetter(*names) if len(names) > 1 else some
    return every, some

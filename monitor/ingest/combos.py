"""Numbers for what events of one name have in common: dimension values, and selectors that hold.

The numbers outlive a flush, so that what follows from them (is this filter satisfied, which series is
that) is worked out once and then looked up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.folding import Values
from monitor.ingest.shape import Selector, Shape
from monitor.ingest.where import Found, holds

Ints = NDArray[np.int64]
Numbers = Mapping[str, float | None]
"""Values of an event by name; a null is absent."""

MOST: Final = 200_000
"""Remembered at most; a source with more distinct events starts afresh at a flush."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What metrics make of an event.

    Attributes:
        chosen: one byte a selector: whether it holds.
        lacking: one byte a needed name: whether the event lacks it.
        calendars: indices of the calendars of the metrics that count it.
    """

    chosen: bytes
    lacking: bytes
    calendars: tuple[int, ...]


class Combos:
    """Numbers combinations of (values of the shape's dimensions, what metrics make of the event).

    Attributes:
        labels: by number, the values of the shape's dimensions.
    """

    def __init__(self, shape: Shape) -> None:
        self.labels: list[Values] = []
        self._shape = shape
        self._choices: list[Choice] = []
        self._choice: list[int] = []
        self._numbers: dict[tuple[Values, int], int] = {}
        self._selected: dict[tuple[Values, int], int] = {}
        self._alike: dict[tuple[bytes, bytes, int], int] = {}
        self._values: dict[int, tuple[dict[str, int], Ints]] = {}
        self._lacking: dict[tuple[bytes, int], bytes] = {}

    def select(self, picked: Values, bits: int, values: Numbers) -> int:
        """What metrics make of an event: the number of a `Choice`.

        Args:
            picked: values of the shape's picked names among the dimensions.
            bits: as `Shape.bits` says.
            values: of the event.
        """
        choice = self._selected.get((picked, bits))
        if choice is None:
            choice = self._selected[picked, bits] = self._chosen(picked, bits, values)
        return choice

    def number(self, label: Values, choice: int) -> int:
        """The number of a combination, a new one if it is new."""
        number = self._numbers.get((label, choice))
        if number is None:
            number = self._numbers[label, choice] = len(self.labels)
            self.labels.append(label)
            self._choice.append(choice)
        return number

    def values(self, place: int) -> tuple[list[str], Ints]:
        """The values of a dimension of the labels, and by number which of them; -1 where none has one.

        Args:
            place: of the dimension in the labels.
        """
        texts, which = self._values.get(place, ({}, np.empty(0, np.int64)))
        fresh = [label[place] for label in self.labels[which.size :]]
        if fresh:
            numbers = [-1 if text is None else texts.setdefault(text, len(texts)) for text in fresh]
            which = np.append(which, np.array(numbers, np.int64))
            self._values[place] = texts, which
        return list(texts), which

    def calendars(self, number: int) -> tuple[int, ...]:
        """Of the metrics that count the events of a combination."""
        return self._choices[self._choice[number]].calendars

    def matrix(self) -> NDArray[np.bool_]:
        """By number and selector, whether it holds."""
        return self._table([one.chosen for one in self._choices], len(self._shape.selectors))

    def lacks(self) -> NDArray[np.bool_]:
        """By number and needed name, whether the event lacks it."""
        return self._table([one.lacking for one in self._choices], len(self._shape.needed))

    @property
    def is_full(self) -> bool:
        """Whether more is remembered than should be."""
        return max(len(self._selected), len(self.labels)) > MOST

    def _table(self, rows: Sequence[bytes], width: int) -> NDArray[np.bool_]:
        flat = np.frombuffer(b"".join(rows), np.bool_)
        table: NDArray[np.bool_] = flat.reshape(len(rows), width)[self._choice]
        return table

    def _chosen(self, picked: Values, bits: int, values: Numbers) -> int:
        shape = self._shape
        found: dict[str, Found] = {**values}
        given = zip(shape.picked, picked, strict=True)
        found.update({name: value for name, value in given if value is not None})
        chosen = bytes(_takes(one, found, values) for one in shape.selectors)
        blank = bytes(value is None for value in picked) if None in picked else b""
        lacking = self._lacking.get((blank, bits))
        if lacking is None:
            lacking = self._lacking[blank, bits] = _lacking(shape, picked, bits, found, values)
        key = (chosen, lacking, bits >> shape.unit_bit)
        choice = self._alike.get(key)
        if choice is None:
            calendars = _calendars(shape, chosen, _without(shape, bits))
            choice = self._alike[key] = len(self._choices)
            self._choices.append(Choice(chosen=chosen, lacking=lacking, calendars=calendars))
        return choice


def _without(shape: Shape, bits: int) -> set[str]:
    """The units that an event lacks."""
    units = enumerate(sorted(shape.units), shape.unit_bit)
    return {unit for place, unit in units if bits >> place & 1}


def _lacking(
    shape: Shape, picked: Values, bits: int, found: Mapping[str, Found], values: Numbers
) -> bytes:
    """One byte a needed name; the bits and the places of absent dimensions decide it alone."""
    absent = _without(shape, bits)
    absent.update(
        name for name, value in zip(shape.dimensions, picked, strict=False) if value is None
    )
    absent.update(name for name in shape.looked_up if found.get(name) is None)
    absent.update(name for name in shape.fields if values.get(name) is None)
    return bytes(name in absent for name in shape.needed)


def _calendars(shape: Shape, chosen: bytes, without: set[str]) -> tuple[int, ...]:
    """Of the metrics that count an event."""
    counted = zip(chosen, shape.selectors, shape.calendars, strict=True)
    calendars = {
        number
        for holds, selector, numbers in counted
        if holds and selector.unit not in without
        for number in numbers
    }
    return tuple(sorted(calendars))


def _takes(selector: Selector, found: Mapping[str, Found], values: Numbers) -> bool:
    if selector.field is not None and values.get(selector.field) is None:
        return False
    return all(holds(condition, found.get(condition[0])) for condition in selector.where)

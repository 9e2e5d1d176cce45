"""Numbers for what events of one name have in common: dimension values, and selectors that hold.

The numbers outlive a flush, so that what follows from them (is this filter satisfied, which series is
that) is worked out once and then looked up.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.folding import Values
from monitor.ingest.shape import Selector, Shape
from monitor.ingest.where import Found, holds

Numbers = Mapping[str, float | None]
"""Values of an event by name; a null is absent."""

MOST: Final = 200_000
"""Remembered at most; a source with more distinct events starts afresh at a flush."""


class Combos:
    """Numbers combinations of (values of the shape's dimensions, selectors that hold).

    Attributes:
        labels: by number, the values of the shape's dimensions.
        chosen: by number, one byte a selector: whether it holds.
    """

    def __init__(self, shape: Shape) -> None:
        self.labels: list[Values] = []
        self.chosen: list[bytes] = []
        self._shape = shape
        self._numbers: dict[tuple[Values, bytes], int] = {}
        self._chosen: dict[tuple[Values, int], bytes] = {}

    def select(self, picked: Values, bits: int, values: Numbers) -> bytes:
        """One byte a selector: whether it holds.

        Args:
            picked: values of the shape's picked names among the dimensions.
            bits: which of the shape's fields are present, and what `probe` says.
            values: of the event.
        """
        chosen = self._chosen.get((picked, bits))
        if chosen is None:
            found: dict[str, Found] = {**values}
            given = zip(self._shape.picked, picked, strict=True)
            found.update({name: value for name, value in given if value is not None})
            chosen = bytes(_takes(one, found, values) for one in self._shape.selectors)
            self._chosen[picked, bits] = chosen
        return chosen

    def number(self, label: Values, chosen: bytes) -> int:
        """The number of a combination, a new one if it is new."""
        number = self._numbers.get((label, chosen))
        if number is None:
            number = self._numbers[label, chosen] = len(self.labels)
            self.labels.append(label)
            self.chosen.append(chosen)
        return number

    def matrix(self) -> NDArray[np.bool_]:
        """By number and selector, whether it holds."""
        flat = np.frombuffer(b"".join(self.chosen), np.bool_)
        return flat.reshape(len(self.chosen), len(self._shape.selectors))

    @property
    def is_full(self) -> bool:
        """Whether more is remembered than should be."""
        return max(len(self._chosen), len(self.labels)) > MOST


def _takes(selector: Selector, found: Mapping[str, Found], values: Numbers) -> bool:
    if selector.field is not None and values.get(selector.field) is None:
        return False
    return all(holds(condition, found.get(condition[0])) for condition in selector.where)


def probe(shape: Shape, picked: Sequence[object], values: Numbers) -> int:
    """What the conditions on fields that no dimension has say of an event's values, as bits.

    The lowest bits are left for the presence of the shape's fields.
    """
    bits = 0
    for place, condition in enumerate(shape.conditions, len(shape.fields)):
        field = condition[0]
        if picked[shape.picked.index(field)] is None:
            bits |= holds(condition, values.get(field)) << place
    return bits

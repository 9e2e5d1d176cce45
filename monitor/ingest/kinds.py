"""Kinds of lines: what tells the events of one name apart, and the combination that it comes down to.

The work of Python is by kind of line, not by line; most of it is remembered from flush to flush.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.combos import Combos
from monitor.ingest.dimensions import Dimensions
from monitor.ingest.folding import Folding, Values
from monitor.ingest.lines import Columns
from monitor.ingest.numbering import first_of, numbered
from monitor.ingest.shape import Shape
from monitor.ingest.units import Ranked
from monitor.ingest.where import holds

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_NONE: Final = np.empty(0, np.int64)
_ROOM: Final = 1 << 40
"""Keys are numbered anew before they grow beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kinds:
    """The lines of one event name by kind: equal in what tells the name's events apart but the slot.

    Attributes:
        name: the event name.
        lines: its lines, which of the flush, ascending. int64[n]
        units: by unit and line, its rank; -1 where it has none. int64[n]
        kind: by line, its kind. int64[n]
        first: by kind, its first line. int64[k]
        code: by kind, the number of the values of the shape's picked dimensions.
        bits: by kind, as `Shape` places them.
    """

    name: "EventCells"
    lines: Ints
    units: dict[str, Ints]
    kind: Ints
    first: Ints
    code: list[int]
    bits: list[int]


class EventCells:
    """What is known of the events of one name: it outlives the flush.

    Args:
        shape: what is kept of them.
        dimensions: numbers what is needed of their dimensions.

    Attributes:
        combos: numbers what their cells have in common.
    """

    def __init__(self, shape: Shape, dimensions: Dimensions) -> None:
        self.shape = shape
        self.combos = Combos(shape)
        self._dimensions = dimensions
        self._places = [dimensions.names.index(name) for name in shape.picked]
        self._picked: list[Values] = []
        self._codes: dict[Values, int] = {}
        self._code_of = _NONE
        self._known: dict[tuple[int, int], int] = {}

    def kinds(self, columns: Columns, lines: Ints, units: Mapping[str, Ranked]) -> Kinds:
        """Tell the lines of this name apart.

        Args:
            columns: of the flush.
            lines: of them, those of this name, ascending.
            units: of all lines.
        """
        ranks = {unit: units[unit].rank[lines] for unit in sorted(self.shape.units)}
        code = self._coded(columns.dimensions[lines])
        flags = self._flags(columns, lines, code, ranks)
        key, room = code, len(self._picked)
        for flag in flags.values():
            if room > _ROOM:
                room, key = numbered(key, room)
            key, room = key * 2 + flag, room * 2
        size, kind = numbered(key, room)
        first = first_of(kind, size)
        bits = [0] * size
        for place, flag in flags.items():
            bits = [
                one | held << place for one, held in zip(bits, flag[first].tolist(), strict=True)
            ]
        return Kinds(
            name=self,
            lines=lines,
            units=ranks,
            kind=kind,
            first=lines[first],
            code=code[first].tolist(),
            bits=bits,
        )

    def known_combos(self, kinds: "Kinds") -> Ints:
        """By kind, the combination that its lines have where nothing is folded; -1 where not known yet."""
        known = self._known
        return np.array([known.get(kind, -1) for kind in zip(kinds.code, kinds.bits, strict=True)])

    def combo(
        self, columns: Columns, line: int, code: int, bits: int, folding: Folding | None
    ) -> tuple[int, bool]:
        """The combination that lines of a kind have, and whether a value of it was folded.

        Args:
            columns: of the flush.
            line: one of the kind.
            code: of the kind.
            bits: of the kind.
            folding: bounds the values of dimensions; None where they are few enough.
        """
        picked = self._picked[code]
        values = {}
        for name in self.shape.numbers:
            number = float(columns.values[name][line])
            values[name] = None if math.isnan(number) else number
        choice = self.combos.select(picked, bits, values)
        names = self.shape.dimensions
        label = picked[: len(names)]
        if folding is None:
            known = self._known[code, bits] = self.combos.number(label, choice)
            return known, False
        kept = folding.fold(names, label)
        return self.combos.number(kept, choice), kept != label

    def _coded(self, dimensions: Ints) -> Ints:
        """By line, the number of the values of the shape's picked dimensions."""
        more = len(self._dimensions.values) - self._code_of.size
        if more:
            self._code_of = np.append(self._code_of, np.full(more, -1, np.int64))
        code = self._code_of[dimensions]
        fresh = np.unique(dimensions[code < 0])
        if fresh.size:
            self._code_of[fresh] = [self._code(number) for number in fresh.tolist()]
            code = self._code_of[dimensions]
        return code

    def _code(self, dimensions: int) -> int:
        values = self._dimensions.values[dimensions]
        picked = tuple(values[place] for place in self._places)
        code = self._codes.setdefault(picked, len(self._codes))
        if code == len(self._picked):
            self._picked.append(picked)
        return code

    def _flags(
        self, columns: Columns, lines: Ints, code: Ints, units: Mapping[str, Ints]
    ) -> dict[int, Bools]:
        """By place of a bit of the shape, the lines that have it; bits that none has are left out."""
        shape = self.shape
        given = {name: columns.values[name][lines] for name in shape.numbers}
        present = {name: ~np.isnan(numbers) for name, numbers in given.items()}
        flags = {place: present[field] for place, field in enumerate(shape.fields)}
        for place, name in enumerate(shape.looked_up, shape.given_bit):
            flags[place] = present[name]
        for place, condition in enumerate(shape.conditions, len(shape.fields)):
            name = condition[0]
            if present[name].any():
                # the value counts where no dimension has the name
                where = shape.picked.index(name)
                blank = np.array([picked[where] is None for picked in self._picked])
                flags[place] = present[name] & blank[code]
                looked_at = np.flatnonzero(flags[place])
                numbers = given[name][looked_at].tolist()
                flags[place][looked_at] = [holds(condition, number) for number in numbers]
        for place, rank in enumerate(units.values(), shape.unit_bit):
            flags[place] = rank < 0
        return {place: flag for place, flag in flags.items() if flag.any()}

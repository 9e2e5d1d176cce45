"""Lines to cells: what events of one name have in common within a flush, counted once.

A cell is a base bucket with its lateness (the slot), the values of the dimensions that some metric
needs, and the selectors that hold. The work of Python is by kind of line, not by line.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.combos import Combos
from monitor.ingest.dimensions import Dimensions
from monitor.ingest.folding import Folding, Values
from monitor.ingest.lines import Columns
from monitor.ingest.numbering import first_of, numbered
from monitor.ingest.shape import ACTOR, Shape
from monitor.ingest.units import NOBODY, Ranked, Units
from monitor.ingest.where import holds
from monitor.stats.histogram import bins

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_NONE: Final = np.empty(0, np.int64)
_ROOM: Final = 1 << 40
"""Keys are numbered anew before they grow beyond it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was observed of one unit, or of one value, by event.

    Attributes:
        cell: index of the event's cell. int64
        what: rank of the unit (`Ranked`), or bin of the value. int64
        count: how many events it stands for; of units 1. int64
        time_us: when, of units whose times are kept; else none. int64
    """

    cell: Ints
    what: Ints
    count: Ints
    time_us: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The cells of one event name at a flush, columnar.

    Attributes:
        slot, combo, lines, count: by cell; count is of events. int64
        line, cell: by line of the event name, which of the flush it is, and its cell. int64
        values: by summed field, the cells (int64) and the numbers, times `count`, of its events.
        units: by unit, which ones came, by number.
        binned: by field of which quantiles are kept, its values.
    """

    slot: Ints
    combo: Ints
    lines: Ints
    count: Ints
    line: Ints
    cell: Ints
    values: dict[str, tuple[Ints, NDArray[np.float64]]]
    units: dict[str, Observed]
    binned: dict[str, Observed]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kinds:
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

    def kinds(self, columns: Columns, lines: Ints, units: Mapping[str, Ranked]) -> _Kinds:
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
        return _Kinds(
            name=self,
            lines=lines,
            units=ranks,
            kind=kind,
            first=lines[first],
            code=code[first].tolist(),
            bits=bits,
        )

    def known_combos(self, kinds: "_Kinds") -> Ints:
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


def units_of(
    columns: Columns, names: Sequence[EventCells], dimensions: Dimensions, units: Units
) -> dict[str, Ranked]:
    """By unit that some metric counts or follows, the units of all lines.

    Args:
        columns: the lines.
        names: by number, the event names.
        dimensions: what the numbers of dimensions mean.
        units: knows their hashes.
    """
    found = {}
    for unit in sorted({unit for name in names for unit in name.shape.units}):
        having = np.array([unit in name.shape.units for name in names])[columns.event]
        if unit == ACTOR:
            idents = np.where(having, columns.actor, NOBODY)
            found[unit] = units.ranked(idents, columns.actors)
        else:
            place = dimensions.names.index(unit)
            used, which = np.unique(columns.dimensions[having], return_inverse=True)
            texts = [dimensions.values[number][place] for number in used.tolist()]
            ranked = units.ranked(np.array([hash(text) for text in texts], np.int64), texts)
            rank = np.full(columns.event.size, -1, np.int64)
            rank[having] = ranked.rank[which]
            found[unit] = Ranked(rank=rank, keys=ranked.keys)
    return found


def blocks_of(
    columns: Columns,
    names: Sequence[EventCells],
    units: Mapping[str, Ranked],
    folding: Folding | None,
) -> tuple[dict[str, Block], int]:
    """The cells of a flush by event name, without names that have none; and how many lines are folded.

    Args:
        columns: the lines.
        names: by number, the event names.
        units: of the lines.
        folding: bounds the values of dimensions, in the order they came; None where they are few enough.
    """
    order = np.argsort(columns.event.astype(np.uint16), kind="stable")
    ends = np.cumsum(np.bincount(columns.event, minlength=len(names)))
    kinds = [
        name.kinds(columns, lines, units)
        for name, lines in zip(names, np.split(order, ends[:-1]), strict=True)
        if lines.size
    ]
    combos, folded = _combined(columns, kinds, folding)
    blocks = {
        one.name.shape.event: _block(columns, one, combo[one.kind])
        for one, combo in zip(kinds, combos, strict=True)
    }
    return blocks, folded


def _combined(
    columns: Columns, kinds: Sequence[_Kinds], folding: Folding | None
) -> tuple[list[Ints], int]:
    """The combinations of the kinds of each event name, and how many lines are folded."""
    combos = [
        np.full(len(one.code), -1) if folding else one.name.known_combos(one) for one in kinds
    ]
    came = sorted(
        (int(one.first[kind]), number, kind)
        for number, one in enumerate(kinds)
        for kind in np.flatnonzero(combos[number] < 0).tolist()
    )
    folded = 0
    for line, number, kind in came:
        one = kinds[number]
        combo, is_folded = one.name.combo(columns, line, one.code[kind], one.bits[kind], folding)
        combos[number][kind] = combo
        if is_folded:
            folded += int(np.count_nonzero(one.kind == kind))
    return combos, folded


def _block(columns: Columns, kinds: _Kinds, combo: Ints) -> Block:
    """The cells of one event name.

    Args:
        columns: of the flush.
        kinds: its lines.
        combo: of each of them.
    """
    name, lines = kinds.name, kinds.lines
    shape, slot, count = name.shape, columns.slot[lines], columns.count[lines]
    slots = int(slot.max()) + 1
    size, cell = numbered(combo * slots + slot, len(name.combos.labels) * slots)
    first = first_of(cell, size)
    values, binned = {}, {}
    for field in sorted(shape.summed | shape.binned):
        numbers = columns.values[field][lines]
        given = np.flatnonzero(~np.isnan(numbers))
        numbers, times, of = numbers[given], count[given], cell[given]
        if field in shape.summed:
            values[field] = of, numbers * times
        if field in shape.binned:
            binned[field] = Observed(cell=of, what=bins(numbers), count=times, time_us=_NONE)
    observed = {}
    for unit, rank in kinds.units.items():
        given = np.flatnonzero(rank >= 0)
        observed[unit] = Observed(
            cell=cell[given],
            what=rank[given],
            count=np.ones(given.size, np.int64),
            time_us=columns.time_us[lines[given]] if unit in shape.timed else _NONE,
        )
    return Block(
        slot=slot[first],
        combo=combo[first],
        lines=np.bincount(cell, minlength=size),
        count=np.bincount(cell, count, size).astype(np.int64),
        line=lines,
        cell=cell,
        values=values,
        units=observed,
        binned=binned,
    )

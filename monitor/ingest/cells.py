"""Lines to cells: what events of one name have in common within a flush, counted once.

A cell is a base bucket with its lateness (the slot), the values of the dimensions that some metric
needs, and the selectors that hold (the combination, which a line's kind comes down to).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.dimensions import Dimensions
from monitor.ingest.folding import Folding
from monitor.ingest.kinds import EventCells, Kinds
from monitor.ingest.lines import Columns
from monitor.ingest.numbering import first_of, numbered
from monitor.ingest.shape import ACTOR
from monitor.ingest.units import NOBODY, Ranked, Units
from monitor.stats.histogram import bins

Ints = NDArray[np.int64]

_NONE: Final = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What was observed of one unit, or of one value, by event.

    Attributes:
        cell: index of the event's cell. int64
        what: rank of the unit (`Ranked`), or bin of the value. int64
        count: how many events it stands for; of units none. int64
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
        units: by unit, which ones came.
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
    counts = np.bincount(columns.event, minlength=len(names))
    ends = np.cumsum(counts)
    by_name = [order[end - size : end] for end, size in zip(ends, counts, strict=True)]
    kinds = [
        name.kinds(columns, lines, units)
        for name, lines in zip(names, by_name, strict=True)
        if lines.size
    ]
    combos, folded = _combined(columns, kinds, folding)
    blocks = {
        one.name.shape.event: _block(columns, one, combo[one.kind])
        for one, combo in zip(kinds, combos, strict=True)
    }
    return blocks, folded


def _combined(
    columns: Columns, kinds: Sequence[Kinds], folding: Folding | None
) -> tuple[list[Ints], int]:
    """The combinations of the kinds of each event name, and how many lines are folded."""
    combos = [
        one.name.known_combos(one) if folding is None else np.full(len(one.code), -1)
        for one in kinds
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


def _block(columns: Columns, kinds: Kinds, combo: Ints) -> Block:
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
            count=_NONE,
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

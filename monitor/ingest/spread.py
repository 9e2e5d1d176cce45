"""Cells to rows: once for every series that a cell belongs to."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.numbering import distinct
from monitor.ingest.slots import Rows

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The cells of one event name, once for every series they belong to, sorted into rows.

    Attributes:
        keys: the distinct (row of the calendar, series) numbers, sorted. int64[u]
        row: by entry, which of `keys`. int64[e]
        cell: by entry, the cell. int64[e]
        rows: by grouping and cell, which of `keys`; -1 where it has none. int64[c]
    """

    keys: Ints
    row: Ints
    cell: Ints
    rows: list[Ints]


def spread(slot: Ints, series: list[Ints], rows: Rows, size: int) -> Spread:
    """Spread cells over their series.

    Args:
        slot: by cell.
        series: by grouping, the series of each cell; -1 where it has none.
        rows: of the calendar.
        size: how many series there are.
    """
    row = rows.row[slot]
    keys, cells = [], []
    for column in series:
        cell = np.flatnonzero((column >= 0) & (row >= 0))
        keys.append(row[cell] * size + column[cell])
        cells.append(cell)
    unique, inverse = distinct(np.concatenate(keys), rows.late.size * size)
    parts = np.split(inverse, np.cumsum([cell.size for cell in cells])[:-1])
    rows_of = [np.full(slot.size, -1, np.int64) for _ in cells]
    for column, cell, part in zip(rows_of, cells, parts, strict=True):
        column[cell] = part
    return Spread(keys=unique, row=inverse, cell=np.concatenate(cells), rows=rows_of)

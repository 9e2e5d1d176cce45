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
        stops: by grouping, where its entries end. int64[g]
        cells: how many there are.
    """

    keys: Ints
    row: Ints
    cell: Ints
    stops: Ints
    cells: int

    def rows(self) -> list[Ints]:
        """By grouping and cell, which of `keys`; -1 where it has none. int64[c]."""
        found = []
        for row, cell in zip(
            np.split(self.row, self.stops), np.split(self.cell, self.stops), strict=True
        ):
            column = np.full(self.cells, -1, np.int64)
            column[cell] = row
            found.append(column)
        return found[:-1]  # nothing comes after the last stop


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
    return Spread(
        keys=unique,
        row=inverse,
        cell=np.concatenate(cells),
        stops=np.cumsum([cell.size for cell in cells]),
        cells=slot.size,
    )

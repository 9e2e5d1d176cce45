"""Rows of named numpy columns that grow together: the state of a panel, one row a series."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: the type of a cell, its inner shape, and what an empty cell holds."""

    dtype: str
    shape: tuple[int, ...] = ()
    fill: float = 0


class Table:
    """A struct of arrays with one row a series.

    >>> t = Table({"x": Column(dtype="f8", fill=float("nan")), "seen": Column(dtype="i8")})
    >>> t.append(2)
    range(0, 2)
    >>> t["seen"][1] = 5
    >>> t["seen"]
    array([0, 5])
    """

    def __init__(self, columns: dict[str, Column]) -> None:
        self.columns = columns
        self.size = 0
        self._data = {name: _empty(column, 0) for name, column in columns.items()}

    def __getitem__(self, name: str) -> Array:
        """A view of the rows in use: writing to it writes to the table. Valid until `append`."""
        return self._data[name][: self.size]

    def __setitem__(self, name: str, values: Array) -> None:
        """Overwrite a whole column."""
        self._data[name][: self.size] = values

    def append(self, count: int) -> range:
        """Add empty rows; returns their indices."""
        first, self.size = self.size, self.size + count
        capacity = next(iter(self._data.values())).shape[0]
        if self.size > capacity:
            wanted = max(self.size, 2 * capacity, 16)
            for name, column in self.columns.items():
                grown = _empty(column, wanted)
                grown[:first] = self._data[name][:first]
                self._data[name] = grown
        return range(first, self.size)

    def clear(self, rows: Array) -> None:
        """Empty these rows, for another series."""
        for name, column in self.columns.items():
            self._data[name][rows] = column.fill

    def dump(self) -> dict[str, Array]:
        """A copy of every column, for a snapshot."""
        return {name: self[name].copy() for name in self.columns}

    def load(self, state: dict[str, Array]) -> None:
        """Take over what `dump` gave; columns must be the same."""
        self.size = len(next(iter(state.values()))) if state else 0
        self._data = {
            name: np.array(state[name], dtype=column.dtype) for name, column in self.columns.items()
        }


def _empty(column: Column, rows: int) -> Array:
    return np.full((rows, *column.shape), column.fill, dtype=column.dtype)

"""Keys to small numbers, in the order of the keys: without a sort where few different ones can be."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_DENSE: Final = 8
"""Keys are marked in a table of all possible ones up to so many times the keys."""


def distinct(keys: Ints, possible: int) -> tuple[Ints, Ints]:
    """The distinct keys, sorted, and by entry which of them it is.

    Args:
        keys: from 0 on.
        possible: how many different ones there could be.
    """
    if possible > _DENSE * keys.size:
        unique, inverse = np.unique(keys, return_inverse=True)
        return unique, inverse
    present = np.zeros(possible, np.bool_)
    present[keys] = True
    unique = np.flatnonzero(present)
    place = np.cumsum(present) - 1
    return unique, place[keys]


def numbered(keys: Ints, possible: int) -> tuple[int, Ints]:
    """How many distinct keys there are, and by entry which of them it is.

    >>> size, number = numbered(np.array([7, 3, 7]), 8)
    >>> size, number.tolist()
    (2, [1, 0, 1])
    """
    unique, number = distinct(keys, possible)
    return unique.size, number


def first_of(number: Ints, size: int) -> Ints:
    """By number from 0 to before `size`, all of which occur, the first entry that has it.

    >>> first_of(np.array([1, 0, 1]), 2).tolist()
    [1, 0]
    """
    first = np.empty(size, np.int64)
    # of those that come to one place the last one stays
    first[number[::-1]] = np.arange(number.size - 1, -1, -1)
    return first


def runs(values: Ints) -> tuple[Ints, Ints]:
    """An order that sorts the values, and where in it each distinct value begins.

    >>> order, starts = runs(np.array([5, 3, 5]))
    >>> starts.tolist(), order[starts][0]
    ([0, 1], np.int64(1))
    """
    order = np.argsort(values)
    return order, np.flatnonzero(changes(values[order]))


def changes(column: Ints) -> NDArray[np.bool_]:
    """Where a value differs from the one before; at the first one.

    >>> changes(np.array([7, 7, 8])).tolist()
    [True, False, True]
    """
    differs = np.ones(column.size, np.bool_)
    np.not_equal(column[1:], column[:-1], out=differs[1:])
    return differs


def bits_of(size: int) -> int:
    """Bits that hold every number below a size.

    >>> bits_of(0), bits_of(1), bits_of(8), bits_of(9)
    (0, 0, 3, 4)
    """
    return max(size - 1, 0).bit_length()

"""Which lines bring an id that was seen shortly before: exact over the newest two generations."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

GENERATION: Final = 65_536
"""Identified lines of a generation. A table of it takes 1 MiB."""
_FEWEST_BITS: Final = 12
_EMPTY: Final = 0
_IN_PLACE_OF_EMPTY: Final = 1
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
"""2^64 over the golden ratio: neighbours come apart (Knuth, The Art of Computer Programming 3, 6.4)."""


class Repeats:
    """Remembers the ids of the last `generation` to twice as many lines that had one.

    Generations are told apart by count alone, so that it does not matter how lines are cut into calls.

    Args:
        generation: lines of a generation.
    """

    def __init__(self, generation: int = GENERATION) -> None:
        self._generation = generation
        self._old, self._young = _Ids(), _Ids()
        self._lines = 0

    def among(self, idents: Ints) -> Bools:
        """Which of these lines repeat an id, of lines before them too; all are then remembered.

        Args:
            idents: hashes of the ids, in order. int64[n]
        """
        idents = np.where(idents == _EMPTY, _IN_PLACE_OF_EMPTY, idents)
        repeated = np.zeros(idents.size, np.bool_)
        start = 0
        while start < idents.size:
            stop = min(idents.size, start + self._generation - self._lines)
            part = idents[start:stop]
            repeated[start:stop] = self._young.add(part) | self._old.hold(part)
            self._lines += part.size
            if self._lines == self._generation:
                self._old, self._young, self._lines = self._young, _Ids(self._young.bits), 0
            start = stop
        return repeated


class _Ids:
    """A set of hashes with open addressing, probed for all of a call's ids at once."""

    def __init__(self, bits: int = _FEWEST_BITS) -> None:
        self._bits = bits
        self._table = np.full(1 << self._bits, _EMPTY, np.int64)
        self._size = 0

    @property
    def bits(self) -> int:
        """Of the numbers of its places."""
        return self._bits

    def hold(self, idents: Ints) -> Bools:
        """Which of these are held."""
        held = np.zeros(idents.size, np.bool_)
        if not self._size:
            return held
        left, place = np.arange(idents.size), self._first(idents)
        while left.size:
            there = self._table[place]
            same = there == idents[left]
            held[left[same]] = True
            on = ~same & (there != _EMPTY)
            left, place = left[on], self._next(place[on])
        return held

    def add(self, idents: Ints) -> Bools:
        """Hold these too; returns which were held before, or stand before in these."""
        self._make_room(idents.size)
        held = np.ones(idents.size, np.bool_)
        left, place = np.arange(idents.size), self._first(idents)
        writer = np.empty(self._table.size, np.int32)
        while left.size:
            vacant = np.flatnonzero(self._table[place] == _EMPTY)
            at = place[vacant]
            # of those that come to one place the first is the last to be written
            writer[at[::-1]] = vacant[::-1]
            first = vacant[writer[at] == vacant]
            self._table[place[first]] = idents[left[first]]
            held[left[first]] = False
            on = self._table[place] != idents[left]
            left, place = left[on], self._next(place[on])
        self._size += idents.size - int(np.count_nonzero(held))
        return held

    def _make_room(self, more: int) -> None:
        """Keep the table at most half full."""
        bits = max(self._bits, (2 * (self._size + more) - 1).bit_length())
        if bits > self._bits:
            ids = self._table[self._table != _EMPTY]
            self._bits, self._size = bits, 0
            self._table = np.full(1 << bits, _EMPTY, np.int64)
            self.add(ids)

    def _first(self, idents: Ints) -> Ints:
        spread = idents.view(np.uint64) * _SPREAD
        return (spread >> np.uint64(64 - self._bits)).view(np.int64)

    def _next(self, place: Ints) -> Ints:
        return (place + 1) & ((1 << self._bits) - 1)

"""The lines of one flush of a source: which cell each came to, and by what id it can be known again."""

from array import array
from collections import Counter
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.model.event import Reject

Ints = NDArray[np.int64]

NOBODY: Final = hash(None)
"""In place of the hash of an id that a line lacks."""

_PAIR_IN_LINES: Final = 8
"""A pair of numbers takes the memory of so many lines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallied:
    """What a `Tally` held, columnar.

    Attributes:
        slot, combo, owner: by cell; the owner is the event name, by number. int64[c]
        lines, events: by cell; events are the sum of `count`. int64[c]
        cell, ident: by line, its cell and the hash of its id. int64[n]
        delayed, delay_us: by line whose arrival was looked at, its cell, and how long after the
            event it arrived. int64[d]
        dead: dead letters by (base bucket in which they stand, event name or none, reason).
    """

    slot: Ints
    combo: Ints
    owner: Ints
    lines: Ints
    events: Ints
    cell: Ints
    ident: Ints
    delayed: Ints
    delay_us: Ints
    dead: Counter[tuple[int, str, Reject]]


class Tally:
    """Grows by a cell now and then, and by every line of an event name that some metric uses.

    Attributes:
        cell, ident: by line; appended to by the hot loop.
        more: by line that stands for several events, its cell and how many more than one.
        delays: by line whose arrival is looked at, its cell and the delay in microseconds.
        dead: as in `Tallied`.
    """

    def __init__(self) -> None:
        self.cell: list[int] = []
        self.ident = array("q")
        self.more: list[tuple[int, int]] = []
        self.delays: list[tuple[int, int]] = []
        self.dead: Counter[tuple[int, str, Reject]] = Counter()
        self._slot: list[int] = []
        self._combo: list[int] = []
        self._owner: list[int] = []

    @property
    def held(self) -> int:
        """What waits for a flush beside the cells, in lines."""
        return len(self.cell) + _PAIR_IN_LINES * (len(self.more) + len(self.delays))

    def new_cell(self, owner: int, slot: int, combo: int) -> int:
        """Add a cell; returns its number, which follows on the last one."""
        self._slot.append(slot)
        self._combo.append(combo)
        self._owner.append(owner)
        return len(self._slot) - 1

    def take(self) -> Tallied:
        """What there is; it is then forgotten."""
        size = len(self._slot)
        cell = np.array(self.cell, np.int64)
        lines = np.bincount(cell, minlength=size)
        events = lines.copy()
        more = np.array(self.more, np.int64).reshape(-1, 2)
        np.add.at(events, more[:, 0], more[:, 1])
        delays = np.array(self.delays, np.int64).reshape(-1, 2)
        tallied = Tallied(
            slot=np.array(self._slot, np.int64),
            combo=np.array(self._combo, np.int64),
            owner=np.array(self._owner, np.int64),
            lines=lines,
            events=events,
            cell=cell,
            ident=np.array(self.ident, np.int64),
            delayed=delays[:, 0],
            delay_us=delays[:, 1],
            dead=self.dead.copy(),
        )
        for column in (self._slot, self._combo, self._owner, self.cell, self.more, self.delays):
            column.clear()
        del self.ident[:]
        self.dead.clear()
        return tallied

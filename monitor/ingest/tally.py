"""The lines of a flush over all event names: which cell each came to, for what the ledger counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from monitor.ingest.cells import Block, Ints
from monitor.ingest.dead import Homes
from monitor.ingest.lines import Columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Tallied:
    """Lines and cells, columnar; the cells of one event name follow on those of another.

    Attributes:
        slot, combo, owner: by cell; the owner is the event name, by number. int64[c]
        lines, events: by cell; events are the sum of `count`. int64[c]
        cell, ident: by line, its cell and the hash of its id. int64[n]
        delayed, delay_us: by line whose arrival was looked at, its cell, and how long after the
            event it arrived. int64[d]
        dead: the dead letters.
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
    dead: Homes

    @classmethod
    def of(
        cls,
        columns: Columns,
        blocks: Mapping[str, Block],
        *,
        numbers: Mapping[str, int],
        dead: Homes,
    ) -> Self:
        """The lines of a flush.

        Args:
            columns: they.
            blocks: their cells by event name.
            numbers: of the event names.
            dead: the dead letters.
        """
        cell = np.empty(columns.event.size, np.int64)
        nothing, size = [np.empty(0, np.int64)], 0
        for block in blocks.values():
            cell[block.line] = size + block.cell
            size += block.slot.size
        sizes = [block.slot.size for block in blocks.values()]
        return cls(
            slot=np.concatenate([block.slot for block in blocks.values()] or nothing),
            combo=np.concatenate([block.combo for block in blocks.values()] or nothing),
            owner=np.repeat(np.array([numbers[event] for event in blocks], np.int64), sizes),
            lines=np.concatenate([block.lines for block in blocks.values()] or nothing),
            events=np.concatenate([block.count for block in blocks.values()] or nothing),
            cell=cell,
            ident=columns.ident,
            delayed=cell[columns.delayed],
            delay_us=columns.delay_us,
            dead=dead,
        )

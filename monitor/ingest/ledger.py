"""The lines of a flush to its `Ledger`: what was seen of the measurement itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.cells import EventCells
from monitor.ingest.slots import Lateness, Slots
from monitor.ingest.tally import NOBODY, Tallied
from monitor.model.ledger import Aspect, Ledger
from monitor.model.time import NEVER, SECOND
from monitor.stats.histogram import bins

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

VERSION_DIMENSION: Final = "app_version"
"""By the values of which events are counted, so that an emitter that fell silent can be told."""


def worst_lateness(tallied: Tallied, names: Sequence[EventCells], slots: Slots) -> Ints:
    """By cell, how late its lines are for the metric for which they are latest: a `Lateness`.

    Args:
        tallied: the cells.
        names: by number, the event names.
        slots: of the flush.
    """
    worst = np.zeros(tallied.slot.size, np.int64)
    ended = np.array([standing is not None for standing in slots.standings], np.bool_)
    known: dict[tuple[int, int, int], Lateness] = {}
    for cell in np.flatnonzero(ended[tallied.slot]).tolist():
        key = (int(tallied.owner[cell]), int(tallied.combo[cell]), int(tallied.slot[cell]))
        found = known.get(key)
        if found is None:
            owner, combo, slot = key
            standing = slots.standings[slot] or ()
            calendars = names[owner].combos.choices[combo].calendars
            found = max((standing[number] for number in calendars), default=Lateness.ON_TIME)
            known[key] = found
        worst[cell] = found
    return worst


def ledger_of(
    tallied: Tallied,
    names: Sequence[EventCells],
    slots: Slots,
    *,
    worst: Ints,
    repeated: Bools,
) -> Ledger | None:
    """The ledger of a flush; None where there is nothing to tell.

    Args:
        tallied: lines and cells.
        names: by number, the event names.
        slots: of the flush.
        worst: by cell, as `worst_lateness` has it.
        repeated: by line, whether its id was seen before.
    """
    page = _Page(tallied, slots)
    cells = tallied.slot.size
    timely = worst == Lateness.ON_TIME
    page.count(Aspect.LINES, tallied.lines * timely)
    page.count(Aspect.EVENTS, tallied.events * timely)
    identified = np.bincount(tallied.cell[tallied.ident != NOBODY], minlength=cells)
    page.count(Aspect.IDENTIFIED, identified * timely)
    page.count(Aspect.REPEATED, np.bincount(tallied.cell[repeated], minlength=cells) * timely)
    page.count(Aspect.LATE, tallied.lines * ~timely)
    page.count(Aspect.TOO_LATE, tallied.lines * (worst == Lateness.TOO_LATE))
    for number, name in enumerate(names):
        own = np.flatnonzero(timely & (tallied.owner == number))
        if own.size:
            _count_fields(page, name, own, tallied)
    page.count_delays()
    page.count_dead([name.shape.event for name in names])
    return page.ledger([name.shape.event for name in names])


def _count_fields(page: "_Page", name: EventCells, own: Ints, tallied: Tallied) -> None:
    """What lines of one event name lack, and their versions.

    Args:
        page: to count on.
        name: the event name.
        own: its cells that are on time.
        tallied: the cells.
    """
    combo, lines = tallied.combo[own], tallied.lines[own]
    lacks = name.combos.lacks()[combo]
    if lacks.any():
        page.count(Aspect.INCOMPLETE, lines * lacks.any(axis=1), own)
        for place, field in enumerate(name.shape.needed):
            page.count(Aspect.MISSING, lines * lacks[:, place], own, field)
    if VERSION_DIMENSION in name.shape.dimensions:
        place = name.shape.dimensions.index(VERSION_DIMENSION)
        used, number = np.unique(combo, return_inverse=True)
        versions = [name.combos.labels[one][place] for one in used.tolist()]
        given = np.array([version is not None for version in versions])[number]
        details = page.details([version or "" for version in versions])[number]
        page.add(Aspect.VERSION, own[given], details[given], tallied.events[own[given]])


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of a ledger, in no order; details and event names by number of the page."""

    bucket: Ints
    event: Ints
    aspect: Ints
    detail: Ints
    count: Ints


class _Page:
    """Collects the rows of one ledger."""

    def __init__(self, tallied: Tallied, slots: Slots) -> None:
        self._tallied = tallied
        self._home = np.array(slots.homes, np.int64)[tallied.slot]
        self._details: dict[str, int] = {"": 0}
        self._rows: list[_Rows] = []

    def details(self, texts: Sequence[str]) -> Ints:
        """Their numbers."""
        known = self._details
        return np.array([known.setdefault(text, len(known)) for text in texts], np.int64)

    def count(
        self, aspect: Aspect, counts: Ints, cells: Ints | None = None, detail: str = ""
    ) -> None:
        """Count by cell.

        Args:
            aspect: what.
            counts: by cell.
            cells: which; all of them without.
            detail: of the aspect.
        """
        some = np.flatnonzero(counts)
        own = some if cells is None else cells[some]
        if own.size:
            number = self.details([detail]).repeat(own.size)
            self.add(aspect, own, number, counts[some])

    def add(self, aspect: Aspect, cells: Ints, details: Ints, counts: Ints) -> None:
        """Count by cell and detail."""
        self._add(self._home[cells], self._tallied.owner[cells], aspect, details, counts)

    def count_delays(self) -> None:
        """Count the lines whose arrival was looked at."""
        seconds = self._tallied.delay_us / SECOND
        used, number = np.unique(bins(seconds), return_inverse=True)
        details = self.details([str(one) for one in used.tolist()])
        one = np.ones(seconds.size, np.int64)
        self.add(Aspect.DELAY, self._tallied.delayed, details[number], one)

    def count_dead(self, events: Sequence[str]) -> None:
        """Count the dead letters; those without a known name come after all event names."""
        found = sorted(self._tallied.dead.items())
        places = {event: number for number, event in enumerate(events)}
        self._add(
            np.array([home for (home, _, _), _ in found], np.int64),
            np.array([places.get(event, len(events)) for (_, event, _), _ in found], np.int64),
            Aspect.MALFORMED,
            self.details([reason.value for (_, _, reason), _ in found]),
            np.array([count for _, count in found], np.int64),
        )

    def _add(self, home: Ints, event: Ints, aspect: Aspect, details: Ints, counts: Ints) -> None:
        known = home != NEVER
        self._rows.append(
            _Rows(
                home[known],
                event[known],
                np.full(int(known.sum()), aspect, np.int64),
                details[known],
                counts[known],
            )
        )

    def ledger(self, events: Sequence[str]) -> Ledger | None:
        """The rows, added up and sorted; None where there are none."""
        names, name_of = _in_order([*events, ""])
        texts, text_of = _in_order(list(self._details))
        bucket = np.concatenate([rows.bucket for rows in self._rows])
        event = name_of[np.concatenate([rows.event for rows in self._rows])]
        aspect = np.concatenate([rows.aspect for rows in self._rows])
        detail = text_of[np.concatenate([rows.detail for rows in self._rows])]
        count = np.concatenate([rows.count for rows in self._rows])
        if not bucket.size:
            return None
        order = np.lexsort((detail, aspect, event, bucket))
        keys = [column[order] for column in (bucket, event, aspect, detail)]
        first = np.flatnonzero(
            np.concatenate([[True], np.any([k[1:] != k[:-1] for k in keys], axis=0)])
        )
        bucket, event, aspect, detail = (column[first] for column in keys)
        used_names, event = np.unique(event, return_inverse=True)
        used_texts, detail = np.unique(np.append(detail, 0), return_inverse=True)
        return Ledger(
            bucket=bucket,
            event=event.astype(np.int32),
            aspect=aspect.astype(np.int16),
            detail=detail[:-1].astype(np.int32),
            count=np.add.reduceat(count[order], first),
            events=[names[one] for one in used_names.tolist()],
            details=[texts[one] for one in used_texts.tolist()],
        )


def _in_order(texts: Sequence[str]) -> tuple[list[str], Ints]:
    """The texts sorted, and by each one's number its place."""
    order = sorted(range(len(texts)), key=texts.__getitem__)
    place = np.empty(len(texts), np.int64)
    place[order] = np.arange(len(texts))
    return [texts[one] for one in order], place

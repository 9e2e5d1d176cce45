"""The lines of a flush to its `Ledger`: what was seen of the measurement itself."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.kinds import EventCells
from monitor.ingest.slots import Lateness, Slots
from monitor.ingest.tally import Tallied
from monitor.ingest.units import NOBODY
from monitor.model.ledger import Aspect, Ledger
from monitor.model.time import NEVER, SECOND
from monitor.stats.histogram import bins

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

VERSION_DIMENSION: Final = "app_version"
"""By the values of which events are counted, so that an emitter that fell silent can be told."""
_NO_DETAIL: Final = np.zeros(1, np.int64)


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
            calendars = names[owner].combos.calendars(combo)
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
    page = _Page(tallied, [name.shape.event for name in names], slots)
    cells = tallied.slot.size
    timely = worst == Lateness.ON_TIME
    page.count(Aspect.LINES, tallied.lines * timely)
    page.count(Aspect.EVENTS, tallied.events * timely)
    unidentified = np.bincount(tallied.cell[tallied.ident == NOBODY], minlength=cells)
    page.count(Aspect.IDENTIFIED, (tallied.lines - unidentified) * timely)
    if repeated.any():
        again = np.bincount(tallied.cell[repeated], minlength=cells)
        page.count(Aspect.REPEATED, again * timely)
    if not timely.all():
        page.count(Aspect.LATE, tallied.lines * ~timely)
        page.count(Aspect.TOO_LATE, tallied.lines * (worst == Lateness.TOO_LATE))
    for number, name in enumerate(names):
        own = np.flatnonzero(timely & (tallied.owner == number))
        if own.size:
            _count_fields(page, name, own, tallied)
    if tallied.delayed.size:
        _count_delays(page, tallied)
    page.count_dead(tallied)
    return page.ledger()


def _count_fields(page: "_Page", name: EventCells, own: Ints, tallied: Tallied) -> None:
    """What lines of one event name lack, and their versions.

    Args:
        page: to count on.
        name: the event name.
        own: its cells that are on time.
        tallied: the cells.
    """
    combo, lines = tallied.combo[own], tallied.lines[own]
    lacks = name.combos.lacks()
    if lacks.any():
        incomplete = np.flatnonzero(lacks.any(axis=1))
        page.count(Aspect.INCOMPLETE, lines * np.isin(combo, incomplete), own)
        for place in np.flatnonzero(lacks.any(axis=0)).tolist():
            detail = page.details([name.shape.needed[place]])
            page.count(Aspect.MISSING, lines * lacks[combo, place], own, detail)
    if VERSION_DIMENSION in name.shape.dimensions:
        place = name.shape.dimensions.index(VERSION_DIMENSION)
        versions, of_combo = name.combos.values(place)
        number = of_combo[combo]
        given = number >= 0
        page.count(
            Aspect.VERSION,
            tallied.events[own[given]],
            own[given],
            page.details(versions),
            number[given],
        )


def _count_delays(page: "_Page", tallied: Tallied) -> None:
    """Of the lines whose arrival was looked at, how long after the event they came."""
    used, number = np.unique(bins(tallied.delay_us / SECOND), return_inverse=True)
    details = page.details([str(one) for one in used.tolist()])
    one = np.ones(number.size, np.int64)
    page.count(Aspect.DELAY, one, tallied.delayed, details, number)


class _Page:
    """Collects the rows of one ledger.

    Args:
        tallied: the cells.
        events: their names, by number; sorted.
        slots: in which they stand.
    """

    def __init__(self, tallied: Tallied, events: Sequence[str], slots: Slots) -> None:
        homes = np.array(slots.homes, np.int64)
        self._homes, home = np.unique(homes, return_inverse=True)
        self._events = events
        self._place = home[tallied.slot] * len(events) + tallied.owner
        self._details: dict[str, int] = {"": 0}
        self._rows: list[tuple[Ints, Ints, Ints, Ints, Ints]] = []

    def details(self, texts: Sequence[str]) -> Ints:
        """Their numbers."""
        known = self._details
        return np.array([known.setdefault(text, len(known)) for text in texts], np.int64)

    def count(
        self,
        aspect: Aspect,
        counts: Ints,
        cells: Ints | None = None,
        details: Ints = _NO_DETAIL,
        which: Ints | int = 0,
    ) -> None:
        """Count by cell.

        Args:
            aspect: what.
            counts: what is counted.
            cells: of which cell each is; without, there is one for every cell.
            details: numbers of the details that there are.
            which: of each, index of its detail among them.
        """
        place = self._place if cells is None else self._place[cells]
        total = np.bincount(place * details.size + which, counts).astype(np.int64)
        row = np.flatnonzero(total)
        rest, detail = np.divmod(row, details.size)
        home, event = np.divmod(rest, len(self._events))
        self._add(self._homes[home], event, aspect, details[detail], total[row])

    def count_dead(self, tallied: Tallied) -> None:
        """Count the dead letters; those without a known name come after all event names."""
        places = {event: number for number, event in enumerate(self._events)}
        for (home, event, reason), count in tallied.dead.items():
            self._add(
                np.array([home]),
                np.array([places.get(event, len(self._events))]),
                Aspect.MALFORMED,
                self.details([reason.value]),
                np.array([count]),
            )

    def _add(self, home: Ints, event: Ints, aspect: Aspect, details: Ints, counts: Ints) -> None:
        self._rows.append((home, event, np.full(home.size, aspect), details, counts))

    def ledger(self) -> Ledger | None:
        """The rows, sorted; None where there are none."""
        columns = [np.concatenate(column) for column in zip(*self._rows, strict=True)]
        known = columns[0] != NEVER
        if not known.any():
            return None
        bucket, event, aspect, detail, count = (column[known] for column in columns)
        names, event = _in_order([*self._events, ""], event)
        texts, detail = _in_order(list(self._details), np.append(detail, 0))
        detail = detail[:-1]
        order = np.lexsort((detail, aspect, event, bucket))
        return Ledger(
            bucket=bucket[order],
            event=event[order].astype(np.int32),
            aspect=aspect[order].astype(np.int16),
            detail=detail[order].astype(np.int32),
            count=count[order],
            events=names,
            details=texts,
        )


def _in_order(texts: Sequence[str], number: Ints) -> tuple[list[str], Ints]:
    """The texts that are used, sorted, and the numbers of the texts as indices of those."""
    used, place = np.unique(number, return_inverse=True)
    own = [texts[one] for one in used.tolist()]
    order = sorted(range(len(own)), key=own.__getitem__)
    rank = np.empty(len(own), np.int64)
    rank[order] = np.arange(len(own))
    return [own[one] for one in order], rank[place]

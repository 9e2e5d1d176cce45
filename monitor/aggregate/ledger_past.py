"""The newest two days of ledgers by base bucket, and five weeks of them by hour: any span in one step.

What is kept are running totals: a span's counts are the difference of two rows. A row is final once
every source's watermark has passed its bucket, so that what is read depends on no frame's borders.
"""

from itertools import pairwise
from typing import Any, Final

import numpy as np

from monitor.model.frame import Frame
from monitor.model.ledger import Aspect, Ledger
from monitor.model.tick import Ints
from monitor.model.time import DAY, HOUR, NEVER

FINE_US: Final = 2 * DAY
MOST_FINE: Final = 8_640
"""Base buckets kept at most: fewer than two days' where they are shorter than 20 s."""
HOURS: Final = 36 * 24
MOST_KEYS: Final = 2_048
"""Of (event, aspect, detail), in the order in which they come; more are not kept."""
MOST_VERSIONS: Final = 1_024
"""Of them those of app versions, which come and go: the others must find room."""

LOST: Final = 100
READ: Final = 101
ACTIVE: Final = 102
"""Beside the aspects, of no event name: events lost by a source, messages read, and base buckets in which
anything arrived, whether or not a metric uses it (each as often as frames tell of it)."""

Key = tuple[str, int, str]
"""(event, aspect, detail)."""


class LedgerPast:
    """Counts of lines by event, aspect and detail, as far back as anything may ask for them.

    Args:
        base_us: width of the ledgers' buckets; divides the hour.
        state: what `dump` gave.

    Attributes:
        base_us: as given.
    """

    def __init__(self, base_us: int, state: dict[str, Any] | None = None) -> None:
        self.base_us = base_us
        self._fine = _Totals(base_us, min(FINE_US // base_us, MOST_FINE) + 1)
        self._hours = _Totals(HOUR, HOURS + 1)
        self._keys: dict[Key, int] = {}
        self._names: dict[int, list[Key]] = {}
        self._open: dict[int, Ints] = {}
        self._floor_us = NEVER
        if state is not None and state["base"] == base_us:
            self._load(state)

    @property
    def version(self) -> int:
        """How many keys there are: grows when one is new."""
        return len(self._keys)

    @property
    def size(self) -> int:
        """How long the vectors of `between` are: as many as the keys, or more."""
        return self._fine.width

    def column(self, event: str, aspect: int, detail: str = "") -> int | None:
        """Place of a count in the vectors of `between`; None where it was never seen."""
        return self._keys.get((event, int(aspect), detail))

    def keys(self, aspect: int) -> list[Key]:
        """All keys of an aspect."""
        return self._names.get(int(aspect), [])

    def take(self, frame: Frame) -> None:
        """Take in what a frame says of the measurement."""
        if frame.ledger is not None:
            self._add(frame.ledger)
        if len(frame.activity):
            place = np.array([self._place("", ACTIVE, "")])
            for start in frame.activity.tolist():
                self._grow(start, place, np.ones(1, np.int64))
        read = frame.stop - frame.start - frame.lost
        if frame.newest_us != NEVER and (read or frame.lost):
            start = frame.newest_us // self.base_us * self.base_us
            place = np.array([self._place("", READ, ""), self._place("", LOST, "")])
            self._grow(start, place, np.array([read, frame.lost]))

    def _add(self, ledger: Ledger) -> None:
        kept = ledger.aspect != Aspect.DELAY
        details = max(len(ledger.details), 1)
        code = (ledger.event.astype(np.int64) * 64 + ledger.aspect) * details + ledger.detail
        distinct, which = np.unique(code[kept], return_inverse=True)
        places = np.array([self._place(*_key(ledger, int(c), details)) for c in distinct], np.int64)
        bucket, count, place = ledger.bucket[kept], ledger.count[kept], places[which]
        edges = np.flatnonzero(np.diff(bucket, prepend=NEVER, append=NEVER)).tolist()
        for begin, stop in pairwise(edges):
            self._grow(int(bucket[begin]), place[begin:stop], count[begin:stop])

    def _place(self, event: str, aspect: int, detail: str) -> int:
        """Place of a key; -1 where there are too many."""
        key = (event, aspect, detail)
        place = self._keys.get(key)
        if place is None:
            versions = aspect == Aspect.VERSION and len(self.keys(aspect)) >= MOST_VERSIONS
            if versions or len(self._keys) >= MOST_KEYS:
                return -1
            place = self._keys[key] = len(self._keys)
            self._names.setdefault(aspect, []).append(key)
            self._fine.widen(place + 1)
            self._hours.widen(place + 1)
        return place

    def _grow(self, start_us: int, place: Ints, count: Ints) -> None:
        """Add counts to a bucket; to the first one that is not final where it is."""
        if start_us < self._floor_us:
            return
        start_us = max(start_us // self.base_us * self.base_us, self._fine.settled_us)
        counts = self._open.get(start_us)
        if counts is None or len(counts) < self.size:
            grown = np.zeros(self.size, np.int64)
            if counts is not None:
                grown[: len(counts)] = counts
            counts = self._open[start_us] = grown
        known = place >= 0
        counts[place[known]] += count[known]

    def settle(self, until_us: int) -> None:
        """Make what lies before this time final: every source's watermark has passed it."""
        until_us -= until_us % self.base_us
        if until_us <= self._fine.settled_us:
            return
        for start in sorted(s for s in self._open if s < until_us):
            counts = self._open.pop(start)
            self._advance(start)
            self._fine.add(counts)
            self._hours.add(counts)
            self._advance(start + self.base_us)
        if self._fine.begun:
            self._advance(until_us)

    def _advance(self, until_us: int) -> None:
        self._fine.advance(until_us)
        self._hours.advance(until_us)

    def settle_all(self) -> None:
        """Make everything final: nothing is to come any more."""
        if self._open:
            self.settle(max(self._open) + self.base_us)

    def between(self, since_us: int, until_us: int) -> Ints | None:
        """Counts by key of the whole base buckets (or hours, if long ago) of a span that are final.

        Returns:
            int64[size]; None where the span's beginning is not kept any more.
        """
        found = self._fine.between(since_us, until_us)
        return found if found is not None else self._hours.between(since_us, until_us)

    def hourly(self, until_us: int, hours: int) -> Ints:
        """Counts by key of each of the whole hours before a time. int64[hours, size]."""
        last = until_us // HOUR * HOUR
        spans = (
            self._hours.between(last - k * HOUR, last - (k - 1) * HOUR) for k in range(hours, 0, -1)
        )
        nothing = np.zeros(self.size, np.int64)
        return np.stack([nothing if one is None else one for one in spans])

    def end_history(self) -> None:
        """Forget what is not final, and pass over whatever still comes for that time."""
        self._open.clear()
        self._floor_us = max(self._floor_us, self._fine.settled_us)

    def dump(self) -> dict[str, Any]:
        """The state as plain values and arrays."""
        return {
            "base": self.base_us,
            "keys": [list(key) for key in self._keys],
            "open": sorted(self._open.items()),
            "floor": self._floor_us,
            "fine": self._fine.dump(),
            "hours": self._hours.dump(),
        }

    def _load(self, state: dict[str, Any]) -> None:
        for event, aspect, detail in state["keys"]:
            self._place(event, aspect, detail)
        self._open = {start: np.array(counts) for start, counts in state["open"]}
        self._floor_us = state["floor"]
        self._fine.load(state["fine"])
        self._hours.load(state["hours"])


class _Totals:
    """A ring of running totals: row k is what came before the end of the k-th slot of a width."""

    def __init__(self, width_us: int, slots: int) -> None:
        self._width_us = width_us
        self._slots = slots
        self._ring = np.zeros((slots, 0), np.int64)
        self._now = np.zeros(0, np.int64)
        self._first = self._next = 0
        self.begun = False

    @property
    def width(self) -> int:
        """Columns."""
        return len(self._now)

    @property
    def settled_us(self) -> int:
        """Where the newest row ends; NEVER before the first."""
        return self._next * self._width_us if self.begun else NEVER

    def widen(self, columns: int) -> None:
        """Have room for so many columns: what is new was 0 before."""
        if columns > self.width:
            more = max(columns, 2 * self.width, 16) - self.width
            self._ring = np.pad(self._ring, ((0, 0), (0, more)))
            self._now = np.pad(self._now, (0, more))

    def add(self, counts: Ints) -> None:
        """Count in the slot that comes next."""
        self._now[: len(counts)] += counts

    def advance(self, until_us: int) -> None:
        """End all slots that end at or before a time."""
        stop = until_us // self._width_us
        if not self.begun:
            self._first = self._next = stop
            self.begun = True
        if stop == self._next + 1:  # the rule, and quick
            self._ring[self._next % self._slots] = self._now
            self._next = stop
        elif stop > self._next:
            begin = max(self._next, stop - self._slots)
            self._ring[np.arange(begin, stop) % self._slots] = self._now
            self._next = stop

    def between(self, since_us: int, until_us: int) -> Ints | None:
        """What came in the whole slots of a span; None where its beginning is not kept."""
        begin = max(-(-since_us // self._width_us), self._first)
        stop = min(until_us // self._width_us, self._next)
        if begin > self._first and begin - 1 < self._next - self._slots:
            return None
        if stop <= begin:
            return np.zeros(self.width, np.int64)
        last: Ints = self._ring[(stop - 1) % self._slots]
        if begin <= self._first:
            return last.copy()
        difference: Ints = last - self._ring[(begin - 1) % self._slots]
        return difference

    def dump(self) -> dict[str, Any]:
        """The rows in use as differences, which are small."""
        begin = max(self._first, self._next - self._slots)
        rows = self._ring[np.arange(begin, self._next) % self._slots]
        return {
            "begun": self.begun,
            "first": self._first,
            "next": self._next,
            "rows": np.diff(rows, axis=0, prepend=0),
            "now": self._now.copy(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `dump` gave."""
        self.begun, self._first, self._next = state["begun"], state["first"], state["next"]
        rows, columns = state["rows"].shape
        self.widen(columns)
        places = np.arange(self._next - rows, self._next) % self._slots
        self._ring[places, :columns] = np.cumsum(state["rows"], axis=0)
        self._now[:columns] = state["now"]


def _key(ledger: Ledger, code: int, details: int) -> Key:
    rest, detail = divmod(code, details)
    event, aspect = divmod(rest, 64)
    return ledger.events[event], aspect, ledger.details[detail]

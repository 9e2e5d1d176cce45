"""Which bucket of a calendar closes next: one after the other, long gaps by their first and last."""

from typing import Any

from monitor.definitions.calendar import bucket_end, bucket_start
from monitor.definitions.plan import Calendar
from monitor.model.time import FOREVER, NEVER, WEEK

LONGEST_GAP_US = WEEK
"""A gap in which nothing arrives for longer is written as its first and last bucket only."""


class Closing:
    """Walks over the buckets of a calendar.

    Attributes:
        next_us: start of the next bucket to close; FOREVER before the first event.
        begun: whether any bucket has closed.
        active: buckets, not closed yet, in which any event arrived.
        floor_us: what starts earlier belongs to a history, and is passed over.
        resumed: the next bucket to close is the first after a history, and may lack its beginning.
    """

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self.next_us = FOREVER
        self.begun = False
        self.active: set[int] = set()
        self.floor_us = NEVER
        self.resumed = False

    @property
    def open_from_us(self) -> int:
        """Start of the first bucket that may still take events in time."""
        return max(self.floor_us, self.next_us if self.begun else NEVER)

    def note(self, start_us: int) -> None:
        """An event arrived in time for this bucket."""
        self.active.add(start_us)
        if not self.begun:
            self.next_us = min(self.next_us, start_us)

    def reaches_back(self) -> None:
        """The sources hold events of the history too: nothing is missing after it."""
        self.resumed = False

    def next_end(self, until_us: int) -> int | None:
        """End of the next bucket to close, if that is not after `until_us`."""
        if self.next_us == FOREVER:
            return None
        end = bucket_end(self._calendar, self.next_us)
        return end if end <= until_us else None

    def move_on(self, until_us: int) -> None:
        """The next bucket has closed: go to the one after it.

        Args:
            until_us: the watermark: how far buckets may close, which bounds a gap.
        """
        self.begun, self.resumed = True, False
        end = bucket_end(self._calendar, self.next_us)
        empty = self.next_us not in self.active
        self.active.discard(self.next_us)
        self.next_us = self._after_gap(end, until_us) if empty else end

    def _after_gap(self, end: int, until_us: int) -> int:
        """Start of the next bucket to close after an empty one: inside a long gap, its last."""
        open_until = bucket_end(self._calendar, until_us)  # whatever is still to come lies before
        following = min([open_until, *(s for s in self.active if s >= end)])
        if following - end <= LONGEST_GAP_US:
            return end
        return bucket_start(self._calendar, following - 1)

    def end_history(self, floor_us: int) -> None:
        """Begin anew, at the first bucket from `floor_us` on that anything comes for."""
        self.floor_us = max(self.floor_us, floor_us)
        self.resumed = self.resumed or self.begun
        self.active.clear()
        self.next_us, self.begun = FOREVER, False

    def dump(self) -> dict[str, Any]:
        """The state as plain values."""
        return {
            "active": sorted(self.active),
            "floor": self.floor_us,
            "next": self.next_us,
            "begun": self.begun,
            "resumed": self.resumed,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `dump` gave."""
        self.active = set(state["active"])
        self.floor_us = state["floor"]
        self.next_us = state["next"]
        self.begun = state["begun"]
        self.resumed = state["resumed"]

"""What units did in buckets that have not closed, in whatever order it comes."""

from typing import Any

import numpy as np

from monitor.model.tick import Ints

_LEAST = 4096
"""Events that may wait at least; more are settled once they outnumber those that have been."""
_NOTHING: Ints = np.zeros((3, 0), dtype=np.int64)


class UnitPile:
    """Events by the start of their bucket: columns (place, key, time), none twice.

    Args:
        most: units that a place keeps, those with the smallest hashes; None keeps all.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._parts: dict[int, list[Ints]] = {}

    def starts(self) -> list[int]:
        """Starts of the buckets that hold anything."""
        return sorted(self._parts)

    def add(self, start_us: int, events: Ints) -> None:
        """Add events to a bucket. int64[3, e]."""
        parts = self._parts.setdefault(start_us, [_NOTHING])
        parts.append(events)
        if sum(part.shape[1] for part in parts[1:]) > max(_LEAST, parts[0].shape[1]):
            parts[:] = [settled(parts, self._most)]

    def get(self, start_us: int) -> Ints:
        """The events of a bucket, sorted by place, key and time. int64[3, e]."""
        parts = self._parts.get(start_us)
        if parts is None:
            return _NOTHING
        if len(parts) > 1:
            parts[:] = [settled(parts, self._most)]
        return parts[0]

    def take(self, start_us: int) -> Ints:
        """Remove a bucket and return its events."""
        events = self.get(start_us)
        self._parts.pop(start_us, None)
        return events

    def clear(self) -> None:
        """Forget everything."""
        self._parts.clear()

    def dump(self) -> list[Any]:
        """Every bucket with its events."""
        return [[start, self.get(start)] for start in sorted(self._parts)]

    def load(self, state: list[Any]) -> None:
        """Take over what `dump` gave."""
        self._parts = {start: [events] for start, events in state}


def settled(parts: list[Ints], most: int | None) -> Ints:
    """All events once, sorted; of each place the units with the smallest hashes. int64[3, e].

    Whatever the order, and however often it is done on the way, the result is the same.
    """
    events = np.concatenate(parts, axis=1)
    events = events[:, np.lexsort(events[::-1])]
    if events.shape[1] > 1:
        events = events[:, np.r_[True, (events[:, 1:] != events[:, :-1]).any(axis=0)]]
    if most is None or events.shape[1] <= most:
        return events
    place, key, _ = events
    new_place = np.r_[True, place[1:] != place[:-1]]
    unit = np.cumsum(new_place | np.r_[True, key[1:] != key[:-1]])
    heads = np.flatnonzero(new_place)
    before = np.repeat(unit[heads], np.diff(np.r_[heads, len(place)]))
    return events[:, unit - before < most]

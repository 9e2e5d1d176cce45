"""What units did in buckets that have not closed, in whatever order it comes.

Of a unit that starts very often in one bucket a few starts are kept, its first ones and its last: so that a
robot costs no more than others. For a conversion the first and the last start tell everything: a horizon is
no shorter than a bucket, so that what comes before the last start is in time for the first.
"""

from typing import Any

import numpy as np

from monitor.model.tick import Ints

_LEAST = 4096
"""Events that may wait at least; more are settled once they outnumber those that have been."""
FEW = 64
"""Starts of one unit that a bucket keeps of a series."""
_NOTHING: Ints = np.zeros((3, 0), dtype=np.int64)


class UnitPile:
    """Events by the start of their bucket: columns (place, key, time), none twice.

    Args:
        most: units that a place keeps, those with the smallest hashes, with `FEW` events of each; None
            keeps everything.

    Attributes:
        left_out: events that were not kept, being one of too many of a unit.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self.left_out = 0
        self._parts: dict[int, list[Ints]] = {}

    def starts(self) -> list[int]:
        """Starts of the buckets that hold anything."""
        return sorted(self._parts)

    def add(self, start_us: int, events: Ints) -> None:
        """Add events to a bucket. int64[3, e]."""
        parts = self._parts.setdefault(start_us, [_NOTHING])
        parts.append(events)
        if sum(part.shape[1] for part in parts[1:]) > max(_LEAST, parts[0].shape[1]):
            self._settle(parts)

    def _settle(self, parts: list[Ints]) -> None:
        events = settled(parts)
        if self._most is not None:
            few = _few(events)
            self.left_out += events.shape[1] - few.shape[1]
            events = _smallest(few, self._most)
        parts[:] = [events]

    def get(self, start_us: int) -> Ints:
        """The events of a bucket, sorted by place, key and time. int64[3, e]."""
        parts = self._parts.get(start_us)
        if parts is None:
            return _NOTHING
        if len(parts) > 1:
            self._settle(parts)
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
        """Every bucket with its events, and how many were left out."""
        held = [[start, self.get(start)] for start in sorted(self._parts)]
        return [self.left_out, *held]

    def load(self, state: list[Any]) -> None:
        """Take over what `dump` gave."""
        self.left_out, *held = state
        self._parts = {start: [events] for start, events in held}


def settled(parts: list[Ints]) -> Ints:
    """All events once, sorted. int64[3, e]."""
    events = np.concatenate(parts, axis=1)
    events = events[:, np.lexsort(events[::-1])]
    if events.shape[1] > 1:
        events = events[:, np.r_[True, (events[:, 1:] != events[:, :-1]).any(axis=0)]]
    return events


def _few(events: Ints) -> Ints:
    """Of each place and unit the first events and the last one: the same, however often it is done."""
    if events.shape[1] <= FEW:
        return events
    new = np.r_[True, (events[:2, 1:] != events[:2, :-1]).any(axis=0)]
    first = np.flatnonzero(new)
    sizes = np.diff(np.r_[first, events.shape[1]])
    if sizes.max() <= FEW:
        return events
    place = np.arange(events.shape[1]) - np.repeat(first, sizes)
    is_last = np.r_[new[1:], True]
    return events[:, (place < FEW - 1) | is_last]


def _smallest(events: Ints, most: int) -> Ints:
    """Of each place the units with the smallest hashes: the same, however often it is done."""
    if events.shape[1] <= most:
        return events
    place, key, _ = events
    new_place = np.r_[True, place[1:] != place[:-1]]
    unit = np.cumsum(new_place | np.r_[True, key[1:] != key[:-1]])
    heads = np.flatnonzero(new_place)
    before = np.repeat(unit[heads], np.diff(np.r_[heads, len(place)]))
    return events[:, unit - before < most]

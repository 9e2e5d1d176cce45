"""The releases that a shard was told of, and the time in which the effect of each is measured."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from monitor.model.release import Release
from monitor.model.time import DAY, FOREVER, HOUR

WATCHED_US = DAY
"""Evidence is taken in for so long, unless the next release comes before."""
GATE_US = 6 * HOUR
"""What a gate looks at; the rest is late evidence."""
KEPT = 500
"""Releases that are remembered; of more the oldest are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A release, and the time in which its effect is measured.

    Attributes:
        release: which.
        begin_us, end_us: only buckets that lie inside count.
    """

    release: Release
    begin_us: int
    end_us: int


class Book:
    """Releases by id; what is told again changes nothing."""

    def __init__(self) -> None:
        self._known: dict[str, Release] = {}

    @property
    def releases(self) -> tuple[Release, ...]:
        """Those that are known, in the order of their starts."""
        return tuple(self._known.values())

    def take(self, releases: Iterable[Release]) -> bool:
        """Take in what was told; whether anything is news.

        Of two forms of one release the one that is further in its life stays: a start that is told
        after the end does not undo it.
        """
        changed = False
        for release in releases:
            known = self._known.get(release.id)
            if known == release or (known and release.status.rank < known.status.rank):
                continue
            self._known[release.id] = release
            changed = True
        if changed:
            order = sorted(self._known.values(), key=lambda r: (r.started_us, r.id))
            self._known = {release.id: release for release in order[-KEPT:]}
        return changed

    def windows(self) -> list[Window]:
        """The window of every release, in the order of their starts."""
        return [
            Window(release=release, begin_us=release.begin_us, end_us=self._end_us(release))
            for release in self._known.values()
        ]

    def _end_us(self, release: Release) -> int:
        after = (
            other.started_us
            for other in self._known.values()
            if other.place == release.place and _comes_after(other, release)
        )
        rolled_back = FOREVER if release.rolled_back_us is None else release.rolled_back_us
        return min(release.begin_us + WATCHED_US, rolled_back, *after, FOREVER)

    def dump(self) -> list[Any]:
        """The releases as plain values."""
        return [msgspec.to_builtins(release) for release in self._known.values()]

    def load(self, state: list[Any]) -> None:
        """Take over what `dump` gave."""
        self.take(msgspec.convert(state, list[Release]))


def _comes_after(other: Release, release: Release) -> bool:
    return (other.started_us, other.id) > (release.started_us, release.id)


def overlapping(windows: Iterable[Window], of: Window, until_us: int) -> list[Release]:
    """The other releases that were going on while the effect of one was measured, up to a time.

    Those of the same service and environment end its window and are not among them, unless they
    began before it and had not finished.
    """
    end_us = min(of.end_us, until_us)
    found = []
    for window in windows:
        other = window.release
        finished = other.finished_us if other.finished_us is not None else other.started_us
        inside = other.started_us < end_us and finished >= of.release.started_us
        if other.id != of.release.id and inside:
            found.append(other)
    return found

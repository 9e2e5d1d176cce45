"""How far a source has come in event time, and why one wrong clock does not close a day of buckets."""

from collections.abc import Mapping
from typing import Any, Final

from monitor.model.time import HOUR, NEVER

JUMP_US: Final = HOUR
"""An event further ahead of the newest than this is a candidate, not the newest."""
CONFIRMING: Final = 3
"""So many candidates are believed."""


class Watermark:
    """The newest confirmed event time of one source, and the watermark that follows from it.

    Events more than an hour ahead of the newest, and a source's first ones, are candidates; once
    three are held, the lowest becomes the newest, and those within an hour of it push it on.

    Attributes:
        newest_us: newest confirmed event time; `NEVER` before there is one.
        seen_us: newest candidate there ever was; `NEVER` before there is one.
        watermark_us: newest confirmed less the allowed lateness, or what idleness made of it; it
            never moves back.
        candidates: event times that wait to be confirmed, sorted.

    >>> clock = Watermark(allowed_lateness_us=0, idle_timeout_us=0)
    >>> for time in (5, 9, 7): clock.observe(time)
    >>> clock.newest_us
    9
    >>> clock.observe(9 + HOUR + 1); clock.newest_us
    9
    """

    def __init__(self, *, allowed_lateness_us: int, idle_timeout_us: int) -> None:
        self.newest_us = NEVER
        self.seen_us = NEVER
        self.watermark_us = NEVER
        self.candidates: list[int] = []
        self._lateness_us = allowed_lateness_us
        self._silence_us = max(idle_timeout_us, allowed_lateness_us)

    def observe(self, time_us: int) -> None:
        """Take in one event's time."""
        if time_us <= self.newest_us:
            return
        if time_us <= self.limit_us:
            self.advance(time_us)
            return
        self.seen_us = max(self.seen_us, time_us)
        waiting = [time for time in self.candidates if time > self.limit_us]
        self.candidates = sorted([*waiting, time_us])
        if len(self.candidates) >= CONFIRMING:
            self._confirm()

    @property
    def limit_us(self) -> int:
        """The newest time that is believed at once."""
        return NEVER if self.newest_us == NEVER else self.newest_us + JUMP_US

    def advance(self, time_us: int) -> None:
        """Make this the newest event time: it is newer, and within `limit_us`."""
        self.newest_us = time_us
        self.watermark_us = max(self.watermark_us, time_us - self._lateness_us)

    def idle(self, now_us: int) -> None:
        """Declare the source read to its end and silent: time passes by the arrival clock."""
        self.watermark_us = max(self.watermark_us, now_us - self._silence_us)

    @property
    def best_newest_us(self) -> int:
        """Newest confirmed event time, else the newest seen; `NEVER` where there is none."""
        return self.seen_us if self.newest_us == NEVER else self.newest_us

    def _confirm(self) -> None:
        lowest, *others = self.candidates
        self.advance(lowest)
        for time in others:
            if time <= self.limit_us:
                self.advance(time)
        self.candidates = [time for time in others if time > self.limit_us]

    def dump(self) -> dict[str, Any]:
        """The state, short enough for the metadata of a Kafka offset."""
        return {
            "newest": self.newest_us,
            "seen": self.seen_us,
            "watermark": self.watermark_us,
            "candidates": self.candidates,
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over what `dump` gave."""
        self.newest_us = state["newest"]
        self.seen_us = state["seen"]
        self.watermark_us = state["watermark"]
        self.candidates = list(state["candidates"])

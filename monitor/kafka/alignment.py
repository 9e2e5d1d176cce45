"""Source partitions stay side by side in event time: one that is hours ahead of the slowest waits.

No bucket closes before every partition has passed its end. While one stands still, or is read more slowly,
what the others bring lies open in the core's memory; in the topic it costs nothing. (Stream processors call
it watermark alignment.)
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

from aiokafka.errors import KafkaError

from monitor.errors import MonitorError
from monitor.kafka.catching_up import say
from monitor.model.time import HOUR, NEVER, SECOND

AHEAD_US: Final = 6 * HOUR
"""So far a partition may be ahead of the slowest: 360 open buckets of a minute."""
ASK_SECONDS: Final = 0.5
ASK_AT_MOST_SECONDS: Final = 16.0
"""Others are asked twice as rarely after every answer that was no news, up to this."""
SAY_SECONDS: Final = 30.0
"""A wait that is shorter is no line of the log: reading a backlog is full of them."""

Committed = Callable[[], Awaitable[Mapping[int, int]]]
"""-> the watermark of every partition, by its number, that the group has committed."""


class Aligned(Protocol):
    """A partition that is read here.

    Attributes:
        waits: whether it is not to be read now.
    """

    waits: bool

    @property
    def watermark_us(self) -> int:
        """Event time up to which it was read; `NEVER` before it has any."""


class Alignment:
    """Decides which partitions of a worker wait.

    Partitions of other workers count by what they committed, which is asked for, beside the reading, only
    when one that is read here has come so far ahead of what was known of them. One without a watermark
    does not count: it gets one with its first events, or when it has been silent for the idle timeout.

    Args:
        committed: asks.
        say: takes an event and its fields; the log at `info`.
    """

    def __init__(self, committed: Committed, say: Callable[..., Any] = say) -> None:
        self._committed = committed
        self._say = say
        self._known: Mapping[int, int] = {}
        self._asking: asyncio.Task[None] | None = None
        self._asked_us = NEVER
        self._ask_at = 0.0
        self._pause = ASK_SECONDS
        self._since: dict[int, float] = {}
        self._told: set[int] = set()

    def settle(self, held: Mapping[int, Aligned], partitions: int) -> None:
        """Set `waits` of every partition that is read here.

        Args:
            held: those, by number.
            partitions: how many the topic has.
        """
        own = {number: unit.watermark_us for number, unit in held.items()}
        marks = {number: mark for number, mark in own.items() if mark != NEVER}
        now = asyncio.get_running_loop().time()
        if marks and len(held) < partitions:
            elsewhere = [number for number in range(partitions) if number not in held]
            known = {number: self._known[number] for number in elsewhere if number in self._known}
            self._ask_where_due(known, max(marks.values()), now)
            marks |= known
        slowest = min(marks, key=marks.__getitem__, default=0)
        for number, unit in held.items():
            ahead_us = own[number] - marks[slowest] if number in marks else 0
            unit.waits = ahead_us > AHEAD_US
            if unit.waits:
                self._note_wait(number, now, slowest=slowest, ahead_us=ahead_us)
            else:
                self._note_end(number)
        for number in self._since.keys() - held.keys():
            self._forget(number)

    def _ask_where_due(self, known: Mapping[int, int], newest_us: int, now: float) -> None:
        self._asked_us = min(self._asked_us, newest_us)
        lowest_us = min(known.values(), default=self._asked_us)
        if self._asking is None and newest_us - lowest_us > AHEAD_US and now >= self._ask_at:
            self._asking = asyncio.create_task(self._ask(newest_us))

    async def _ask(self, newest_us: int) -> None:
        """Ask what others have committed; an error, or no answer, is no news: all who write meet the same."""
        before = self._known
        try:
            with contextlib.suppress(MonitorError, KafkaError):
                if found := await self._committed():
                    self._known, self._asked_us = found, newest_us
        finally:
            is_news = self._known != before
            self._pause = ASK_SECONDS if is_news else min(2 * self._pause, ASK_AT_MOST_SECONDS)
            self._ask_at = asyncio.get_running_loop().time() + self._pause
            self._asking = None

    def _note_wait(self, number: int, now: float, *, slowest: int, ahead_us: int) -> None:
        since = self._since.setdefault(number, now)
        if now - since >= SAY_SECONDS and number not in self._told:
            self._told.add(number)
            self._say(
                "ingest.waits",
                partition=number,
                slowest=slowest,
                ahead_seconds=ahead_us // SECOND,
                remedy="see why the slowest partition is not read, or has no newer events; nothing is lost "
                "while the topic keeps what waits",
            )

    def _note_end(self, number: int) -> None:
        if number in self._told:
            self._say("ingest.goes_on", partition=number)
        self._forget(number)

    def _forget(self, number: int) -> None:
        self._since.pop(number, None)
        self._told.discard(number)

    async def close(self) -> None:
        """Ask no more."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})

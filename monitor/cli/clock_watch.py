"""Notices when the wall clock is set: it stands beside the one that only ever runs forward."""

import asyncio
from typing import Final

import structlog
from prometheus_client import Counter

from monitor.clock import Clock
from monitor.model.time import SECOND

JUMP_SECONDS: Final = 5.0
"""A correction by less is no news."""
_LOOK_SECONDS: Final = 1.0
_log = structlog.get_logger(__name__)


class ClockWatch:
    """Compares what has passed on two clocks.

    >>> watch = ClockWatch(1_000_000_000, 5.0)
    >>> watch.jump(1_002_000_000, 7.0), watch.jump(4_602_000_000, 7.0)
    (0.0, 3600.0)
    """

    def __init__(self, now_us: int, steady_seconds: float) -> None:
        self._ahead = now_us / SECOND - steady_seconds

    def jump(self, now_us: int, steady_seconds: float) -> float:
        """By how many seconds the wall clock was set since the last look; 0 where it was not."""
        ahead = now_us / SECOND - steady_seconds
        by, self._ahead = ahead - self._ahead, ahead
        return by if abs(by) > JUMP_SECONDS else 0.0


async def watch_clock(clock: Clock, jumps: Counter) -> None:
    """Log and count every jump, until cancelled.

    What it means: events may be judged to be of the future (dead letters, which can be sent again), and
    silence is dated by the clock as it stands.
    """
    steady = asyncio.get_running_loop().time
    watch = ClockWatch(clock(), steady())
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        by = watch.jump(clock(), steady())
        if by:
            jumps.inc()
            _log.warning("clock.jumped", by_seconds=round(by, 1), remedy="look at its NTP service")

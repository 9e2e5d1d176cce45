"""The wall clock, injected: only this file reads it."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Microseconds since the epoch, now."""


def wall_clock() -> int:
    """The machine's clock, microseconds since the epoch."""
    return time.time_ns() // 1000

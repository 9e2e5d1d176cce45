"""How the process of a role uses the garbage collector, the heap and the processor."""

import ctypes
import gc
import os
import platform
import struct
import sys
from typing import Final

import structlog

_COLLECT_EVERY: Final = 50_000
"""Objects between two looks of the garbage collector. By default it is 700, fewer than a batch holds,
and every batch would be looked at again and again while it is alive: half of the reading's time."""

_TURN_NS: Final = 100_000_000
"""The longest that Linux gives."""

_M_ARENA_MAX: Final = -8
_SYSCALL: Final = {"x86_64": 314, "aarch64": 274}
_SCHED_BATCH: Final = 3
_log = structlog.get_logger(__name__)


def relax_collector() -> None:
    """Tune the garbage collector for batches of records; for the start of a role."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_EVERY)


def share_one_heap() -> bool:
    """Let all threads allocate from one heap; for the start of a role, before its threads.

    The GNU allocator gives every thread a heap of its own (mallopt(3), `M_ARENA_MAX`). What a role
    decides is computed in whichever thread is free, so that what is kept lies among what is not, in all of them, and
    none can give back what it no longer needs. One interpreter runs in one thread at a time: a heap each
    saves it nothing.

    Returns:
        Whether the allocator took it; another has no such heaps.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and mallopt(_M_ARENA_MAX, 1) == 1


def give_back() -> bool:
    """Return to the system what the heap holds and nobody uses, the holes in it too (malloc_trim(3)).

    By itself the GNU allocator gives back only what lies above all that is in use, and less of that
    the larger the blocks were that it has seen: a process seems to grow that does not.

    Returns:
        Whether there was anything; another allocator has no such call.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return trim is not None and trim(0) == 1


def ask_for_long_turns() -> bool:
    """Tell Linux that this is work for throughput: let it run for long, and others before it.

    Where more processes want to run than there are cores, the scheduler changes between them every
    few milliseconds, and each finds the caches full of another's data: four ingest processes on two cores
    cost 1.2 to 1.75 times as much for every event as one (`benchmarks/scale.py`). With the policy
    `SCHED_BATCH` (sched(7)) and the longest slice (sched_setattr(2), `sched_runtime` since Linux 6.12) they
    cost what one does, and whoever asks for less at a time is let in before them. Nobody's share changes.

    Returns:
        Whether the system took it; where it does not, everything works as before.
    """
    number = _SYSCALL.get(platform.machine())
    if sys.platform != "linux" or number is None or sys.maxsize < 2**32:
        return False
    if os.sched_getscheduler(0) not in (os.SCHED_OTHER, os.SCHED_BATCH):
        return False  # somebody has chosen another one
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    # struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period
    attributes = struct.pack("=IIQiIQQQ", 48, _SCHED_BATCH, 0, nice, 0, _TURN_NS, 0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, 0, attributes, 0) != 0:
        _log.info("turns.refused", error=os.strerror(ctypes.get_errno()))
        return False
    return True

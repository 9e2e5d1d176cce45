"""What a role's process holds, for `/metrics`: memory, open files, asyncio tasks, and that it is there.

prometheus-client's own process collector knows the process that is asked only, not the other roles.
"""

import asyncio
import itertools
import os
from pathlib import Path

from monitor.cli.limits import file_limit, memory_limit
from monitor.cli.tuning import give_back
from monitor.clock import Clock
from monitor.model.time import SECOND
from monitor.telemetry import Counters

EVERY_SECONDS = 5.0
_GIVE_BACK_BEATS = 60

_SELF = Path("/proc/self")


def observe(role: str, counters: Counters, *, tasks: int, proc: Path = _SELF) -> None:
    """Show what the process holds now; memory and files only where the system tells (Linux).

    Args:
        role: the label.
        counters: where to.
        tasks: asyncio tasks that have not ended.
        proc: the system's folder of the process.
    """
    counters.role_tasks.labels(role).set(tasks)
    try:
        pages = int((proc / "statm").read_text().split()[1])
        files = sum(1 for _ in (proc / "fd").iterdir())
    except (OSError, ValueError, IndexError):
        return
    counters.role_resident.labels(role).set(pages * os.sysconf("SC_PAGE_SIZE"))
    counters.role_files.labels(role).set(files)


def show_limits(role: str, counters: Counters, *, root: Path = Path("/")) -> None:
    """Show what the process may hold at most, where the system tells.

    Args:
        role: the label.
        counters: where to.
        root: of the file system.
    """
    if (memory := memory_limit(root)) is not None:
        counters.role_memory_limit.labels(role).set(memory)
    if (files := file_limit(root)) is not None:
        counters.role_file_limit.labels(role).set(files)


async def keep_vitals(role: str, counters: Counters, clock: Clock) -> None:
    """Show it every few seconds until cancelled; a process that is frozen or gone falls silent.

    Every few minutes it gives back what it does not need first.
    """
    show_limits(role, counters)
    for beat in itertools.count(1):
        if beat % _GIVE_BACK_BEATS == 0:
            give_back()
        counters.role_seen.labels(role).set(clock() / SECOND)
        observe(role, counters, tasks=len(asyncio.all_tasks()))
        await asyncio.sleep(EVERY_SECONDS)

"""What the system says of a process: processor time, memory, open files."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A look at a process.

    Attributes:
        cpu: seconds of the processor since its start.
        resident: bytes of memory that it holds.
        files: open file handles.
        threads: its threads.
    """

    cpu: float
    resident: int
    files: int
    threads: int


def look(pid: int) -> Seen:
    """A look at it; raises `FileNotFoundError` or `ProcessLookupError` where there is none."""
    place = Path(f"/proc/{pid}")
    stat = (place / "stat").read_text().rsplit(")", 1)[1].split()
    return Seen(
        cpu=(int(stat[11]) + int(stat[12])) / _TICK,
        resident=int(stat[21]) * _PAGE,
        files=len(list((place / "fd").iterdir())),
        threads=int(stat[17]),
    )

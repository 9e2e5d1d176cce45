"""What a process may hold at most: memory by its control group or the machine, open files by its limit."""

from pathlib import Path, PurePosixPath

_MIB: int = 1 << 20
_NO_LIMIT: int = 1 << 60
"""A control group without a limit tells `max`, or in version 1 a number beyond any machine."""


def memory_limit(root: Path = Path("/")) -> int | None:
    """Bytes of memory that the process and what shares its limit may hold; None where nothing tells.

    The least of the limits of its control group (version 2, with those above it; version 1 as a
    container shows it) and of the machine's memory.

    Args:
        root: of the file system.
    """
    group = root / "sys/fs/cgroup"
    places = [group / "memory.max", group / "memory" / "memory.limit_in_bytes"]
    for line in _lines(root / "proc/self/cgroup"):
        if line.startswith("0::/"):
            path = PurePosixPath(line[4:])
            places += [group / each / "memory.max" for each in (path, *path.parents)]
    found = [int(text) for place in places for text in _lines(place) if text.isdecimal()]
    for line in _lines(root / "proc/meminfo"):
        name, _, value = line.partition(":")
        if name == "MemTotal":
            found.append(int(value.split()[0]) * 1024)
    return min((bytes_ for bytes_ in found if _MIB <= bytes_ < _NO_LIMIT), default=None)


def file_limit(root: Path = Path("/")) -> int | None:
    """Files that the process may have open; None where nothing tells, or there is no limit.

    Args:
        root: of the file system.
    """
    for line in _lines(root / "proc/self/limits"):
        if line.startswith("Max open files"):
            soft = line.removeprefix("Max open files").split()[0]
            return int(soft) if soft.isdecimal() else None
    return None


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []

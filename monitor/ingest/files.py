"""History from files: lines of plain, .gz and .zst files and of standard input."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from glob import glob, has_magic
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from monitor.errors import InputError
from monitor.ingest.archives import DamagedError, plain

STANDARD_INPUT: Final = "-"
LONGEST_LINE: Final = 64 << 20
"""Bytes of a line that are kept; all over 1 MiB are dead letters anyway."""


class Stream(Protocol):
    """A file that is open for reading."""

    def read(self, size: int, /) -> bytes | None:
        """Up to so many bytes."""

    def close(self) -> None:
        """Release it."""


class LineFile:
    """The lines of one file, read once.

    Attributes:
        name: as it was given.
        size: bytes of the file as it stands on disk; None where that is unknown (a pipe).
        bytes_read: how many of them were read so far.
        warnings: what was wrong with it as a whole; each names the file.
    """

    def __init__(self, name: str, stream: Stream, size: int | None) -> None:
        self.name = name
        self.size = size
        self.bytes_read = 0
        self.warnings: list[str] = []
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        """The lines, without their line feeds; a last one without one counts.

        Raises:
            InputError: reading failed.
        """
        for lines in self.blocks():
            yield from lines

    def blocks(self) -> Iterator[list[bytes]]:
        """The lines, as many at a time as a block of the file holds.

        Raises:
            InputError: reading failed.
        """
        rest = _Rest()
        anything = False
        try:
            for block in plain(self._read, self.name):
                anything = anything or bool(block)
                yield rest.split(block)
        except DamagedError as damage:
            what = "its whole lines count, what is left of the last one is a dead letter"
            self.warnings.append(f"{self.name}: {damage}; {what}")
            yield rest.end() or [damage.unread] * bool(damage.unread)
        else:
            yield rest.end()
            if not anything:
                self.warnings.append(f"{self.name}: is empty")
        if rest.cut:
            what = f"kept {LONGEST_LINE} bytes of each line that is longer"
            self.warnings.append(f"{self.name}: {what} ({rest.cut} in all)")
        self.close()

    def pieces(self, size: Callable[[], int]) -> Iterator[list[bytes]]:
        """The lines, a piece at a time; raises as `blocks` does.

        Args:
            size: asked for the lines of each piece, at least 1.
        """
        for lines in self.blocks():
            first = 0
            while first < len(lines):
                stop = first + size()
                yield lines[first:stop]
                first = stop

    def close(self) -> None:
        """Release the file; done by itself where it is read to its end."""
        self._stream.close()

    def _read(self, size: int) -> bytes:
        try:
            data = self._stream.read(size) or b""
        except OSError as error:
            raise InputError(_problem(self.name, error)) from None
        self.bytes_read += len(data)
        return data


class _Rest:
    """The line that the blocks so far have left unfinished."""

    def __init__(self) -> None:
        self.cut = 0
        self._parts: list[bytes] = []
        self._length = 0
        self._dropped = False

    def split(self, block: bytes) -> list[bytes]:
        """The lines that this block ends."""
        lines = block.split(b"\n")
        last = lines.pop()
        if lines:
            lines[0] = self._join(lines[0])
        self._keep(last)
        return lines

    def end(self) -> list[bytes]:
        """The last line, if there is one without a line feed."""
        line = self._join(b"")
        return [line] if line else []

    def _join(self, part: bytes) -> bytes:
        if not self._parts:
            return part
        self._keep(part)
        line = b"".join(self._parts)
        self.cut += self._dropped
        self._parts, self._length, self._dropped = [], 0, False
        return line

    def _keep(self, part: bytes) -> None:
        kept = part[: LONGEST_LINE - self._length]
        self._dropped = self._dropped or len(kept) < len(part)
        if kept:
            self._parts.append(kept)
            self._length += len(kept)


def open_lines(path: str) -> LineFile:
    """The lines of one file; `-` is standard input.

    Raises:
        InputError: it is absent, a directory, or may not be read.
    """
    if path == STANDARD_INPUT:
        return LineFile(path, _Pipe(sys.stdin.buffer), None)
    try:
        stream = Path(path).open("rb", buffering=0)  # noqa: SIM115 - closed when it was read
    except OSError as error:
        raise InputError(_problem(path, error)) from None
    status = os.fstat(stream.fileno())
    regular = bool(status.st_size) or Path(path).is_file()
    return LineFile(path, stream, status.st_size if regular else None)


def open_files(paths: Iterable[str]) -> list[LineFile]:
    """All of them, each once; opened before any is read, so that a mistake shows at once.

    Raises:
        InputError: one of them cannot be read.
    """
    opened: list[LineFile] = []
    try:
        opened.extend(open_lines(path) for path in dict.fromkeys(paths))
    except InputError:
        for file in opened:
            file.close()
        raise
    return opened


def expand(patterns: Iterable[str]) -> list[str]:
    """The files that patterns such as `events/*.ndjson.gz` match, each once, sorted by pattern.

    Raises:
        InputError: a pattern matches nothing.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        if not has_magic(pattern) or Path(pattern).exists():
            found[pattern] = None
            continue
        matches = sorted(glob(pattern, recursive=True))  # noqa: PTH207 - takes absolute patterns
        if not matches:
            message = f"{pattern}: matches no file in {Path.cwd()}; check source.files"
            raise InputError(message)
        found.update(dict.fromkeys(matches))
    return list(found)


class _Pipe:
    """Standard input: gives what has arrived, without waiting for a whole block."""

    def __init__(self, stream: BinaryIO) -> None:
        self._read: Callable[[int], bytes] = getattr(stream, "read1", stream.read)

    def read(self, size: int, /) -> bytes:
        """Up to so many bytes."""
        return self._read(size)

    def close(self) -> None:
        """Left open: it is not ours."""


def _problem(path: str, error: OSError) -> str:
    """What is wrong, and what to do."""
    match error:
        case FileNotFoundError():
            return f"{path}: no such file; check the path"
        case IsADirectoryError():
            return (
                f"{path}: is a directory; name the files in it, such as {path.rstrip('/')}/*.ndjson"
            )
        case PermissionError():
            return f"{path}: may not be read; check its permissions"
        case _:
            return f"{path}: cannot be read ({error.strerror}); check the disk or copy it"


@contextmanager
def closing(files: Iterable[LineFile]) -> Iterator[None]:
    """Closes what `open_files` opened, however it ends."""
    try:
        yield
    finally:
        for file in files:
            file.close()

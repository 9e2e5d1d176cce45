"""The synthetic shop as a file, with the truth about its faults beside it."""

import gzip
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final, cast

import msgspec
import zstandard

from monitor.embedded.whole_file import PARTIAL
from monitor.errors import StateError
from monitor.ingest.synthetic import Shop

TRUTH: Final = ".truth.json"
"""Ends the name of the truth's file."""
_GZIP_LEVEL: Final = 3
_ZSTD_LEVEL: Final = 3
_SUFFIXES: Final = (".ndjson", ".gz", ".zst")


def write(
    shop: Shop, path: Path, minutes: int, progress: Callable[[int, int], None] = lambda *_: None
) -> int:
    """Write the shop's first minutes, plain or compressed by the suffix, and `FILE.truth.json`.

    Both appear whole at the end, or not at all.

    Args:
        shop: whose events.
        path: ends in .ndjson, .gz or .zst.
        minutes: how many, from the first on.
        progress: is called with the minutes and the lines of each step.

    Returns:
        The number of lines.

    Raises:
        StateError: the suffix says nothing, or the file cannot be written.
    """
    if path.suffix not in _SUFFIXES:
        message = f"{path}: names no format: end the name in .ndjson, .ndjson.gz or .ndjson.zst"
        raise StateError(message)
    if path.is_dir():
        message = f"{path}: is a directory; name a file in it"
        raise StateError(message)
    truth = path.with_name(path.name + TRUTH)
    parts = {each: each.with_name(each.name + PARTIAL) for each in (path, truth)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _opened(parts[path], path.suffix) as file:
            written = _lines(shop, file, minutes, progress)
        encoded = msgspec.json.format(msgspec.json.encode(shop.truth()), indent=2)
        parts[truth].write_bytes(encoded + b"\n")
        for each, partial in reversed(parts.items()):
            partial.replace(each)
    except OSError as error:
        message = f"{path}: {error.strerror}: name a file that can be written, on a disk with room"
        raise StateError(message) from error
    finally:
        for partial in parts.values():
            with suppress(OSError):
                partial.unlink()
    return written


def _lines(shop: Shop, file: IO[bytes], minutes: int, progress: Callable[[int, int], None]) -> int:
    written = 0
    for minute in range(minutes):
        lines = shop.minute(minute)
        if lines:
            file.write(b"\n".join(lines) + b"\n")
        written += len(lines)
        progress(1, len(lines))
    return written


@contextmanager
def _opened(path: Path, suffix: str) -> Iterator[IO[bytes]]:
    """A file to write plain bytes to. The same events give the same archive: no times, no names."""
    with path.open("wb") as raw:
        if suffix == ".gz":
            with gzip.GzipFile("", "wb", _GZIP_LEVEL, raw, mtime=0) as file:
                yield cast("IO[bytes]", file)
        elif suffix == ".zst":
            with zstandard.ZstdCompressor(_ZSTD_LEVEL).stream_writer(raw) as file:
                yield file
        else:
            yield raw

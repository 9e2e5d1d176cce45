"""Compressed bytes to plain ones, a block at a time; what is cut off or damaged says so."""

import zlib
from collections.abc import Callable, Generator, Iterator
from typing import Final

import zstandard

BLOCK: Final = 1 << 20
"""Bytes that are read, and that leave the decompressor, at a time."""
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_GZIP_FORMAT: Final = 31
"""zlib's `wbits` of a gzip member."""
_ZSTD_PIECE: Final = 1024
"""Bytes given to zstd at a time. Its output has no bound, and what a call puts out before it raises is
lost: small pieces keep a bomb within reach and lose little."""

Read = Callable[[int], bytes]
"""Up to so many bytes; none at the end."""


class DamagedError(Exception):
    """An archive cannot be read on.

    Attributes:
        unread: compressed bytes at hand where reading stopped.
    """

    def __init__(self, problem: str, unread: bytes = b"") -> None:
        super().__init__(problem)
        self.unread = unread


def plain(read: Read, name: str) -> Iterator[bytes]:
    """The bytes of a file or stream, whatever it is compressed by; told from its first bytes.

    Args:
        read: gives the bytes as they stand in the file.
        name: of the file; one that ends in .gz or .zst is expected to be such an archive.

    Raises:
        DamagedError: after the last block that could be read.
    """
    head = read(BLOCK)
    if head.startswith(_GZIP):
        return _gunzip(head, read)
    if head.startswith(_ZSTD):
        return _unzstd(head, read)
    if name.endswith((".gz", ".zst")) and b"\0" in head:
        problem = "is damaged from its first byte on"
        raise DamagedError(problem, head)
    return _as_it_stands(head, read)


def _as_it_stands(head: bytes, read: Read) -> Iterator[bytes]:
    while head:
        yield head
        head = read(BLOCK)


def _gunzip(data: bytes, read: Read) -> Iterator[bytes]:
    """Members one after another, as gzip has them; zeros behind the last one are padding."""
    while data.startswith(_GZIP):
        member = zlib.decompressobj(_GZIP_FORMAT)
        yield from _inflate(member, data, read)
        data = (member.unused_data or read(BLOCK)).lstrip(b"\0")
        while len(data) < len(_GZIP) and (more := read(BLOCK)):
            data = (data + more).lstrip(b"\0")
    if data:
        problem = "has something else behind its end"
        raise DamagedError(problem, data)


def _inflate(member: "zlib._Decompress", data: bytes, read: Read) -> Iterator[bytes]:
    """One member, of which these are the first bytes."""
    while True:
        before = member.copy()
        try:
            block = member.decompress(data, BLOCK)
        except zlib.error as error:
            yield _salvaged(before, data)
            problem = f"is damaged ({error})"
            raise DamagedError(problem, data) from None
        yield block
        if member.eof:
            return
        data = member.unconsumed_tail or read(BLOCK)
        if not data:
            yield member.flush()
            problem = "is cut off"
            raise DamagedError(problem)


def _salvaged(member: "zlib._Decompress", data: bytes) -> bytes:
    """What comes out before the damage shows: a call that raises keeps its output to itself."""
    blocks: list[bytes] = []
    try:
        blocks.extend(member.decompress(data[at : at + 1]) for at in range(len(data)))
    except zlib.error:
        return b"".join(blocks)
    return b"".join(blocks)


def _unzstd(data: bytes, read: Read) -> Iterator[bytes]:
    """Frames one after another."""
    while data:
        data = (yield from _expand(data, read)) or read(BLOCK)


def _expand(data: bytes, read: Read) -> Generator[bytes, None, bytes]:
    """One frame, of which these are the first bytes; returns what is at hand of the next one."""
    frame = zstandard.ZstdDecompressor().decompressobj()
    while True:
        for at in range(0, len(data), _ZSTD_PIECE):
            piece = data[at : at + _ZSTD_PIECE]
            try:
                yield frame.decompress(piece)
            except zstandard.ZstdError as error:
                problem = f"is damaged ({error})"
                raise DamagedError(problem, piece) from None
            if frame.eof:
                return frame.unused_data + data[at + _ZSTD_PIECE :]
        data = read(BLOCK)
        if not data:
            problem = "is cut off"
            raise DamagedError(problem)

"""A shard's state on the snapshots topic: compressed chunks, closed by a manifest.

The keys are `shard|offset|chunk`; `offset` is where reading the frames goes on. A snapshot counts
only when its manifest and every chunk that it names are there and have its digest; the last two are
kept, so that a corrupt one costs minutes of frames and not the state.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
import xxhash
import zstandard

from monitor.kafka.broker import Broker, slices
from monitor.kafka.reading import whole_partition

KEPT = 2
_MANIFEST = "manifest"
_log = structlog.get_logger(__name__)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What closes a snapshot.

    Attributes:
        chunks: how many chunks it has.
        size: bytes of the state, uncompressed.
        digest: xxh3-128 of the compressed bytes, hexadecimal.
    """

    chunks: int
    size: int
    digest: str


def key(shard: int, offset: int, chunk: int | str) -> bytes:
    """The key of a chunk, or of the manifest."""
    return f"{shard}|{offset}|{chunk}".encode()


def entries(shard: int, offset: int, state: bytes) -> list[tuple[bytes, bytes]]:
    """Keys and values of a snapshot, the manifest last. Takes a while: call it in a thread."""
    packed = zstandard.compress(state)
    chunks = list(slices(packed))
    manifest = Manifest(
        chunks=len(chunks), size=len(state), digest=xxhash.xxh3_128_hexdigest(packed)
    )
    found = [(key(shard, offset, number), chunk) for number, chunk in enumerate(chunks)]
    return [*found, (key(shard, offset, _MANIFEST), msgspec.json.encode(manifest))]


@dataclass(slots=True)
class Archive:
    """The snapshots of one shard that the topic holds.

    Attributes:
        parts: by offset of the frames, every chunk (by number) and the manifest.
        unusable: how many were found that are not whole.
    """

    parts: dict[int, dict[str, bytes]] = field(default_factory=dict)
    unusable: int = 0

    @classmethod
    async def read(cls, broker: Broker, topic: str, shard: int) -> "Archive":
        """What the shard's partition of the topic holds now."""
        archive = cls()
        async for record in whole_partition(broker, topic, shard):
            archive.take(record)
        return archive

    def take(self, record: Any) -> None:
        """Add one record of the topic; a tombstone removes."""
        try:
            _, offset, chunk = record.key.decode().split("|")
            int(offset)
        except (AttributeError, ValueError):
            _log.warning("snapshot.foreign_key", topic=record.topic, offset=record.offset)
            return
        parts = self.parts.setdefault(int(offset), {})
        if record.value is None:
            parts.pop(chunk, None)
        else:
            parts[chunk] = record.value
        if not parts:
            del self.parts[int(offset)]

    def complete(self) -> Iterator[tuple[int, bytes]]:
        """Offset and state of every snapshot that is whole, newest first."""
        for offset in sorted(self.parts, reverse=True):
            try:
                yield offset, _unpack(self.parts[offset])
            except (ValueError, zstandard.ZstdError, msgspec.DecodeError) as error:
                self.unusable += 1
                _log.warning("snapshot.unusable", offset=offset, error=str(error))


def _unpack(parts: dict[str, bytes]) -> bytes:
    if _MANIFEST not in parts:
        message = "it has no manifest"
        raise ValueError(message)
    manifest = msgspec.json.decode(parts[_MANIFEST], type=Manifest)
    missing = [n for n in range(manifest.chunks) if str(n) not in parts]
    if missing:
        message = f"chunks {missing} of {manifest.chunks} are missing"
        raise ValueError(message)
    packed = b"".join(parts[str(n)] for n in range(manifest.chunks))
    if xxhash.xxh3_128_hexdigest(packed) != manifest.digest:
        message = "its digest does not fit its bytes"
        raise ValueError(message)
    return zstandard.decompress(packed, max_output_size=manifest.size)


@dataclass(slots=True)
class Held:
    """The keys of the snapshots on the topic, oldest first: those that may go, and when.

    Attributes:
        keys: by offset of the frames.
    """

    keys: dict[int, list[bytes]] = field(default_factory=dict)

    @classmethod
    def of(cls, shard: int, archive: Archive) -> "Held":
        """Those of an archive; it may then be forgotten."""
        return cls(
            {
                offset: [key(shard, offset, chunk) for chunk in archive.parts[offset]]
                for offset in sorted(archive.parts)
            }
        )

    def replaced_by(self, offset: int, keys: list[bytes]) -> list[bytes]:
        """Note a new snapshot; the keys of those that are no longer kept, to be tombstoned.

        A snapshot of the same offset is overwritten in place; chunks that the new one lacks go.
        """
        stale = set(self.keys.pop(offset, [])) - set(keys)
        self.keys[offset] = keys
        for old in list(self.keys)[:-KEPT]:
            stale.update(self.keys.pop(old))
        return sorted(stale)

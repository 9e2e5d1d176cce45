"""Units (actors, or values of a dimension) to keyed hashes: no text of theirs leaves ingest."""

from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.fields import number_text
from monitor.stats.distinct import SPAN_BITS

Unit = str | float
"""As it came: text, or a number that reads as text. Numbers that are equal read as the same text."""

_BYTES: Final = 8
_DROPPED_BITS: Final = 8 * _BYTES - SPAN_BITS


MOST: Final = 131_072
"""Units remembered at most; a source that meets more of them starts afresh at a flush."""


class Units:
    """The different units that a source met, numbered in the order they came, and hashed once each.

    Args:
        key: keys the hashes. Of any length: one that is longer than blake2b's 64 bytes is hashed first,
            as HMAC does it.
    """

    def __init__(self, key: bytes) -> None:
        self.numbers = _Numbers()
        """By unit, its number: a lookup adds it where it is new. Without a unit it is -1."""
        short = key if len(key) <= blake2b.MAX_KEY_SIZE else blake2b(key).digest()
        self._keyed = blake2b(key=short, digest_size=_BYTES)
        self._hashes = np.empty(0, np.int64)

    @property
    def fresh(self) -> int:
        """How many have come since the last flush."""
        return len(self.numbers.fresh)

    def hashes(self) -> NDArray[np.int64]:
        """The hash of each unit by its number, 63 bits."""
        if self.numbers.fresh:
            digests = np.frombuffer(b"".join(map(self._digest, self.numbers.fresh)), ">u8")
            hashes = (digests >> np.uint64(_DROPPED_BITS)).astype(np.int64)
            self._hashes = np.append(self._hashes, hashes)
            self.numbers.fresh.clear()
        return self._hashes

    def flushed(self) -> None:
        """Forget them where there are too many; numbers are for one flush."""
        if len(self.numbers) > MOST:
            self.numbers = _Numbers()
            self._hashes = np.empty(0, np.int64)

    def _digest(self, unit: Unit) -> bytes:
        keyed = self._keyed.copy()
        keyed.update((unit if isinstance(unit, str) else number_text(unit)).encode())
        return keyed.digest()


class _Numbers(dict[Unit | None, int]):
    """A dict that numbers what it lacks.

    Attributes:
        fresh: what was added and is not hashed yet, in order.
    """

    def __init__(self) -> None:
        super().__init__({None: -1})
        self.fresh: list[Unit] = []

    def __missing__(self, unit: Unit) -> int:
        number = self[unit] = len(self) - 1
        self.fresh.append(unit)
        return number

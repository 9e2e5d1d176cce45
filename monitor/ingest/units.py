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


class Units:
    """The different units of one flush, numbered in the order they came, and hashed once each.

    Args:
        key: keys the hashes. Of any length: one that is longer than blake2b's 64 bytes is hashed first,
            as HMAC does it.
    """

    def __init__(self, key: bytes) -> None:
        self.numbers: dict[Unit, int] = {}
        """By unit, its number: a new one is the size of the dict."""
        short = key if len(key) <= blake2b.MAX_KEY_SIZE else blake2b(key).digest()
        self._keyed = blake2b(key=short, digest_size=_BYTES)

    def __len__(self) -> int:
        """How many there are."""
        return len(self.numbers)

    def hashes(self) -> NDArray[np.int64]:
        """The hash of each unit by its number, 63 bits."""
        digests = b"".join(map(self._digest, self.numbers))
        return (np.frombuffer(digests, ">u8") >> np.uint64(_DROPPED_BITS)).astype(np.int64)

    def clear(self) -> None:
        """Forget the flush."""
        self.numbers.clear()

    def _digest(self, unit: Unit) -> bytes:
        keyed = self._keyed.copy()
        keyed.update((unit if isinstance(unit, str) else number_text(unit)).encode())
        return keyed.digest()

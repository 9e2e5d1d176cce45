"""Units (actors, or values of a dimension) to keyed hashes: no text of theirs leaves ingest."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.fields import number_text
from monitor.ingest.numbering import runs
from monitor.stats.distinct import SPAN_BITS

Ints = NDArray[np.int64]
Unit = str | float
"""As it came: text, or a number that reads as text."""

NOBODY: Final = hash(None)
"""In place of the hash of what a line lacks: a unit, or an id."""
_BYTES: Final = 8
_DROPPED_BITS: Final = 8 * _BYTES - SPAN_BITS
_TEXTS: Final = frozenset({str, type(None)})

MOST: Final = 131_072
"""Units remembered at most; a source that meets more of them starts afresh at a flush."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """Units by the order of their keyed hashes.

    Attributes:
        rank: by entry, the rank of its unit; -1 where it has none. int64[n]
        keys: the distinct keyed hashes, sorted, 63 bits. int64[k]
    """

    rank: Ints
    keys: Ints


def as_texts(units: Sequence[Unit | None]) -> Sequence[str | None]:
    """Units as text: numbers that are equal read as the same text."""
    if _TEXTS.issuperset(map(type, units)):
        return units  # type: ignore[return-value]
    return [unit if unit is None or isinstance(unit, str) else number_text(unit) for unit in units]


class Units:
    """Knows the keyed hash of the units that a source met, by a hash that is quicker to find.

    Both hashes have 64 bits or nearly: that two of 100,000 units are taken for one happens in one of
    three thousand million flushes.

    Args:
        key: keys the hashes. Of any length: one that is longer than blake2b's 64 bytes is hashed first,
            as HMAC does it.
    """

    def __init__(self, key: bytes) -> None:
        short = key if len(key) <= blake2b.MAX_KEY_SIZE else blake2b(key).digest()
        self._keyed = blake2b(key=short, digest_size=_BYTES)
        self._forget()

    def _forget(self) -> None:
        self._known = self._keys = np.empty(0, np.int64)

    def ranked(self, idents: Ints, texts: Sequence[str | None]) -> Ranked:
        """The ranks of units.

        Args:
            idents: Python's hash of each text; `NOBODY` where there is none. int64[n]
            texts: they.
        """
        given = np.flatnonzero(idents != NOBODY)
        order, starts = runs(idents[given])
        first = given[order[starts]]
        keys, rank = np.unique(self._keys_of(idents[first], first, texts), return_inverse=True)
        by_entry = np.full(idents.size, -1, np.int64)
        by_entry[given[order]] = np.repeat(rank, np.diff(starts, append=order.size))
        return Ranked(rank=by_entry, keys=keys)

    @property
    def known(self) -> int:
        """How many are remembered."""
        return self._known.size

    def flushed(self) -> None:
        """Forget them where there are too many."""
        if self._known.size > MOST:
            self._forget()

    def _keys_of(self, distinct: Ints, first: Ints, texts: Sequence[str | None]) -> Ints:
        """The keyed hashes of units that are told by their sorted, distinct hashes.

        Args:
            distinct: the hashes.
            first: of each, where among the texts one is.
            texts: they.
        """
        place = np.searchsorted(self._known, distinct)
        near = np.minimum(place, max(self._known.size - 1, 0))
        fresh = self._known[near] != distinct if self._known.size else np.ones(place.size, np.bool_)
        if fresh.any():
            digests = b"".join(map(self._digest, [texts[at] for at in first[fresh].tolist()]))
            hashes = np.frombuffer(digests, ">u8") >> np.uint64(_DROPPED_BITS)
            self._keys = np.insert(self._keys, place[fresh], hashes.astype(np.int64))
            self._known = np.insert(self._known, place[fresh], distinct[fresh])
            place = np.searchsorted(self._known, distinct)
        return self._keys[place]

    def _digest(self, text: str | None) -> bytes:
        keyed = self._keyed.copy()
        keyed.update((text or "").encode())
        return keyed.digest()

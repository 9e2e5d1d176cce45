"""The dimensions of events, by number: the same bytes come again and again, and are decoded once."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from monitor.ingest import fields
from monitor.ingest.fields import Fault
from monitor.ingest.folding import Values

MOST: Final = 200_000
"""Remembered at most; a source that meets more of them starts afresh at a flush."""
MOST_TEXTS: Final = 20_000
"""Texts remembered at most; others mean the same dimensions often, and are decoded again."""

_decode = msgspec.json.Decoder(dict[str, str | int | float | bool | None] | None).decode


class Dimensions:
    """Numbers what metrics need of the dimensions of an event, in the order it came.

    Args:
        names: the dimensions that some metric needs, of whichever event.

    Attributes:
        names: likewise.
        values: by number, the values of those names; None where one is absent.
        of_bytes: the numbers by the bytes of a `Wire`'s dimensions. A lookup adds what is missing, and
            raises `msgspec.DecodeError` where these are none.
    """

    def __init__(self, names: Sequence[str]) -> None:
        # Nothing here refers back: what is forgotten must go at once, since a role's collector hardly
        # ever looks.
        self._numbering = _Numbering(names)
        self.names, self.values = self._numbering.names, self._numbering.values
        self.of_bytes = _OfBytes(self._numbering)

    def of(self, dimensions: Mapping[str, str]) -> int:
        """The number of the dimensions of an event."""
        return self._numbering.of(dimensions)

    @property
    def most(self) -> int:
        """No dimension had more different values than so many."""
        return max(map(len, self._numbering.seen), default=0)

    @property
    def is_full(self) -> bool:
        """Whether more is remembered than should be."""
        return len(self.values) > MOST


class _Numbering:
    """The numbers, and what they stand for."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.values: list[Values] = []
        self.seen: list[set[str | None]] = [set() for _ in self.names]
        self._numbers: dict[Values, int] = {}

    def of(self, dimensions: Mapping[str, str]) -> int:
        """The number of these, a new one if they are new."""
        values = tuple(map(dimensions.get, self.names))
        number = self._numbers.get(values)
        if number is None:
            number = self._numbers[values] = len(self.values)
            self.values.append(values)
            for seen, value in zip(self.seen, values, strict=True):
                seen.add(value)
        return number


class _OfBytes(dict[bytes, int]):
    """A dict that makes the entries that it lacks."""

    def __init__(self, numbering: _Numbering) -> None:
        super().__init__()
        self._numbering = numbering

    def __missing__(self, text: bytes) -> int:
        if len(self) >= MOST_TEXTS:
            self.clear()
        try:
            found = fields.dimensions(_decode(text)) if text else {}
        except Fault as fault:
            raise msgspec.DecodeError(fault.detail) from None
        number = self[text] = self._numbering.of(found)
        return number

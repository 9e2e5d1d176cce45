"""How a frame travels: headers that can be read even when the body cannot, and parts.

The offset ranges `[start, stop)` of the frames of one source partition form a chain. A frame over
the broker's message limit travels in parts, which follow each other in the partition, with those of
other sources between them.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Protocol

from monitor.kafka.broker import PART_BYTES, slices
from monitor.model.frame import Frame, encode_frame

Headers = list[tuple[str, bytes]]


class Message(Protocol):
    """What is read of a Kafka record."""

    @property
    def offset(self) -> int:
        """Where it stands in its partition."""

    @property
    def value(self) -> bytes | None:
        """Its bytes."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """Its headers."""


class Link(Enum):
    """How a frame continues the chain of its source."""

    NEXT = "next"
    REPEAT = "repeat"
    GAP = "gap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The headers of one part of a frame.

    Attributes:
        source, sources, start, stop, watermark_us, lost: those of the frame.
        part: which part this is, from 0.
        parts: how many there are.
    """

    source: int
    sources: int
    start: int
    stop: int
    watermark_us: int
    lost: int = 0
    part: int = 0
    parts: int = 1

    @classmethod
    def of(cls, headers: Iterable[tuple[str, bytes]]) -> "Head":
        """Read the headers of a message; raises `ValueError` where they are not a frame's."""
        found = dict(headers)
        try:
            return cls(**{field.name: int(found[field.name]) for field in fields(cls)})
        except KeyError as error:
            message = f"header {error} is missing"
            raise ValueError(message) from error

    def headers(self) -> Headers:
        """As Kafka takes them: decimal numbers."""
        return [(field.name, b"%d" % getattr(self, field.name)) for field in fields(self)]

    def link(self, position: int | None) -> Link:
        """How it continues a chain that stands at `position` (None: at nothing yet).

        >>> head = Head(source=0, sources=1, start=10, stop=20, watermark_us=0)
        >>> head.link(10), head.link(None), head.link(20), head.link(5)
        (<Link.NEXT: 'next'>, <Link.NEXT: 'next'>, <Link.REPEAT: 'repeat'>, <Link.GAP: 'gap'>)
        """
        if position is None or self.start == position:
            return Link.NEXT
        return Link.REPEAT if self.start < position else Link.GAP

    def empty(self) -> Frame:
        """The frame without its deltas: it moves the chain and the watermark."""
        return Frame(
            source=self.source,
            sources=self.sources,
            start=self.start,
            stop=self.stop,
            watermark_us=self.watermark_us,
            lost=self.lost,
        )


def messages(frame: Frame, size: int = PART_BYTES) -> Iterator[tuple[bytes, Headers]]:
    """The value and the headers of every part of a frame."""
    pieces = list(slices(encode_frame(frame), size))
    for part, piece in enumerate(pieces):
        head = Head(
            source=frame.source,
            sources=frame.sources,
            start=frame.start,
            stop=frame.stop,
            watermark_us=frame.watermark_us,
            lost=frame.lost,
            part=part,
            parts=len(pieces),
        )
        yield piece, head.headers()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A whole frame as it was read.

    Attributes:
        offset: of its last part.
        head: of its last part.
        body: its encoded frame.
    """

    offset: int
    head: Head
    body: bytes


class Joiner:
    """Joins the parts of one shard's frames.

    A part that does not follow starts over: its frame was cut off when the reader began in the
    middle, and the chain shows what is missing.
    """

    def __init__(self) -> None:
        self._open: dict[int, tuple[int, list[bytes]]] = {}

    def add(self, message: Message) -> Parcel | None:
        """Take a part; the frame where it is its last one. Raises `ValueError` on bad headers."""
        head = Head.of(message.headers)
        body = message.value or b""
        if head.parts == 1:
            return Parcel(offset=message.offset, head=head, body=body)
        if head.part == 0:
            self._open[head.source] = (message.offset, [body])
            return None
        _, pieces = self._open.get(head.source, (message.offset, []))
        if len(pieces) != head.part:
            self._open.pop(head.source, None)
            return None
        pieces.append(body)
        if len(pieces) < head.parts:
            return None
        del self._open[head.source]
        return Parcel(offset=message.offset, head=head, body=b"".join(pieces))

    def resume(self, next_offset: int) -> int:
        """Where reading must start again so that no part of an unfinished frame is missed."""
        return min((first for first, _ in self._open.values()), default=next_offset)

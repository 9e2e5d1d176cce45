"""An annotation: what somebody noted of a moment or a span of time, as Grafana keeps them."""

from typing import Any

import msgspec
import xxhash

from monitor.model.record import Record, Stream

LARGEST_ID = 2**53 - 1
"""Ids are numbers that every JSON reader holds exactly."""


class Annotation(msgspec.Struct, frozen=True, kw_only=True):
    """One annotation.

    Attributes:
        id: unique; given once.
        time_us, time_end_us: the span; equal for a moment.
        text: what was noted.
        tags: words that it is found by.
        dashboard_uid, panel_id: where Grafana shows it alone, if it is to.
        data: further members, kept as they came.
        scope: metrics and segments that it is about; None is everything.
        by: name of the token that wrote it.
        created_us, updated_us: by the wall clock.
        request: hash of the request that made it, where that had an `Idempotency-Key`.
    """

    id: int
    time_us: int
    time_end_us: int
    text: str
    tags: tuple[str, ...] = ()
    dashboard_uid: str | None = None
    panel_id: int | None = None
    data: dict[str, Any] = {}
    scope: dict[str, Any] | None = None
    by: str = ""
    created_us: int
    updated_us: int
    request: str | None = None


PREFIX = "annotation|"
"""What the keys of annotations begin with: they share a stream with the releases."""

_decoder = msgspec.json.Decoder(Annotation)


def id_of(key: str) -> int:
    """The id that belongs to an idempotency key, whoever works it out."""
    return xxhash.xxh3_64_intdigest(key.encode()) & LARGEST_ID or 1


def record_of(annotation: Annotation) -> Record:
    """The annotation, as the journal keeps it."""
    return Record(
        stream=Stream.RELEASES,
        key=f"{PREFIX}{annotation.id}",
        value=msgspec.json.encode(annotation),
    )


def deletion_of(annotation_id: int) -> Record:
    """What takes an annotation away."""
    return Record(stream=Stream.RELEASES, key=f"{PREFIX}{annotation_id}", value=None)


def decode(body: bytes) -> Annotation:
    """The annotation of these bytes; raises `msgspec.DecodeError` where they are none."""
    return _decoder.decode(body)

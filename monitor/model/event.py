"""What ingest makes of one message or line: an event, or a dead letter with its reason."""

from enum import StrEnum

import msgspec


class Reject(StrEnum):
    """Why a message is a dead letter."""

    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    MISSING_NAME = "missing_name"
    MISSING_TIME = "missing_time"
    BAD_TIME = "bad_time"
    TOO_FAR_IN_FUTURE = "too_far_in_future"
    BAD_COUNT = "bad_count"
    BAD_FIELD = "bad_field"
    NOT_FINITE = "not_finite"
    TOO_LARGE = "too_large"


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One product event (or `count` equal ones).

    Attributes:
        name: what happened.
        time_us: event time.
        count: how many equal events this line stands for; `values` are then their means.
        dimensions: text by name; absent dimensions are not in it.
        values: numbers by name, all finite.
        actor: whoever did it, if known.
        event_id: the producer's id, if given.
    """

    name: str
    time_us: int
    count: int = 1
    dimensions: dict[str, str]
    values: dict[str, float]
    actor: str | None = None
    event_id: str | None = None


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A message that could not be used, whole.

    Attributes:
        source: the source partition (a number), or the file it stood in.
        position: its offset in the partition; in a file its line, from 1.
        reason: why.
        detail: the field and the value that were at fault, for a person.
        payload: the bytes as they came.
        read_us: the wall clock when it was read; None where nobody kept it.
    """

    source: str
    position: int
    reason: Reject
    detail: str
    payload: bytes
    read_us: int | None = None

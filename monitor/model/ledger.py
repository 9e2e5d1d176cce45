"""What a flush saw of the measurement itself: counts by base bucket, event name and aspect."""

from enum import IntEnum
from typing import Any

import msgspec


class Aspect(IntEnum):
    """What is counted. A line is one message; `count` weighs only where it says events.

    An accepted line whose base bucket has not ended stands there. Any other, and a malformed one, stands
    in the base bucket of the source's newest confirmed event time when it was read (or of its watermark,
    where idleness has moved that further), so that it is always on time there; before the source has
    either, no ledger counts it.

    Attributes:
        LINES: accepted lines that are late for no metric; the next four are of these.
        IDENTIFIED: lines with an event id.
        REPEATED: lines whose event id the source saw shortly before.
        MISSING: lines that lack a field which some metric needs; the detail is the field.
        INCOMPLETE: lines that lack at least one such field.
        LATE: accepted lines that are late for some metric which uses them.
        TOO_LATE: those of them that are too late for some.
        MALFORMED: dead letters; the detail is the reason; the event is unknown where its name is.
        DELAY: lines, by how long after the event they arrived; the detail is the bin
            (`stats.histogram`) of the seconds, as text. Of late lines too, and only of sources that know
            arrival; of busy ones a sample, whose size the count is.
        VERSION: events of `LINES` by app_version (the detail), where some metric tells series apart by it.
        EVENTS: events of `LINES`.
    """

    LINES = 0
    IDENTIFIED = 1
    REPEATED = 2
    MISSING = 3
    INCOMPLETE = 4
    LATE = 5
    TOO_LATE = 6
    MALFORMED = 7
    DELAY = 8
    VERSION = 9
    EVENTS = 10


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """Counts by (bucket, event, aspect, detail), sorted so, none twice, none of them 0.

    It covers the event names that some metric uses, and dead letters whose name is unknown.

    Attributes:
        bucket: start of the base bucket, microseconds. int64[r]
        event: index into `events`. int32[r]
        aspect: an `Aspect`. int16[r]
        detail: index into `details`. int32[r]
        count: lines or events. int64[r]
        events: names, sorted; the empty one is unknown.
        details: sorted; the empty one, always the first, is none.
    """

    bucket: Any
    event: Any
    aspect: Any
    detail: Any
    count: Any
    events: list[str]
    details: list[str]

"""A record of the journal: a keyed append to a named stream."""

from enum import StrEnum

import msgspec


class Stream(StrEnum):
    """The public streams, in the table of DESIGN.md's journal."""

    BUCKETS = "buckets"
    ALERTS = "alerts"
    RELEASES = "releases"
    VERDICTS = "verdicts"
    DEAD_LETTERS = "dead_letters"


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One append: the newest value under a key replaces the older ones; None deletes it.

    Attributes:
        stream: where to.
        key: text; the same events give the same keys.
        value: JSON, or None.
    """

    stream: Stream
    key: str
    value: bytes | None

"""A dead letter as it is kept: read back, and marked once it was sent again."""

import msgspec


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter of a journal or of a replay's folder.

    Attributes:
        source: the source partition (a number), or the file it stood in.
        position: its offset in the partition; in a file its line, from 1.
        reason: why it could not be used, one of `Reject`.
        detail: the field and the value that were at fault, for a person.
        payload: the bytes as they came.
        body: the JSON that it is kept as.
        read_us: the wall clock when it was read; None where that was not kept.
        replayed_us: when it was last sent again; None where never.
        replayed_as: the key that it would have if it came back.
        returned: it is one that was sent again, and could not be used then either.
    """

    source: str
    position: int
    reason: str
    detail: str
    payload: bytes
    body: bytes
    read_us: int | None = None
    replayed_us: int | None = None
    replayed_as: str | None = None
    returned: bool = False

    @property
    def key(self) -> str:
        """Under which the journal keeps it."""
        return f"{self.source}|{self.position}"

    @property
    def is_new(self) -> bool:
        """Whether it was never sent again."""
        return self.replayed_us is None and not self.returned

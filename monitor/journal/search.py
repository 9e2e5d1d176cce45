"""Finding where a series begins, in a history that can only be asked for spans."""

from collections.abc import Callable, Sequence

from monitor.model.bucket import BucketLine
from monitor.model.time import HOUR, from_rfc3339

Read = Callable[[int, int], Sequence[BucketLine]]
"""The rows that start in [since, until), oldest first."""


def first_after(read: Read, since_us: int, last_us: int | None) -> int | None:
    """Start of the first bucket at or after a time; None where there is none.

    The spans that are asked for double in length, so that a gap of weeks costs a dozen questions and a
    history of years is not read as a whole.

    Args:
        read: asks for a span.
        since_us: where to begin.
        last_us: end of the newest bucket.
    """
    if last_us is None:
        return None
    length = HOUR
    while since_us < last_us:
        rows = read(since_us, since_us + length)
        if rows:
            return from_rfc3339(rows[0].start)
        since_us, length = since_us + length, 2 * length
    return None

"""Time as it is kept everywhere inside: whole microseconds since the epoch, UTC (`int`).

`*_us` in a name is that unit. RFC 3339 text exists only at the edges.
"""

from datetime import UTC, datetime, timedelta

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WEEK = 7 * DAY

NEVER = -(2**63)
"""A watermark that has not been reached by anything: the source has not spoken."""
FOREVER = 2**63 - 1
"""The watermark of a source that has ended: it holds nothing back."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_rfc3339(time_us: int) -> str:
    """Text of an instant, without a fraction where it is zero.

    >>> to_rfc3339(1_700_000_000_000_000)
    '2023-11-14T22:13:20Z'
    >>> to_rfc3339(1_700_000_000_250_000)
    '2023-11-14T22:13:20.250000Z'
    """
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat()[:-6] + "Z"


def from_datetime(moment: datetime) -> int:
    """Microseconds since the epoch of an aware datetime, exact."""
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds


def from_rfc3339(text: str) -> int:
    """Microseconds since the epoch of an instant with its offset; raises ValueError on anything else.

    >>> from_rfc3339("2023-11-14T22:13:20.25Z")
    1700000000250000
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        message = f"{text!r} has no offset from UTC; append Z, or one such as +02:00"
        raise ValueError(message)
    return from_datetime(moment)

"""The Segment specification, which RudderStack shares: track, page, screen, identify, group, alias.

Specification: segment.com/docs/connections/spec (common fields and the calls),
rudderstack.com/docs/event-spec.
"""

from collections.abc import Mapping
from typing import Any, Final

from monitor.ingest.parts import Parts

_TRACK: Final = "track"
_CALLS: Final = frozenset({_TRACK, "page", "screen", "identify", "group", "alias"})
_MARKS: Final = frozenset({"messageId", "anonymousId", "userId", "originalTimestamp"})
"""Beside `type`, one of them makes a message a call; libraries send all but `userId` always."""
_TIMES: Final = ("timestamp", "originalTimestamp", "sentAt", "receivedAt")
"""The first that is there. `timestamp` is the device's time, put right by how far its clock is off."""
_SPARE: Final = frozenset(
    {"name", "category", "channel", "userId", "anonymousId", "groupId", "previousId"}
)
"""What stands beside the properties and may be a dimension."""


def is_call(message: Mapping[str, Any]) -> bool:
    """Whether a message is one of the specification's calls."""
    kind = message.get("type")
    return (
        type(kind) is str
        and kind in _CALLS
        and (not _MARKS.isdisjoint(message) or (kind == _TRACK and "event" in message))
    )


def parts(message: Mapping[str, Any]) -> Parts:
    """Where a call has the fields of an event."""
    kind = message["type"]
    time_at = _TIMES[0]
    if message.get(time_at) is None:
        time_at = next((key for key in _TIMES if message.get(key) is not None), time_at)
    properties_at = "traits" if message.get("properties") is None else "properties"
    user = message.get("userId")
    return Parts(
        name=message.get("event") if kind == _TRACK else kind,
        time=message.get(time_at),
        actor=message.get("anonymousId") if user is None or user == "" else user,
        event_id=message.get("messageId"),
        properties=message.get(properties_at),
        spare={key: message[key] for key in _SPARE & message.keys()},
        message=message,
        name_at="event" if kind == _TRACK else "type",
        time_at=time_at,
        properties_at=properties_at,
    )

"""What the envelopes have in common: the fields of an event, as they were found in a message."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

NOTHING: Final[Mapping[str, Any]] = {}


class Parts(msgspec.Struct, kw_only=True, gc=False):
    """The fields of one message as they stand in it, unchecked; None where they are absent.

    Attributes:
        name, time, count, actor, event_id: of the event.
        properties: one object of both: its scalars are dimensions, its numbers values.
        dimensions, values: objects of their own, which take the place of the properties'.
        spare: dimensions that lack elsewhere are taken from here, where they are scalars.
        message: a needed name with dots that lacks elsewhere is a path from here; None where names
            are no paths.
        name_at, time_at, properties_at: where they stand, for a person.
    """

    name: Any
    time: Any
    count: Any = None
    actor: Any = None
    event_id: Any = None
    properties: Any = None
    dimensions: Any = None
    values: Any = None
    spare: Mapping[str, Any] = NOTHING
    message: Mapping[str, Any] | None = None
    name_at: str = "name"
    time_at: str = "time"
    properties_at: str = "properties"

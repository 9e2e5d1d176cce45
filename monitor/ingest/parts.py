"""What the envelopes have in common: the fields of an event, as they were found in a message."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from monitor.ingest.fields import lookup

FIELDS: Final = ("event_id", "name", "time", "actor", "count", "dimensions", "values")
"""What an envelope may map; each stands under its own name unless mapped."""
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


class Paths:
    """Where a configured envelope, or the default one, keeps the fields of an event.

    Attributes:
        shared: whether dimensions and values stand in one object, which is then `properties`.
        paths: by field of `Parts`.
    """

    def __init__(self, mapped: Mapping[str, str]) -> None:
        where = {field: field for field in FIELDS} | dict(mapped)
        self.shared = where["dimensions"] == where["values"]
        if self.shared:
            where["properties"] = where.pop("dimensions")
            del where["values"]
        self.paths = {field: tuple(path.split(".")) for field, path in where.items()}
        self._at: dict[str, Any] = {"name_at": where["name"], "time_at": where["time"]}
        if self.shared:
            self._at["properties_at"] = where["properties"]

    def are_of(self, message: Mapping[str, Any]) -> bool:
        """Whether a message has a name and a time at these paths."""
        paths = self.paths
        return (
            lookup(message, paths["name"]) is not None
            and lookup(message, paths["time"]) is not None
        )

    def parts(self, message: Mapping[str, Any]) -> Parts:
        """The fields of a message at these paths."""
        found = {field: lookup(message, path) for field, path in self.paths.items()}
        return Parts(**found, **self._at)

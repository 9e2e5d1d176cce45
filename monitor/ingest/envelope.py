"""`bytes -> Event`, or a dead letter's reason.

The default envelope is decoded straight into a typed struct. Whatever that refuses, and every message
of a custom envelope, is decoded untyped and checked field by field: slower, and it knows why.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from monitor.ingest import fields
from monitor.ingest.fields import Fault
from monitor.model.event import Event, Reject
from monitor.model.time import SECOND, to_rfc3339

Fields = Mapping[str, str]
"""A custom envelope: dotted path by field, for the fields that do not stand where the default has them."""

MAX_BYTES: Final = 1 << 20
"""A longer message is a dead letter."""
FIELDS: Final = ("event_id", "name", "time", "actor", "count", "dimensions", "values")
"""What an envelope may map; each stands under its own name unless mapped."""
_BOM: Final = b"\xef\xbb\xbf"
_LONGEST_INTEGER: Final = 4000
"""Digits; Python refuses to convert more than 4300 of them, and they overflow anyway."""


_Modest = Annotated[float, msgspec.Meta(ge=-1e298, le=1e298)]
"""A number that does not overflow, whatever the count; others are looked at."""


class Wire(msgspec.Struct, gc=False):
    """The default envelope as it decodes at full speed; other shapes of it take the slow path.

    Among them are events with boolean dimensions: True and 1 would be the same key of a dict.
    """

    name: Annotated[str, msgspec.Meta(min_length=1)]
    time: Annotated[datetime, msgspec.Meta(tz=True)] | int | float
    count: Annotated[int, msgspec.Meta(ge=1, le=fields.MAX_COUNT)] = 1
    dimensions: dict[str, str | int | float | None] | None = None
    values: dict[str, _Modest | None] | None = None
    actor: str | int | float | None = None
    event_id: str | int | float | None = None


UNDECODED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What `Envelope.decode` raises for messages that `Envelope.read` must look at."""


class Envelope:
    """Reads messages of one shape.

    Attributes:
        decode: the fast path, for the hot loop: bytes to `Wire`, raising one of `UNDECODED` for all
            that `read` must look at. The time may still be too far in the future or too old,
            dimensions and values may be null, dimensions numbers, and bytes of fields that it passes
            over may be no UTF-8.
    """

    decode: Callable[[bytes], Wire]

    def __init__(
        self,
        mapping: Fields | None = None,
        *,
        dimensions: frozenset[str] = frozenset(),
        values: frozenset[str] = frozenset(),
    ) -> None:
        """Prepare the paths.

        Args:
            mapping: dotted paths by field, where they differ from the default envelope.
            dimensions: names that metrics need as dimensions; matters where dimensions and values
                share one object, in which other names may hold anything.
            values: names that metrics need as values; likewise.
        """
        paths = {field: field for field in FIELDS} | dict(mapping or {})
        self._paths = {field: tuple(path.split(".")) for field, path in paths.items()}
        self._shared = paths["dimensions"] == paths["values"]
        self._dimensions, self._values = dimensions, values
        default = all(field == path for field, path in paths.items())
        self.decode = msgspec.json.Decoder(Wire).decode if default else _undecoded

    def read(self, payload: bytes, horizon_us: int) -> Event | None:
        """The event of one message; None where it is blank.

        Args:
            payload: the message.
            horizon_us: the latest event time that is believed: the wall clock plus the skew allowed.

        Raises:
            Fault: the message is a dead letter.
        """
        if not payload or payload.isspace():
            return None
        if len(payload) > MAX_BYTES:
            raise Fault(Reject.TOO_LARGE, f"{len(payload)} bytes are more than {MAX_BYTES}")
        if payload.startswith(_BOM):
            return self.read(payload.removeprefix(_BOM), horizon_us)
        event = self._event(_parse(payload))
        if event.time_us > horizon_us:
            raise too_far(event.time_us, horizon_us)
        return event

    def _event(self, message: Any) -> Event:
        if type(message) is not dict:
            detail = f"{fields.shown(message)} is not an object"
            raise Fault(Reject.NOT_AN_OBJECT, detail)
        found = {field: fields.lookup(message, path) for field, path in self._paths.items()}
        name, time_us = fields.name(found["name"]), fields.time_us(found["time"])
        count = fields.count(found["count"])
        if self._shared:
            dimensions, values = fields.split_properties(
                found["dimensions"], count, dimensions=self._dimensions, values=self._values
            )
        else:
            dimensions = fields.dimensions(found["dimensions"])
            values = fields.values(found["values"], count)
        return Event(
            name=name,
            time_us=time_us,
            count=count,
            dimensions=dimensions,
            values=values,
            actor=fields.label("actor", found["actor"]),
            event_id=fields.label("event_id", found["event_id"]),
        )


def too_far(time_us: int, horizon_us: int) -> Fault:
    """The fault of an event from the future."""
    seconds = (time_us - horizon_us) / SECOND
    try:
        text = to_rfc3339(time_us)
    except OverflowError:
        text = "beyond the calendar"
    detail = f"time: {text} is {seconds:.3g} s beyond the wall clock plus max_clock_skew"
    return Fault(Reject.TOO_FAR_IN_FUTURE, detail)


def _undecoded(_: bytes) -> Wire:
    message = "not the default envelope"
    raise msgspec.DecodeError(message)


def _parse(payload: bytes) -> Any:
    """The JSON value of these bytes. Overflowing numbers are infinite in it, for the fields to judge."""
    try:
        return msgspec.json.decode(payload)
    except UnicodeDecodeError:
        raise Fault(Reject.NOT_JSON, "not UTF-8") from None
    except RecursionError:
        raise Fault(Reject.NOT_JSON, "nested too deeply") from None
    except msgspec.DecodeError as error:
        return _parse_leniently(payload, str(error))


def _parse_leniently(payload: bytes, problem: str) -> Any:
    """Decode with the standard library, which knows NaN and Infinity, where msgspec found a problem."""
    nans: list[str] = []
    try:
        text = payload.decode()
        message = json.loads(text, parse_constant=nans.append, parse_int=_integer)
    except (ValueError, RecursionError):
        raise Fault(Reject.NOT_JSON, problem) from None
    if nans:
        raise Fault(Reject.NOT_FINITE, f"{nans[0]} is not a finite number")
    if _has_surrogates(text):
        raise Fault(Reject.NOT_JSON, "half of a surrogate pair")
    return message


def _integer(text: str) -> int | float:
    return int(text) if len(text) <= _LONGEST_INTEGER else float(text)


def _has_surrogates(text: str) -> bool:
    """Whether JSON text escapes half of a surrogate pair, which no UTF-8 can hold."""
    try:
        json.dumps(json.loads(text, parse_int=_integer), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False

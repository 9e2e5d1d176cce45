"""`bytes -> Event`, or a dead letter's reason.

The default envelope is decoded straight into a typed struct (`Wire`). Whatever that refuses, and every message
where a custom envelope is configured, is decoded untyped, recognised by what stands in it and checked
field by field: slower, and it knows why.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from monitor.ingest import cloud_events, fields, segment_spec
from monitor.ingest.fields import Fault
from monitor.ingest.json_text import parse
from monitor.ingest.parts import Parts, Paths
from monitor.ingest.wire import MAX_BYTES, Wire
from monitor.model.event import Event, Reject
from monitor.model.time import SECOND, to_rfc3339

Fields = Mapping[str, str]
"""A custom envelope: dotted path by field, for the fields that do not stand where the default has them."""

_BOM: Final = b"\xef\xbb\xbf"

_DEFAULT: Final = Paths({})


class Envelope:
    """Reads messages, each by the envelope whose marks it bears.

    Attributes:
        decode: the fast path, for the hot loop: bytes to `Wire`, raising one of `UNDECODED` for all
            that `read` must look at. The time may still be too far in the future or too old, values
            may be null, dimensions anything, and bytes of fields that it passes over no UTF-8.
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
        mapped = {field: path for field, path in (mapping or {}).items() if path != field}
        self._own = Paths(mapped)
        self._mapped = bool(mapped)
        given = ("properties", *mapped) if self._own.shared else tuple(mapped)
        self._given = [(f, self._own.paths[f]) for f in given if f in self._own.paths]
        self._dimensions, self._values = dimensions, values
        self._dotted = _dotted(dimensions), _dotted(values)
        self.decode = _undecoded if mapped else msgspec.json.Decoder(Wire).decode

    def read(self, payload: bytes, horizon_us: int) -> Event | None:
        """The event of one message; None where it is blank.

        Args:
            payload: the message.
            horizon_us: the latest event time that is believed: the wall clock plus the skew allowed.

        Raises:
            Fault: the message is a dead letter.
        """
        if len(payload) > MAX_BYTES and not payload.isspace():
            raise Fault(Reject.TOO_LARGE, f"{len(payload)} bytes are more than {MAX_BYTES}")
        payload = payload.removeprefix(_BOM)
        if not payload or payload.isspace():
            return None
        try:
            event = self._event(parse(payload))
        except Fault as fault:
            if type(fault.message) is dict:
                fault.event = self._name_in(fault.message)
            raise
        if event.time_us > horizon_us:
            raise too_far(event, horizon_us)
        return event

    def _event(self, message: Any) -> Event:
        if type(message) is not dict:
            raise Fault(Reject.NOT_AN_OBJECT, _not_an_object(message))
        found = self._recognised(message)
        name = fields.name(found.name, found.name_at)
        try:
            return self._named(name, found)
        except Fault as fault:
            fault.event = name
            raise

    def _name_in(self, message: Mapping[str, Any]) -> str:
        """The name of an event that is no use; empty where there is none."""
        try:
            return fields.name(self._recognised(message).name)
        except Fault:
            return ""

    def _named(self, name: str, found: Parts) -> Event:
        """The event, of which the name is known."""
        time_us = fields.time_us(found.time, found.time_at)
        count = fields.count(found.count)
        dimensions: dict[str, str] = {}
        values: dict[str, float] = {}
        if found.properties is not None:
            dimensions, values = fields.split_properties(
                found.properties,
                found.properties_at,
                count,
                dimensions=self._dimensions,
                values=self._values,
            )
        if found.dimensions is not None:
            dimensions = fields.dimensions(found.dimensions)
        if found.values is not None:
            values = fields.values(found.values, count)
        if found.message is not None:
            self._look_further(found, found.message, count, dimensions, values)
        return Event(
            name=name,
            time_us=time_us,
            count=count,
            dimensions=dimensions,
            values=values,
            actor=fields.label("actor", found.actor),
            event_id=fields.label("event_id", found.event_id),
        )

    def _recognised(self, message: Mapping[str, Any]) -> Parts:
        """The message by the first envelope of these whose marks it bears; the last one takes all.

        A CloudEvent; what has a name and a time where the configuration says; a call of Segment's
        specification; the default envelope; the configured one.
        """
        if message.get(cloud_events.MARK) is not None:
            event = cloud_events.parts(message)
            return self._overlaid(event, message) if self._mapped else event
        if self._own.are_of(message):
            return self._own.parts(message)
        if segment_spec.is_call(message):
            call = segment_spec.parts(message)
            return self._overlaid(call, message, but=("name", "time")) if self._mapped else call
        if self._mapped and _DEFAULT.are_of(message):
            return _DEFAULT.parts(message)
        return self._own.parts(message)

    def _overlaid(
        self, found: Parts, message: Mapping[str, Any], *, but: tuple[str, ...] = ()
    ) -> Parts:
        """The parts, but those of configured paths where the message has something there."""
        for field, path in self._given:
            value = fields.lookup(message, path)
            if value is not None and field not in but:
                setattr(found, field, value)
                if field == "properties":
                    found.dimensions = found.values = None
        return found

    def _look_further(
        self,
        found: Parts,
        message: Mapping[str, Any],
        count: int,
        dimensions: dict[str, str],
        values: dict[str, float],
    ) -> None:
        """Add what metrics need and what stands elsewhere in the message."""
        for key, item in found.spare.items():
            if key not in dimensions and item is not None and not isinstance(item, (dict, list)):
                dimensions[key] = item if type(item) is str else fields.scalar_text(key, item)
        for name, path in self._dotted[0]:
            if name not in dimensions and (item := fields.lookup(message, path)) is not None:
                dimensions[name] = fields.scalar_text(name, item)
        for name, path in self._dotted[1]:
            if name not in values and (item := fields.lookup(message, path)) is not None:
                values[name] = fields.finite_number(name, item, count)


def _dotted(names: frozenset[str]) -> list[tuple[str, tuple[str, ...]]]:
    return [(name, tuple(name.split("."))) for name in sorted(names) if "." in name]


def _not_an_object(message: Any) -> str:
    batch = type(message) is list and any(
        type(one) is dict and (cloud_events.MARK in one or segment_spec.is_call(one))
        for one in message
    )
    remedy = "; send every event of a batch as a message of its own" if batch else ""
    return f"{fields.shown(message)} is not an object{remedy}"


def too_far(event: Event, horizon_us: int) -> Fault:
    """The fault of an event from the future."""
    seconds = (event.time_us - horizon_us) / SECOND
    try:
        text = to_rfc3339(event.time_us)
    except OverflowError:
        text = "beyond the calendar"
    detail = f"time: {text} is {seconds:.3g} s beyond the wall clock plus max_clock_skew"
    return Fault(Reject.TOO_FAR_IN_FUTURE, detail, event=event.name)


def _undecoded(_: bytes) -> Wire:
    message = "not the default envelope"
    raise msgspec.DecodeError(message)

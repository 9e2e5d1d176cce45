"""CloudEvents 1.0: structured messages, and binary ones made structured.

Specification: github.com/cloudevents/spec, `spec.md`, `formats/json-format.md` and
`bindings/kafka-protocol-binding.md`.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import unquote

import msgspec

from monitor.ingest.fields import Fault, label
from monitor.ingest.json_text import parse
from monitor.ingest.parts import Parts
from monitor.model.event import Reject

MARK: Final = "specversion"
"""The attribute that makes a message a CloudEvent."""
_TYPE: Final = "datacontenttype"
_PREFIXES: Final = ("ce_", "ce-")
"""Of headers that are attributes: the Kafka binding's, and HTTP's, which bridges copy."""
_OURS: Final = frozenset({MARK, "type", "id", "time", "data", "data_base64", _TYPE, "dataschema"})
"""Attributes that are no dimensions; `source`, `subject` and extensions are."""


def parts(message: Mapping[str, Any]) -> Parts:
    """Where a CloudEvent has the fields of an event.

    Raises:
        Fault: of `data_base64`, or of a `source` or `id` that is neither text nor a number.
    """
    data = message.get("data")
    if data is None and "data_base64" in message:
        data = _decoded(message["data_base64"], label(_TYPE, message.get(_TYPE)))
    if type(data) is not dict:  # any JSON value is valid data; only an object has names
        data = {}
    actor = data.get("actor")
    found = Parts(
        name=message.get("type"),
        time=message.get("time"),
        actor=message.get("subject") if actor is None or type(actor) in (dict, list) else actor,
        event_id=_identity(message),
        properties=data,
        spare={key: message[key] for key in message.keys() - _OURS},
        message=message,
        name_at="type",
        properties_at="data",
    )
    if type(data.get("dimensions")) is dict or type(data.get("values")) is dict:
        found.properties = None
        found.dimensions, found.values = data.get("dimensions"), data.get("values")
        found.count = data.get("count")
    return found


def _identity(message: Mapping[str, Any]) -> str | None:
    """`source` and `id`, which are unique together only."""
    own, origin = message.get("id"), message.get("source")
    if type(own) is not str or type(origin) is not str:
        own, origin = label("id", own), label("source", origin)
    return own if own is None or not origin else f"{origin} {own}"


def _decoded(data: Any, content_type: str | None) -> Any:
    """The value of base64 data; None where it is not JSON by its type."""
    if data is None or not _is_json(content_type or ""):
        return None
    try:
        body = base64.b64decode(data, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise Fault(Reject.BAD_FIELD, "data_base64: not base64") from None
    return parse(body) if body else None


@lru_cache(maxsize=64)
def _is_json(content_type: str) -> bool:
    """Whether data of this media type is JSON; without one it is."""
    media = content_type.partition(";")[0].strip().lower()
    return not media or media.endswith(("/json", "+json"))


def structured(headers: Iterable[tuple[str, bytes | None]], body: bytes) -> bytes | None:
    """A binary CloudEvent as a structured one; None where headers and body are none.

    Nothing is lost: the body stands in `data` byte by byte where it is JSON, in `data_base64` where
    it is not. So a dead letter made of it is whole, and can be sent again.

    Args:
        headers: of the message: `ce_type` and so on (or `ce-type`), `content-type`; values UTF-8.
            The last of equal ones counts. Others are passed over.
        body: the data; may be empty.
    """
    attributes = _attributes(headers)
    content_type = attributes.get(_TYPE, "").strip().lower()
    if MARK not in attributes and "type" not in attributes:
        return None
    if content_type.startswith("application/cloudevents"):
        return None  # structured already
    attributes[MARK] = attributes.get(MARK) or "1.0"
    head = msgspec.json.encode(attributes)[:-1]
    if not body or body.isspace():
        return head + b"}"
    if _is_json(content_type) and _is_sound(body):
        return head + b',"data":' + body + b"}"
    return head + b',"data_base64":"' + base64.b64encode(body) + b'"}'


def _attributes(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """The attributes that headers hold; those without a value are absent."""
    attributes: dict[str, str] = {}
    for header, value in headers:
        name = _attribute(header)
        if name is not None and value is not None:
            text = value.decode(errors="replace")
            attributes[name] = unquote(text) if header[2] == "-" else text
    return attributes


@lru_cache(maxsize=1024)
def _attribute(header: str) -> str | None:
    """The attribute that a header holds; none is called as the data, which is the body."""
    name = header.lower()
    if name == "content-type":
        return _TYPE
    known = name.startswith(_PREFIXES) and name[3:] not in ("", "data", "data_base64")
    return name[3:] if known else None


def _is_sound(body: bytes) -> bool:
    """Whether bytes are one JSON value, so that they may stand in a message."""
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True

"""What a single value of the configuration may be: durations, shares, addresses; each with its JSON Schema."""

import re
from datetime import date
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from monitor.model import quantity

_T = TypeVar("_T")


def fault(message: str) -> PydanticCustomError:
    """A validation error whose message is shown as it is, after the name of the key."""
    return PydanticCustomError("monitor", "{message}", {"message": message})


def _duration(value: object) -> int:
    try:
        return quantity.parse_duration(value)
    except ValueError as error:
        raise fault(str(error)) from None


def _positive_duration(value: object) -> int:
    duration_us = _duration(value)
    if duration_us <= 0:
        message = f"{value!r} is not longer than 0"
        raise fault(message)
    return duration_us


def _share(value: object) -> float:
    try:
        return quantity.parse_share(value)
    except ValueError as error:
        raise fault(str(error)) from None


def _inner_share(value: object) -> float:
    share = _share(value)
    if not 0 < share < 1:
        message = f"{value!r} is not between 0 and 1 (2% is 0.02)"
        raise fault(message)
    return share


def _day(value: object) -> object:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else date(0, 0, 0)
    except ValueError:
        message = f"{value!r} is not a date such as 2027-02-01"
        raise fault(message) from None


_URL = re.compile(r"https?://[^\s/]+\S*")


def _url(value: object) -> str:
    if isinstance(value, str) and _URL.fullmatch(value):
        return value.rstrip("/")
    message = f"{value!r} is not an address such as http://localhost:9093"
    raise fault(message)


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value):
        # The value is not shown: it may be the secret itself.
        message = "is not the name of an environment variable; the secret stands there, not here"
        raise fault(message)
    return value


def null_is_empty(value: object) -> object:
    """A mapping of which only the key is written is an empty one."""
    return {} if value is None else value


_DURATION_SCHEMA = {"type": "string", "pattern": quantity.DURATION_PATTERN}
_SHARE_SCHEMA = {"anyOf": [{"type": "number"}, {"type": "string", "pattern": "^[0-9.]+%$"}]}

Duration = Annotated[int, PlainValidator(_duration), WithJsonSchema(_DURATION_SCHEMA)]
"""Microseconds, written as `30s`, `5m`, `2h`, `7d`."""
PositiveDuration = Annotated[
    int, PlainValidator(_positive_duration), WithJsonSchema(_DURATION_SCHEMA)
]
Share = Annotated[float, PlainValidator(_inner_share), WithJsonSchema(_SHARE_SCHEMA)]
"""A number between 0 and 1, both excluded, written as 0.02 or 2%."""
Day = Annotated[date, BeforeValidator(_day)]
Url = Annotated[str, PlainValidator(_url), WithJsonSchema({"type": "string", "format": "uri"})]
Variable = Annotated[str, AfterValidator(_variable)]
"""Name of an environment variable."""
Text = Annotated[str, Field(min_length=1)]
Positive = Annotated[float, Field(gt=0)]
Many = Annotated[tuple[_T, ...], Field(strict=False)]
"""A YAML list; `strict` holds for its entries only."""

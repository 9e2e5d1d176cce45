"""The fields of an event one by one: JSON value in, checked value out, or a `Fault` with its reason."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from monitor.model.event import Reject
from monitor.model.time import FOREVER, SECOND, from_datetime

MAX_COUNT: Final = 10**9
"""Largest `count` of a pre-aggregated line (INTERFACES.md)."""
_MILLISECONDS_FROM: Final = 1e11
"""Numbers of this magnitude or more are milliseconds, smaller ones seconds (INTERFACES.md)."""
_BEYOND_ANY_CLOCK: Final = 1e16
"""Milliseconds: some 300,000 years; larger numbers need no exact conversion."""
OLDEST: Final = from_datetime(datetime(2, 1, 1, tzinfo=UTC))
"""Buckets of local days and weeks that hold earlier times would begin before the year 1."""
_SHOWN: Final = 80
"""Characters of a faulty value that a dead letter's detail shows."""


class Fault(Exception):  # noqa: N818 - not an error of the program
    """A message cannot be used.

    Attributes:
        reason: why.
        detail: field and value at fault, for a person.
        event: the event's name, where it was read before the fault; else empty.
        message: the JSON value, where it could be read but for some number in it.
    """

    def __init__(
        self, reason: Reject, detail: str, *, event: str = "", message: Any = None
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.event = event
        self.message = message


def shown(value: object) -> str:
    """A value as a detail shows it: its text, cut where it is long."""
    text = repr(value) if not isinstance(value, int) or abs(value) < FOREVER else "a huge integer"
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."


def name(value: Any, at: str = "name") -> str:
    """The event's name: text that is not empty.

    Args:
        value: it.
        at: the field in which it stands, for the detail.
    """
    if value is None or value == "":
        raise Fault(Reject.MISSING_NAME, f"{at}: absent, null or empty")
    if type(value) is not str:
        raise Fault(Reject.BAD_FIELD, f"{at}: {shown(value)} is not text")
    return value


def time_us(value: Any, at: str = "time") -> int:
    """The event's time, microseconds: RFC 3339 with an offset, or a number since the epoch.

    Args:
        value: it.
        at: the field in which it stands, for the detail.
    """
    if value is None:
        raise Fault(Reject.MISSING_TIME, f"{at}: absent or null")
    if type(value) is str:
        time = _from_text(value, at)
    elif type(value) is int or type(value) is float:
        time = from_number(value, at)
    else:
        raise Fault(Reject.BAD_TIME, f"{at}: {shown(value)} is neither text nor a number")
    if time < OLDEST:
        raise Fault(Reject.BAD_TIME, f"{at}: {shown(value)} is before the year 2")
    return time


def from_number(value: float, at: str = "time") -> int:
    """Microseconds of a number of seconds or (from 1e11 on) milliseconds since the epoch.

    >>> from_number(1_700_000_000.25), from_number(1_700_000_000_250)
    (1700000000250000, 1700000000250000)
    """
    if type(value) is float and not math.isfinite(value):
        raise Fault(Reject.NOT_FINITE, f"{at}: not a finite number")
    if abs(value) > _BEYOND_ANY_CLOCK:
        return FOREVER if value > 0 else -FOREVER
    unit = SECOND if abs(value) < _MILLISECONDS_FROM else SECOND // 1000
    return round(value * unit)


def _from_text(value: str, at: str) -> int:
    try:
        moment = msgspec.convert(value, datetime)
    except msgspec.ValidationError:
        detail = f"{at}: {shown(value)} is not RFC 3339, such as 2026-11-21T10:00:00Z"
        raise Fault(Reject.BAD_TIME, detail) from None
    if moment.tzinfo is None:
        raise Fault(Reject.BAD_TIME, f"{at}: {shown(value)} has no offset; add Z or +hh:mm")
    return from_datetime(moment)


def count(value: Any) -> int:
    """How many equal events the line stands for: a whole number from 1 to 10^9; absent is 1."""
    if value is None:
        return 1
    number = type(value) is int or type(value) is float
    if number and not _finite(value):
        raise Fault(Reject.NOT_FINITE, "count: not a finite number")
    if not number or not 1 <= value <= MAX_COUNT or value != int(value):
        detail = f"count: {shown(value)} is not a whole number from 1 to 1000000000"
        raise Fault(Reject.BAD_COUNT, detail)
    return int(value)


def label(field: str, value: Any) -> str | None:
    """An actor or event id: text, or a number read as text; absent is None."""
    if value is None:
        return None
    if type(value) is str:
        return value
    if type(value) is int or type(value) is float:
        return scalar_text(field, value)
    raise Fault(Reject.BAD_FIELD, f"{field}: {shown(value)} is neither text nor a number")


def dimensions(value: Any) -> dict[str, str]:
    """Dimensions as text by name: an object of scalars; nulls are absent."""
    if value is None:
        return {}
    if type(value) is not dict:
        raise Fault(Reject.BAD_FIELD, f"dimensions: {shown(value)} is not an object")
    return {
        key: scalar_text(f"dimensions.{key}", item)
        for key, item in value.items()
        if item is not None
    }


def values(value: Any, count: int) -> dict[str, float]:
    """Numbers by name: an object of finite numbers; nulls are absent. Times `count` still finite."""
    if value is None:
        return {}
    if type(value) is not dict:
        raise Fault(Reject.BAD_FIELD, f"values: {shown(value)} is not an object")
    return {key: finite_number(key, item, count) for key, item in value.items() if item is not None}


def split_properties(
    properties: Any, at: str, count: int, *, dimensions: frozenset[str], values: frozenset[str]
) -> tuple[dict[str, str], dict[str, float]]:
    """Dimensions and values out of one object: scalars and numbers; what is neither is passed over.

    Args:
        properties: the object.
        at: the field in which it stands, for the detail.
        count: of the line.
        dimensions: names that must be scalars where they are present.
        values: names that must be numbers where they are present.
    """
    if properties is None:
        return {}, {}
    if type(properties) is not dict:
        raise Fault(Reject.BAD_FIELD, f"{at}: {shown(properties)} is not an object")
    texts: dict[str, str] = {}
    numbers: dict[str, float] = {}
    for key, item in properties.items():
        if item is None:
            continue
        if type(item) is str and key not in values:  # most are
            texts[key] = item
            continue
        if not isinstance(item, dict | list) or key in dimensions:
            texts[key] = scalar_text(f"{at}.{key}", item)
        if type(item) is int or type(item) is float or key in values:
            numbers[key] = finite_number(key, item, count)
    return texts, numbers


def lookup(message: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """What stands at a dotted path of a message; None where any part of it is absent."""
    found: Any = message
    for part in path:
        if type(found) is not dict:
            return None
        found = found.get(part)
    return found


def scalar_text(field: str, value: Any) -> str:
    """A scalar as text: 5.0 is "5", true is "true"; `field` is where it stands."""
    if type(value) is str:
        return value
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is not int and type(value) is not float:
        raise Fault(Reject.BAD_FIELD, f"{field}: {shown(value)} is not text, number or boolean")
    if not _finite(value):
        raise Fault(Reject.NOT_FINITE, f"{field}: not a finite number")
    return number_text(value)


def number_text(value: float) -> str:
    """A number as a dimension shows it.

    >>> number_text(5.0), number_text(-3), number_text(0.1)
    ('5', '-3', '0.1')
    """
    return str(int(value)) if value == int(value) else repr(value)


def finite_number(key: str, value: Any, count: int) -> float:
    """A number that is finite, also times `count`; `key` is its name among the values."""
    if type(value) is not int and type(value) is not float:
        raise Fault(Reject.BAD_FIELD, f"values.{key}: {shown(value)} is not a number")
    if not _finite(value) or not math.isfinite(float(value) * count):
        raise Fault(Reject.NOT_FINITE, f"values.{key}: overflows or is not a finite number")
    return float(value)


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond every float
        return False

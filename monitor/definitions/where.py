"""Selectors: which events count. `where` becomes tests in one normal form as it is read."""

import math
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema

from monitor.definitions.mistake import did_you_mean, shown
from monitor.definitions.plan import Condition
from monitor.scalars import Text, fault
from monitor.settings import Group

Test = tuple[str, tuple[str | float, ...]]
"""(operator, operands) of `plan.Condition`, without the field."""

BOUNDS = ("lt", "lte", "gt", "gte")
"""Tests that compare numbers."""
_OPERATORS = ("not", "prefix", *BOUNDS)


def scalar_text(value: object) -> str:
    """A dimension value as text: `true`, `5` (also for 5.0), `8.5`; raises on anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    message = f"{shown(value)} is not a text, number or boolean"
    raise fault(message)


def _texts(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    if not items:
        message = "has an empty list, which nothing is in; name at least one value"
        raise fault(message)
    return tuple(sorted({scalar_text(item) for item in items}))


def _prefix(value: object) -> tuple[str, ...]:
    if not isinstance(value, str) or not value:
        message = f"has the prefix {shown(value)}, which is not a text to begin with"
        raise fault(message)
    return (value,)


def _bound(value: object) -> tuple[float, ...]:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return (float(value),)
    message = f"has the bound {shown(value)}, which is not a number"
    raise fault(message)


_PARSERS: dict[str, tuple[str, Callable[[object], tuple[str | float, ...]]]] = {
    "not": ("not_in", _texts),
    "prefix": ("prefix", _prefix),
    **{bound: (bound, _bound) for bound in BOUNDS},
}


def parse_tests(value: object) -> tuple[Test, ...]:
    """The tests of one field of `where`, sorted; raises a validation error with the remedy."""
    if not isinstance(value, dict):
        return (("in", _texts(value)),)
    if not value:
        message = "has no test; write a value, a list of values or {not: value}"
        raise fault(message)
    tests = []
    for name, operand in value.items():
        if name not in _PARSERS:
            raise fault(_unknown_operator(str(name)))
        operator, parse = _PARSERS[name]
        tests.append((operator, parse(operand)))
    _refuse_empty_range(dict(tests))
    return tuple(sorted(tests))


def _unknown_operator(name: str) -> str:
    if name in ("in", "eq", "is"):
        return f"has the unknown test {name!r}; write the value, or the list of values, itself"
    hint = did_you_mean(name, _OPERATORS)
    return f"has the unknown test {name!r}, not one of {', '.join(_OPERATORS)}{hint}"


def _refuse_empty_range(tests: dict[str, tuple[Any, ...]]) -> None:
    lows = [(tests[name][0], name == "gt") for name in ("gt", "gte") if name in tests]
    highs = [(tests[name][0], name == "lt") for name in ("lt", "lte") if name in tests]
    for low, low_open in lows:
        for high, high_open in highs:
            if low > high or (low == high and (low_open or high_open)):
                message = f"holds for no number: above {low:g} and below {high:g}"
                raise fault(message)


_SCALAR: dict[str, Any] = {"type": ["string", "number", "boolean"]}
_SCALARS: dict[str, Any] = {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR, "minItems": 1}]}
_TEST_SCHEMA: dict[str, Any] = {
    "anyOf": [
        *_SCALARS["anyOf"],
        {
            "type": "object",
            "properties": {
                "not": _SCALARS,
                "prefix": {"type": "string", "minLength": 1},
                **{bound: {"type": "number"} for bound in BOUNDS},
            },
            "additionalProperties": False,
            "minProperties": 1,
        },
    ]
}

Tests = Annotated[tuple[Test, ...], PlainValidator(parse_tests), WithJsonSchema(_TEST_SCHEMA)]


class EventSelector(Group):
    """Events of one name; every test of `where` must hold."""

    event: Text
    """The event name."""
    where: Annotated[dict[Text, Tests], Field(default_factory=dict)]
    """Field to a value, a list of values, {not: ...}, {prefix: ...} or {lt, lte, gt, gte: ...}."""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The tests in the plan's form, sorted."""
        return tuple(
            sorted((field, op, of) for field, tests in self.where.items() for op, of in tests)
        )


class Selector(EventSelector):
    """Events of one name, or the sum of a field of theirs."""

    value: Text | None = None
    """The numeric field that is summed; without it events are counted."""


class ValueSelector(EventSelector):
    """A numeric field of the events of one name."""

    value: Text
    """The numeric field."""

"""Conditions of a selector: whether an event's field satisfies them."""

import math
from collections.abc import Callable
from typing import Final

from monitor.definitions.plan import Condition
from monitor.ingest.fields import number_text

Found = str | float | None
"""A field of an event: a dimension (text), else a value (a number), else absent."""

_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    "lt": lambda found, bound: found < bound,
    "lte": lambda found, bound: found <= bound,
    "gt": lambda found, bound: found > bound,
    "gte": lambda found, bound: found >= bound,
}


def holds(condition: Condition, found: Found) -> bool:
    """Whether a condition holds for what was found of its field; absent fails all but `not_in`.

    >>> holds(("status", "in", ("200", "201")), 200.0)
    True
    >>> holds(("status", "gte", (500.0,)), "503")
    True
    >>> holds(("status", "not_in", ("error",)), None)
    True
    """
    _, operator, operands = condition
    if found is None:
        return operator == "not_in"
    if operator in _COMPARISONS:
        number = _number(found)
        bounds = [bound for bound in map(_number, operands) if bound is not None]
        compare = _COMPARISONS[operator]
        return number is not None and all(compare(number, bound) for bound in bounds)
    text, texts = _text(found), tuple(_text(operand) for operand in operands)
    if operator == "prefix":
        return text.startswith(texts)
    return (text in texts) == (operator == "in")


def _text(found: str | float) -> str:
    return found if isinstance(found, str) else number_text(found)


def _number(found: str | float) -> float | None:
    """A number, or a dimension that reads as a finite one."""
    if not isinstance(found, str):
        return found
    try:
        number = float(found)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in found else None

"""What `monitor explain` is asked about: an alert, or a series at a time."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.definitions.mistake import did_you_mean
from monitor.definitions.plan import MetricPlan
from monitor.errors import InputError
from monitor.model.segment import format_segment
from monitor.model.time import SECOND, from_rfc3339

WHOLE = "all"
_CELL = re.compile(r'((?:"(?:[^"]|"")*"|[^",])*)(?:,|$)')
_MILLISECONDS_FROM = 1e11
"""Numbers from here on are milliseconds, as in the event envelope (INTERFACES.md)."""
_LATEST = 253_402_300_800_000
"""The end of the year 9999 in milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A series at a time.

    Attributes:
        metric: its name.
        values: of its dimensions, by name; empty for the whole.
        at_us: when.
    """

    metric: str
    values: dict[str, str]
    at_us: int


def parse_moment(text: str) -> Moment:
    """`METRIC[,dim=value...]@TIME`; a value with a comma is quoted as in CSV.

    Raises:
        InputError: with what is wrong and what would be right.

    >>> parse_moment('orders,country="a, b"@2026-10-24T14:05:00Z').values
    {'country': 'a, b'}
    """
    series, _, time = text.rpartition("@")
    metric, *cells = _cells(series, text)
    if not metric:
        message = f"{text!r} names no metric; write METRIC[,dim=value]@TIME"
        raise InputError(message)
    values: dict[str, str] = {}
    for cell in cells:
        name, equals, value = cell.partition("=")
        if not equals or not name or name in values:
            what = "has the same dimension twice" if name in values else "is no dim=value"
            message = f"{text!r}: {cell!r} {what}; write METRIC[,dim=value]@TIME"
            raise InputError(message)
        values[name] = _plain(value)
    return Moment(metric=metric, values=values, at_us=_instant(time, text))


def place(moment: Moment, plan: MetricPlan) -> tuple[str, str]:
    """The dimension and the segment of a question, as they stand in `buckets.ndjson`.

    Raises:
        InputError: the metric has no such segments; with those that it has.
    """
    for grouping in plan.groupings:
        if set(grouping) == set(moment.values):
            segment = format_segment([moment.values[name] for name in grouping])
            return (format_segment(grouping), segment) if grouping else (WHOLE, WHOLE)
    known = ["x".join(grouping) for grouping in plan.groupings if grouping]
    asked = "x".join(moment.values)
    has = f"it has {', '.join(known)}" if known else "it has no segments"
    message = f"metric {plan.name!r} is not kept by {asked}: {has}{did_you_mean(asked, known)}"
    raise InputError(message)


def find_metric(name: str, plans: Sequence[MetricPlan]) -> MetricPlan:
    """The metric of that name.

    Raises:
        InputError: there is none.
    """
    for plan in plans:
        if plan.name == name:
            return plan
    known = [plan.name for plan in plans]
    message = (
        f"there is no metric {name!r}{did_you_mean(name, known)}; known are {', '.join(known)}"
    )
    raise InputError(message)


def _cells(series: str, text: str) -> list[str]:
    cells, at = [], 0
    while True:
        found = _CELL.match(series, at)
        if found is None:
            message = f'{text!r}: a quote is not closed; write METRIC,dim="a, b"@TIME'
            raise InputError(message)
        cells.append(_plain(found[1]))
        at = found.end()
        if not found[0].endswith(",") or at > len(series):
            return cells


def _plain(cell: str) -> str:
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell


def _instant(time: str, text: str) -> int:
    try:
        number = float(time)
    except ValueError:
        number = None
    try:
        if number is not None:
            if not abs(number) < _LATEST:
                raise ValueError
            return round(number * (SECOND if abs(number) < _MILLISECONDS_FROM else 1000))
        return from_rfc3339(time.strip())
    except (ValueError, OverflowError) as error:
        message = (
            f"{text!r}: {time!r} is no time; write RFC 3339 with its offset, such as "
            "2026-10-24T14:05:00Z, or seconds since the epoch"
        )
        raise InputError(message) from error

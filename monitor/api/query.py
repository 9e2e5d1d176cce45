"""What a request asks for, read strictly: a wrong parameter is named, with what it should be."""

import difflib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from monitor.api.problem import ProblemError
from monitor.definitions.plan import MetricPlan, Plan
from monitor.model.time import SECOND, from_datetime

_MILLISECONDS_FROM = 1e11
"""Numbers from here on are milliseconds, as in the event envelope (INTERFACES.md)."""

_MILLISECOND = 1_000
_LATEST = 253_402_300_800_000
"""The end of the year 9999 in milliseconds."""

_WHOLE = "all"
_DIGITS = 15
"""Of a whole number at most: as many as the latest time has."""


def instant(parameters: Mapping[str, str], name: str) -> int | None:
    """A parameter that is a time, in microseconds since the epoch; None where it is not given.

    Raises:
        ProblemError: 400; it is neither RFC 3339 nor a number since the epoch.
    """
    text = parameters.get(name, "").strip()
    if not text:
        return None
    with suppress(ValueError):
        return _number(float(text))
    with suppress(ValueError, OverflowError):
        # A plus sign that was not encoded arrives as a space.
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        if moment.tzinfo is not None:
            return from_datetime(moment.astimezone(UTC))
    message = (
        f"{name}={text!r} is no time; give RFC 3339 with its offset, such as "
        "2026-11-21T10:00:00Z, or seconds since the epoch"
    )
    raise ProblemError(400, message, parameter=name)


def _number(value: float) -> int:
    if not abs(value) < _LATEST:
        message = "not finite, or in no calendar"
        raise ValueError(message)
    return round(value * (SECOND if abs(value) < _MILLISECONDS_FROM else _MILLISECOND))


def whole(
    parameters: Mapping[str, str], name: str, default: int, *, among: range | None = None
) -> int:
    """A parameter that is a whole number, which may have to be among some; raises 400 where it is not."""
    text = parameters.get(name)
    if not text:
        return default
    is_whole = text.isascii() and text.isdecimal() and len(text) <= _DIGITS
    if is_whole and (among is None or int(text) in among):
        return int(text)
    bounds = "" if among is None else f" from {among[0]} to {among[-1]}"
    message = f"{name}={text!r} is no whole number{bounds}"
    raise ProblemError(400, message, parameter=name)


def span(parameters: Mapping[str, str]) -> tuple[int | None, int | None]:
    """`since` and `until`; raises where they are wrong, or the wrong way round."""
    since, until = instant(parameters, "since"), instant(parameters, "until")
    if since is not None and until is not None and since > until:
        message = f"since={parameters['since']} is after until={parameters['until']}; swap them"
        raise ProblemError(400, message, parameter="since")
    return since, until


def metric(plan: Plan, name: str) -> MetricPlan:
    """The metric of that name; raises 404 with the nearest name there is."""
    for found in plan.known:
        if found.name == name:
            return found
    known = [m.name for m in plan.metrics]
    message = f"there is no metric {name!r}{nearest(name, known)}; /api/v1/metrics lists them"
    raise ProblemError(404, message)


def dimension(found: MetricPlan, parameters: Mapping[str, str]) -> str:
    """The dimension asked for; raises 404 with the nearest one that the metric has."""
    name = parameters.get("dimension") or _WHOLE
    known = [",".join(grouping) or _WHOLE for grouping in found.groupings]
    if name in known:
        return name
    message = (
        f"metric {found.name!r} has no dimension {name!r}{nearest(name, known)}; "
        f"it has {', '.join(known)}"
    )
    raise ProblemError(404, message, parameter="dimension")


def choice(parameters: Mapping[str, str], name: str, known: Iterable[str]) -> str | None:
    """A parameter with few possible values; None where it is not given."""
    value = parameters.get(name) or None
    values = [str(item) for item in known]
    if value is not None and value not in values:
        message = f"{name}={value!r} is not one of {', '.join(values)}{nearest(value, values)}"
        raise ProblemError(400, message, parameter=name)
    return value


def nearest(name: str, known: Iterable[str]) -> str:
    """A did-you-mean, or nothing.

    >>> nearest("conutry", ["country", "platform"])
    " (did you mean 'country'?)"
    """
    found = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""

"""Faults as they stand on a command line.

KIND:WHAT[,dimension=value...][:SIZE]@START/DURATION

incident:orders,country=DE:-45%@2026-11-20T14:05:00Z/80m
bad_release:android,version=8.50.0,errors=4,orders=-20%@2026-11-20T14:05:00Z/40m
mix_shift:US>DE:30%@2026-11-20T14:05:00Z/2h
broken_tracking:order,platform=ios,mode=twice@2026-11-20T14:05:00Z/1h
"""

from collections.abc import Callable
from datetime import datetime
from difflib import get_close_matches
from typing import Final, Literal, cast

from monitor.errors import ConfigError
from monitor.ingest.synthetic.faults import (
    BadRelease,
    BrokenTracking,
    Fault,
    Incident,
    MixShift,
    Where,
)
from monitor.ingest.synthetic.market import COUNTRIES, EVENTS, PLATFORMS
from monitor.model.quantity import parse_duration, parse_share
from monitor.model.time import DAY, MINUTE, SECOND, from_datetime

_FORM: Final = "incident:orders,country=DE:-45%@2026-11-20T14:05:00Z/80m"
_PLURALS: Final = {f"{event}s": event for event in EVENTS} | {
    "activations": "activate",
    "errors": "error",
}
_INCIDENTS: Final = (*EVENTS, "error")
_MODES: Final = ("stops", "twice", "late")
_LONGEST: Final = 90 * DAY
_MOST_SHIFT: Final = 9.0
_MOST_ERRORS: Final = 100.0
_NEXT_VERSION: Final = "9.0.0"


def parse_fault(text: str) -> Fault:
    """The fault of a text; see the module for its form.

    Raises:
        ConfigError: with the text, what is wrong in it, and how it is meant.
    """
    try:
        return _parse(text)
    except ValueError as error:
        message = f"fault {text!r}: {error}"
        raise ConfigError(message) from None


def _parse(text: str) -> Fault:
    head, at, span = text.rpartition("@")
    kind, _, what = head.partition(":")
    if not at:
        message = f"has no @START/DURATION; write it as {_FORM}"
        raise ValueError(message)
    started_us, ended_us = _span(span)
    make = _KINDS[_one_of(kind, tuple(_KINDS), "kind")]
    body, _, size = what.partition(":")
    subject, *pairs = body.split(",")
    return make(subject, _pairs(pairs), size, started_us, ended_us)


def _span(text: str) -> tuple[int, int]:
    start, slash, duration = text.partition("/")
    if not slash:
        message = f"{text!r} has no duration; write @{text or '2026-11-20T14:05:00Z'}/80m"
        raise ValueError(message)
    try:
        moment = datetime.fromisoformat(start)
    except ValueError:
        message = f"start {start!r} is not a time such as 2026-11-20T14:05:00Z"
        raise ValueError(message) from None
    if moment.tzinfo is None:
        message = f"start {start!r} has no time zone; write {start}Z"
        raise ValueError(message)
    started_us, lasts_us = from_datetime(moment), parse_duration(duration)
    if not MINUTE <= lasts_us <= _LONGEST:
        message = f"duration {duration!r} is not between 1m and 90d"
        raise ValueError(message)
    return started_us, started_us + lasts_us


def _pairs(texts: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (equals and name and value):
            message = f"{text!r} is not of the form dimension=value"
            raise ValueError(message)
        if name in found:
            message = f"{name!r} is given twice"
            raise ValueError(message)
        found[name] = value
    return found


def _incident(subject: str, pairs: dict[str, str], size: str, start: int, stop: int) -> Fault:
    event = _event(subject, _INCIDENTS)
    where = _where(pairs, ("country", "platform"))
    shift = _share(size, "-45%")
    if not -1 <= shift <= _MOST_SHIFT or shift == 0:
        message = f"shift {size!r} is not from -100% to 900%, and not 0"
        raise ValueError(message)
    return Incident(event=event, where=where, shift=shift, started_us=start, ended_us=stop)


def _bad_release(subject: str, pairs: dict[str, str], size: str, start: int, stop: int) -> Fault:
    platform = _one_of(subject, PLATFORMS, "platform")
    _known(pairs, ("version", "errors", "orders", "rollout"))
    _no_size(size)
    errors, orders = _number(pairs.get("errors", "4")), _share(pairs.get("orders", "0%"), "-20%")
    if not (0 <= errors <= _MOST_ERRORS and -1 <= orders <= _MOST_SHIFT):
        message = "errors are 0 to 100 times as many, orders change by -100% to 900%"
        raise ValueError(message)
    version = pairs.get("version", _NEXT_VERSION)
    if not version.replace(".", "").replace("-", "").isalnum():
        message = f"version {version!r} has other characters than letters, digits, dots and dashes"
        raise ValueError(message)
    return BadRelease(
        platform=platform,
        version=version,
        errors=errors,
        orders=orders,
        rollout_us=_rollout(pairs.get("rollout", "3m")),
        started_us=start,
        ended_us=stop,
    )


def _mix_shift(subject: str, pairs: dict[str, str], size: str, start: int, stop: int) -> Fault:
    origin, arrow, target = subject.partition(">")
    _known(pairs, ())
    if not arrow:
        message = f"{subject!r} does not say from where to where; write US>DE"
        raise ValueError(message)
    for country in (origin, target):
        _one_of(country, COUNTRIES, "country")
    share = _share(size, "30%")
    if origin == target or not 0 < share <= 1:
        message = f"{subject}:{size} needs two countries and a share above 0% and at most 100%"
        raise ValueError(message)
    return MixShift(origin=origin, target=target, share=share, started_us=start, ended_us=stop)


def _broken(subject: str, pairs: dict[str, str], size: str, start: int, stop: int) -> Fault:
    _no_size(size)
    mode = _one_of(pairs.pop("mode", "stops"), _MODES, "mode")
    delay_us = parse_duration(pairs.pop("delay", "10m"))
    if not MINUTE <= delay_us <= DAY:
        message = "delay is not between 1m and 1d"
        raise ValueError(message)
    return BrokenTracking(
        event=_event(subject, EVENTS),
        where=_where(pairs, ("country", "platform", "app_version")),
        mode=cast("Literal['stops', 'twice', 'late']", mode),
        delay_us=delay_us,
        started_us=start,
        ended_us=stop,
    )


_KINDS: Final[dict[str, Callable[[str, dict[str, str], str, int, int], Fault]]] = {
    "incident": _incident,
    "bad_release": _bad_release,
    "mix_shift": _mix_shift,
    "broken_tracking": _broken,
}


def _event(text: str, known: tuple[str, ...]) -> str:
    name = _PLURALS.get(text, text)
    return _one_of(name, known, "event")


def _where(pairs: dict[str, str], dimensions: tuple[str, ...]) -> Where:
    _known(pairs, dimensions)
    values = {"country": COUNTRIES, "platform": PLATFORMS}
    for name, value in pairs.items():
        if name in values:
            _one_of(value, values[name], name)
    return tuple(pairs.items())


def _known(pairs: dict[str, str], names: tuple[str, ...]) -> None:
    for name in pairs:
        _one_of(name, names, "key")


def _one_of(text: str, known: tuple[str, ...], what: str) -> str:
    if text in known:
        return text
    close = get_close_matches(text, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    message = f"{what} {text!r} is not one of {', '.join(known) or 'none here'}{hint}"
    raise ValueError(message)


def _no_size(size: str) -> None:
    if size:
        message = f"{size!r} after the second colon has no meaning for this kind"
        raise ValueError(message)


def _share(text: str, example: str) -> float:
    if not text.endswith("%"):
        message = f"{text!r} is not a share such as {example}"
        raise ValueError(message)
    return parse_share(text)


def _rollout(text: str) -> int:
    found = parse_duration(text)
    if not SECOND <= found <= _LONGEST:
        message = f"rollout {text!r} is not between 1s and 90d"
        raise ValueError(message)
    return found


def _number(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if not abs(found) < float("inf"):
        message = f"{text!r} is not a number such as 4"
        raise ValueError(message)
    return found

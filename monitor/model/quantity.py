"""Quantities as people write them: durations (`30s`, `1h30m`) and shares (`2%`, `0.02`)."""

import math
import re

from monitor.model.time import DAY, HOUR, MINUTE, SECOND, WEEK

_UNITS = {"ms": 1000, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": WEEK}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_SHOWN = (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1000))
_PERCENT = 100.0
_LONGEST = 100 * 366 * DAY

DURATION_PATTERN = r"^(\d+(\.\d+)?(ms|s|m|h|d|w))+$"
SHARE_PATTERN = r"^-?\d+(\.\d+)?%$"


def parse_duration(text: object) -> int:
    """Microseconds of a duration; raises ValueError with a remedy on anything else.

    >>> parse_duration("1h30m") == 90 * MINUTE
    True
    """
    if isinstance(text, int | float) and not isinstance(text, bool):
        message = f"{text} has no unit; write {text}s, {text}m, {text}h or {text}d"
        raise ValueError(message)
    compact = text.replace(" ", "") if isinstance(text, str) else ""
    if not compact or _PART.sub("", compact):
        message = f"{text!r} is not a duration such as 30s, 5m, 2h or 7d"
        raise ValueError(message)
    total = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(compact))
    if total > _LONGEST:
        message = f"{text!r} is longer than 100 years"
        raise ValueError(message)
    return round(total)


def format_duration(duration_us: int) -> str:
    """The shortest text of a duration.

    >>> format_duration(90 * MINUTE), format_duration(14 * DAY), format_duration(0)
    ('1h30m', '14d', '0s')
    """
    parts, rest = [], duration_us
    for unit, size in _SHOWN:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_share(value: object) -> float:
    """A share of `2%` or 0.02; raises ValueError on anything else.

    >>> parse_share("2%"), parse_share(0.5)
    (0.02, 0.5)
    """
    try:
        if isinstance(value, str) and value.rstrip().endswith("%"):
            share = float(value.rstrip()[:-1]) / _PERCENT
        elif isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError
        else:
            share = float(value)
        if not math.isfinite(share):
            raise ValueError
    except ValueError:
        message = f"{value!r} is not a share such as 2% or 0.02"
        raise ValueError(message) from None
    return share


def percent(share: float | None) -> str:
    """A signed change.

    >>> percent(-0.3449), percent(0.021), percent(12.3), percent(None)
    ('-34 %', '+2.1 %', '+1,230 %', 'undefined')
    """
    if share is None:
        return "undefined"
    digits = 1 if abs(share) < 0.0995 else 0  # noqa: PLR2004
    return f"{100 * share:+,.{digits}f} %"

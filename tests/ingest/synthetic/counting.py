"""Counting the shop's events, in the tests."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import msgspec

from monitor.ingest.synthetic import Shop
from monitor.model.time import MINUTE, from_datetime

START = 1_793_577_600_000_000  # 2026-11-02, a Monday
"""When the shops of these tests open."""


class Key(NamedTuple):
    """What is counted together."""

    minute: int
    name: str
    country: str
    platform: str
    version: str
    status: str


class _Line(msgspec.Struct):
    name: str
    time: msgspec.Raw
    dimensions: dict[str, str]
    count: int = 1


_decode = msgspec.json.Decoder(_Line).decode


def counted(lines: Iterable[bytes]) -> Counter[Key]:
    """Events by minute of event time since `START`, and segment."""
    found: Counter[Key] = Counter()
    memory: dict[bytes, int] = {}
    for body in lines:
        line = _decode(body)
        text = bytes(line.time)[1:17]
        if text not in memory:
            memory[text] = minute_of(text.decode())
        where = line.dimensions
        key = Key(
            memory[text],
            line.name,
            where["country"],
            where["platform"],
            where["app_version"],
            where.get("status", ""),
        )
        found[key] += line.count
    return found


def minute_of(text: str) -> int:
    """The minute since `START` of the first sixteen characters of a time."""
    return (from_datetime(datetime.fromisoformat(text + "Z")) - START) // MINUTE


def total(found: Counter[Key], minutes: range | None = None, /, **where: str) -> int:
    """Events of these minutes (all of them) whose keys have these values."""
    return sum(
        count
        for key, count in found.items()
        if (minutes is None or key.minute in minutes)
        and all(getattr(key, name) == value for name, value in where.items())
    )


def hours(shop: Shop, first: int, stop: int) -> Counter[Key]:
    """Events that arrive in these hours of a shop."""
    return counted(shop.lines(first * 60, stop * 60))

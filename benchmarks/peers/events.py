"""The events of the comparison, and what their cells hold, by brute force."""

import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from benchmarks.topics import Message
from monitor.model.time import MINUTE, SECOND, to_rfc3339

PARTITIONS = 2
START_US = 1_795_392_000 * SECOND  # a whole minute
NAMES = ("request", "signup", "view", "view", "cart", "order")
PAID = ("request", "order")
COUNTRIES = ("DE", "FR", "US", "GB", "JP", "BR", "IN", "PL", "ES", "IT")
PLATFORMS = ("ios", "android", "web")
VERSIONS = tuple(f"8.{minor}.0" for minor in range(10))
ACTORS = 500
JITTER_SECONDS = 2

Key = tuple[str, int]
"""`event|country|platform|version`, and the minute in seconds since the epoch."""

Cell = tuple[int, float, int]
"""Count, sum of the amounts, different actors."""


@dataclass(slots=True)
class _Open:
    count: int = 0
    cents: int = 0
    actors: set[int] = field(default_factory=set)


def made(events: int, density: float) -> tuple[list[list[Message]], dict[Key, Cell]]:
    """Messages by partition, and the cells that they make.

    The key of a message is that of its cell without the minute, so that a cell is within one
    partition; its Kafka time is the event's. The last message of each partition is an `end` ten minutes
    later: it closes the windows, and is in no cell of the result.

    Args:
        events: how many, with the two ends.
        density: events a second of event time.
    """
    partitions: list[list[Message]] = [[] for _ in range(PARTITIONS)]
    cells: dict[Key, _Open] = {}
    for key, cents, actor, time_us, partition, body in _events(events - PARTITIONS, density):
        cell = cells.setdefault((key, time_us // MINUTE * 60), _Open())
        cell.count += 1
        cell.cents += cents
        cell.actors.add(actor)
        partitions[partition].append((key.encode(), body, time_us // 1000))
    last = START_US + int(events / density) * SECOND + 10 * MINUTE
    for messages in partitions:
        body = f'{{"name":"end","time":"{to_rfc3339(last)}","actor":"u","dimensions":'
        body += '{"country":"DE","platform":"web","app_version":"8.0.0"}}'
        messages.append((b"end|DE|web|8.0.0", body.encode(), last // 1000))
    return partitions, {
        key: (cell.count, cell.cents / 100, len(cell.actors)) for key, cell in cells.items()
    }


def _events(events: int, density: float) -> Iterator[tuple[str, int, int, int, int, bytes]]:
    rng = random.Random(11)
    for i in range(events):
        late = rng.random() * JITTER_SECONDS
        time_us = START_US + int((i / density + late) * SECOND) // 1000 * 1000
        name, actor = rng.choice(NAMES), rng.randrange(ACTORS)
        country, platform = rng.choice(COUNTRIES), rng.choice(PLATFORMS)
        version = rng.choice(VERSIONS)
        cents = rng.randrange(10_000) if name in PAID else 0
        paid = f',"values":{{"amount":{cents / 100}}}' if name in PAID else ""
        body = (
            f'{{"event_id":"e{i:08d}","name":"{name}","time":"{to_rfc3339(time_us)}",'
            f'"actor":"u{actor:05d}","dimensions":{{"country":"{country}","platform":"{platform}",'
            f'"app_version":"{version}"}}{paid}}}'
        ).encode()
        key = f"{name}|{country}|{platform}|{version}"
        yield key, cents, actor, time_us, zlib.crc32(key.encode()) % PARTITIONS, body


def differences(found: dict[Key, Cell], expected: dict[Key, Cell]) -> list[str]:
    """What is wrong with the cells that a program found, in words; the first few."""
    wrong = [
        f"{key}: {found.get(key)} for {expected.get(key)}"
        for key in sorted(found.keys() | expected.keys())
        if not _same(found.get(key), expected.get(key))
    ]
    return wrong if len(wrong) < 4 else [*wrong[:3], f"and {len(wrong) - 3} more"]


def _same(one: Cell | None, other: Cell | None) -> bool:
    if one is None or other is None:
        return False
    return one[0] == other[0] and one[2] == other[2] and abs(one[1] - other[1]) <= 1e-9 * one[1]

"""The events of a chaos run, and what they amount to by construction.

Every visitor is new, signs up at most once and walks through the funnel at most once, so what each
metric must say of each bucket is known when the events are made: no part of the monitor is asked.
Events are out of order within the allowed lateness, and a few come hours late.
"""

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

HOUR: Final = 3_600_000
DAY: Final = 24 * HOUR
WIDTH: Final = HOUR
LATENESS: Final = HOUR // 30
TAIL: Final = 25 * HOUR
"""After the last visit: the cohorts of its day are mature."""

PARTITIONS: Final = 4
MALFORMED: Final = 0.001
LATE: Final = 0.003
COUNTRIES: Final = ("DE", "FR", "US", "BR")
PLATFORMS: Final = ("ios", "android", "web")
PLANS: Final = ("free", "pro")
_LINES_A_VISIT: Final = 6.0

METRICS: Final = """
metrics:
  - {name: orders, kind: count, of: {event: order}, segments: [country, [country, platform]], bucket: 1h}
  - {name: revenue, kind: sum, of: {event: order, value: amount}, segments: [plan], bucket: 1h}
  - {name: order_value, kind: mean, of: {event: order, value: amount}, bucket: 1h}
  - name: error_rate
    kind: ratio
    numerator: {event: request, where: {status: error}}
    denominator: {event: request}
    segments: [country]
    bucket: 1h
    better: down
  - {name: active_users, kind: uniques, of: {event: session}, segments: [plan], bucket: 1h}
  - {name: latency_p95, kind: quantile, of: {event: request, value: ms}, q: 0.95, segments: [platform], bucket: 1h}
  - name: activation
    kind: conversion
    start: {event: signup}
    finish: {event: activate}
    within: 1h
    segments: [country]
    bucket: 1h
  - name: checkout
    kind: funnel
    steps: [{event: view}, {event: cart}, {event: order}]
    within: 1h
    segments: [platform]
    bucket: 1h
  - {name: day_one, kind: retention, cohort: {event: signup}, returns: {event: session}, day: 1}
  - {name: revenue_per_user, kind: derived, formula: revenue / active_users, segments: [plan], bucket: 1h}
"""
"""Each of the ten kinds, over three dimensions."""

Cell = tuple[str, str, str, int]
"""Metric, dimension, segment, start of the bucket in milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who: one visitor's name and dimensions."""

    actor: str
    country: str
    platform: str
    plan: str

    def segments(self, *dimensions: str) -> Iterator[tuple[str, str]]:
        """Dimension and segment: of the whole, and of each of these; `+` joins two."""
        yield "all", "all"
        for names in dimensions:
            values = [getattr(self, name) for name in names.split("+")]
            yield names.replace("+", ","), ",".join(values)


@dataclass(slots=True)
class Truth:
    """What must come out.

    Attributes:
        cells: by cell, `[n, x]`: units or events, and what of them is added up or converted.
        letters: by partition and offset, why a line is a dead letter, and its bytes.
        lines: by partition, how many there are.
    """

    cells: dict[Cell, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    letters: dict[tuple[int, int], tuple[str, bytes]] = field(default_factory=dict)
    lines: list[int] = field(default_factory=lambda: [0] * PARTITIONS)

    def add(self, metric: str, who: Visitor, at: int, n: float, x: float, *dims: str) -> None:
        """Count in the bucket of this time, in the whole and in these dimensions."""
        start = at - at % (DAY if metric == "day_one" else WIDTH)
        for dimension, segment in who.segments(*dims):
            cell = self.cells[metric, dimension, segment, start]
            cell[0] += n
            cell[1] += x


class World:
    """Visits over some days, hour by hour.

    Args:
        seed: everything follows from it.
        events: about how many lines.
        days: over which they are spread.
        end: of the last visit, milliseconds since the epoch, a midnight (UTC).

    Attributes:
        truth: of the hours that were made so far.
    """

    def __init__(self, *, seed: int, events: int, days: int, end: int) -> None:
        self.truth = Truth()
        self.end = end
        self.start = end - days * DAY
        self._chance = random.Random(seed)
        self._visits_an_hour = events / _LINES_A_VISIT / (days * 24)
        self._queue: dict[int, list[tuple[int, int, int, bytes]]] = defaultdict(list)
        self._visitors = self._lines = 0

    def hours(self) -> Iterator[list[tuple[int, bytes]]]:
        """Partition and line, in the order of their arrival, hour by hour."""
        for hour in range(self.start, self.end + TAIL + HOUR, HOUR):
            if hour < self.end:
                self._visit_all(hour)
            else:
                self._tick(hour)
            out: list[tuple[int, bytes]] = []
            for _, _, partition, line in sorted(self._queue.pop(hour, [])):
                if hour < self.end and self._chance.random() < MALFORMED:
                    out.append(self._malformed(hour))
                out.append(self._placed(partition, line))
            yield out

    def write(self, folder: Path) -> list[Path]:
        """The lines, a file for each partition."""
        files = [folder / f"partition-{number}.ndjson" for number in range(PARTITIONS)]
        outs = [file.open("wb") for file in files]
        try:
            for hour in self.hours():
                for partition, line in hour:
                    outs[partition].write(line + b"\n")
        finally:
            for out in outs:
                out.close()
        return files

    def _placed(self, partition: int, line: bytes) -> tuple[int, bytes]:
        self.truth.lines[partition] += 1
        return partition, line

    def _visit_all(self, hour: int) -> None:
        wrong = self.end - 40 * HOUR <= hour < self.end - 16 * HOUR
        mean = self._visits_an_hour
        for _ in range(max(1, round(self._chance.gauss(mean, mean**0.5)))):
            self._visit(hour + self._chance.randrange(HOUR), wrong=wrong)

    def _visit(self, at: int, *, wrong: bool) -> None:
        chance, truth = self._chance.random, self.truth
        self._visitors += 1
        who = Visitor(
            actor=f"u{self._visitors}",
            country=COUNTRIES[int(len(COUNTRIES) * chance() ** 2)],
            platform=PLATFORMS[int(3 * chance())],
            plan=PLANS[int(2 * chance())],
        )
        sessions = self._sessions(who, at)
        self._requests(who, at, failing=0.5 if wrong and who.country == "FR" else 0.04)
        self._event(who, at, "view")
        steps = 1
        cart, order = at + int(600_000 * chance()), at + int(1_500_000 * chance() + 600_000)
        if chance() < 0.6:
            steps = 2
            self._event(who, cart, "cart")
            if chance() < (0.1 if wrong and who.country == "DE" else 0.6):
                steps = 3
                self._order(who, order)
        for number, step in enumerate(("view", "cart", "order")):
            start = at - at % WIDTH
            cell = truth.cells["checkout", "step", step, start]
            cell[0] += 1
            cell[1] += number < steps
        truth.add("checkout", who, at, 1, steps == 3, "platform")
        if chance() < 0.02:
            self._sign_up(who, at, sessions)

    def _sessions(self, who: Visitor, at: int) -> list[int]:
        times = [at, *([at + 200_000] if self._chance.random() < 0.3 else [])]
        for time in times:
            self._event(who, time, "session")
        for bucket in {time - time % WIDTH for time in times}:
            self._active(who, bucket)
        return times

    def _active(self, who: Visitor, at: int) -> None:
        self.truth.add("active_users", who, at, 1, 1, "plan")

    def _requests(self, who: Visitor, at: int, *, failing: float) -> None:
        for number in range(2 + (self._chance.random() < 0.5)):
            time = at + 1_000 * number
            failed = self._chance.random() < failing
            ms = int(20 + self._chance.expovariate(1 / 100))
            status = "error" if failed else "ok"
            self._event(who, time, "request", f'"ms":{ms}', f',"status":"{status}"')
            self.truth.add("error_rate", who, time, 1, failed, "country")
            self.truth.add("latency_p95", who, time, 1, 0, "platform")

    def _order(self, who: Visitor, at: int) -> None:
        amount = self._chance.randrange(20, 800) / 4  # sums of quarters are exact
        self._event(who, at, "order", f'"amount":{amount}')
        self.truth.add("orders", who, at, 1, 1, "country", "country+platform")
        self.truth.add("revenue", who, at, 1, amount, "plan")
        self.truth.add("order_value", who, at, 1, amount)

    def _sign_up(self, who: Visitor, at: int, sessions: list[int]) -> None:
        chance = self._chance.random
        self._event(who, at, "signup")
        activated, back = chance() < 0.5, chance() < 0.4
        if activated:
            self._event(who, at + int(3_000_000 * chance()), "activate")
        if back:
            again = at - at % DAY + DAY + int((DAY - HOUR) * chance())
            self._event(who, again, "session")
            self._active(who, again)
        back |= any(time // DAY > at // DAY for time in sessions)  # on either side of midnight
        self.truth.add("activation", who, at, 1, activated, "country")
        self.truth.add("day_one", who, at, 1, back)

    def _event(self, who: Visitor, at: int, name: str, values: str = "", more: str = "") -> None:
        self._lines += 1
        line = (
            f'{{"event_id":"e{self._lines}","name":"{name}","time":{at},"actor":"{who.actor}",'
            f'"dimensions":{{"country":"{who.country}","platform":"{who.platform}",'
            f'"plan":"{who.plan}"{more}}},"values":{{{values}}}}}'
        )
        arrives = at + int(self._chance.random() ** 3 * LATENESS * 0.9)
        if at < self.end - 6 * HOUR and self._chance.random() < LATE:
            arrives += int(5 * HOUR * self._chance.random())
        partition = self._chance.randrange(PARTITIONS)
        due = self._queue[arrives - arrives % HOUR]
        due.append((arrives, self._lines, partition, line.encode()))

    def _tick(self, hour: int) -> None:
        """Time passes in every partition, without an event that a metric uses."""
        for at in (hour, hour + HOUR // 2):
            time = at + LATENESS + 5_000
            line = b'{"name":"tick","time":%d}' % time
            if at <= self.end + TAIL:
                self._queue[hour] += [(time, 0, number, line) for number in range(PARTITIONS)]

    def _malformed(self, hour: int) -> tuple[int, bytes]:
        partition = self._chance.randrange(PARTITIONS)
        reason, line = self._chance.choice(_BAD)
        number = f"{self._chance.randrange(10**9)}".encode()
        line = line.replace(b"@", f"{hour}".encode()).replace(b"#", number)
        self.truth.letters[partition, self.truth.lines[partition]] = (reason, line)
        return self._placed(partition, line)


_BAD: Final[tuple[tuple[str, bytes], ...]] = (
    ("not_json", b'{"name":"order","time":@,#'),
    ("not_json", b"\xff\xfe #"),
    ("not_an_object", b"[#]"),
    ("missing_name", b'{"time":@,"actor":"#"}'),
    ("missing_time", b'{"name":"order","actor":"#"}'),
    ("bad_time", b'{"name":"order","time":"noon","actor":"#"}'),
    ("too_far_in_future", b'{"name":"order","time":"2199-01-01T00:00:00Z","actor":"#"}'),
    ("bad_count", b'{"name":"order","time":@,"count":-3,"actor":"#"}'),
    ("bad_field", b'{"name":"order","time":@,"actor":{"id":#}}'),
    ("not_finite", b'{"name":"order","time":@,"actor":"#","values":{"amount":NaN}}'),
)


def service(*, broker: str, prefix: str, shards: int, port: int, alertmanager: str) -> str:
    """The `monitor.yaml` of a chaos run: a silent partition holds the buckets, so that what is decided
    depends on the events alone."""
    settings: dict[str, Any] = {
        "source": {
            "kafka": {"bootstrap_servers": broker, "topic": f"{prefix}.events", "group": prefix}
        },
        "allowed_lateness": f"{LATENESS // 1000}s",
        "idle_timeout": "6h",
        "journal": {"kafka": {"prefix": prefix, "shards": shards}},
        "alertmanager": {"url": f"http://{alertmanager}"},
        "api": {"host": "127.0.0.1", "port": port},
    }
    return json.dumps(settings)

"""A small shop's history as pre-aggregated events, and the incident that ends it. No chance in it
but a seeded one: the same start gives the same events."""

import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

MINUTE = 60
HOUR = 3600
DAY = 86_400
STEP = 15 * MINUTE
COUNTRIES = ("DE", "FR", "US")
BASE = {"DE": 1200, "FR": 800, "US": 2000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An event for one partition of the source topic."""

    partition: int
    time: int
    body: bytes


def lines(start: int, end: int, *, fall: float = 0.0) -> Iterator[Line]:
    """Every quarter of an hour in [start, end): orders and requests of every country.

    Args:
        start, end: seconds since the epoch; of the start's quarter on.
        fall: the share of the orders that is missing.
    """
    for at in range(start, end, STEP):
        chance = random.Random(at)
        season = 1 + 0.3 * math.sin(2 * math.pi * (at % DAY) / DAY)
        for number, country in enumerate(COUNTRIES):
            mean = BASE[country] * season
            orders = max(1, round((1 - fall) * chance.gauss(mean, math.sqrt(mean))))
            requests = round(10 * mean)
            errors = max(1, round(chance.gauss(0.02 * requests, math.sqrt(0.02 * requests))))
            partition = number % 2
            yield _line(partition, at + 1, "order", orders, country)
            yield _line(partition, at + 2, "request", requests - errors, country, status="ok")
            yield _line(partition, at + 3, "request", errors, country, status="error")


def _line(partition: int, at: int, name: str, count: int, country: str, **more: str) -> Line:
    dimensions = {"country": country, **more}
    body = {"name": name, "time": at, "count": count, "dimensions": dimensions}
    return Line(partition=partition, time=at, body=json.dumps(body).encode())


METRICS = """
metrics:
  - name: orders
    kind: count
    of: {event: order}
    segments: [country]
    bucket: 15m
    owner: shop@example.com
    alert: {severity: page, runbook_url: https://runbooks.example.com/orders}
  - name: error_rate
    kind: ratio
    numerator: {event: request, where: {status: error}}
    denominator: {event: request}
    segments: [country]
    bucket: 15m
    better: down
"""


def service(*, broker: str, prefix: str, port: int, alertmanager: str) -> str:
    """The `monitor.yaml` of the shop on Kafka.

    `idle_timeout` is long: the history is fed in bursts, and a silent partition would be given the
    wall clock as its watermark.
    """
    return f"""
source: {{kafka: {{bootstrap_servers: "{broker}", topic: {prefix}.events, group: {prefix}}}}}
idle_timeout: 6h
journal: {{kafka: {{prefix: {prefix}, shards: 2}}}}
alertmanager: {{url: "http://{alertmanager}"}}
api: {{host: 127.0.0.1, port: {port}}}
"""

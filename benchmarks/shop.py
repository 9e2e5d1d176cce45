"""Lines a second of the synthetic shop, on one core.

    python benchmarks/shop.py [--days 21] [--hours 6]

Days of sums and hours of single events, beside a bare msgspec encoding of the same number of events.
"""

import argparse
from time import process_time

import msgspec

from monitor.ingest.synthetic import Shop
from monitor.model.time import SECOND

START_US = 1_793_577_600 * SECOND  # 2026-11-02, a Monday
EVENT = {
    "event_id": "1c823f4.cffa",
    "name": "request",
    "time": "2026-11-02T11:59:59.999Z",
    "actor": "vf062039d38a9",
    "dimensions": {"country": "JP", "platform": "web", "app_version": "8.47.0", "status": "ok"},
    "values": {"duration_ms": 112.7},
}


def bare(events: int) -> float:
    encode, began = msgspec.json.Encoder().encode, process_time()
    for _ in range(events):
        encode(EVENT)
    return process_time() - began


def run(what: str, minutes: int, *, aggregated: bool) -> None:
    shop = Shop(seed=7, start_us=START_US, aggregated=aggregated)
    began, lines, size = process_time(), 0, 0
    for index in range(minutes):
        found = shop.minute(index)
        lines += len(found)
        size += sum(map(len, found))
    took = process_time() - began
    print(
        f"{what}: {lines:,} lines of {size / lines:.0f} bytes ({lines / minutes:.1f} a minute) in "
        f"{took:.1f} s: {lines / took:,.0f} lines/s, {bare(lines) / took:.2f} of a bare encode"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=21)
    parser.add_argument("--hours", type=int, default=6)
    options = parser.parse_args()
    run(f"{options.days} days of sums", options.days * 1440, aggregated=True)
    run(f"{options.hours} hours of single events", options.hours * 60, aggregated=False)


if __name__ == "__main__":
    main()

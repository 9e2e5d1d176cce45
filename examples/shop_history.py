"""Three weeks of a small shop, as pre-aggregated events: a history to try `monitor replay` on.

    python examples/shop_history.py FILE.ndjson.gz

One line a minute, country and platform, with `count` equal events each: daily and weekly season, noise
twice as wide as Poisson's, and on the 20th day, from 14:05 UTC on for 80 minutes, Germany sells 45 % less.
The same seed gives the same file.
"""

import gzip
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np

START = datetime(2026, 10, 5, tzinfo=UTC)  # a Monday
DAYS = 21
INCIDENT = (START + timedelta(days=19, hours=14, minutes=5), timedelta(minutes=80), "DE", 0.55)
SEGMENTS = {("DE", "ios"): 260, ("DE", "web"): 180, ("FR", "ios"): 120, ("FR", "web"): 90}
ORDER_SHARE, ERROR_SHARE, AMOUNT = 0.4, 0.015, 37.5
DISPERSION = 2.0


def season(moment: datetime) -> float:
    """How busy the shop is, around 1: evenings are, nights and weekends are not."""
    day = 1 + 0.35 * np.sin(2 * np.pi * (moment.hour + moment.minute / 60 - 12) / 24)
    return float(day * (0.8 if moment.weekday() >= 5 else 1.0))  # noqa: PLR2004


def counts(rng: np.random.Generator, mean: float) -> int:
    """A number of events with this mean and a variance of `DISPERSION` times it."""
    return int(rng.negative_binomial(mean / (DISPERSION - 1), 1 / DISPERSION))


def lines(rng: np.random.Generator) -> list[bytes]:
    """All lines, in the order of time."""
    out = []
    began, lasted, where, kept = INCIDENT
    for minute in range(DAYS * 24 * 60):
        moment = START + timedelta(minutes=minute)
        busy, stamp = season(moment), moment.strftime("%Y-%m-%dT%H:%M:30Z")
        for (country, platform), size in SEGMENTS.items():
            hit = country == where and began <= moment < began + lasted
            orders = counts(rng, ORDER_SHARE * size * busy * (kept if hit else 1.0))
            requests = counts(rng, size * busy)
            errors = int(rng.binomial(requests, ERROR_SHARE))
            amount = round(AMOUNT * (1 + 0.5 * rng.standard_normal() / max(orders, 1) ** 0.5), 2)
            place = {"country": country, "platform": platform}
            rows = (
                ("order", orders, place, {"amount": amount}),
                ("request", requests - errors, {**place, "status": "ok"}, {}),
                ("request", errors, {**place, "status": "error"}, {}),
            )
            out += [
                msgspec.json.encode(
                    {
                        "name": name,
                        "time": stamp,
                        "count": n,
                        "dimensions": where_,
                        "values": values,
                    }
                )
                for name, n, where_, values in rows
                if n
            ]
    return out


def main() -> None:
    """Write the file that the command line names."""
    if len(sys.argv) != 2:  # noqa: PLR2004
        sys.exit("usage: python examples/shop_history.py FILE.ndjson.gz")
    path = Path(sys.argv[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    found = lines(np.random.default_rng(11))
    with gzip.open(path, "wb", compresslevel=3) as file:
        file.write(b"\n".join(found) + b"\n")
    sys.stdout.write(f"{len(found):,} lines in {path}\n")


if __name__ == "__main__":
    main()

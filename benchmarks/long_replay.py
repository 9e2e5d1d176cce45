"""A quarter of a year of one-minute buckets, pre-aggregated, through `monitor replay --buckets parents`.

    python benchmarks/long_replay.py [--days 90] [--names 1 10]

500 series: ten counts, each of all countries and of each of 49. With one name an event of a country and
minute feeds all ten metrics (49 lines a minute); with ten names every metric has events of its own (490
lines a minute). Counts are Poisson over a daily season. The replay is `monitor replay` in a process of
its own; what is told is its processor time (one core) and wall clock, writing the file apart.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

from monitor.model.time import DAY, MINUTE, to_rfc3339

COUNTRIES = [f"C{i:02d}" for i in range(49)]
METRICS = 10
START_US = 20_400 * DAY


def configuration(folder: Path, names: int) -> Path:
    """Ten metrics over so many names of events."""
    config = folder / "config"
    (config / "metrics").mkdir(parents=True)
    (config / "monitor.yaml").write_text("source: {files: [none]}\n")
    rows = [
        f"  - {{name: m{i}, kind: count, of: {{event: e{i % names}}}, segments: [country]}}"
        for i in range(METRICS)
    ]
    (config / "metrics" / "ten.yaml").write_text("\n".join(["metrics:", *rows, ""]))
    return config


def write(path: Path, days: float, names: int) -> int:
    """The history; how many lines it has."""
    rng, minutes = np.random.default_rng(4), int(days * 1440)
    usual = np.geomspace(20.0, 2_000.0, len(COUNTRIES))
    tails = [
        [f',"dimensions":{{"country":"{country}"}}}}\n' for country in COUNTRIES]
        for _ in range(names)
    ]
    with path.open("w") as file:
        for minute in range(minutes):
            time = to_rfc3339(START_US + minute * MINUTE)
            season = 1.0 + 0.3 * np.sin(2 * np.pi * minute / 1440)
            for name in range(names):
                head = f'{{"name":"e{name}","time":"{time}","count":'
                counts = rng.poisson(usual * season).tolist()
                file.writelines(
                    f"{head}{count}{tail}" for count, tail in zip(counts, tails[name], strict=True)
                )
    return minutes * names * len(COUNTRIES)


def measure(days: float, names: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        config, path, out = configuration(folder, names), folder / "history.ndjson", folder / "out"
        lines = write(path, days, names)
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "monitor", "replay", str(path), "--config", str(config)),
                *("--out", str(out), "--buckets", "parents"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        wall, after = perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            sys.exit(done.stderr[-2000:])
        summary = json.loads((out / "summary.json").read_text())
        if summary["events"]["accepted"] != lines:
            sys.exit(f"{summary['events']['accepted']:,} of {lines:,} lines were accepted")
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{days:g} days, {summary['series']:,} series, {lines:,} lines: cpu {busy / 60:.1f} min, wall "
        f"{wall / 60:.1f} min; {busy / days / 1440 * 1e3:.2f} ms a minute, {summary['buckets']:,} buckets, "
        f"{summary['alerts']['fired']} alerts, {after.ru_maxrss / 1024:.0f} MB at most",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=float, default=90)
    parser.add_argument("--names", type=int, nargs="*", default=[1, 10])
    options = parser.parse_args()
    for names in options.names:
        measure(options.days, names)


if __name__ == "__main__":
    main()

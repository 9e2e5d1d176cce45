r"""Buckets of a replay in a real Prometheus, asked for the expressions of a panel: docs/dashboard.png.

    monitor demo --until 2026-10-24T18:00:00Z --write var/shop.ndjson.gz
    monitor replay var/shop.ndjson.gz --out var/replay
    cd examples/dashboard_picture
    python data.py ../../var/replay/buckets.ndjson orders 2026-10-24T10:00:00Z 2026-10-24T18:00:00Z
    npm install --legacy-peer-deps --no-package-lock && npm run build
    chromium --headless --disable-gpu --allow-file-access-from-files --virtual-time-budget=8000 \
        --window-size=952,390 --screenshot=../../docs/dashboard.png page.html

Needs `prometheus`, `promtool`, Node and Chromium; no part of `make check`.
"""

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

HERE = Path(__file__).parent
NAMES = {"value": "bucket_value", "expected": "expected", "lower": "lower", "upper": "upper"}
LABELS = 'job="monitor",instance="replay"'
STEP_SECONDS = 60


def main(buckets: str, title: str, start: str, end: str) -> None:
    """Write `data.json`: the panel of that title on the overview, and the points of its lines."""
    board = json.loads((HERE / "../../dashboards/grafana/overview.json").read_text())
    (panel,) = [p for p in board["panels"] if p["title"] == title]
    span = (_seconds(start), _seconds(end))
    with tempfile.TemporaryDirectory() as folder:
        _fill(Path(buckets), Path(folder), title, span)
        with _prometheus(Path(folder)) as address:
            answers = [_ask(address, target["expr"], span) for target in panel["targets"]]
    lines = [
        {"name": target["legendFormat"], "points": answer}
        for target, answer in zip(panel["targets"], answers, strict=True)
    ]
    if not all(line["points"] for line in lines):
        sys.exit(f"no data of {title} between {start} and {end}")
    (HERE / "data.json").write_text(json.dumps({"panel": panel, "lines": lines}))


def _seconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp())


def _fill(buckets: Path, folder: Path, metric: str, span: tuple[int, int]) -> None:
    """Write the buckets as OpenMetrics and let promtool make blocks of them."""
    samples: dict[str, dict[int, float]] = {name: {} for name in NAMES.values()}
    with buckets.open() as lines:
        for line in lines:
            if f'"metric":"{metric}","dimension":"all"' not in line:
                continue
            bucket = json.loads(line)
            ended = _seconds(bucket["end"])
            if span[0] <= ended <= span[1]:
                for key, name in NAMES.items():
                    if bucket[key] is not None:
                        samples[name][ended] = bucket[key]
    text = []
    for name, values in samples.items():
        text.append(f"# TYPE monitor_{name} gauge")
        series = f'monitor_{name}{{{LABELS},metric="{metric}",dimension="all",segment="all"}}'
        text += [f"{series} {value!r} {at}" for at, value in sorted(values.items())]
    metrics = folder / "buckets.om"
    metrics.write_text("\n".join([*text, "# EOF", ""]))
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", metrics, folder / "tsdb"]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603


@contextlib.contextmanager
def _prometheus(folder: Path) -> Iterator[str]:
    """The address of a Prometheus over these blocks."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    config = folder / "prometheus.yaml"
    config.write_text("{}\n")
    options = {
        "config.file": config,
        "storage.tsdb.path": folder / "tsdb",
        "storage.tsdb.retention.time": "10y",
        "web.listen-address": address,
    }
    command = ["prometheus", *(f"--{name}={value}" for name, value in options.items())]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **quiet)  # noqa: S603
    try:
        yield _ready(address)
    finally:
        process.kill()
        process.wait()


def _ready(address: str) -> str:
    for _ in range(100):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{address}/-/ready"):
            return address
        time.sleep(0.1)
    sys.exit("Prometheus did not start")


def _ask(address: str, expression: str, span: tuple[int, int]) -> list[list[float]]:
    for variable in ("$job", "$instance"):
        expression = expression.replace(variable, ".+")
    asked = {"query": expression, "start": span[0], "end": span[1], "step": STEP_SECONDS}
    url = f"http://{address}/api/v1/query_range?{urllib.parse.urlencode(asked)}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        result = json.load(answer)["data"]["result"]
    return [[at * 1000, float(value)] for at, value in result[0]["values"]] if result else []


if __name__ == "__main__":
    main(*sys.argv[1:])

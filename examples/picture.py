"""The picture of an alert, as SVG, from a replay's files: the first of a metric's whole.

python examples/picture.py REPLAY_DIR METRIC FILE.svg
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from monitor.model.time import from_rfc3339
from monitor.report.chart import Chart, svg

AROUND = 100
"""Buckets shown before the alert began, and after it was found."""


def rows(path: Path, metric: str) -> Iterator[dict[str, Any]]:
    """The lines of an NDJSON file that concern the whole of a metric."""
    with path.open() as file:
        for line in map(json.loads, file):
            if line["metric"] == metric and line["dimension"] == "all":
                yield line


def picture(folder: Path, metric: str) -> str:
    """The SVG of the first alert of a metric."""
    alerts = list(rows(folder / "alerts.ndjson", metric))
    alert = next(a for a in alerts if a["state"] == "firing")
    ended = [a["resolved_at"] for a in alerts if a["alert_id"] == alert["alert_id"]]
    points = np.array(
        [
            [from_rfc3339(row["start"]), from_rfc3339(row["end"])]
            + [row[name] for name in ("value", "expected", "lower", "upper", "evidence")]
            for row in rows(folder / "buckets.ndjson", metric)
            if row["state"] != "partial"
        ],
        dtype=float,
    )
    first, found = np.searchsorted(
        points[:, 1], [from_rfc3339(alert[name]) for name in ("started_at", "detected_at")]
    )
    chart = Chart(
        points=points[max(0, first - AROUND) : found + AROUND],
        threshold=alert["threshold"],
        started_at=alert["started_at"],
        detected_at=alert["detected_at"],
        resolved_at=ended[-1],
    )
    return svg(chart, label=alert["summary"], standalone=True) + "\n"


def main() -> None:
    """Write the file that the command line names."""
    if len(sys.argv) != 4:  # noqa: PLR2004
        sys.exit("usage: python examples/picture.py REPLAY_DIR METRIC FILE.svg")
    Path(sys.argv[3]).write_text(picture(Path(sys.argv[1]), sys.argv[2]))


if __name__ == "__main__":
    main()

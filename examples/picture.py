"""The picture of an alert: one metric's value in its expected band, as SVG, from a replay's files.

python examples/picture.py REPLAY_DIR METRIC FILE.svg
"""

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

WIDTH, HEIGHT, LEFT, TOP, FOOT = 860, 300, 56, 34, 34
AROUND = 100
"""Buckets shown before the alert began, and after it was found."""


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of an NDJSON file."""
    with path.open() as file:
        yield from map(json.loads, file)


def polyline(points: list[tuple[float, float]], style: str) -> str:
    """A line through points."""
    return f'<polyline fill="none" {style} points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


def picture(folder: Path, metric: str) -> str:
    """The SVG of the first alert of a metric."""
    alert = next(
        a
        for a in rows(folder / "alerts.ndjson")
        if a["metric"] == metric and a["state"] == "firing" and a["dimension"] == "all"
    )
    series = [
        r
        for r in rows(folder / "buckets.ndjson")
        if r["metric"] == metric and r["dimension"] == "all" and r["expected"] is not None
    ]
    first = next(i for i, r in enumerate(series) if r["start"] >= alert["started_at"])
    shown = series[max(0, first - AROUND) : first + AROUND]
    top = max(max(r["upper"], r["value"] or 0) for r in shown) * 1.05

    def x(i: float) -> float:
        return LEFT + (WIDTH - LEFT - 16) * i / (len(shown) - 1)

    def y(value: float) -> float:
        return TOP + (HEIGHT - TOP - FOOT) * (1 - value / top)

    upper = [(x(i), y(r["upper"])) for i, r in enumerate(shown)]
    lower = [(x(i), y(r["lower"])) for i, r in enumerate(shown)]
    band = " ".join(f"{a:.1f},{b:.1f}" for a, b in upper + lower[::-1])
    found = next(i for i, r in enumerate(shown) if r["end"] >= alert["detected_at"])
    font = 'font-family="system-ui,sans-serif" font-size="12"'
    ticks = "".join(
        f'<text x="{x(i):.0f}" y="{HEIGHT - 12}" {font} fill="#666" text-anchor="middle">'
        f"{datetime.fromisoformat(r['start']):%H:%M}</text>"
        for i, r in enumerate(shown)
        if i % 40 == 0
    )
    scale = "".join(
        f'<text x="{LEFT - 8}" y="{y(v):.0f}" {font} fill="#666" text-anchor="end">{v:,.0f}</text>'
        for v in (0, top / 2, top)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}">'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
        f'<text x="{LEFT}" y="20" {font} fill="#222">{metric}: value a bucket, expected band '
        f"(grey), found {alert['detected_at'][11:16]} UTC after {found - min(first, AROUND) + 1} "
        f"buckets</text>"
        f'<polygon points="{band}" fill="#d9dee5"/>'
        + polyline([(x(i), y(r["expected"])) for i, r in enumerate(shown)], 'stroke="#8793a3"')
        + polyline(
            [(x(i), y(r["value"] or 0)) for i, r in enumerate(shown)],
            'stroke="#1f5fae" stroke-width="1.5"',
        )
        + f'<line x1="{x(found):.1f}" x2="{x(found):.1f}" y1="{TOP}" y2="{HEIGHT - FOOT}" '
        'stroke="#c0392b" stroke-width="2"/>'
        f'<text x="{x(found) + 6:.0f}" y="{HEIGHT - FOOT - 8}" {font} fill="#c0392b">page</text>'
        + ticks
        + scale
        + "</svg>\n"
    )


def main() -> None:
    """Write the file that the command line names."""
    if len(sys.argv) != 4:  # noqa: PLR2004
        sys.exit("usage: python examples/picture.py REPLAY_DIR METRIC FILE.svg")
    Path(sys.argv[3]).write_text(picture(Path(sys.argv[1]), sys.argv[2]))


if __name__ == "__main__":
    main()

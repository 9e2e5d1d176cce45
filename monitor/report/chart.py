"""The chart of an alert as SVG: the value over its expected band, below it the evidence.

Colours come from the classes of `style.CHART_STYLE`. The drawing fits its box and its words stay readable on
a phone: labels stand inside, and every second one gives way there.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

import numpy as np

from monitor.alert.text import number
from monitor.model.tick import Bools, Floats
from monitor.model.time import DAY, HOUR, MINUTE, SECOND, from_rfc3339
from monitor.report.style import CHART_STYLE

WIDTH, HEIGHT = 860, 316
_TOP, _FLOOR = 26, 206
"""Of the value's part."""
_EVIDENCE_TOP, _EVIDENCE_FLOOR = 236, 290
_TICKS_Y: Final = 310
_MOST_TICKS: Final = 8
_STEPS: Final = [
    *(n * MINUTE for n in (1, 5, 10, 15, 30)),
    *(n * HOUR for n in (1, 2, 3, 6, 12)),
    *(n * DAY for n in (1, 2, 7, 14, 28, 91, 182, 365)),
]
_FROM_ZERO: Final = 0.6
"""The scale begins at zero unless all values lie above this share of the largest."""
_MOST_EVIDENCE: Final = 2.5
"""Thresholds that the scale of the evidence reaches up to: an open incident goes on for ever."""

COLUMNS: Final = ("start_us", "end_us", "value", "expected", "lower", "upper", "evidence")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """What is drawn of one alert.

    Attributes:
        points: one row a bucket, oldest first, with `COLUMNS`: times in microseconds, evidence as
            log10 M; NaN where undefined. float64[n, 7]
        threshold: log10 A.
        started_at, detected_at, resolved_at: of the alert, RFC 3339; None while it lasts.
        unit: of the value; `share` is shown in per cent.
        release: as in the alert.
    """

    points: Floats
    threshold: float
    started_at: str
    detected_at: str
    resolved_at: str | None = None
    unit: str | None = None
    release: dict[str, Any] | None = None


def thinned(points: Floats, most: int) -> tuple[Floats, int]:
    """At most so many points: means of equal runs of buckets (of the evidence, the highest).

    Returns:
        The points, and how many buckets each stands for.
    """
    run = max(1, math.ceil(len(points) / most))
    if run == 1:
        return points, 1
    out = []
    for first in range(0, len(points), run):
        part = points[first : first + run]
        known = ~np.isnan(part)
        count = known.sum(axis=0)
        sums = np.where(known, part, 0.0).sum(axis=0)
        row = np.where(count > 0, sums / np.maximum(count, 1), np.nan)
        row[0], row[1] = part[0, 0], part[-1, 1]
        if count[6]:
            row[6] = np.nanmax(part[:, 6])
        out.append(row)
    return np.array(out), run


def svg(chart: Chart, *, label: str, standalone: bool = False) -> str:
    """The chart; empty where there are fewer than two buckets.

    Args:
        chart: what to draw.
        label: in words, for whoever cannot see it.
        standalone: whether it is a file of its own, with its colours in it.
    """
    points = chart.points
    if len(points) < 2:  # noqa: PLR2004 - a line has two ends
        return ""
    frame = _Frame(chart)
    parts = [*_marks_behind(chart, frame), *_value(chart, frame), *_evidence(chart, frame)]
    parts += [*_marks(chart, frame), *_ticks(frame)]
    style = f"<style>{CHART_STYLE}</style>" if standalone else ""
    ground = f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>' if standalone else ""
    space = ' xmlns="http://www.w3.org/2000/svg"' if standalone else ""
    return (
        f'<svg{space} class="alert" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(label)}">{style}{ground}{"".join(parts)}</svg>'
    )


class _Frame:
    """Scales: times to x, values and evidence to y."""

    def __init__(self, chart: Chart) -> None:
        points = chart.points
        self.first_us, self.last_us = float(points[0, 0]), float(points[-1, 1])
        self.middles: Floats = (points[:, 0] + points[:, 1]) / 2
        shown = points[:, 2:6]
        shown = shown[np.isfinite(shown)]
        top = float(shown.max()) if shown.size else 1.0
        bottom = float(shown.min()) if shown.size else 0.0
        if 0 <= bottom < _FROM_ZERO * top:
            bottom = 0.0
        room = 0.06 * (top - bottom) or abs(top) or 1.0
        self.top, self.bottom = top + room, bottom - (room if bottom else 0.0)
        evidence = points[:, 6][np.isfinite(points[:, 6])]
        most = float(evidence.max()) if evidence.size else 0.0
        self.evidence_top = max(
            1.25 * chart.threshold, min(most, _MOST_EVIDENCE * chart.threshold), 0.1
        )

    def x(self, time_us: float) -> float:
        """Where a time stands; at the border where it lies outside."""
        share = (time_us - self.first_us) / (self.last_us - self.first_us)
        return WIDTH * min(max(share, 0.0), 1.0)

    def y(self, value: float) -> float:
        """Where a value stands."""
        return _FLOOR - (_FLOOR - _TOP) * (value - self.bottom) / (self.top - self.bottom)

    def y_evidence(self, value: float) -> float:
        """Where evidence stands; at the top what is above the scale."""
        share = min(max(value, 0.0) / self.evidence_top, 1.0)
        return _EVIDENCE_FLOOR - (_EVIDENCE_FLOOR - _EVIDENCE_TOP) * share


def _stretches(chart: Chart, known: Bools) -> Iterator[slice]:
    """Runs of buckets that follow each other and are known."""
    points = chart.points
    joined = np.r_[False, known[1:] & known[:-1] & (points[1:, 0] == points[:-1, 1])]
    starts = np.flatnonzero(known & ~joined)
    for start in starts.tolist():
        stop = start + 1
        while stop < len(points) and joined[stop]:
            stop += 1
        yield slice(start, stop)


def _line(xs: list[float], ys: list[float]) -> str:
    if len(xs) == 1:
        xs, ys = [xs[0] - 0.5, xs[0] + 0.5], ys * 2
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(xs, ys, strict=True))


def _polyline(chart: Chart, frame: _Frame, column: int, kind: str) -> Iterator[str]:
    values = chart.points[:, column]
    scale = frame.y_evidence if kind == "evidence" else frame.y
    for part in _stretches(chart, np.isfinite(values)):
        xs = [frame.x(t) for t in frame.middles[part].tolist()]
        ys = [scale(v) for v in values[part].tolist()]
        yield f'<polyline class="{kind}" points="{_line(xs, ys)}"/>'


def _value(chart: Chart, frame: _Frame) -> Iterator[str]:
    lower, upper = chart.points[:, 4], chart.points[:, 5]
    for part in _stretches(chart, np.isfinite(lower) & np.isfinite(upper)):
        xs = [frame.x(t) for t in frame.middles[part].tolist()]
        low = [frame.y(v) for v in lower[part].tolist()]
        high = [frame.y(v) for v in upper[part].tolist()]
        yield f'<polygon class="band" points="{_line(xs + xs[::-1], high + low[::-1])}"/>'
    yield from _polyline(chart, frame, 3, "expected")
    yield from _polyline(chart, frame, 2, "value")
    for value in (frame.bottom, (frame.bottom + frame.top) / 2, frame.top):
        y = frame.y(value)
        yield f'<line class="grid" x1="0" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        text = escape(_shown(value, chart.unit))
        yield f'<text class="scale" x="4" y="{y - 4:.1f}">{text}</text>'


def _evidence(chart: Chart, frame: _Frame) -> Iterator[str]:
    y = frame.y_evidence(chart.threshold)
    yield f'<line class="grid" x1="0" x2="{WIDTH}" y1="{_EVIDENCE_FLOOR}" y2="{_EVIDENCE_FLOOR}"/>'
    yield from _polyline(chart, frame, 6, "evidence")
    yield f'<line class="threshold" x1="0" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
    yield f'<text class="scale" x="4" y="{_EVIDENCE_TOP - 6}">evidence, and its threshold</text>'


def _marks_behind(chart: Chart, frame: _Frame) -> Iterator[str]:
    """The incident's time, shaded."""
    began = frame.x(from_rfc3339(chart.started_at))
    ended = WIDTH if chart.resolved_at is None else frame.x(from_rfc3339(chart.resolved_at))
    yield (
        f'<rect class="incident" x="{began:.1f}" y="{_TOP}" width="{max(ended - began, 1):.1f}" '
        f'height="{_EVIDENCE_FLOOR - _TOP}"/>'
    )


def _marks(chart: Chart, frame: _Frame) -> Iterator[str]:
    """Where it was found, and the release before it."""
    found_us = from_rfc3339(chart.detected_at)
    yield _mark("found", frame.x(found_us), f"found {_clock(found_us, '%H:%M')}", 16)
    released = _released(chart)
    if released is not None and frame.first_us <= released[0] <= frame.last_us:
        yield _mark("release", frame.x(released[0]), released[1], 16)


def _mark(kind: str, x: float, text: str, y: int) -> str:
    anchor, at = ("end", x - 6) if x > WIDTH / 2 else ("start", x + 6)
    return (
        f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{_EVIDENCE_FLOOR}"/>'
        f'<text class="{kind}" x="{at:.1f}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def _released(chart: Chart) -> tuple[float, str] | None:
    """When the nearest release was, and what it is called."""
    release = chart.release
    if not release or release.get("seconds_before") is None:
        return None
    name = " ".join(str(release[key]) for key in ("service", "version") if release.get(key))
    when = from_rfc3339(chart.started_at) - float(release["seconds_before"]) * SECOND
    return when, name or "release"


def _ticks(frame: _Frame) -> Iterator[str]:
    span = frame.last_us - frame.first_us
    step = next((s for s in _STEPS if span / s <= _MOST_TICKS), _STEPS[-1])
    tick = math.ceil(frame.first_us / step) * step
    count = 0
    while tick <= frame.last_us:
        x = frame.x(tick)
        if 0.03 * WIDTH < x < 0.97 * WIDTH:
            text = _clock(tick, "%-d %b" if tick % DAY == 0 or step >= DAY else "%H:%M")
            kind = "tick minor" if count % 2 else "tick"
            yield f'<text class="{kind}" x="{x:.1f}" y="{_TICKS_Y}">{text}</text>'
            count += 1
        tick += step


def _clock(time_us: float, form: str) -> str:
    return datetime.fromtimestamp(time_us / SECOND, UTC).strftime(form)


def _shown(value: float, unit: str | None) -> str:
    if unit == "share":
        return f"{100 * value:.3g} %"
    return number(value) + (f" {unit}" if unit else "")

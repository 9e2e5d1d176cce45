"""A series in a terminal: its value in the expected band, and the evidence on its way to the threshold."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from monitor.alert.text import number
from monitor.model.bucket import BucketLine
from monitor.model.quantity import format_duration
from monitor.model.tick import State
from monitor.model.time import DAY, SECOND, from_rfc3339, to_rfc3339
from monitor.report.explanation import SUSPICION, Explanation, Mark
from monitor.report.grid import (
    ASCII,
    UNICODE,
    Glyphs,
    Scale,
    column_of,
    columns,
    dotted,
    highest,
    means,
    scale_of,
)

VALUE_ROWS = 8
EVIDENCE_ROWS = 5
NARROWEST = 12
"""Columns of a plot at least, however narrow the terminal is."""
ROOM = 1.25
"""The evidence is shown up to so many thresholds, or its own height ..."""
MOST = 2.0
"""... but never beyond this many: the way to the threshold is what matters."""

Cell = tuple[str, str]
"""A character and its style."""

_STYLES = {State.ALERTING.label: "bold red", State.SUSPECTED.label: "yellow"}
_BAND_STYLE = "dim"
_MARK_STYLE = "bold cyan"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """Columns of the plot, columns of the numbers to its left, and the characters."""

    width: int
    left: int
    glyphs: Glyphs


@dataclass(frozen=True, slots=True)
class Chart:
    """The two charts of an explanation, one below the other, with the marks between them."""

    explanation: Explanation

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines, as wide as there is room."""
        rows = self.explanation.buckets
        if not rows:
            return
        glyphs = ASCII if options.ascii_only else UNICODE
        value_scale = _value_scale(rows)
        threshold = self.explanation.judging.threshold
        evidence_scale = _evidence_scale(rows, threshold)
        labels = [*_labels(value_scale), *_labels(evidence_scale)]
        left = max(map(len, labels))
        width = max(options.max_width - left - 2, NARROWEST)
        frame = _Frame(width=width, left=left, glyphs=glyphs)
        lines = [
            Text(_value_title(self.explanation, glyphs), style="bold"),
            *_value_lines(rows, value_scale, frame),
            _axis(rows, frame),
            *_mark_lines(self.explanation.marks, rows, frame),
            Text(_evidence_title(self.explanation), style="bold"),
            *_evidence_lines(rows, evidence_scale, threshold, frame),
        ]
        for line in lines:
            line.no_wrap, line.overflow = True, "crop"
            yield line


def _value_title(explanation: Explanation, glyphs: Glyphs) -> str:
    unit = "" if explanation.unit_name in (None, "share") else f" in {explanation.unit_name}"
    width = explanation.judging.bucket_seconds
    bucket = "" if width is None else f" of {format_duration(round(width * SECOND))}"
    return f"{explanation.metric}{unit}, by bucket{bucket}; {glyphs.band} expected, with its noise"


def _evidence_title(explanation: Explanation) -> str:
    threshold = explanation.judging.threshold
    fires = "" if threshold is None else f": {number(threshold)} fires"
    if all(row.evidence is None for row in explanation.buckets):
        return "evidence: none, nothing was judged"
    return f"evidence of a shift (log10){fires}"


def _value_scale(rows: Sequence[BucketLine]) -> Scale:
    shown = [v for row in rows for v in (row.value, row.lower, row.upper)]
    return scale_of(shown, 4 * VALUE_ROWS)


def _evidence_scale(rows: Sequence[BucketLine], threshold: float | None) -> Scale:
    top = max((row.evidence for row in rows if row.evidence is not None), default=0.0)
    if threshold is not None:
        top = min(max(top, ROOM * threshold), MOST * threshold)
    return Scale(low=0.0, high=max(top, 1e-9), steps=8 * EVIDENCE_ROWS + 1)


def _labels(scale: Scale) -> tuple[str, str, str]:
    """The numbers at the bottom, in the row above the middle, and at the top."""
    last = scale.steps - 1
    middle = (VALUE_ROWS // 2 + 0.5) / VALUE_ROWS
    bottom, inside, top = (number(scale.value(step)) for step in (0, middle * last, last))
    return bottom, inside, top


def _value_lines(rows: Sequence[BucketLine], scale: Scale, frame: _Frame) -> Iterator[Text]:
    width, glyphs = frame.width, frame.glyphs
    coarse = Scale(low=scale.low, high=scale.high, steps=VALUE_ROWS)
    if glyphs.dots:
        cells = dotted(means(rows, 2 * width, lambda row: row.value), scale)
    else:
        points = means(rows, width, lambda row: row.value)
        cells = {(x, coarse.step(v)): glyphs.value for x, v in enumerate(points) if v is not None}
    lower = means(rows, width, lambda row: row.lower)
    upper = means(rows, width, lambda row: row.upper)
    styles = [_style(column) for column in columns(rows, width)]
    bottom, middle, top = _labels(scale)
    labels = {0: bottom, VALUE_ROWS // 2: middle, VALUE_ROWS - 1: top}
    for y in reversed(range(VALUE_ROWS)):
        centre = scale.low + (scale.high - scale.low) * (y + 0.5) / VALUE_ROWS
        line: list[Cell] = []
        for x in range(width):
            low, high = lower[x], upper[x]
            if (x, y) in cells:
                line.append((cells[x, y], styles[x]))
            elif low is not None and high is not None and low <= centre <= high:
                line.append((glyphs.band, _BAND_STYLE))
            else:
                line.append((" ", ""))
        yield _line(labels.get(y), line, frame)


def _evidence_lines(
    rows: Sequence[BucketLine],
    scale: Scale,
    threshold: float | None,
    frame: _Frame,
) -> Iterator[Text]:
    width, glyphs = frame.width, frame.glyphs
    peaks = highest(rows, width, lambda row: row.evidence)
    if all(peak is None for peak in peaks):
        return
    full = len(glyphs.levels) - 1
    fine = Scale(low=0.0, high=scale.high, steps=full * EVIDENCE_ROWS + 1)
    # The row that holds the threshold carries its number and its line.
    at = None if threshold is None else min((fine.step(threshold) - 1) // full, EVIDENCE_ROWS - 1)
    labels = {0: "0", EVIDENCE_ROWS - 1: number(scale.high)}
    if at is not None:
        labels[at] = number(threshold)
    for y in reversed(range(EVIDENCE_ROWS)):
        line: list[Cell] = []
        for peak in peaks:
            filled = 0 if peak is None else fine.step(peak) - y * full
            if filled <= 0:
                line.append((glyphs.line if y == at else " ", ""))
                continue
            cut = peak is not None and peak > scale.high and y == EVIDENCE_ROWS - 1
            cell = glyphs.over if cut else glyphs.levels[min(filled, full)]
            line.append((cell, _evidence_style(peak, threshold)))
        yield _line(labels.get(y), line, frame)


def _evidence_style(peak: float | None, threshold: float | None) -> str:
    if peak is None or threshold is None or peak < SUSPICION * threshold:
        return ""
    return _STYLES[State.ALERTING.label if peak >= threshold else State.SUSPECTED.label]


def _style(column: Sequence[BucketLine]) -> str:
    """Of a column, by the worst state in it."""
    states = {row.state for row in column}
    return next((style for state, style in _STYLES.items() if state in states), "bold")


def _line(label: str | None, cells: Sequence[Cell], frame: _Frame) -> Text:
    """One row of a plot with its number; neighbours of one style are one stretch."""
    line = Text(f"{label or '':>{frame.left}} {frame.glyphs.edge[label is None]}")
    for style, run in groupby(cells, key=itemgetter(1)):
        line.append("".join(cell for cell, _ in run), style=style)
    return line


def _axis(rows: Sequence[BucketLine], frame: _Frame) -> Text:
    """First and last time; the days where they differ."""
    first, last = (to_rfc3339(from_rfc3339(text)) for text in (rows[0].start, rows[-1].end))
    if first[:10] == last[:10]:
        begin, end = first[11:16], f"{last[11:16]} UTC, {last[:10]}"
    else:
        begin, end = f"{first[5:10]} {first[11:16]}", f"{last[5:10]} {last[11:16]} UTC"
    gap = max(frame.width - len(begin) - len(end), 1)
    return Text(" " * (frame.left + 2) + begin + " " * gap + end)


def _mark_lines(marks: Sequence[Mark], rows: Sequence[BucketLine], frame: _Frame) -> Iterator[Text]:
    """Each mark under its bucket, in as few lines as they need."""
    width, glyphs = frame.width, frame.glyphs
    lines: list[list[str]] = []
    for mark in sorted(marks, key=lambda mark: from_rfc3339(mark.at)):
        at_us = from_rfc3339(mark.at)
        # A time between two buckets belongs to the one that ended then, the start to the one it opens.
        edge = "start" if mark.name in ("start", "asked") else "end"
        index = next((i for i, r in enumerate(rows) if _passes(r, at_us, edge)), len(rows) - 1)
        x = column_of(rows, index, width)
        label = f"{mark.name} {_when(at_us, rows)}"
        fits_right = x + 2 + len(label) <= width
        text = f"{glyphs.mark} {label}" if fits_right else f"{label} {glyphs.mark}"
        first = x if fits_right else max(x + 1 - len(text), 0)
        _put(lines, first, text, width)
    for cells in lines:
        yield Text(" " * (frame.left + 2) + "".join(cells).rstrip(), style=_MARK_STYLE)


def _when(at_us: int, rows: Sequence[BucketLine]) -> str:
    """A time as short as the chart allows: the day only where it shows many or is cut into days."""
    text = to_rfc3339(at_us)
    if from_rfc3339(rows[0].end) - from_rfc3339(rows[0].start) >= DAY:
        return text[5:10]
    many = from_rfc3339(rows[-1].end) - from_rfc3339(rows[0].start) > DAY
    return f"{text[5:10]} {text[11:16]}" if many else text[11:16]


def _passes(row: BucketLine, at_us: int, edge: str) -> bool:
    if edge == "start":
        return from_rfc3339(row.end) > at_us
    return from_rfc3339(row.end) >= at_us


def _put(lines: list[list[str]], first: int, text: str, width: int) -> None:
    """Write a text into the first line where there is room for it and a space on both sides."""
    last = first + len(text)
    for cells in lines:
        if all(cell == " " for cell in cells[max(first - 1, 0) : last + 1]):
            break
    else:
        cells = [" "] * max(width, last)
        lines.append(cells)
    cells[first:last] = text

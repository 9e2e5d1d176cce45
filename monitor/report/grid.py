"""How a series is laid on the columns of a chart, and numbers on its rows; for any terminal."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from monitor.model.bucket import BucketLine

Pick = Callable[[BucketLine], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
    """The characters of a chart.

    Attributes:
        dots: whether a cell holds 2 x 4 dots (braille); else one `value`.
        value: one value.
        band: a cell of the expected band.
        levels: a cell that is filled more and more, the empty one first.
        over: more than the chart has room for.
        line: of a threshold.
        mark: what points at a time.
        edge: beside the plot, where a number stands and where none does.
    """

    dots: bool
    value: str
    band: str
    levels: str
    over: str
    line: str
    mark: str
    edge: tuple[str, str]


UNICODE = Glyphs(
    dots=True,
    value="•",
    band="░",
    levels=" ▁▂▃▄▅▆▇█",
    over="▲",
    line="─",
    mark="▲",
    edge=("┤", "│"),
)
ASCII = Glyphs(
    dots=False,
    value="*",
    band=":",
    levels=" .#",
    over="^",
    line="-",
    mark="^",
    edge=("+", "|"),
)

_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""Bits of a braille character by row and column (Unicode, U+2800)."""


def columns(rows: Sequence[BucketLine], count: int) -> Iterator[Sequence[BucketLine]]:
    """The buckets of each of so many columns; every bucket is in one of them, and none is empty."""
    size = len(rows)
    for i in range(count):
        first = min(i * size // count, size - 1)
        yield rows[first : max((i + 1) * size // count, first + 1)]


def means(rows: Sequence[BucketLine], count: int, pick: Pick) -> list[float | None]:
    """The mean of each column; None where none of its buckets has a value."""
    out: list[float | None] = []
    for column in columns(rows, count):
        known = [v for v in map(pick, column) if v is not None]
        out.append(math.fsum(known) / len(known) if known else None)
    return out


def highest(rows: Sequence[BucketLine], count: int, pick: Pick) -> list[float | None]:
    """The highest of each column; None where none of its buckets has a value."""
    return [
        max((v for v in map(pick, column) if v is not None), default=None)
        for column in columns(rows, count)
    ]


def column_of(rows: Sequence[BucketLine], index: int, count: int) -> int:
    """The first column that shows a bucket."""
    if len(rows) < count:
        return -(-index * count // len(rows))
    return ((index + 1) * count - 1) // len(rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Numbers on so many steps, the lowest first.

    Attributes:
        low: what the lowest step stands for.
        high: what the highest step stands for.
        steps: how many there are, 2 or more.
    """

    low: float
    high: float
    steps: int

    def step(self, value: float) -> int:
        """The step of a value, within the scale."""
        share = (value - self.low) / (self.high - self.low)
        return min(max(round(share * (self.steps - 1)), 0), self.steps - 1)

    def value(self, step: float) -> float:
        """What a step stands for."""
        return self.low + (self.high - self.low) * step / (self.steps - 1)


def scale_of(values: Sequence[float | None], steps: int) -> Scale:
    """The scale that shows all of them; of one value, some room above it."""
    known = [v for v in values if v is not None]
    low, high = min(known, default=0.0), max(known, default=1.0)
    if not high > low:
        high = low + (abs(low) or 1.0)
    return Scale(low=low, high=high, steps=steps)


def dotted(points: Sequence[float | None], scale: Scale) -> dict[tuple[int, int], str]:
    """A line of braille by (column, row from the bottom), two points a column, four steps a row."""
    cells: dict[tuple[int, int], int] = {}
    before: int | None = None
    for x, value in enumerate(points):
        if value is None:
            before = None
            continue
        at = scale.step(value)
        # A jump is a stroke from the point before, so that the eye follows it.
        low, high = (at, at) if before is None else (min(at, before), max(at, before))
        for y in range(low, high + 1):
            key = (x // 2, y // 4)
            cells[key] = cells.get(key, 0) | _DOTS[3 - y % 4][x % 2]
        before = at
    return {key: chr(0x2800 + bits) for key, bits in cells.items()}

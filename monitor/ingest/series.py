"""Which series of which grouping a combination of dimension values belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from monitor.ingest.folding import Values
from monitor.model.segment import format_segment

Ints = NDArray[np.int64]
Grouping = tuple[str, ...]

WHOLE: Final = "all"
"""Segment of the whole."""
_EMPTY: Final[Ints] = np.empty(0, np.int64)


def segment(values: Sequence[str]) -> str:
    """The segment of these values of a grouping's dimensions; without any, the whole.

    >>> segment(["DE", "a,b"]), segment([])
    ('DE,"a,b"', 'all')
    """
    return format_segment(values) if values else WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesIndex:
    """All known series of a tuple of groupings, sorted by (group, segment).

    Attributes:
        size: how many.
        group: by series, its grouping. int64
        segments: by series.
        ranks: by grouping, the series of its own numbers.
    """

    size: int
    group: Ints
    segments: list[str]
    ranks: tuple[Ints, ...]


class Projections:
    """Numbers the series of each grouping, and remembers those of every combination."""

    def __init__(self) -> None:
        self._numbers: dict[Grouping, dict[tuple[str, ...], int]] = {}
        self._segments: dict[Grouping, list[str]] = {}
        self._wanted: set[tuple[str, Grouping]] = set()
        self._columns: dict[tuple[str, Grouping], Ints] = {}
        self._indices: dict[tuple[Grouping, ...], SeriesIndex] = {}

    def want(self, event: str, groupings: Sequence[Grouping]) -> None:
        """Announce the groupings in which an event name will be asked for."""
        self._wanted.update((event, grouping) for grouping in groupings)

    def extend(self, event: str, names: tuple[str, ...], labels: Sequence[Values]) -> None:
        """Take in the combinations that are new.

        Args:
            event: whose they are.
            names: the dimensions of the labels.
            labels: values of all combinations so far, by number.
        """
        for wanted, grouping in self._wanted:
            if wanted != event:
                continue
            column = self._columns.get((event, grouping), _EMPTY)
            places = [names.index(name) for name in grouping]
            more = [
                self._number(grouping, tuple(label[place] for place in places))
                for label in labels[column.size :]
            ]
            self._columns[event, grouping] = np.append(column, np.array(more, np.int64))

    def series(self, event: str, groupings: tuple[Grouping, ...]) -> list[Ints]:
        """By grouping and combination, the series in `index(groupings)`; -1 where it has none."""
        index = self.index(groupings)
        found = []
        for grouping, ranks in zip(groupings, index.ranks, strict=True):
            found.append(np.append(ranks, -1)[self._columns[event, grouping]])
        return found

    def index(self, groupings: tuple[Grouping, ...]) -> SeriesIndex:
        """The series of these groupings, as known so far."""
        known = self._indices.get(groupings)
        sizes = [len(self._segments.get(grouping, ())) for grouping in groupings]
        if known is None or known.size != sum(sizes):
            known = self._indices[groupings] = self._sorted(groupings, sizes)
        return known

    def clear(self) -> None:
        """Forget all combinations and series."""
        self._numbers.clear()
        self._segments.clear()
        self._columns.clear()
        self._indices.clear()

    def _number(self, grouping: Grouping, values: Values) -> int:
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return -1
        numbers = self._numbers.setdefault(grouping, {})
        number = numbers.setdefault(tuple(known), len(numbers))
        if number == len(self._segments.setdefault(grouping, [])):
            self._segments[grouping].append(segment(known))
        return number

    def _sorted(self, groupings: tuple[Grouping, ...], sizes: list[int]) -> SeriesIndex:
        ranks: list[Ints] = []
        segments: list[str] = []
        for grouping in groupings:
            own = self._segments.get(grouping, [])
            order = sorted(range(len(own)), key=own.__getitem__)
            rank = np.empty(len(own), np.int64)
            rank[order] = np.arange(len(own)) + len(segments)
            ranks.append(rank)
            segments.extend(own[number] for number in order)
        return SeriesIndex(
            size=len(segments),
            group=np.repeat(np.arange(len(groupings)), sizes),
            segments=segments,
            ranks=tuple(ranks),
        )

"""Which coarser segments cover a combination: `DE,ios` is covered by `DE` and by `ios`.

An incident of a combination says nothing new while a segment that covers it is paged.
"""

from collections import defaultdict
from collections.abc import Sequence

from monitor.definitions.plan import MetricPlan
from monitor.model.segment import format_segment, parse_segment
from monitor.model.table import Array

Key = tuple[int, int, str]
"""(index of the metric in the panel, index of its grouping, segment)."""


class Covers:
    """Keeps a column of the rows that cover each row up to date while series come and go.

    Args:
        metrics: of the panel.

    Attributes:
        most: how many coarser segments a series has at most.
    """

    def __init__(self, metrics: Sequence[MetricPlan]) -> None:
        self._coarser = [_coarser(metric.groupings) for metric in metrics]
        self.most = max((len(c) for of in self._coarser for c in of.values()), default=0)
        self._finer: dict[Key, set[tuple[int, int]]] = defaultdict(set)

    def place(self, key: Key, row: int, rows: dict[Key, int], column: Array) -> None:
        """A series was given a row.

        Args:
            key: the series.
            row: its row.
            rows: of all series.
            column: row of each covering series, -1 where there is none. int64[rows, most]
        """
        for place, cover in enumerate(self._of(key)):
            self._finer[cover].add((row, place))
            column[row, place] = rows.get(cover, -1)
        for finer, place in self._finer.get(key, ()):
            column[finer, place] = row

    def remove(self, key: Key, row: int, column: Array) -> None:
        """A series lost its row; see `place`."""
        for place, cover in enumerate(self._of(key)):
            self._finer[cover].discard((row, place))
        for finer, place in self._finer.get(key, ()):
            column[finer, place] = -1

    def _of(self, key: Key) -> list[Key]:
        metric, group, segment = key
        coarser = self._coarser[metric].get(group)
        if not coarser:
            return []
        values = parse_segment(segment)
        return [
            (metric, other, format_segment([values[place] for place in places]))
            for other, places in coarser
        ]


def _coarser(
    groupings: tuple[tuple[str, ...], ...],
) -> dict[int, list[tuple[int, tuple[int, ...]]]]:
    """By grouping, the coarser ones, and where their dimensions stand in it."""
    found = {}
    for group, names in enumerate(groupings):
        found[group] = [
            (other, tuple(names.index(name) for name in some))
            for other, some in enumerate(groupings)
            if some and set(some) < set(names)
        ]
    return found

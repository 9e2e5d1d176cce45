"""A panel of what is derived from cohorts: their units are followed, the other inputs are added up beside.

A bucket closes when the slowest of its inputs is mature, and stays open for all of them until then: the
formula is read from measures of one bucket, which are each what the input alone would have.
"""

import msgspec

from monitor.aggregate.closing import Closing
from monitor.aggregate.cohort_panel import CohortPanel
from monitor.aggregate.panel import Panel
from monitor.aggregate.rows import some_rows
from monitor.aggregate.sketches import Sketch
from monitor.model.frame import Deltas
from monitor.model.tick import Bools, Floats, Ints


class DerivedPanel(CohortPanel):
    """All series of the metrics that are derived from cohorts of the same horizons."""

    @property
    def _arriving(self) -> Closing:
        return self._front

    def merge(self, deltas: Deltas) -> int:
        """Take in what units did, and what the other measures grew by; returns how many rows were taken."""
        taken = super().merge(deltas)
        grows = _grows(deltas)
        if grows.any():
            Panel.merge(self, some_rows(msgspec.structs.replace(deltas, units=None), grows))
        return taken

    def _count_folded(self, index: int, groups: list[int], deltas: Deltas, rows: Ints) -> None:
        """Nothing: of what went to `other` the starts are counted."""

    def is_late_due(self) -> bool:
        """Whether `restatements` must be taken before the next bucket is judged."""
        return super().is_late_due() or Panel.is_late_due(self)

    def _unjudged(self) -> set[int]:
        return super()._unjudged().union(self._open.starts())

    def _standing(self, start_us: int) -> tuple[Floats, Sketch]:
        sums, sketch = self._open.look(start_us, self.series.size)
        return sums + self._sums(start_us), sketch


def _grows(deltas: Deltas) -> Bools:
    """By row, whether any measure that events add to grew; the others tell what units did."""
    grows: Bools = (deltas.hi != 0).any(axis=1) | (deltas.lo != 0).any(axis=1)
    if deltas.entries is not None:
        grows[deltas.entries.row] = True
    return grows

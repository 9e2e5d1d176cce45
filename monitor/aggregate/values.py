"""From sums to values: which measure is the numerator, which the denominator, by row."""

from collections.abc import Sequence

import numpy as np

from monitor.definitions.plan import MetricPlan
from monitor.model.table import Table
from monitor.model.tick import Bools, Floats, Ints


class Values:
    """Reads sums by the kind of each row's metric.

    Attributes:
        measures: sums a row has: those of the metric that has most.
    """

    def __init__(self, metrics: Sequence[MetricPlan], table: Table) -> None:
        self.measures = max(len(m.measures) for m in metrics)
        self._table = table
        self._single = np.array([len(m.measures) == 1 for m in metrics])
        self._windows = np.array([m.window_us for m in metrics], dtype=np.int64)

    def roles(self, rows: Ints, sums: Floats) -> tuple[Floats, Floats]:
        """Numerator or total x, and denominator n, of these rows; `sums` is float64[rows, k]."""
        x = sums[:, 0].copy()
        if self.measures == 1:
            return x, x.copy()
        return x, np.where(self._single[self._table["metric"][rows]], x, sums[:, 1])

    def of(self, rows: Ints, sums: Floats, observed: Bools) -> Floats:
        """Value of each row: the total, or x / n; NaN where not observed or 0 / 0."""
        x, n = self.roles(rows, sums)
        total = self._table["total"][rows]
        quotient = np.full(len(x), np.nan)
        np.divide(x, n, out=quotient, where=~total & (n != 0))
        return np.where(observed & total, x, np.where(observed, quotient, np.nan))

    def whenever(self, rows: Ints, sums: Floats) -> Floats:
        """Value of each row, with 0 for a total without events."""
        return self.of(rows, sums, np.ones(len(rows), dtype=bool))

    def window_us(self, rows: Ints) -> Ints:
        """Length of each row's window."""
        return self._windows[self._table["metric"][rows]]

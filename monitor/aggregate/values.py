"""From measures to values: totals, quotients, levels, and the arithmetic of derived metrics."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.aggregate.forms import Forms
from monitor.definitions.formula import Tree
from monitor.definitions.plan import MetricPlan, Reading, Role
from monitor.model.table import Table
from monitor.model.tick import Bools, Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What the measures of a bucket, or of a window, say of some rows.

    Attributes:
        value: NaN where undefined.
        x: of a total the value; else value times n, 0 where undefined.
        n: units or events that the value rests on.
        observed: of a total, whether anything arrived; else whether n > 0.
    """

    value: Floats
    x: Floats
    n: Floats
    observed: Bools


class Values:
    """Reads measures by the kind of each row's metric.

    Attributes:
        measures: columns that a row has: those of the metric that has most.
        forms: which of them are no sums.
    """

    def __init__(self, metrics: Sequence[MetricPlan], table: Table) -> None:
        self.measures = max(len(m.measures) for m in metrics)
        self.forms = Forms(metrics, table, self.measures)
        self._table = table
        self._single = np.array([len(m.measures) == 1 for m in metrics])
        # One more, for rows of no metric (-1).
        self._windows = np.array([*(m.window_us for m in metrics), 0], dtype=np.int64)
        readings = [m.readings[0] for m in metrics]
        self._level = np.array([r.role is Role.LEVEL for r in readings])
        self._derived = [
            (i, m.readings, m.tree) for i, m in enumerate(metrics) if m.tree is not None
        ]

    def read(self, rows: Ints, measures: Floats, *, active: bool) -> Read:
        """The values of some rows.

        Args:
            rows: which.
            measures: as `Forms.measured` gives them. float64[rows, k]
            active: whether anything arrived at all: then a total without events is 0.
        """
        metric = self._table["metric"][rows]
        total = self._table["total"][rows]
        x = measures[:, 0].copy()
        n = x.copy() if self.measures == 1 else np.where(self._single[metric], x, measures[:, 1])
        value = np.full(len(x), np.nan)
        np.divide(x, n, out=value, where=~total & (n != 0))
        value = np.where(total & (active | (n > 0)), x, value)
        if self._level.any():
            level = self._level[metric]
            known = level & (n > 0)
            value = np.where(level, np.where(known, x, np.nan), value)
            x = np.where(level, np.where(known, x * n, 0.0), x)
        for i, readings, tree in self._derived:
            at = np.flatnonzero(metric == i)
            value[at], n[at] = _derive(tree, readings, measures[at], active=active)
            x[at] = np.where(n[at] > 0, value[at] * n[at], 0.0)
        observed = np.where(total, active | (n > 0), n > 0)
        return Read(value=value, x=x, n=n, observed=observed)

    def window_us(self, rows: Ints) -> Ints:
        """Length of each row's window; 0 for a row that waits for a series."""
        return self._windows[self._table["metric"][rows]]


_Part = tuple[Floats, Floats | None]
"""A value, and the n that it rests on: None of a number."""


def _derive(
    tree: Tree, readings: tuple[Reading, ...], measures: Floats, *, active: bool
) -> tuple[Floats, Floats]:
    """Value and n of a derived metric: NaN and 0 where it is undefined."""
    size = len(measures)
    heard: Bools = np.logical_or.reduce([measures[:, r.n] > 0 for r in readings]) | active
    parts = {r.metric: _part(r, measures, heard) for r in readings}

    def of(node: Tree) -> _Part:
        if isinstance(node, str):
            return parts[node]
        if isinstance(node, tuple):
            return _join(node[0], of(node[1]), of(node[2]))
        return np.full(size, node), None

    with np.errstate(all="ignore"):
        value, n = of(tree)
    known = np.isfinite(value)
    rests_on = np.zeros(size) if n is None else n
    return np.where(known, value, np.nan), np.where(known, rests_on, 0.0)


def _part(reading: Reading, measures: Floats, heard: Bools) -> _Part:
    x, n = measures[:, reading.x], measures[:, reading.n]
    match reading.role:
        case Role.TOTAL:
            return np.where(heard, x, np.nan), n
        case Role.LEVEL:
            return np.where(n > 0, x, np.nan), n
        case Role.QUOTIENT:
            value = np.full(len(x), np.nan)
            np.divide(x, n, out=value, where=n != 0)
            return value, n


def _join(operator: str, left: _Part, right: _Part) -> _Part:
    """One step of the arithmetic.

    A quotient rests on its divisor; a sum, a difference or a product on the smallest n of its parts
    that hold anything (`orders - refunds` of a bucket without refunds rests on its orders).
    """
    a, b = left[0], right[0]
    match operator:
        case "+":
            value = a + b
        case "-":
            value = a - b
        case "*":
            value = a * b
        case _:
            value = np.where(b == 0, np.nan, a / b)
            return value, left[1] if right[1] is None else right[1]
    return value, _smallest(left[1], right[1])


def _smallest(a: Floats | None, b: Floats | None) -> Floats | None:
    if a is None or b is None:
        return b if a is None else a
    return np.where((a > 0) & (b > 0), np.minimum(a, b), np.maximum(a, b))

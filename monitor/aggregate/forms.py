"""From sketches to numbers: how many units, which quantile, how many events above a value."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from monitor.aggregate.sketches import Sketch, counts_above, measure_of, row_of, slots_of
from monitor.definitions.plan import Form, MetricPlan
from monitor.model.table import Table
from monitor.model.tick import Bools, Floats, Ints
from monitor.stats.distinct import KEPT, estimate
from monitor.stats.histogram import edges

_NOWHERE: tuple[Ints, Ints] = (np.empty(0, np.int64), np.empty(0, np.int64))


class Source(Protocol):
    """Where the entries of slots are read: the sketch of a bucket, or that of a window."""

    def distinct(self, slots: Ints) -> Ints:
        """How many keys each slot has."""
        ...

    def nth(self, slots: Ints, place: int) -> Ints:
        """The key at this place of each slot, which must have so many; `slots` sorted."""
        ...

    def of_slots(self, slots: Ints) -> Sketch:
        """The entries of these slots; `slots` sorted."""
        ...


class Forms:
    """Which measures of each row are no sums.

    Args:
        metrics: of the panel.
        table: of its series; `metric` says which metric a row is.
        measures: columns of the sums.

    Attributes:
        any_kept: whether any measure is kept as a sketch, bucket by bucket.
        any: whether any measure is no sum, in a bucket or in a window.
    """

    def __init__(self, metrics: Sequence[MetricPlan], table: Table, measures: int) -> None:
        self._table = table
        # One more, for rows of no metric (-1).
        self._units = np.zeros((len(metrics) + 1, measures), dtype=np.bool_)
        self._windowed = self._units.copy()
        self._q = np.full((len(metrics) + 1, measures), np.nan)
        for i, metric in enumerate(metrics):
            for j, measure in enumerate(metric.measures):
                self._units[i, j] = measure.form is Form.UNIQUES
                if measure.form is Form.QUANTILE and measure.q is not None:
                    self._q[i, j] = measure.q
            if metric.window_us > metric.calendar.width_us:
                for of in metric.followed:
                    self._windowed[i, [of.first, of.first + 1]] = True
        self.any_kept = bool(self._units.any() or not np.isnan(self._q).all())
        self.any = self.any_kept or bool(self._windowed.any())

    def of_units(self, slots: Ints) -> Bools:
        """Which slots hold units; the others hold histograms."""
        metric = self._table["metric"][row_of(slots)]
        units: Bools = self._units[metric, measure_of(slots)]
        return units

    def told_apart(self, rows: Ints) -> Bools:
        """Which measures of these rows are units of cohorts that a window tells apart. bool[r, k]."""
        units: Bools = self._windowed[self._table["metric"][rows]]
        return units

    def measured(self, rows: Ints, sums: Floats, source: Source, *, window: bool = False) -> Floats:
        """The sums, with the columns of sketches filled in.

        Args:
            rows: sorted.
            sums: float64[rows, k].
            source: the entries of the same bucket or window.
            window: whether it is a window: there the units of cohorts, which a bucket knows by their
                number, are told apart.

        Returns:
            float64[rows, k]: of units how many there are; of histograms the quantile, NaN where
            they are empty.
        """
        if not self.any:
            return sums
        out = sums.copy()
        metric = self._table["metric"][rows]
        at, measure = np.nonzero(self._units[metric])
        if len(at):
            out[at, measure] = _units(source, slots_of(rows[at], measure))
        at, measure = np.nonzero(self._windowed[metric]) if window else _NOWHERE
        if len(at):
            out[at, measure] = source.distinct(slots_of(rows[at], measure))
        at, measure = np.nonzero(~np.isnan(self._q[metric]))
        if len(at):
            slots = slots_of(rows[at], measure)
            q = self._q[metric[at], measure]
            out[at, measure] = _quantiles(source.of_slots(slots), slots, q)
        return out

    def above(self, rows: Ints, source: Source, values: Floats) -> Floats:
        """How many events of these rows' first measure lie above three values each.

        A value lies somewhere in its bin. Above the first value the events of that bin count by
        their share; above the second only whole bins count, above the third the whole of every bin
        that reaches above it: so that no bet gains by what is not known.

        Args:
            rows: rows whose first measure is a histogram, sorted.
            source: the entries of the bucket.
            values: float64[rows, 3].
        """
        slots = slots_of(rows, np.zeros(len(rows), dtype=np.int64))
        sketch = source.of_slots(slots)
        of = np.searchsorted(slots, sketch.slot)
        lower, upper = edges(sketch.key)
        at = values[of]
        counts = [
            counts_above(sketch, lower, upper, at[:, 0]),
            sketch.count * (lower > at[:, 1]),
            sketch.count * (upper > at[:, 2]),
        ]
        return np.stack([np.bincount(of, c, minlength=len(rows)) for c in counts], axis=1)


def _units(source: Source, slots: Ints) -> Floats:
    count = source.distinct(slots)
    largest = np.zeros(len(slots), dtype=np.int64)
    full = count >= KEPT
    if full.any():
        largest[full] = source.nth(slots[full], KEPT - 1)
    return estimate(np.minimum(count, KEPT), largest)


def _quantiles(sketch: Sketch, slots: Ints, q: Floats) -> Floats:
    """The q-quantile of each slot's histogram: at rank q times the events, even inside a bin."""
    out = np.full(len(slots), np.nan)
    begin, stop = sketch.span(slots)
    some = np.flatnonzero(stop > begin)
    if not len(some):
        return out
    begin, stop = begin[some], stop[some]
    passed = np.cumsum(sketch.count)
    before = passed[begin] - sketch.count[begin]
    rank = np.round(q[some] * (passed[stop - 1] - before), 9)
    at = np.searchsorted(passed, before + np.ceil(rank).astype(np.int64))
    at = np.clip(at, begin, stop - 1)
    lower, upper = edges(sketch.key[at])
    inside = (rank - (passed[at] - sketch.count[at] - before)) / sketch.count[at]
    out[some] = lower + (upper - lower) * np.clip(inside, 0.0, 1.0)
    return out

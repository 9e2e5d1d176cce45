"""What the units of a cohort amount to, row by row: sums of a bucket, entries for windows.

A funnel's steps are rows of their own, which follow from the units of the whole.
"""

from collections.abc import Sequence

import numpy as np

from monitor.aggregate.cohorts import Came
from monitor.aggregate.follower import Follower
from monitor.aggregate.series import Series
from monitor.aggregate.sketches import EMPTY, Sketch, added, slots_of
from monitor.definitions.plan import MetricPlan
from monitor.model.segment import format_segment
from monitor.model.tick import Floats, Ints

STEP = ("step",)
"""The grouping whose segments are the steps of a funnel."""
CONVERTED, UNITS = 0, 1
"""Places of a cohort's measures, from its first one on."""


def step_names(metric: MetricPlan) -> tuple[str, ...]:
    """The segments of a funnel's steps, in order; of another metric none.

    A name that comes again gets `#2`, `#3`.
    """
    if metric.cohort is None or metric.groupings[-1] != STEP or metric.kind != "funnel":
        return ()
    names = [step.event for step in metric.cohort.steps]
    seen = [names[:i].count(name) for i, name in enumerate(names)]
    return tuple(
        format_segment([name if not again else f"{name}#{again + 1}"])
        for name, again in zip(names, seen, strict=True)
    )


class CohortRows:
    """The rows of a panel's metrics; those of a funnel's steps are made here.

    They exist from the start, as the whole does.

    Attributes:
        steps: by metric, the rows of its steps; empty where it is no funnel.
    """

    def __init__(self, series: Series, metrics: Sequence[MetricPlan]) -> None:
        self._series = series
        self._metrics = metrics
        self.steps = [self._step_rows(index) for index in range(len(metrics))]

    def _step_rows(self, index: int) -> Ints:
        rows, born = dict(self._series.items()), self._series.table
        group = len(self._metrics[index].groupings) - 1
        found = []
        for name in step_names(self._metrics[index]):
            row = rows.get((index, group, name))
            if row is None:
                row = self._series.add(index, group, name)
                born["born_us"][row] = born["born_us"][self._series.whole(index)]
            found.append(row)
        return np.array(found, dtype=np.int64)

    def put(self, sums: Floats, of: Follower, counts: Ints) -> None:
        """Add the converted units and the units of a cohort to the sums of its metric's rows.

        Args:
            sums: float64[rows, k].
            of: whose cohort.
            counts: units that have reached each step. int64[steps, rows]
        """
        converted, units = of.first + CONVERTED, of.first + UNITS
        sums[:, converted] += counts[-1]
        sums[:, units] += counts[0]
        steps = self.steps[of.metric]
        if len(steps):
            whole = self._series.whole(of.metric)
            sums[steps, converted] = counts[:, whole]
            sums[steps, units] = counts[0, whole]

    def entries(self, of: Follower, came: Came) -> Sketch:
        """The units themselves, each once a row and measure, so that windows can tell them apart."""
        if not len(came.row):
            return EMPTY
        converted, units = of.first + CONVERTED, of.first + UNITS
        parts = [_of(came.row, units, came.key)]
        done = came.step >= of.cohorts.steps - 1
        parts.append(_of(came.row[done], converted, came.key[done]))
        if not len(self.steps[of.metric]):
            return added(parts)
        whole = self._series.whole(of.metric)
        mine = came.row == whole
        key, step = came.key[mine], came.step[mine]
        for number, row in enumerate(self.steps[of.metric].tolist()):
            far = key[step >= number]
            parts.append(_of(np.full(len(key), row), units, key))
            parts.append(_of(np.full(len(far), row), converted, far))
        return added(parts)


def _of(rows: Ints, measure: int, keys: Ints) -> Sketch:
    slots = slots_of(rows, np.full(len(rows), measure))
    return Sketch(slot=slots, key=keys, count=np.ones(len(rows), dtype=np.int64))

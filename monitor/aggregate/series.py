"""The series of a panel: which row each has, which values of a dimension are kept apart.

The core admits a dimension's values per metric in log order up to the cap, the largest of a frame first; the
rest is `other`. A value unseen for a week of event time retires, so that a new app version finds room.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from monitor.aggregate.cover import Covers, Key
from monitor.definitions.plan import COMBINATION_FACTOR, Law, MetricPlan
from monitor.model.segment import format_segment, parse_segment, segment_value
from monitor.model.table import Column, Table
from monitor.model.tick import LAWS, Floats, Ints, Traits
from monitor.model.time import FOREVER, NEVER, WEEK

OTHER = "other"
ALL = "all"
RETIRE_AFTER_US = WEEK

_COLUMNS = {
    "metric": Column(dtype="i8", fill=-1),
    "group": Column(dtype="i8"),
    "parent": Column(dtype="i8", fill=-1),
    "born_us": Column(dtype="i8", fill=FOREVER),
    "seen_us": Column(dtype="i8", fill=NEVER),
    "late_us": Column(dtype="i8", fill=NEVER),
    "law": Column(dtype="i1"),
    "total": Column(dtype="?"),
    "tail": Column(dtype="f8", fill=np.nan),
    "log_threshold": Column(dtype="f8", fill=np.inf),
    "min_relative_shift": Column(dtype="f8", fill=1),
    "min_units": Column(dtype="f8"),
    "up": Column(dtype="?"),
    "down": Column(dtype="?"),
    "page_no_data": Column(dtype="?"),
    "accept_after_us": Column(dtype="i8"),
    "timezone": Column(dtype="i2"),
}


class Series:
    """Rows of a panel by (metric, grouping, segment).

    Attributes:
        metrics: the panel's metrics.
        timezones: the season time zones that `Traits.timezone` indexes.
        table: one row a series; `metric` is -1 for a row that waits for another series.
        segments: the segment of each row.
        version: grows whenever a row is given to a series or taken from it.
    """

    def __init__(self, metrics: Sequence[MetricPlan], cardinality: int) -> None:
        self.metrics = tuple(metrics)
        self.cardinality = cardinality
        self.timezones = sorted({m.season_timezone for m in metrics})
        self._covers = Covers(metrics)
        covers = Column(dtype="i8", shape=(self._covers.most,), fill=-1)
        self.table = Table({**_COLUMNS, "covers": covers})
        self.segments: list[str] = []
        self.version = 0
        self._rows: dict[Key, int] = {}
        self._uses: Counter[tuple[int, str, str]] = Counter()  # rows that hold a dimension's value
        self._values: Counter[tuple[int, str]] = Counter()  # values admitted of a dimension
        self._combinations: Counter[tuple[int, int]] = Counter()
        self._free: list[int] = []

    @property
    def size(self) -> int:
        """Rows, used or waiting."""
        return self.table.size

    def items(self) -> list[tuple[Key, int]]:
        """Every series with its row, in order of admission."""
        return list(self._rows.items())

    def whole(self, metric: int) -> int:
        """Row of the whole of a metric."""
        return self._rows[metric, 0, ALL]

    def rows(
        self,
        metric: int,
        groups: Sequence[int],
        segments: Sequence[str],
        *,
        events: Callable[[], Floats] | None = None,
    ) -> Ints:
        """Rows of these series, admitted or folded: where several are new, the largest first.

        Args:
            metric: index.
            groups: of the series.
            segments: of the series, as in a frame.
            events: how many each of them has; without it they come in the order given.
        """
        known = self._rows
        found = [known.get((metric, g, s), -1) for g, s in zip(groups, segments, strict=True)]
        if -1 in found:
            new = [i for i, row in enumerate(found) if row < 0]
            if len(new) > 1 and events is not None:
                size = events().tolist()
                new.sort(key=lambda i: -size[i])
            for i in new:
                found[i] = self._admit(metric, groups[i], segments[i])
        return np.array(found, dtype=np.int64)

    def add(self, metric: int, group: int, segment: str) -> int:
        """A row for this series, which must be new and admitted."""
        if self._free:
            row = self._free.pop()
        else:
            row = self.table.append(1)[0]
            self.segments.append(segment)
        self._place(metric, group, segment, row)
        return row

    def _place(self, metric: int, group: int, segment: str, row: int) -> None:
        self._enter(metric, group, segment, row)
        self._describe(metric, group, row)

    def _enter(self, metric: int, group: int, segment: str, row: int) -> None:
        """Note whose row it is."""
        self.version += 1
        self.segments[row] = segment
        self._rows[metric, group, segment] = row
        self._covers.place((metric, group, segment), row, self._rows, self.table["covers"])
        self._count(metric, group, segment, +1)

    def _describe(self, metric: int, group: int, rows: int | Ints) -> None:
        """Write what the definitions say of these rows; the whole must have its own."""
        plan, table = self.metrics[metric], self.table
        table["metric"][rows] = metric
        table["group"][rows] = group
        table["parent"][rows] = -1 if group == 0 else self.whole(metric)
        table["law"][rows] = LAWS.index(plan.law)
        table["total"][rows] = plan.is_total
        table["tail"][rows] = _tail(plan)
        table["log_threshold"][rows] = plan.log_threshold[group]
        table["min_relative_shift"][rows] = plan.min_relative_shift
        table["min_units"][rows] = plan.min_units
        table["up"][rows] = plan.up
        table["down"][rows] = plan.down
        table["page_no_data"][rows] = plan.no_data == "alert"
        table["accept_after_us"][rows] = plan.accept_after_us
        table["timezone"][rows] = self.timezones.index(plan.season_timezone)

    def stale(self, limit_us: int) -> Ints:
        """Rows of segments that were not seen since this time.

        One whose sums are all 0 (amounts of 0) is seen by its first bucket only.
        """
        table = self.table
        born = np.where(table["born_us"] < FOREVER, table["born_us"], NEVER)
        seen = np.maximum(table["seen_us"], born)
        return np.flatnonzero((table["metric"] >= 0) & (table["parent"] >= 0) & (seen < limit_us))

    def restart(self, rows: Ints, born_us: Ints) -> None:
        """Let the series of these rows begin at these times, unseen until then."""
        self.table["born_us"][rows] = born_us
        self.table["seen_us"][rows] = NEVER
        self.version += len(rows)

    def retire(self, stale: Ints) -> None:
        """Free these rows."""
        table = self.table
        for row in stale.tolist():
            metric, group = int(table["metric"][row]), int(table["group"][row])
            segment = self.segments[row]
            del self._rows[metric, group, segment]
            self._covers.remove((metric, group, segment), row, table["covers"])
            self._count(metric, group, segment, -1)
            self._free.append(row)
        table.clear(stale)
        self.version += len(stale)

    def traits(self) -> Traits:
        """What the baseline and the guard must know of every row."""
        names = Traits.__dataclass_fields__
        return Traits(**{name: self.table[name] for name in names})

    def _admit(self, metric: int, group: int, segment: str) -> int:
        dimensions = self.metrics[metric].groupings[group]
        parts = parse_segment(segment) if len(dimensions) > 1 else [segment_value(segment)]
        kept = [
            value if self._has_room(metric, dimension, value) else OTHER
            for dimension, value in zip(dimensions, parts, strict=True)
        ]
        folded = format_segment(kept)
        row = self._rows.get((metric, group, folded))
        if row is not None:
            return row
        # one less than the budget counts with: what does not fit has a row too
        full = self._combinations[metric, group] >= COMBINATION_FACTOR * self.cardinality - 1
        if len(dimensions) > 1 and full:
            folded = format_segment([OTHER] * len(dimensions))
            row = self._rows.get((metric, group, folded))
            if row is not None:
                return row
        return self.add(metric, group, folded)

    def _has_room(self, metric: int, dimension: str, value: str) -> bool:
        return (
            self._uses[metric, dimension, value] > 0
            or self._values[metric, dimension] < self.cardinality
        )

    def _count(self, metric: int, group: int, segment: str, change: int) -> None:
        dimensions = self.metrics[metric].groupings[group]
        if not dimensions:
            return
        self._combinations[metric, group] += change
        for dimension, value in zip(dimensions, parse_segment(segment), strict=True):
            if value == OTHER:
                continue
            before = self._uses[metric, dimension, value]
            self._uses[metric, dimension, value] = before + change
            if before == 0 or before + change == 0:
                self._values[metric, dimension] += change
            if before + change == 0:
                del self._uses[metric, dimension, value]

    def dump(self) -> dict[str, Any]:
        """Rows by name, and the columns that the definitions do not give."""
        return {
            "series": [
                [self.metrics[m].name, self.metrics[m].formula, g, segment, row]
                for (m, g, segment), row in self._rows.items()
            ],
            "born_us": self.table["born_us"].copy(),
            "seen_us": self.table["seen_us"].copy(),
            "late_us": self.table["late_us"].copy(),
            "free": list(self._free),
        }

    def load(self, state: dict[str, Any]) -> Ints:
        """Take over what `dump` gave, of metrics that measure what they did; into an empty table.

        Returns:
            Rows whose series is gone: they wait for another one, and must be cleared elsewhere.
        """
        formulas = {m.name: (i, m.formula) for i, m in enumerate(self.metrics)}
        size = len(state["born_us"])
        self.table.append(size)
        self.segments = [""] * size
        gone = []
        kept: dict[tuple[int, int], list[int]] = {}
        for name, formula, group, segment, row in state["series"]:
            index, current = formulas.get(name, (-1, None))
            if current == formula:
                self._enter(index, group, segment, row)
                kept.setdefault((index, group), []).append(row)
            else:
                gone.append(row)
        # A column at a time: a restart has a hundred thousand rows to fill.
        for (index, group), numbers in kept.items():
            rows = np.array(numbers, dtype=np.int64)
            self._describe(index, group, rows)
            for column in ("born_us", "seen_us", "late_us"):
                self.table[column][rows] = state[column][rows]
        self._free = [*state["free"], *gone]
        return np.array(gone, dtype=np.int64)


def _tail(plan: MetricPlan) -> float:
    """1 - q of a quantile; NaN for other laws."""
    q = plan.measures[0].q
    return float("nan") if q is None or plan.law is not Law.QUANTILE else 1.0 - q

"""The series among which the place of an incident is looked for, with their sums over it."""

from dataclasses import dataclass

import numpy as np

from monitor.definitions.budget import STEPS
from monitor.definitions.formula import Tree
from monitor.definitions.plan import Form, MetricPlan, Role
from monitor.model.tick import Bools, Decision, Expectation, Floats, Ints, Traits

X, M, N, V, E = range(5)
"""Columns of the sums: x, expected x, n, variance of x, expected n."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The series of an incident, its own first. Arrays have one entry a series.

    Attributes:
        rows: of the panel. int64
        group: place of the grouping in `groupings`. int64
        groupings: of the metric.
        steps: the grouping of a funnel's steps, which are no parts of it; -1 of other metrics.
        covers: coarser segments that hold each series, as places here; -1 where there is none.
            int64[series, c]
        sums: over the incident. float64[series, 5]
        law: code. int8
        sd_level: relative standard deviation of what is expected.
        level: what is expected now.
        log_m, log_threshold: natural log of the evidence, and of what it needs.
        direction: sign of the incident's shift.
        rate: whether the value is a rate with a weight, so that a change of mix moves it.
        buckets: of a total, over how many buckets each series was summed; else NaN.
    """

    rows: Ints
    group: Ints
    groupings: tuple[tuple[str, ...], ...]
    steps: int
    covers: Ints
    sums: Floats
    law: Ints
    sd_level: Floats
    level: Floats
    log_m: Floats
    log_threshold: Floats
    direction: int
    rate: bool
    buckets: Floats

    @property
    def size(self) -> int:
        """How many series there are, the incident's own included."""
        return self.rows.size


def scope_of(
    row: int,
    *,
    plan: MetricPlan,
    group: Ints,
    decision: Decision,
    expectation: Expectation,
    traits: Traits,
    bucket: tuple[int, int],
) -> Scope:
    """The scope of a row's open incident: of a whole all its segments, of a segment what overlaps it.

    Args:
        row: which.
        plan: its metric.
        group: by row of the panel, the place of its grouping among those of its metric.
        decision: of the bucket that has just closed.
        expectation: of the same bucket.
        traits: of all rows.
        bucket: its end and width, microseconds.
    """
    whole = traits.parent[row] < 0
    inside = traits.parent == row if whole else _overlapping(row, plan, group, traits)
    rows = np.concatenate([[row], np.flatnonzero(inside)]).astype(np.int64)
    if whole and decision.family is not None:
        sums, start_us = decision.family[rows], np.full(rows.size, decision.start_us[row])
    else:  # beside a segment each series is summed since its own start
        names = ("sum_x", "sum_expected", "sum_n", "sum_variance")
        columns = [getattr(decision, name)[rows] for name in names]
        sums, start_us = np.stack([*columns, columns[2]], axis=1), decision.start_us[rows]
    place = np.full(traits.parent.size + 1, -1)
    place[rows] = np.arange(rows.size)
    end_us, width_us = bucket
    buckets = np.maximum((end_us - start_us) / width_us, 1.0)
    return Scope(
        rows=rows,
        group=group[rows],
        groupings=plan.groupings,
        steps=plan.groupings.index(STEPS) if plan.kind == "funnel" else -1,
        covers=place[traits.covers[rows]],
        sums=np.where(expectation.ready[rows, None], sums, 0.0),
        law=traits.law[rows].astype(np.int64),
        sd_level=expectation.sd_level[rows],
        level=expectation.level[rows],
        log_m=decision.log_m[rows],
        log_threshold=traits.log_threshold[rows],
        direction=int(decision.direction[row]),
        rate=bool(whole) and has_rate(plan),
        buckets=np.where(traits.total[rows], buckets, np.nan),
    )


def _overlapping(row: int, plan: MetricPlan, group: Ints, traits: Traits) -> Bools:
    """The series that a segment holds, those that hold it, and the segments of other dimensions."""
    own = set(plan.groupings[int(group[row])])
    other = [g for g, names in enumerate(plan.groupings) if names and own.isdisjoint(names)]
    family = traits.parent == traits.parent[row]
    found: Bools = (traits.covers == row).any(axis=1)
    found |= family & np.isin(group, other) & (own != set(STEPS))
    found[traits.covers[row][traits.covers[row] >= 0]] = True
    return found


def has_rate(plan: MetricPlan) -> bool:
    """Whether the value of the whole is the mean of its segments' values, weighted by their n."""
    if plan.is_total or plan.kind == "quantile":
        return False
    return plan.tree is None or _is_quotient_of_sums(plan, plan.tree)


def _is_quotient_of_sums(plan: MetricPlan, tree: Tree) -> bool:
    """Whether a derived metric is `sum / count`: then its n is the divisor itself."""
    if not isinstance(tree, tuple) or tree[0] != "/":
        return False
    by_name = {reading.metric: reading for reading in plan.readings}
    over, under = tree[1], tree[2]
    if not (isinstance(over, str) and isinstance(under, str)):
        return False
    sums = all(
        by_name[name].role is Role.TOTAL and plan.measures[by_name[name].x].form is Form.SUM
        for name in (over, under)
    )
    return sums and by_name[under].x == by_name[under].n

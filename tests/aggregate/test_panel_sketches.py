"""A panel of units and quantiles: folded series, late entries, retired rows, definitions that change."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from monitor.aggregate.panel import Panel
from monitor.definitions.plan import Form, Law, Measure, MetricPlan
from monitor.model.frame import Deltas, Entries
from monitor.model.time import DAY, HOUR, MINUTE
from tests.aggregate.test_panel import by_segment, close_all, metric, panel

Row = tuple[bool, int, int, str, dict[int, int]]
"""(late, minute, group, segment, count by key)"""


def users(window_us: int = MINUTE) -> MetricPlan:
    measures = (Measure(name="uniques", event="s", form=Form.UNIQUES, unit="actor"),)
    return metric("users", measures=measures, kind="uniques", window_us=window_us)


def median() -> MetricPlan:
    measures = (
        Measure(name="quantile", event="r", value="ms", form=Form.QUANTILE, q=0.5),
        Measure(name="count", event="r", needs="ms"),
    )
    return replace(metric("ms", measures=measures, kind="quantile"), law=Law.QUANTILE)


def feed(p: Panel, plan: MetricPlan, rows: Sequence[Row]) -> None:
    """Merge rows that hold entries of the first measure, and their number in the last."""
    rows = sorted(rows, key=lambda r: r[:4])
    series = sorted({(g, s) for _, _, g, s, _ in rows})
    width = len(plan.measures)
    hi = np.zeros((len(rows), width))
    if width > 1:
        hi[:, 1] = [sum(r[4].values()) for r in rows]
    items = [(i, key, r[4][key]) for i, r in enumerate(rows) for key in sorted(r[4])]
    row, key, count = (np.array([item[i] for item in items], dtype=np.int64) for i in range(3))
    p.note_activity(np.array(sorted({r[1] for r in rows if not r[0]}), np.int64) * MINUTE)
    p.merge(
        Deltas(
            metric=plan.name,
            formula="f",
            groups=np.array([g for g, _ in series], dtype=np.int16),
            segments=[s for _, s in series],
            late=np.array([r[0] for r in rows]),
            bucket=np.array([r[1] * MINUTE for r in rows], dtype=np.int64),
            series=np.array([series.index((r[2], r[3])) for r in rows], dtype=np.int32),
            hi=hi,
            lo=np.zeros_like(hi),
            entries=Entries(row=row, measure=np.zeros(len(row), np.int16), key=key, count=count),
        )
    )


def test_folded_segments_are_one_set_of_units() -> None:
    """A unit that was in two folded segments is one unit of `other`; folded units are counted."""
    plan = users()
    p = panel(plan, cardinality=1)
    feed(p, plan, [(False, 0, 1, "DE", {1: 1, 2: 1})])
    feed(p, plan, [(False, 0, 1, "FR", {1: 1, 3: 1}), (False, 0, 1, "IT", {3: 1, 4: 1})])
    feed(p, plan, [(False, 0, 0, "all", {1: 1, 2: 1, 3: 1, 4: 1})])
    (tick,) = close_all(p, MINUTE)
    assert by_segment(p, tick) == {"all": 4.0, "DE": 2.0, "other": 3.0}
    assert p.folded == {("users", "country"): 4}


def test_folded_events_of_a_quantile_are_counted_by_its_count() -> None:
    plan = median()
    p = panel(plan, cardinality=1)
    feed(p, plan, [(False, 0, 1, "DE", {5: 2}), (False, 0, 1, "FR", {5: 3, 9: 4})])
    close_all(p, MINUTE)
    assert p.folded == {("ms", "country"): 2}, "of one frame the largest is kept"


def test_late_units_join_those_that_were_in_time() -> None:
    plan = users(window_us=3 * MINUTE)
    p = panel(plan)
    for minute in range(6):
        feed(p, plan, [(False, minute, 0, "all", {minute: 1, minute + 1: 1})])
    ticks = close_all(p, 6 * MINUTE)
    assert [t.window_value[0] for t in ticks] == [2, 3, 4, 4, 4, 4]
    feed(p, plan, [(True, 2, 0, "all", {2: 1, 77: 1})])
    told = {r.start_us // MINUTE: r for r in p.restatements()}
    assert {m: (r.value[0], r.window_value[0]) for m, r in told.items()} == {
        2: (3, 5), 3: (2, 5), 4: (2, 5),
    }  # fmt: skip
    feed(p, plan, [(False, 6, 0, "all", {77: 1})])
    assert close_all(p, 7 * MINUTE)[0].window_value[0] == 4


@pytest.mark.slow
def test_a_row_that_is_given_away_holds_no_units_of_the_series_before() -> None:
    plan = users(window_us=DAY)
    p = panel(plan)
    feed(p, plan, [(False, 0, 1, "old", {1: 1, 2: 1}), (False, 0, 0, "all", {1: 1, 2: 1})])
    last = 7 * DAY + HOUR
    close_all(p, MINUTE)
    for minute in range(1, last // MINUTE, 600):
        feed(p, plan, [(False, minute, 0, "all", {minute: 1})])
    close_all(p, last)
    feed(p, plan, [(True, last // MINUTE - 5, 0, "all", {5: 1})])
    assert len(p.retire(last)) == 1
    minute = last // MINUTE
    feed(p, plan, [(False, minute, 1, "new", {9: 1})])
    tick = next(t for t in close_all(p, last + MINUTE) if t.observation.start_us == last)
    row = {s: r for (_, _, s), r in p.series.items()}["new"]
    assert (tick.value[row], tick.window_value[row]) == (1, 1)


@pytest.mark.parametrize("more", [False, True])
def test_open_and_late_entries_survive_a_snapshot(more: bool) -> None:
    """Under wider definitions too; a metric that is gone takes its entries with it."""
    plan, other = users(window_us=3 * MINUTE), median()
    p = panel(plan, other)
    feed(p, plan, [(False, 0, 0, "all", {1: 1})])
    feed(p, other, [(False, 0, 0, "all", {65409: 3})])
    close_all(p, MINUTE)
    feed(p, plan, [(True, 0, 0, "all", {2: 1}), (False, 1, 0, "all", {1: 1, 3: 1})])
    feed(p, other, [(False, 1, 0, "all", {65409: 3})])
    metrics = [plan, other] if more else [plan]
    again = Panel(p.calendar, metrics, cardinality=50, restatement_us=DAY, state=p.dump())
    assert len(again.gone) == (0 if more else 1)
    (late,) = again.restatements()
    assert late.value.tolist() == [2]
    (tick,) = close_all(again, 2 * MINUTE)
    row = again.series.whole(0)
    assert (tick.value[row], tick.window_value[row]) == (2, 3)
    if more:
        assert tick.value[again.series.whole(1)] == pytest.approx(1, rel=0.02)

"""A panel closes what the frames hold: against sums over the raw deltas, however they are cut."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from monitor.aggregate.panel import Panel, Tick
from monitor.definitions.plan import Calendar, Law, Measure, MetricPlan
from monitor.ingest.series import segment as ingest_segment
from monitor.model.frame import Deltas
from monitor.model.segment import format_segment, parse_segment
from monitor.model.time import DAY, HOUR, MINUTE

COUNT = (Measure(name="count", event="order"),)
RATIO = (
    Measure(name="numerator", event="request", where=(("status", "in", ("error",)),)),
    Measure(name="denominator", event="request"),
)


def metric(
    name: str,
    *,
    measures: tuple[Measure, ...] = COUNT,
    kind: str = "count",
    groupings: tuple[tuple[str, ...], ...] = ((), ("country",)),
    window_us: int = MINUTE,
) -> MetricPlan:
    return MetricPlan(
        name=name,
        kind=kind,
        measures=measures,
        groupings=groupings,
        calendar=Calendar(width_us=MINUTE),
        window_us=window_us,
        season_timezone="UTC",
        law=Law.NEGATIVE_BINOMIAL,
        severity="page",
        direction="both",
        min_relative_shift=0.02,
        min_units=10,
        no_data="alert",
        accept_after_us=DAY,
        log_threshold=(10.0,) * len(groupings),
        formula="f",
    )


def panel(*metrics: MetricPlan, cardinality: int = 50, restatement_us: int = DAY) -> Panel:
    return Panel(
        Calendar(width_us=MINUTE), metrics, cardinality=cardinality, restatement_us=restatement_us
    )


def deltas(name: str, rows: Sequence[tuple[bool, int, int, str, tuple[float, ...]]]) -> Deltas:
    """Deltas of (late, minute, group, segment, sums) rows."""
    keys = sorted({(g, s) for _, _, g, s, _ in rows})
    merged: dict[tuple[bool, int, int], np.ndarray] = defaultdict(lambda: np.zeros(2))
    width = max((len(sums) for *_, sums in rows), default=1)
    for late, minute, g, s, sums in rows:
        merged[late, minute * MINUTE, keys.index((g, s))][: len(sums)] += sums
    order = sorted(merged)
    return Deltas(
        metric=name,
        formula="f",
        groups=np.array([g for g, _ in keys], dtype=np.int16),
        segments=[s for _, s in keys],
        late=np.array([late for late, _, _ in order], dtype=bool),
        bucket=np.array([b for _, b, _ in order], dtype=np.int64),
        series=np.array([i for _, _, i in order], dtype=np.int32),
        hi=np.array([merged[k][:width] for k in order]).reshape(-1, width),
        lo=np.zeros((len(order), width)),
    )


def feed(
    p: Panel, name: str, rows: Sequence[tuple[bool, int, int, str, tuple[float, ...]]]
) -> None:
    on_time = sorted({minute for late, minute, *_ in rows if not late})
    p.note_activity(np.array(on_time, dtype=np.int64) * MINUTE)
    p.merge(deltas(name, rows))


def close_all(p: Panel, until_us: int) -> list[Tick]:
    ticks = []
    while p.next_end(until_us) is not None:
        ticks.append(p.close(until_us))
    return ticks


def by_segment(p: Panel, tick: Tick) -> dict[str, float]:
    return {
        segment: float(tick.value[row])
        for (_, _, segment), row in p.series.items()
        if tick.alive[row]
    }


def test_a_bucket_without_matching_events_is_zero_while_others_arrive() -> None:
    p = panel(metric("orders"))
    feed(p, "orders", [(False, 0, 0, "all", (3,))])
    p.note_activity(np.array([MINUTE]))
    first, second = close_all(p, 2 * MINUTE)
    assert by_segment(p, first) == {"all": 3.0}
    assert by_segment(p, second) == {"all": 0.0}
    assert second.observation.observed.tolist() == [True]


def test_a_bucket_in_which_nothing_arrives_is_null() -> None:
    p = panel(metric("orders"))
    feed(p, "orders", [(False, 0, 0, "all", (3,))])
    ticks = close_all(p, 2 * MINUTE)
    assert np.isnan(ticks[1].value[0])
    assert not ticks[1].observation.observed[0]


def test_a_quotient_without_denominator_is_null_with_n_0() -> None:
    p = panel(metric("errors", measures=RATIO, kind="ratio"))
    feed(p, "errors", [(False, 0, 0, "all", (1, 4)), (False, 0, 1, "DE", (1, 1))])
    p.note_activity(np.array([MINUTE]))
    first, second = close_all(p, 2 * MINUTE)
    assert by_segment(p, first) == {"all": 0.25, "DE": 1.0}
    assert np.isnan(second.value).all()
    assert second.observation.n.tolist() == [0.0, 0.0]


def test_a_long_gap_is_its_first_and_last_bucket() -> None:
    p = panel(metric("orders"))
    days = 9 * DAY // MINUTE
    feed(p, "orders", [(False, 0, 0, "all", (1,)), (False, days, 0, "all", (1,))])
    ticks = close_all(p, (days + 1) * MINUTE)
    assert [t.observation.start_us // MINUTE for t in ticks] == [0, 1, days - 1, days]


def test_a_gap_of_a_day_is_written_whole() -> None:
    p = panel(metric("orders"))
    day = DAY // MINUTE
    feed(p, "orders", [(False, 0, 0, "all", (1,)), (False, day, 0, "all", (1,))])
    assert len(close_all(p, (day + 1) * MINUTE)) == day + 1


def test_values_over_the_cap_are_other_and_counted() -> None:
    p = panel(metric("orders"), cardinality=2)
    rows = [(False, 0, 1, name, (10.0,)) for name in ("AT", "CH", "DE", "FR")]
    feed(p, "orders", rows)
    (tick,) = close_all(p, MINUTE)
    assert by_segment(p, tick) == {"all": 0.0, "AT": 10.0, "CH": 10.0, "other": 20.0}
    assert p.folded == {("orders", "country"): 20}


def test_of_the_values_of_one_frame_the_largest_are_kept_apart() -> None:
    p = panel(metric("orders"), cardinality=2)
    sizes = {"AT": 1.0, "CH": 20.0, "DE": 3.0, "FR": 30.0}
    feed(p, "orders", [(False, 0, 1, name, (size,)) for name, size in sizes.items()])
    (tick,) = close_all(p, MINUTE)
    assert by_segment(p, tick) == {"all": 0.0, "CH": 20.0, "FR": 30.0, "other": 4.0}


def test_combinations_fold_by_their_parts() -> None:
    groupings = ((), ("country", "platform"))
    p = panel(metric("orders", groupings=groupings), cardinality=1)
    rows = [(False, 0, 1, s, (1.0,)) for s in ("DE,ios", "DE,web", "FR,ios", "FR,web")]
    feed(p, "orders", rows)
    (tick,) = close_all(p, MINUTE)
    assert by_segment(p, tick) == {
        "all": 0.0, "DE,ios": 1.0, "DE,other": 1.0, "other,ios": 1.0, "other,other": 1.0,
    }  # fmt: skip


def test_a_value_unseen_for_a_week_makes_room() -> None:
    p = panel(metric("orders"), cardinality=1)
    feed(p, "orders", [(False, 0, 1, "8.1", (1.0,))])
    close_all(p, MINUTE)
    assert p.retire(7 * DAY).tolist() == []
    gone = p.retire(7 * DAY + HOUR)
    assert gone.tolist() == [1]
    week = 8 * DAY // MINUTE
    feed(p, "orders", [(False, week, 1, "8.2", (2.0,))])
    tick = close_all(p, (week + 1) * MINUTE)[-1]
    assert by_segment(p, tick) == {"all": 0.0, "8.2": 2.0}


def test_a_late_event_restates_its_bucket_and_the_windows_over_it() -> None:
    p = panel(metric("orders", window_us=3 * MINUTE, groupings=((),)))
    feed(p, "orders", [(False, m, 0, "all", (1.0,)) for m in range(5)])
    ticks = close_all(p, 5 * MINUTE)
    assert [float(t.window_value[0]) for t in ticks] == [1.0, 2.0, 3.0, 3.0, 3.0]
    p.merge(deltas("orders", [(True, 1, 0, "all", (10.0,))]))
    changed = list(p.restatements())
    assert [(c.start_us // MINUTE, float(c.value[0])) for c in changed] == [(1, 11), (2, 1), (3, 1)]
    assert [float(c.window_value[0]) for c in changed] == [12.0, 13.0, 13.0]
    assert [c.revision.tolist() for c in changed] == [[1], [1], [1]]
    feed(p, "orders", [(False, 5, 0, "all", (1.0,))])
    (tick,) = close_all(p, 6 * MINUTE)
    assert float(tick.window_value[0]) == 3.0, "the late event has left the window"


def test_a_late_event_before_its_bucket_has_closed_waits_for_it() -> None:
    p = panel(metric("orders", groupings=((),)))
    feed(p, "orders", [(False, 0, 0, "all", (1.0,)), (True, 0, 0, "all", (5.0,))])
    assert list(p.restatements()) == []
    (tick,) = close_all(p, MINUTE)
    assert float(tick.value[0]) == 1.0, "revision 0 holds on-time deltas only"
    (change,) = p.restatements()
    assert float(change.value[0]) == 6.0


def test_a_partial_bucket_is_given_at_the_end() -> None:
    p = panel(metric("orders", groupings=((),)))
    feed(p, "orders", [(False, 0, 0, "all", (1.0,)), (False, 1, 0, "all", (2.0,))])
    close_all(p, MINUTE + 1)
    (partial,) = p.partials()
    assert (partial.observation.start_us, float(partial.value[0])) == (MINUTE, 2.0)


Rows = list[tuple[int, str, float]]
rows_strategy = st.lists(
    st.tuples(
        st.integers(0, 6),
        st.sampled_from(["DE", "FR", "a,b", 'q"t']),
        st.floats(-1e6, 1e6, allow_nan=False).map(lambda v: round(v, 2)),
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=60)
@given(rows=rows_strategy, cuts=st.lists(st.integers(0, 40), max_size=5), data=st.data())
def test_any_cut_and_order_gives_the_sums_of_the_raw_rows(
    rows: Rows, cuts: list[int], data: st.DataObject
) -> None:
    total = metric("revenue", measures=(Measure(name="sum", event="o", value="v"),), kind="sum")
    shuffled = data.draw(st.permutations(rows))
    p = panel(total)
    edges = sorted({0, len(rows), *(min(c, len(rows)) for c in cuts)})
    for begin, stop in pairwise(edges):
        part = shuffled[begin:stop]
        whole = [(False, m, 0, "all", (v,)) for m, _, v in part]
        feed(p, "revenue", whole + [(False, m, 1, format_segment([s]), (v,)) for m, s, v in part])
    ticks = close_all(p, 7 * MINUTE)
    for tick in ticks:
        minute = tick.observation.start_us // MINUTE
        for segment, value in by_segment(p, tick).items():
            mine = [
                v for m, s, v in rows if m == minute and segment in ("all", format_segment([s]))
            ]
            if np.isnan(value):
                assert not any(m == minute for m, *_ in rows)
            else:
                assert value == pytest.approx(sum(mine), rel=1e-12, abs=1e-6)
    assert {m for m, *_ in rows} <= {t.observation.start_us // MINUTE for t in ticks}


@given(st.lists(st.text(alphabet='a,"\n\r '), min_size=1, max_size=3))
def test_a_segment_is_read_back_as_it_was_written(values: list[str]) -> None:
    assert parse_segment(format_segment(values)) == values
    assert format_segment(values) == ingest_segment(values), "ingest writes the same"


def test_a_long_value_in_quotes_is_a_segment_like_any_other() -> None:
    value = '"' * 200_000
    assert parse_segment(format_segment([value, "b"])) == [value, "b"]


@pytest.mark.parametrize("value", ["", "a\nb", "a,b", "other"])
def test_a_value_below_the_cap_is_not_counted_as_folded(value: str) -> None:
    p = panel(metric("orders"))
    feed(p, "orders", [(False, 0, 1, ingest_segment([value]), (1.0,))])
    assert not p.folded


def test_a_bucket_longer_than_a_week_does_not_retire_what_it_holds() -> None:
    fortnight = Calendar(width_us=14 * DAY)
    p = Panel(fortnight, [metric("orders")], cardinality=1, restatement_us=DAY)
    feed(p, "orders", [(False, 4 * DAY // MINUTE, 1, "DE", (1.0,))])
    close_all(p, 18 * DAY)
    assert p.retire(18 * DAY).tolist() == []
    assert p.retire(25 * DAY + HOUR).tolist() == [1]

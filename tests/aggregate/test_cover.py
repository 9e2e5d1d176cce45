"""Combinations know the coarser segments that cover them, in whatever order they come and go."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.aggregate.series import Series
from monitor.definitions.plan import Calendar, Law, Measure, MetricPlan
from monitor.model.segment import format_segment
from monitor.model.time import DAY, MINUTE

GROUPINGS = ((), ("a",), ("b",), ("a", "b"), ("c", "b", "a"))


def metric() -> MetricPlan:
    return MetricPlan(
        name="m",
        kind="count",
        measures=(Measure(name="count", event="e"),),
        groupings=GROUPINGS,
        calendar=Calendar(width_us=MINUTE),
        window_us=MINUTE,
        season_timezone="UTC",
        law=Law.NEGATIVE_BINOMIAL,
        severity="page",
        direction="both",
        min_relative_shift=0.02,
        min_units=10,
        no_data="alert",
        accept_after_us=DAY,
        log_threshold=(10.0,) * len(GROUPINGS),
        formula="f",
    )


def expected(series: Series, row: int) -> set[int]:
    """By looking at every other series."""
    rows = dict(series.items())
    (key,) = [key for key, at in rows.items() if at == row]
    names = GROUPINGS[key[1]]
    values = dict(zip(names, key[2].split(","), strict=True)) if names else {}
    return {
        at
        for (_, group, segment), at in rows.items()
        if GROUPINGS[group]
        and set(GROUPINGS[group]) < set(names)
        and segment == format_segment([values[name] for name in GROUPINGS[group]])
    }


Seen = st.tuples(
    st.integers(1, 4), st.sampled_from("xyz"), st.sampled_from("xyz"), st.sampled_from("xyz")
)


@given(st.lists(st.one_of(Seen, st.integers(0, 30)), max_size=30))
def test_the_covers_are_those_that_a_search_finds(steps: list[object]) -> None:
    series = Series([metric()], 50)
    series.add(0, 0, "all")
    for step in steps:
        if isinstance(step, tuple):
            group, *values = step
            of = dict(zip("abc", values, strict=True))
            series.rows(0, [group], [format_segment([of[name] for name in GROUPINGS[group]])])
        else:
            used = [row for (_, group, _), row in series.items() if group]
            if used:
                series.retire(np.array([used[int(str(step)) % len(used)]]))
    covers = series.traits().covers
    for row in dict(series.items()).values():
        assert {int(at) for at in covers[row] if at >= 0} == expected(series, row)

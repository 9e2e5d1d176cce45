"""The series of a grouping are never more than the alert budget was divided among."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.aggregate.series import Series
from monitor.definitions.budget import series_bound
from tests.embedded.plans import metric_plan

GROUPINGS = ((), ("a",), ("b",), ("a", "b"), ("a", "b", "c"))
VALUES = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12)), max_size=120
)


@given(values=VALUES, cardinality=st.integers(1, 4))
def test_there_are_no_more_rows_than_shares_of_the_budget(
    values: list[tuple[int, int, int]], cardinality: int
) -> None:
    series = Series([metric_plan("m", groupings=GROUPINGS)], cardinality)
    series.add(0, 0, "all")
    for a, b, c in values:
        names = [f"{a}", f"{b}", f"{a},{b}", f"{a},{b},{c}"]
        series.rows(0, [1, 2, 3, 4], names)
    groups = [g for (_, g, _), _ in series.items()]
    for g, dimensions in enumerate(GROUPINGS):
        assert groups.count(g) <= series_bound(dimensions, cardinality)


def test_the_last_place_is_for_what_does_not_fit() -> None:
    series = Series([metric_plan("m", groupings=((), ("a", "b", "c")))], 4)
    series.add(0, 0, "all")
    for i in range(4**3):
        series.rows(0, [1], [f"{i % 4},{i // 4 % 4},{i // 16}"])
    assert len(series.items()) == 1 + 40
    assert (0, 1, "other,other,other") in dict(series.items())

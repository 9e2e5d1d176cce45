import pytest

from monitor.report.detectability import needed_shifts
from tests.journal.examples import metric
from tests.report.rows import row

LOG_A = 12.0


def test_more_time_finds_a_smaller_shift() -> None:
    found = needed_shifts(row(0), metric("orders"), LOG_A)
    assert [n.within_seconds for n in found] == [900, 3600, 86400]
    quarter, hour, day = (n.relative_shift for n in found)
    assert quarter is not None
    assert hour is not None
    assert day is not None
    assert 0.02 < day < hour < quarter < 1


def test_a_wider_band_hides_a_larger_shift() -> None:
    def within_an_hour(lower: float, upper: float) -> float:
        shift = needed_shifts(row(0, lower=lower, upper=upper), metric("orders"), LOG_A)[1]
        assert shift.relative_shift is not None
        return shift.relative_shift

    assert within_an_hour(90, 110) < within_an_hour(68, 132) < within_an_hour(50, 150)
    # A band that is cut off at 0 or at 1 is as wide as its other side says.
    assert within_an_hour(60, 110) == within_an_hour(90, 140) == within_an_hour(60, 140)


@pytest.mark.parametrize(
    "changes", [{"expected": None}, {"expected": 0}, {"lower": None, "upper": None}]
)
def test_without_a_band_nothing_is_claimed(changes: dict[str, float | None]) -> None:
    assert needed_shifts(row(0, **changes), metric("orders"), LOG_A) == ()


def test_where_no_shift_is_found_so_soon_it_is_undefined() -> None:
    daily = metric("orders", min_relative_shift=0.85)
    assert {n.relative_shift for n in needed_shifts(row(0, upper=200), daily, LOG_A)} == {None}

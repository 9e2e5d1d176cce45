"""Totals in two bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.baseline.codes import EXCESS, MARK, SCALE, SHORT, SQUARE, WIDE, Grid
from monitor.baseline.history import History


@pytest.mark.parametrize(("grid", "error"), [(WIDE, 3.5e-4), (SHORT, 7e-4)])
@given(value=st.floats(1e-5, 1e12))
def test_a_value_comes_back_within_half_a_step(grid: Grid, error: float, value: float) -> None:
    assert grid.decode(grid.encode(np.array([value])))[0] == pytest.approx(value, rel=error)


def test_zero_unknown_and_the_ends() -> None:
    values = np.array([0.0, np.nan, -3.0, 1e-300, 1e300])
    for grid in (WIDE, SHORT):
        back = grid.decode(grid.encode(values))
        assert back[0] == 0
        assert np.isnan(back[1:3]).all()
        assert 0 < back[3] < 1e-5
        assert back[4] > 1e12
    assert (SHORT.encode(values) & MARK == 0).all()


def test_a_mark_does_not_touch_what_was_seen() -> None:
    history = History(5)
    history.table.append(2)
    for slot in range(7):
        history.push(
            slot, np.array([10.0, 0.0]), np.array([20.0, 5.0]), np.array([slot == 3, False])
        )
    history.mark(np.array([1]), np.array([5]))
    x, n, marked = history.read(np.arange(2), np.arange(5))
    assert x == pytest.approx(np.array([[10.0] * 5, [0.0] * 5]), rel=1e-3)
    assert n == pytest.approx(np.array([[20.0] * 5, [5.0] * 5]), rel=1e-3)
    slots = history.slots()
    assert slots[marked[0]].tolist() == [3]
    assert sorted(slots[marked[1]].tolist()) == [5, 6]


@given(st.floats(0.0, 1e3))
def test_scales_in_a_byte_come_back_within_half_a_step(value: float) -> None:
    for grid, least, half in ((SCALE, 6.2e-5, 0.035), (SQUARE, 1e-3, 0.06)):
        (back,) = grid.decode(grid.encode(np.array([value])))
        assert (back == 0) == (value == 0)
        assert back == pytest.approx(max(value, least) if value else 0.0, rel=half)
    (back,) = EXCESS.decode(EXCESS.encode(np.array([min(value, 4.0)])))
    assert back == pytest.approx(max(min(value, 4.0), 9.6e-7) if value else 0.0, rel=0.035)

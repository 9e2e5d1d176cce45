"""What one week alone knows of a slot, and what stands beside it."""

import numpy as np
import pytest

from monitor.baseline.profile import Chance, Weeks, fit, interpolate
from monitor.model.tick import Floats


def fitted(sunday: float) -> Floats:
    """The profile of two weeks of which the older lacks its last day, which differs by a factor."""
    rng = np.random.default_rng(1)
    x = np.full((1, 168, 4), np.nan)
    x[0, :, 2:] = 1000.0 + 3.0 * rng.standard_normal((168, 2))
    x[0, 144:, 3] *= sunday
    x[0, 144:, 2] = np.nan
    weeks = Weeks(
        x=x, n=x.copy(), marked=np.zeros(x.shape, bool), position=(np.arange(168) + 0.5) / 168 - 0.5
    )
    chance = Chance(white=np.full(1, 1e-5), wander=np.zeros(1), rho=np.zeros(1))
    found = fit(weeks, np.ones(1, bool), np.zeros(1, bool), chance)
    assert found.weeks.tolist() == [2]
    shape: Floats = found.shape[0]
    return shape


@pytest.mark.parametrize("factor", [0.25, 4.0])
def test_what_one_week_alone_tells_is_unknown_where_it_is_beyond_belief(factor: float) -> None:
    shape = fitted(factor)
    assert np.isnan(shape[144:]).all()
    assert np.isfinite(shape[:144]).all()


def test_what_one_week_alone_tells_is_believed_where_it_is_near_the_other_days() -> None:
    shape = fitted(0.7)
    assert shape[144:].mean() - shape[:144].mean() == pytest.approx(np.log(0.7), abs=0.02)


def test_beside_a_slot_that_is_not_known_the_profile_is_flat() -> None:
    five = [np.array([v]) for v in (0.1, 0.2, 0.3, np.nan, np.nan)]
    slope, curve = interpolate(five)
    assert (slope[0], curve[0]) == (0.0, 0.0)

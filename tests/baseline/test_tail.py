"""The share of events above the level is learnt, with how sure that is."""

import numpy as np
import pytest

from monitor.baseline import Baseline
from monitor.baseline.tail import Tail
from monitor.model.time import HOUR
from monitor.stats.tail import log_odds, share_above
from tests.contracts.flow import COUNT, QUANTILE, draw_shares, make_traits, observe


@pytest.mark.parametrize("phi", [1.0, 3.0])
def test_share_and_dispersion_are_learnt(phi: float) -> None:
    """8 % lie above where 5 % should: by the shift, within what chance allows."""
    rng, size, n = np.random.default_rng(1), 50, 400.0
    tail, learner = np.full(size, 0.05), Tail(HOUR, 1.0)
    learner.begin(size)
    for _ in range(24 * 14):
        above = draw_shares(rng, n, 0.08, phi, size)
        learner.learn(above, np.full(size, n), tail, np.ones(size, bool))
    found = learner.phi()
    assert np.median(found) == pytest.approx(phi, rel=0.12)
    wanted = log_odds(np.array(0.08)) - log_odds(share_above(tail, np.full(size, n)))
    off = (learner.shift(tail) - wanted) / learner.deviation(tail, found)
    assert np.abs(off).max() < 5
    assert np.std(off) == pytest.approx(1, rel=0.5)


def test_rows_that_do_not_learn_stay_as_they_are() -> None:
    learner, tail = Tail(HOUR, 1.0), np.full(4, 0.05)
    learner.begin(4)
    used = np.array([True, False, True, True])
    with np.errstate(all="ignore"):
        for _ in range(9):
            learner.learn(
                np.array([50.0, 50.0, np.nan, 0.0]),
                np.array([100.0, 100.0, 100.0, 0.0]),
                tail,
                used,
            )
        phi = learner.phi()
    assert learner.shift(tail)[0] > 1
    assert learner.shift(tail)[1:].tolist() == [0.0, 0.0, 0.0]
    assert np.isnan(phi).tolist() == [False, True, True, True]


def test_a_panel_without_quantiles_keeps_nothing_of_tails_and_one_with_them_goes_on() -> None:
    """What a snapshot holds follows from the laws, and is taken over as it is."""
    for law, kept in ((COUNT, False), (QUANTILE, True)):
        traits, start = make_traits(3, law), observe(0, [1.0] * 3).start_us
        one, other = (Baseline(bucket_us=HOUR, timezones=["UTC"]) for _ in range(2))
        one.append(3)
        tail = one.expect(start, start + HOUR, traits).tail
        assert (tail is not None) == kept
        state = one.dump()
        assert {"tail", "tail_dispersion"}.issubset(state["tables"]) == kept
        other.load(state)
        other.append(1)
        assert other.size == 4
        grown = other.expect(start, start + HOUR, make_traits(4, QUANTILE)).tail
        assert grown is not None
        assert grown.shift.shape == (4,)

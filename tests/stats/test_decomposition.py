"""Kitagawa's split: exact, and told apart as it should be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.stats.decomposition import kitagawa

POSITIVE = st.floats(1e-3, 1e3)
PARTS = st.lists(st.tuples(POSITIVE, POSITIVE, POSITIVE, POSITIVE), min_size=1, max_size=60)


@given(PARTS)
def test_rate_and_mix_add_up_to_the_change(parts: list[tuple[float, float, float, float]]) -> None:
    w0, w1, r0, r1 = np.array(parts).T
    w0, w1 = w0 / w0.sum(), w1 / w1.sum()
    split = kitagawa(w0, r0, w1, r1)
    change = float(np.sum(w1 * r1) - np.sum(w0 * r0))
    size = float(np.max(np.abs(np.concatenate([r0, r1]))))
    assert split.rate_effect + split.mix_effect == pytest.approx(change, abs=1e-12 * size)


@given(PARTS)
def test_what_does_not_move_has_no_effect(parts: list[tuple[float, float, float, float]]) -> None:
    w0, w1, r0, r1 = np.array(parts).T
    w0, w1 = w0 / w0.sum(), w1 / w1.sum()
    assert kitagawa(w0, r0, w1, r0).rate_effect == 0
    assert kitagawa(w0, r0, w0, r1).mix_effect == 0


def test_rates_within_may_rise_while_the_whole_falls() -> None:
    """A Simpson reversal by hand: both rates rise by .02, the whole falls by .06."""
    w0, w1 = np.array([0.5, 0.5]), np.array([0.3, 0.7])
    split = kitagawa(w0, np.array([0.6, 0.2]), w1, np.array([0.62, 0.22]))
    assert split.rate_effect == pytest.approx(0.02)
    assert split.mix_effect == pytest.approx(-0.08)
    assert split.mix[0] == pytest.approx((0.61 - 0.37) * -0.2), "the mean of 0.40 and 0.34 is 0.37"

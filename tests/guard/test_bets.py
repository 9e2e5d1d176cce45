"""Check 1: E[L] <= 1 for every null inside the band, every law, dispersion and number of units."""

import numpy as np
import pytest
from scipy import stats

from monitor.guard.bets import (
    DELTAS,
    SIDE_WEIGHT,
    UP,
    WEIGHTS,
    Bets,
    capital,
    scale,
)
from monitor.model.tick import Expectation, Floats
from monitor.stats.beta_binomial import size
from tests.contracts.flow import COUNT, MEAN, SHARE, SUM, make_expectation, make_traits, observe

BANDS = (0.02, 0.1)
TOLERANCE = 1e-9


def payoffs(law: str, x: Floats, n: Floats, expected: Expectation, eps: float) -> Floats:
    """L of every bet for every x; 0 where a bet is not placed."""
    traits = make_traits(x.size, law, min_relative_shift=eps)
    seen = observe(0, x, n)
    scaled, bets = scale(seen, expected, traits), Bets()
    with np.errstate(all="ignore"):  # bets that are not placed may be undefined
        log_l = bets.pay(seen, expected, scaled, traits).log
    active = bets.active(expected, scaled, traits)
    return np.where(active, np.exp(np.minimum(log_l, 700.0)), 0.0)


def inside(eps: float) -> Floats:
    return np.linspace(-eps, eps, 3)


@pytest.mark.parametrize("phi", [1.0, 1.5, 2.0, 10.0, 50.0])
@pytest.mark.parametrize("mean", [0.5, 5.0, 60.0, 1000.0])
@pytest.mark.parametrize("eps", BANDS)
def test_counts(phi: float, mean: float, eps: float) -> None:
    x = np.arange(int(mean + 60 * np.sqrt(mean * phi) + 60 * phi))
    expected = make_expectation(x.size, level=mean, phi=phi)
    paid = payoffs(COUNT, x.astype(float), x.astype(float), expected, eps)
    for shift in inside(eps):
        for true_phi in {1.0, phi}:
            mu = mean * (1 + shift)
            law = (
                stats.nbinom(mu / (true_phi - 1), 1 / true_phi)
                if true_phi > 1
                else stats.poisson(mu)
            )
            assert np.max(law.pmf(x) @ paid) <= 1 + TOLERANCE


@pytest.mark.parametrize("phi", [1.0, 1.2, 5.0, 50.0])
@pytest.mark.parametrize("n", [1, 2, 10, 100, 1000])
@pytest.mark.parametrize("p", [0.01, 0.2, 0.9, 0.985])
def test_shares(phi: float, n: int, p: float) -> None:
    x = np.arange(n + 1)
    expected = make_expectation(x.size, level=p, units=n, phi=phi)
    total = float(size(np.array([float(n)]), np.array([phi]))[0])
    for eps in BANDS:
        paid = payoffs(SHARE, x.astype(float), np.full(x.size, float(n)), expected, eps)
        for shift in inside(eps):
            q = p * (1 + shift)
            if q >= 1:
                continue
            law = stats.betabinom(n, q * total, (1 - q) * total) if phi > 1 else stats.binom(n, q)
            assert np.max(law.pmf(x) @ paid) <= 1 + TOLERANCE


@pytest.mark.parametrize("law", [SUM, MEAN])
@pytest.mark.parametrize("deviation", [0.01, 0.1, 0.3])
@pytest.mark.parametrize("eps", BANDS)
def test_sums_and_means(law: str, deviation: float, eps: float) -> None:
    """The variance of a sum follows its mean, that of a mean its square."""
    n, level = 400.0, (50.0 if law == MEAN else 20_000.0)
    mean = level * n if law == MEAN else level
    phi = deviation**2 * (n if law == MEAN else mean)
    reach = 2 * eps + 12 * deviation
    residual = np.linspace(-reach, reach, 20_001)
    x = mean * (1 + residual)
    expected = make_expectation(x.size, level=level, units=n, phi=phi)
    paid = payoffs(law, x, np.full(x.size, n), expected, eps)
    step = residual[1] - residual[0]
    for shift in inside(eps):
        spread = deviation * (1 + shift) ** (1.0 if law == MEAN else 0.5)
        density = stats.norm.pdf(residual, shift, spread)
        assert np.max(density @ paid) * step <= 1 + 1e-6


def test_the_weights_of_a_series_sum_to_one_whatever_it_is_judged_for() -> None:
    for side in (UP, ~UP):
        assert WEIGHTS[side].sum() == pytest.approx(SIDE_WEIGHT, abs=1e-15)
    assert capital(up=True, down=True, silence=True) == pytest.approx(1.0)
    assert capital(up=True, down=False, silence=False) == pytest.approx(SIDE_WEIGHT)
    assert capital(up=False, down=False, silence=False) == 1.0


@pytest.mark.parametrize("mean", [2.0, 5.0])
def test_where_the_band_is_wide_a_bet_on_a_multiple_grows(mean: float) -> None:
    """With a band of 60 % a tripled count is worth .3 of its events in evidence; +50 % is inside the band."""
    expected = make_expectation(1, level=mean, sd_level=0.3)
    seen = observe(0, [3 * mean])
    paid = payoffs(COUNT, seen.x, seen.n, expected, 0.02)[0]
    assert np.log(paid.max()) > 0.3 * mean
    assert paid[UP & (DELTAS <= 0.6)].max() == 0.0


def test_bets_inside_the_band_are_not_placed() -> None:
    expected = make_expectation(1, sd_level=0.04)
    traits = make_traits(1)
    seen = observe(0, [1000.0])
    active = Bets().active(expected, scale(seen, expected, traits), traits)[0]
    assert active.tolist() == (np.abs(DELTAS) > 0.08).tolist()


def test_a_share_near_one_has_no_up_bets_that_leave_the_unit_interval() -> None:
    """With 99 % expected, 1 % more is all there is: within the band of 2 %."""
    expected = make_expectation(1, level=0.99, units=100.0)
    traits = make_traits(1, SHARE)
    scaled = scale(observe(0, [100.0], 100.0), expected, traits)
    assert not Bets().active(expected, scaled, traits)[0][UP].any()
    assert Bets().active(expected, scaled, traits)[0][~UP].any()


def test_coefficients_follow_a_change_of_the_band() -> None:
    """The count bets keep coefficients between buckets; a new phi or eps must replace them."""
    bets, traits, seen = Bets(), make_traits(1), observe(0, [900.0])
    for phi in (1.0, 4.0):
        for sd in (0.0, 0.03):
            expected = make_expectation(1, phi=phi, sd_level=sd)
            scaled = scale(seen, expected, traits)
            kept = bets.pay(seen, expected, scaled, traits).log
            again = Bets().pay(seen, expected, scaled, traits).log
            np.testing.assert_array_equal(kept, again)

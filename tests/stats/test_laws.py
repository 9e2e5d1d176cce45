import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln

from monitor.stats import beta_binomial, laws, negative_binomial, normal


@pytest.mark.parametrize("phi", [1.0001, 1.5, 10.0])
def test_the_count_ratio_is_that_of_two_negative_binomial_laws(phi: float) -> None:
    """r belongs to the null mean, and both laws share it."""
    x, mean = np.arange(60.0), 20.0
    mu0, mu1 = mean * 0.98, mean * 0.75
    r = mu0 / (phi - 1)
    expected = stats.nbinom.logpmf(x, r, r / (r + mu1)) - stats.nbinom.logpmf(x, r, r / (r + mu0))
    got = negative_binomial.log_ratio(x, *(np.full(60, v) for v in (mean, phi, -0.02, -0.25)))
    np.testing.assert_allclose(got, expected, atol=1e-8)


def test_the_count_ratio_at_phi_1_is_that_of_two_poisson_laws() -> None:
    x = np.arange(60.0)
    expected = stats.poisson.logpmf(x, 25.0) - stats.poisson.logpmf(x, 20.4)
    got = negative_binomial.log_ratio(x, *(np.full(60, v) for v in (20.0, 1.0, 0.02, 0.25)))
    np.testing.assert_allclose(got, expected, atol=1e-9)


@pytest.mark.parametrize(("n", "phi"), [(10, 1.5), (100, 2.0), (1000, 20.0), (7, 1.0)])
def test_the_share_ratio_is_that_of_two_beta_binomial_laws(n: int, phi: float) -> None:
    x = np.arange(n + 1.0)
    ones = np.ones(n + 1)
    got = beta_binomial.log_ratio(
        x, n * ones, p=0.2 * ones, phi=phi * ones, null=0.02 * ones, alternative=0.25 * ones
    )
    if phi > 1:
        s = (n - phi) / (phi - 1)
        logs = [stats.betabinom.logpmf(x, n, p * s, (1 - p) * s) for p in (0.25, 0.204)]
    else:
        logs = [stats.binom.logpmf(x, n, p) for p in (0.25, 0.204)]
    np.testing.assert_allclose(got, logs[0] - logs[1], atol=1e-6)


def test_log_rising_keeps_what_a_difference_of_log_gammas_loses() -> None:
    """At a = 1e12 the difference of two logs of 2.6e13 would be off by more than 1e-3."""
    a, x = np.array([1e12]), np.array([1000.0])
    exact = np.sum(np.log(1e12 + np.arange(1000)))
    assert beta_binomial.log_rising(a, x)[0] == pytest.approx(exact, abs=1e-8)


def test_log_rising_agrees_with_log_gamma_on_both_sides_of_the_switch() -> None:
    a = np.concatenate([np.linspace(0.01, 7.99, 50), np.linspace(8, 20, 50)])
    for x in (0.0, 1.0, 3.0, 500.0):
        got = beta_binomial.log_rising(a, np.full(100, x))
        np.testing.assert_allclose(got, gammaln(a + x) - gammaln(a), rtol=1e-11, atol=1e-9)


def test_the_normal_ratio_is_that_of_two_densities() -> None:
    r = np.linspace(-0.5, 0.5, 11)
    expected = stats.norm.logpdf(r, 0.25, 0.1) - stats.norm.logpdf(r, 0.02, 0.1)
    got = normal.log_ratio(r, *(np.full(11, v) for v in (0.01, 0.02, 0.25)))
    np.testing.assert_allclose(got, expected, atol=1e-12)


@pytest.mark.parametrize("phi", [1.0, 2.0, 30.0])
def test_the_chance_of_an_empty_bucket(phi: float) -> None:
    r = 5.0 / max(phi - 1, 1e-9)
    expected = -stats.nbinom.logpmf(0, r, r / (r + 5.0))
    got = negative_binomial.log_one_over_empty(np.array([5.0]), np.array([phi]))[0]
    assert got == pytest.approx(expected, rel=1e-6)


def test_variance_by_law() -> None:
    """Totals vary as their mean, shares as n p (1 - p), means as n times the square."""
    law = np.arange(4, dtype=np.int8)
    level, mean = np.array([50.0, 0.2, 50.0, 5.0]), np.array([50.0, 20.0, 50.0, 500.0])
    np.testing.assert_allclose(laws.variance(law, level, mean), [50.0, 16.0, 50.0, 2500.0])

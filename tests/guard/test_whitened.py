"""Rows with autocorrelation: their bets, and what the whole flow promises of them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import betabinom, nbinom

from monitor.guard.bets import DELTAS, UP, Bets, scale
from monitor.model.tick import LAWS, Wander
from monitor.model.time import HOUR
from monitor.stats import beta_binomial
from tests.contracts.flow import (
    COUNT,
    MEAN,
    SHARE,
    Flow,
    make_expectation,
    make_traits,
    observe,
    season,
)


def wander(size: int, **values: float) -> Wander:
    defaults = {"ahead": 0.0, "variance": 0.0, "tau2": 1e-3, "rho": 0.95, "size": 1.0}
    arrays = {name: np.full(size, values.get(name, d)) for name, d in defaults.items()}
    return Wander(**arrays)


@pytest.mark.parametrize("law", [COUNT, SHARE])
@pytest.mark.parametrize("ahead", [-0.3, 0.0, 0.2])
@pytest.mark.parametrize(
    ("variance", "rho", "phi"), [(1e-5, 0.8, 1.5), (0.001, 0.95, 2.0), (0.01, 0.995, 4.0)]
)
def test_payoffs_are_fair_where_the_prediction_is_right(
    law: str, ahead: float, variance: float, rho: float, phi: float
) -> None:
    """E[L] <= 1 under the law that is predicted, moved to what the filter leaves of the band's edge."""
    n, level = 400.0, {COUNT: 400.0, SHARE: 0.3}[law]
    x = np.arange(0.0, 2000.0 if law == COUNT else n + 1)
    traits = make_traits(x.size, law)
    carried = wander(x.size, ahead=ahead, variance=variance, rho=rho, tau2=0.02)
    expected = replace(make_expectation(x.size, level=level, units=n, phi=phi), wander=carried)
    seen = observe(0, x, None if law == COUNT else n)
    scaled = scale(seen, expected, traits)
    white = scaled.whitened
    assert white is not None
    with np.errstate(all="ignore"):
        paid = Bets().pay(seen, expected, scaled, traits)
    assert paid.log_start is not None
    active, spread = Bets().active(expected, scaled, traits)[0], white.phi[0]
    for side, eps in ((UP, scaled.eps[0]), (~UP, -scaled.eps[0])):
        edge = 1 + white.kappa[0] * white.unit[0] * eps
        if law == COUNT:
            mass = nbinom.pmf(x, white.mean[0] * edge / (spread - 1), 1 / spread)
        else:
            p, total = white.level[0] * edge, beta_binomial.size(np.full(1, n), white.phi[:1])[0]
            mass = betabinom.pmf(x, n, p * total, (1 - p) * total)
        for log in (paid.log, paid.log_start):
            fair = (np.exp(np.minimum(log, 700.0)) * mass[:, None]).sum(axis=0)
            assert fair[side & active].max() <= 1 + 1e-9


def test_without_a_process_nothing_changes() -> None:
    size = 3
    traits, plain = make_traits(size, MEAN), make_expectation(size, level=20.0, units=50.0)
    carried = replace(plain, wander=wander(size, tau2=0.0, rho=0.0))
    seen = observe(0, np.array([900.0, 1000.0, 1100.0]), 50.0)
    results = []
    for expected in (plain, carried):
        scaled = scale(seen, expected, traits)
        results.append(Bets().pay(seen, expected, scaled, traits))
        assert scaled.whitened is None
    np.testing.assert_array_equal(results[0].log, results[1].log)
    assert LAWS.index(MEAN) == traits.law[0]
    assert DELTAS.size == results[0].log.shape[1]


def test_an_autocorrelated_series_does_not_page_and_its_fall_does() -> None:
    """Counts that wander by AR(.9) of 6 %: a fall of 40 % is told within four hours."""
    size, width = 16, HOUR // 2
    flow, rng = Flow(make_traits(size), width=width), np.random.default_rng(4)
    factor, start, opened = np.zeros(size), 48 * 26 + 20, []
    for k in range(start + 16):
        factor = 0.9 * factor + 0.06 * np.sqrt(1 - 0.81) * rng.standard_normal(size)
        fallen = np.where((np.arange(size) < 8) & (k >= start), 0.6, 1.0)
        x = rng.poisson(20_000 * season(k, width) * np.exp(factor) * fallen)
        _, decision = flow.run(k, x.astype(float))
        opened += [(k, int(r)) for r in np.flatnonzero(decision.opened)]
    wandering = flow.baseline.expect(0, width, flow.traits).wander
    assert wandering is not None
    assert np.median(wandering.tau2) == pytest.approx(0.0036, rel=0.6)
    assert [k for k, _ in opened if k < start] == []
    assert {r for _, r in opened} == set(range(8))
    assert all(k <= start + 8 for k, _ in opened)

"""Where little comes: multiples are found within hours, and a rare share has a baseline."""

import numpy as np

from monitor.model.time import HOUR
from tests.contracts.flow import A_90_DAYS, T0, Flow, make_traits

DAYS, EACH = 20, 20
LOG_A = float(np.log(A_90_DAYS / 60))
CASES = [(0.04, 3.0), (0.005, 10.0), (0.04, 0.0), (5.0, 3.0), (5.0, 0.0)]
"""Shares of 120 units an hour, and events an hour; by what they are multiplied."""


def test_a_multiple_is_found_within_half_a_day_and_nothing_before() -> None:
    rng, mean, factor = np.random.default_rng(2), *np.repeat(np.array(CASES), EACH, axis=0).T
    share = mean < 1.0
    traits = make_traits(mean.size, log_threshold=LOG_A, min_units=1.0)
    traits.law[:], traits.total[:] = np.where(share, 1, 0), ~share
    flow, begin, opened = Flow(traits, width=HOUR), 24 * DAYS + 9, np.full(mean.size, np.inf)
    for k in range(begin + 12):
        now = mean * (factor if k >= begin else 1.0)
        units = rng.poisson(120, mean.size)
        events = rng.binomial(units, np.where(share, now, 0.0))
        x = np.where(share, events, rng.poisson(np.where(share, 0.0, now))).astype(float)
        opened_now = flow.run(k, x, np.where(share, units, x))[1].opened
        opened = np.where(opened_now & np.isinf(opened), k, opened)
    assert (opened >= begin).all(), "no false alarms"
    found = np.isfinite(opened).reshape(-1, EACH).mean(axis=1)
    assert (found >= 0.8).all(), found


def test_a_rare_share_is_expected_to_be_what_it_is() -> None:
    """An hour of 120 units often holds no event at all; or none that is not one."""
    rng, p = np.random.default_rng(3), np.repeat([0.005, 0.02, 0.98], EACH)
    flow, errors = Flow(make_traits(p.size, "beta_binomial"), width=HOUR), []
    expected = flow.baseline.expect(T0, T0 + HOUR, flow.traits)
    for k in range(24 * DAYS):
        n = rng.poisson(120, p.size)
        expected, _ = flow.run(k, rng.binomial(n, p).astype(float), n)
        errors.append(expected.level / p - 1.0)
    error = np.sqrt(np.mean(np.square(errors[-48:]), axis=0)).reshape(-1, EACH)
    assert (error.mean(axis=1) <= 0.25).all(), error.mean(axis=1)
    assert (np.median(expected.sd_level.reshape(-1, EACH), axis=1) <= 0.5).all()
    assert (np.median(expected.phi.reshape(-1, EACH), axis=1) <= 1.4).all()

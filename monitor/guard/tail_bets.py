"""The bets on a quantile: how many events lie above the edges of its null band.

If the quantile is at most `expected (1 + eps)`, the share of the events above that is at most what is usual
above the quantile itself; if it is at least `expected (1 - eps)`, the share above that is at least so much. An
up bet is a beta-binomial likelihood ratio of a larger share over that, a down bet of a smaller one: the
payoff is monotone in the count, so its expectation is at most 1 for every null inside the band.

The alternatives are steps of log odds. Under an exponential tail latency that rises by 10, 20 and 50 % moves
them by .29, .53 and 1.1 at p95, .42, .78 and 1.6 at p99, .13, .25 and .53 at the median; under a log-normal
one of deviation .5, by .40, .75 and 1.6 at p95. Where it doubles and triples, by 1.7 and 2.4 at p95 and by 2.4 and
3.3 at p99; where it falls by 80 %, by far more at p95 and by -3.4 at the median.
"""

import numpy as np

from monitor.model.tick import Bools, Expectation, Floats, Ints, Observation, Traits
from monitor.stats import beta_binomial, laws
from monitor.stats.tail import log_odds, share_above, share_of

STEPS_UP = np.array([0.125, 0.25, 0.5, 1.0, 2.0, 3.0, 4.0])
STEPS_DOWN = np.array([0.125, 0.25, 0.5, 1.0, 2.0, 3.0])
SHIFTS = np.concatenate([STEPS_UP, -STEPS_DOWN])
"""Of log odds, in the order of `bets.DELTAS`: up, then down."""
_UP = SHIFTS > 0
SHARE_SDS = 2.0
"""The usual share is taken to be this many of its standard deviations nearer to the alternative."""


def unknown(observation: Observation, expectation: Expectation, traits: Traits) -> Bools:
    """Quantiles of which it is not known how many events lie above, or how many should."""
    quantile: Bools = traits.law == laws.QUANTILE
    if not quantile.any():
        return quantile
    if observation.above is None or expectation.tail is None:
        return quantile
    tail = expectation.tail
    known = np.isfinite(tail.phi) & np.isfinite(observation.above).all(axis=1)
    return quantile & ~known


def log_payoffs(
    observation: Observation, expectation: Expectation, traits: Traits, rows: Ints
) -> Floats:
    """Log L of each bet of these rows, all quantiles: float64[rows, bets]; NaN where unknown."""
    above, expected = observation.above, expectation.tail
    if above is None or expected is None:
        return np.full((rows.size, SHIFTS.size), np.nan)
    n = observation.n[rows]
    usual = log_odds(share_above(traits.tail[rows], n)) + expected.shift[rows]
    margin = SHARE_SDS * expected.deviation[rows]
    nulls = np.stack([usual + margin, usual - margin], axis=1)
    alternatives = np.where(_UP, nulls[:, :1], nulls[:, 1:]) + SHIFTS
    size = beta_binomial.size(n, expected.phi[rows])[:, None]
    count = above[rows]
    out = np.empty(alternatives.shape)
    for side, null, column in ((_UP, 0, 1), (~_UP, 1, 2)):
        odds = np.concatenate([alternatives[:, side], nulls[:, null : null + 1]], axis=1)
        x = count[:, column : column + 1]
        kernel = beta_binomial.log_kernel(x, n[:, None], share_of(odds), size)
        out[:, side] = kernel[:, :-1] - kernel[:, -1:]
    return out

"""The share of a bucket's events above the expected quantile, by which a quantile is judged.

A quantile itself is a poor witness where events are few: the p95 of 20 events is nearly the largest of
them. How many events lie above a given value is a share, whatever their distribution.
"""

import numpy as np

from monitor.model.tick import Floats

SMALLEST_SHARE = 1e-6
"""Shares are kept this far from 0 and 1."""


def share_above(tail: Floats, n: Floats) -> Floats:
    """Expected share of n events above the mean of their own q-quantiles.

    The sample quantile at rank q n is biased downwards: for an exponential tail its mean is
    `H(n) - H(n - q n)`, H the harmonic numbers (Renyi 1953, "On the theory of order statistics"), and with
    H(n) taken as ln(n + 1/2) + a constant `(n (1 - q) + 1/2) / (n + 1/2)` of the events lie above that.

    Args:
        tail: 1 - q.
        n: events.

    >>> share_above(np.array([0.05, 0.05]), np.array([1e9, 20.0])).round(3).tolist()
    [0.05, 0.073]
    """
    share: Floats = (n * tail + 0.5) / (n + 0.5)
    return share


def log_odds(share: Floats) -> Floats:
    """`ln(p / (1 - p))`, of shares that are kept off 0 and 1."""
    p = np.clip(share, SMALLEST_SHARE, 1.0 - SMALLEST_SHARE)
    odds: Floats = np.log(p) - np.log1p(-p)
    return odds


def share_of(log_odds: Floats) -> Floats:
    """The share with these log odds."""
    share: Floats = 1.0 / (1.0 + np.exp(-log_odds))
    return np.clip(share, SMALLEST_SHARE, 1.0 - SMALLEST_SHARE)

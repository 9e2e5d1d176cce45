"""The smallest fall or rise that a series' own bets find in a given time, about every other time.

As `detectable`, which knows no more than a variance, with the mean growth of the bets of each law: a rise
of a share has another variance than a fall, and a quantile is judged by the share of events beyond it. What a level
learns of a shift before it is suspected is lost to the evidence.
"""

import math
from dataclasses import dataclass

import numpy as np

from monitor.guard import tail_bets
from monitor.guard.bets import FALLS, RISES
from monitor.guard.detectable import CAP, shares
from monitor.model.tick import Floats
from monitor.stats import beta_binomial, laws
from monitor.stats.tail import log_odds, share_above, share_of

_NOWHERE = float("nan")
_NODES = np.array([0.0, -math.sqrt(3.0), math.sqrt(3.0)])
_WEIGHTS = np.array([2.0, 0.5, 0.5]) / 3.0
"""Gauss-Hermite: means of functions of a normal variable, exact up to the fifth power."""
_GRID = 400
_LARGEST_RISE = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Typical:
    """A usual bucket of a series, as far as its bets look at it.

    Attributes:
        law: code.
        level, units, phi: what is expected of it.
        eps: half-width of the null band.
        log_threshold: natural log of A.
        capital: that the mixture divides, see `bets.capital`.
        tail: of a quantile: 1 - q, and `shift`, `deviation` and `phi` of its `TailExpectation`; else None.
    """

    law: int
    level: float
    units: float
    phi: float
    eps: float
    log_threshold: float
    capital: float
    tail: tuple[float, float, float, float] | None = None


def smallest_shift(one: Typical, *, buckets: float, up: bool, remains: float = 1.0) -> float:
    """The smallest fall or rise of a series that is found within some buckets, about every other time.

    As `minimum_detectable_shift`, with the mean growth of the series' own bets instead of the normal one. Of a
    quantile the values above it are taken to fall off exponentially.

    Args:
        one: a usual bucket.
        buckets: how many there are to find it in.
        up: whether it is a rise.
        remains: how much of it the level leaves to be seen, see `remaining`.

    Returns:
        A share above 0; NaN where no shift is found in so few buckets.
    """
    known = all(map(math.isfinite, (one.level, one.units, one.phi, one.eps, one.log_threshold)))
    if not known or one.level <= 0 or one.units <= 0 or one.phi <= 0:
        return _NOWHERE
    sign, least = (1.0, -1.0)[not up], max(one.eps, 1e-4)
    shifts = np.geomspace(least, _LARGEST_RISE if up else 1.0, _GRID)
    seen = sign * shifts * remains
    growth = _tail_growth(one, seen, up=up) if one.tail else _law_growth(one, seen, up=up)
    growth = np.where(np.isfinite(growth), growth, 0.0)
    needed = one.log_threshold - np.log(shares(up=up, capital=one.capital))
    grows = growth >= 1.0 / buckets
    grows &= buckets * growth + np.log1p(1.0 / np.maximum(growth, 1e-9)) >= needed
    found = np.flatnonzero(grows.any(axis=1))
    return float(shifts[found[0]]) if found.size else _NOWHERE


def remaining(span_us: float, memory_us: float) -> float:
    """How much of a shift its bets see in the mean of a span, while the level goes on learning from it.

    It is held once the evidence is a suspicion, which is taken to be half-way.

    Args:
        span_us: how long the shift lasts.
        memory_us: of the level, see `Baseline.memory_us`.

    >>> round(remaining(1.0, 100.0), 3), round(remaining(24.0, 24.0), 3)
    (0.996, 0.697)
    """
    half = span_us / 2.0 / memory_us
    return (-math.expm1(-half) / half + math.exp(-half)) / 2.0


def _mean_growth(log_l: Floats, one: Typical) -> Floats:
    """Over the nodes, of each bet, no bucket paying more than the cap: float64[shifts, bets]."""
    paid = np.minimum(log_l, CAP * one.log_threshold)
    mean: Floats = np.tensordot(paid, _WEIGHTS, axes=(1, 0))
    return mean


def _law_growth(one: Typical, seen: Floats, *, up: bool) -> Floats:
    total = one.law in (laws.NEGATIVE_BINOMIAL, laws.NORMAL_SUM)
    share = one.law == laws.BETA_BINOMIAL
    mean = one.level if total else one.level * one.units
    side = 1.0 if up else -1.0
    sizes = RISES if up else FALLS
    placed = sizes > one.eps
    if share and up:
        sizes = np.minimum(sizes, 0.5 * (1.0 / one.level + 1.0 + one.eps) - 1.0)
        placed &= one.level * (1.0 + one.eps) < 1.0
    now = one.level * (1.0 + seen)
    now = np.where(share & (now >= 1.0), np.nan, now)
    x = mean * (1.0 + seen)
    factor = 1.0 - now if share else np.abs(now) if not total else 1.0
    spread = np.sqrt(one.phi * x * factor)
    x = np.clip(x[:, None] + spread[:, None] * _NODES, 0.0, one.units if share else np.inf)

    shape = (*x.shape, sizes.size)

    def full(value: float | Floats) -> Floats:
        return np.broadcast_to(np.asarray(value, dtype=np.float64), shape)

    with np.errstate(all="ignore"):
        log_l = laws.log_ratio(
            one.law,
            x=full(x[:, :, None]),
            n=full(one.units),
            level=full(one.level),
            mean=full(mean),
            phi=full(one.phi),
            null=full(side * one.eps),
            alternative=full(side * sizes),
        )
    return np.where(placed, _mean_growth(log_l, one), 0.0)


def _tail_growth(one: Typical, seen: Floats, *, up: bool) -> Floats:
    tail, shift, deviation, phi = one.tail or (math.nan,) * 4
    side = 1.0 if up else -1.0
    n = np.array([one.units])
    usual = log_odds(share_above(np.array([tail]), n)) + shift
    with np.errstate(all="ignore"):
        now = share_of(usual) ** ((1.0 + side * one.eps) / (1.0 + seen))
        spread = np.sqrt(phi * one.units * now * (1.0 - now))
        x = np.clip(now[:, None] * n + spread[:, None] * _NODES, 0.0, one.units)[:, :, None]
        null = usual + side * tail_bets.SHARE_SDS * deviation
        steps = tail_bets.STEPS_UP if up else tail_bets.STEPS_DOWN
        odds = np.concatenate([null + side * steps, null])[None, None, :]
        size = beta_binomial.size(n, np.array([phi]))
        shares = np.broadcast_to(share_of(odds), (*x.shape[:2], odds.shape[2]))
        kernel = beta_binomial.log_kernel(x, n, shares, size)
        log_l = kernel[:, :, :-1] - kernel[:, :, -1:]
    return _mean_growth(log_l, one)

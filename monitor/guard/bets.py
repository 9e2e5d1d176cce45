"""The bets of one bucket: shifts that are wagered on, and what each pays.

`delta_k = +-{3, 6, 12, 25, 50} %`, +{100, 200} % and -80 %: where little comes the band is wide, and rates, errors
and latency rise by multiples. An up bet pays the likelihood at `expected (1 + delta)` over that at
`expected (1 + eps)`, a down bet mirrored: a shift smaller than the null band eps is not a shift. Bets with
|delta| <= eps are inert (GUARD.md, the detector). A quantile is judged by shares: see `tail_bets`. A series with
autocorrelation is judged by what its prediction missed: see `whitened`.
"""

from dataclasses import dataclass

import numpy as np

from monitor.guard import tail_bets
from monitor.guard.whitened import Whitened, whiten
from monitor.model.tick import Bools, Expectation, Floats, Observation, Traits
from monitor.stats import beta_binomial, laws, negative_binomial

RISES = np.array([0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.0])
FALLS = np.array([0.03, 0.06, 0.12, 0.25, 0.5, 0.8])
DELTAS = np.concatenate([RISES, -FALLS])
UP = DELTAS > 0
_RISES = np.array([0.105, 0.105, 0.11, 0.075, 0.05, 0.015, 0.015])
_FALLS = np.array([0.105, 0.105, 0.11, 0.08, 0.06, 0.015])
WEIGHTS = np.concatenate([_RISES, _FALLS])
"""Of the mixture, one half a side: a large shift is soon found with little, a small one has long to wait."""
SILENCE_WEIGHT = 0.05
"""Of the bet on silence; with it the weights sum to 1."""
SIDE_WEIGHT = 0.5 * (1.0 - SILENCE_WEIGHT)
"""Of all bets in one direction."""
BAND_SDS = 2.0
"""The null band is this many standard deviations of the baseline wide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """What the bets are scaled by, of one bucket and all rows.

    Attributes:
        mean: expected x given n.
        variance: of x, at the learnt dispersion and with the factor that wanders, if any.
        in_sums: what the variance of a sum over many buckets grows by with this one.
        eps: half-width of the null band.
        whitened: rows with autocorrelation, by what is predicted of them; None where there is none.
    """

    mean: Floats
    variance: Floats
    in_sums: Floats
    eps: Floats
    whitened: Whitened | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Payoffs:
    """Log L of each bet; undefined where a bet is not active.

    Attributes:
        log: of a shift that goes on. float64[rows, bets]
        log_start: of one that starts with this bucket, of the whitened rows; of the others as `log`.
    """

    log: Floats
    log_start: Floats | None = None


def capital(*, up: bool, down: bool, silence: bool) -> float:
    """Sum of the weights that a series bets with: each of its bets holds its weight over this; 1 for none."""
    total = SIDE_WEIGHT * (up + down) + SILENCE_WEIGHT * silence
    return total if total > 0 else 1.0


def band_edges(expectation: Expectation, traits: Traits) -> Floats:
    """The expected value, and the upper and lower edge of its null band: float64[rows, 3]."""
    level, eps = expectation.level, _eps(expectation, traits)
    return np.stack([level, level * (1.0 + eps), level * (1.0 - eps)], axis=1)


def scale(observation: Observation, expectation: Expectation, traits: Traits) -> Scale:
    """The scale of a bucket; for rows without units that of the expected units."""
    n = np.where(observation.observed, observation.n, expectation.units)
    mean = laws.expected_total(expectation.level, n, traits.total)
    noise = expectation.phi * laws.variance(traits.law, expectation.level, mean)
    eps, wander = _eps(expectation, traits), expectation.wander
    if wander is None:
        return Scale(mean=mean, variance=noise, in_sums=noise, eps=eps)
    square = mean * mean * wander.tau2
    return Scale(
        mean=mean,
        variance=noise + square,
        in_sums=noise + square * (1.0 + wander.rho) / (1.0 - wander.rho),
        eps=eps,
        whitened=whiten(wander, expectation.level, mean, noise, traits.law),
    )


def _eps(expectation: Expectation, traits: Traits) -> Floats:
    return np.maximum(traits.min_relative_shift, BAND_SDS * expectation.sd_level)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counting:
    """Coefficients of the count bets: they change with phi and eps only, once a slot."""

    phi: Floats
    eps: Floats
    a: Floats
    b: Floats


class Bets:
    """Pays all bets of a bucket; keeps nothing but coefficients that can be worked out again."""

    def __init__(self) -> None:
        self._counting: _Counting | None = None

    def active(self, expectation: Expectation, scale: Scale, traits: Traits) -> Bools:
        """Which bets are not inert: bool[rows, bets]."""
        eps = scale.eps[:, None]
        inside = (traits.law != laws.BETA_BINOMIAL) | (expectation.level * (1.0 + scale.eps) < 1.0)
        result: Bools = (np.abs(DELTAS) > eps) & (inside[:, None] | ~UP)
        quantile = traits.law == laws.QUANTILE
        if quantile.any():
            result |= quantile[:, None]  # their steps are of odds: the band is in what is counted
        return result

    def pay(
        self,
        observation: Observation,
        expectation: Expectation,
        scale: Scale,
        traits: Traits,
    ) -> Payoffs:
        """What every bet pays."""
        out = np.empty((scale.mean.size, DELTAS.size))
        for code in np.unique(traits.law).tolist():
            rows = np.flatnonzero(traits.law == code)
            x, n, mean = (v[rows] for v in (observation.x, observation.n, scale.mean))
            level, phi, eps = (v[rows] for v in (expectation.level, expectation.phi, scale.eps))
            if code == laws.NEGATIVE_BINOMIAL:
                out[rows] = self._counts(x, mean, phi, eps)
            elif code == laws.QUANTILE:
                out[rows] = tail_bets.log_payoffs(observation, expectation, traits, rows)
            else:
                edges = np.stack([eps, -eps], axis=1)
                lot = _Lot(x=x, n=n, level=level, mean=mean, phi=phi)
                out[rows] = _payoffs(code, lot, edges, DELTAS)
        white = scale.whitened
        if white is None:
            return Payoffs(log=out)
        start = out.copy()
        for code in np.unique(traits.law[white.rows]).tolist():
            at = np.flatnonzero(traits.law[white.rows] == code)
            rows = white.rows[at]
            edges, going_on, starting = white.shifts(at, scale.eps[rows], DELTAS)
            lot = _Lot(
                x=observation.x[rows],
                n=observation.n[rows],
                level=white.level[at],
                mean=white.mean[at],
                phi=white.phi[at],
            )
            both = _payoffs(code, lot, edges, np.concatenate([going_on, starting], axis=1))
            out[rows], start[rows] = both[:, : DELTAS.size], both[:, DELTAS.size :]
        return Payoffs(log=out, log_start=start)

    def _counts(self, x: Floats, mean: Floats, phi: Floats, eps: Floats) -> Floats:
        known = self._counting
        if known is None or not (np.array_equal(known.phi, phi) and np.array_equal(known.eps, eps)):
            null = np.where(UP, eps[:, None], -eps[:, None])
            a, b = negative_binomial.coefficients(phi[:, None], null, DELTAS[None, :])
            known = self._counting = _Counting(phi=phi, eps=eps, a=a, b=b)
        return known.a * x[:, None] - known.b * mean[:, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lot:
    """Rows of one law: what was observed, and what was expected."""

    x: Floats
    n: Floats
    level: Floats
    mean: Floats
    phi: Floats


def _payoffs(code: int, lot: _Lot, edges: Floats, shifts: Floats) -> Floats:
    """Log likelihood ratios of relative shifts over the edges of the null band, of rows of one law.

    Args:
        code: the law.
        lot: the rows.
        edges: the upper and the lower, as relative shifts. float64[rows, 2]
        shifts: up then down, once or more often. float64[rows, bets] or float64[bets]
    """
    if code == laws.BETA_BINOMIAL:
        return _shares(lot, edges, shifts)
    up = np.tile(UP, shifts.shape[-1] // UP.size)
    return laws.log_ratio(
        code,
        x=lot.x[:, None],
        n=lot.n[:, None],
        level=lot.level[:, None],
        mean=lot.mean[:, None],
        phi=lot.phi[:, None],
        null=np.where(up, edges[:, :1], edges[:, 1:]),
        alternative=np.broadcast_to(shifts, (lot.x.size, shifts.shape[-1])),
    )


def _shares(lot: _Lot, edges: Floats, shifts: Floats) -> Floats:
    """Beta-binomial payoffs: the two nulls are worked out once for all bets of their side."""
    p, up = lot.level[:, None], np.tile(UP, shifts.shape[-1] // UP.size)
    nulls = p * (1.0 + edges)
    null = np.where(up, nulls[:, :1], nulls[:, 1:])
    alternative = np.minimum(p * (1.0 + shifts), np.where(up, 0.5 * (1.0 + null), 1.0))
    total = beta_binomial.size(lot.n, lot.phi)[:, None]
    both = np.concatenate([alternative, nulls], axis=1)
    kernel = beta_binomial.log_kernel(lot.x[:, None], lot.n[:, None], both, total)
    bets = up.size
    return kernel[:, :bets] - np.where(up, kernel[:, bets : bets + 1], kernel[:, bets + 1 :])

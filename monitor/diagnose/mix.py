"""Whether a rate moved because its segments did, or because their shares did."""

from dataclasses import dataclass

import numpy as np

from monitor.diagnose.scope import E, M, N, Scope, V, X
from monitor.model.tick import Bools, Floats
from monitor.stats.decomposition import Split, kitagawa

SIGN_SDS = 2.0
"""A rate effect nearer to 0 than this many of its standard deviations has no sign."""
LEAST_REST = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """The split of a rate's relative shift by one grouping; all but the shares relative to expected.

    Attributes:
        group: place of the grouping.
        rate_effect, mix_effect: they add up to the relative shift.
        rate_sd: standard deviation of `rate_effect` by chance.
        simpson: whether the rates moved the other way than the whole.
        series: the series (its place in the scope) whose share moved the whole most, None if only what has no
            segment did; `share` and `expected_share` are its own.
    """

    group: int
    rate_effect: float
    mix_effect: float
    rate_sd: float
    simpson: bool
    series: int | None
    share: float | None
    expected_share: float | None


def mix_of(scope: Scope) -> Mix | None:
    """The split by the dimension whose mix effect is largest; None of what is no rate, or has no parts.

    Combinations of dimensions are asked only where a metric has no single ones: theirs hold the effects
    of each.
    """
    x, m, n = scope.sums[0, X], scope.sums[0, M], scope.sums[0, N]
    if not scope.rate or not (n > 0 and m > 0 and np.isfinite(x)):
        return None
    parts = [g for g in range(1, len(scope.groupings)) if g != scope.steps]
    parts = [g for g in parts if (scope.group[1:] == g).any()]
    single = [g for g in parts if len(scope.groupings[g]) == 1]
    found = [_split(scope, g) for g in single or parts]
    known = [one for one in found if one is not None]
    return max(known, key=lambda one: (abs(one.mix_effect), -one.group), default=None)


def _split(scope: Scope, group: int) -> Mix | None:
    whole = scope.sums[0]
    here = np.flatnonzero((scope.group == group) & (scope.sums[:, M:].sum(axis=1) > 0))
    here = here[(here > 0) & (_base_rate(scope)[here] >= 0)]
    sums = scope.sums[here]
    if not len(here) or sums[:, E].sum() <= 0:
        return None
    before = float(whole[M] / whole[N])
    w0, r0, w1, r1 = _shares_and_rates(sums, _base_rate(scope)[here], whole)
    base = float(np.sum(w0 * r0))
    if not base > 0:
        return None
    # The learnt levels of the parts need not add up to that of the whole: they are scaled to it.
    split = kitagawa(w0, r0 * (before / base), w1, r1)
    rate, mix = split.rate_effect / before, split.mix_effect / before
    sd = float(np.sqrt(np.sum(np.nan_to_num(sums[:, V])))) / float(whole[M])
    most = _most(split, len(here))
    shift = rate + mix
    return Mix(
        group=group,
        rate_effect=rate,
        mix_effect=mix,
        rate_sd=sd,
        simpson=abs(rate) > SIGN_SDS * sd and rate * shift < 0,
        series=None if most is None else int(here[most]),
        share=None if most is None else float(w1[most]),
        expected_share=None if most is None else float(w0[most]),
    )


def _base_rate(scope: Scope) -> Floats:
    """The learnt rate of each series, weighted as its units came; that of now where none came."""
    n = scope.sums[:, N]
    with np.errstate(all="ignore"):
        return np.where(n > 0, scope.sums[:, M] / n, scope.level)


def _shares_and_rates(
    sums: Floats, base: Floats, whole: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Shares and rates, before and after, of the parts and of what belongs to none of them.

    Nobody has learnt the rest: its share is taken to be usual, and its rate what the parts leave.
    """
    x, n = sums[:, X], sums[:, N]
    w1 = n / whole[N]
    usual = sums[:, E] / sums[:, E].sum()
    r1: Floats = np.where(n > 0, x / np.maximum(n, 1e-300), base)
    rest = 1.0 - float(w1.sum())
    if rest <= LEAST_REST:
        return usual * float(w1.sum()), base, w1, r1
    before = float(whole[M] / whole[N])
    w0 = usual * (1.0 - rest)
    left = (before - float(np.sum(w0 * base))) / rest
    after = float(whole[X] - x.sum()) / (rest * float(whole[N]))
    return (
        np.append(w0, rest),
        np.append(base, left if left > 0 else before),
        np.append(w1, rest),
        np.append(r1, after),
    )


def _most(split: Split, size: int) -> int | None:
    own: Floats = np.abs(split.mix[:size])
    moved: Bools = own > 0
    return int(np.argmax(own)) if moved.any() else None

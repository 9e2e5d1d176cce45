"""Which segments of a fired whole have moved: chosen by e-d-BH, ranked by what they explain.

A segment is measured against its *own* learnt level: G^2 / phi, the deviance of what was observed from
what was expected of it, over its dispersion (GUARD.md, where and why).
"""

import math

import numpy as np

from monitor.model.tick import Decision, Expectation, Floats, Ints, Traits
from monitor.stats import laws
from monitor.stats.selection import e_benjamini_hochberg

_LN10 = math.log(10)


def blamed_segments(
    row: int, decision: Decision, expectation: Expectation, traits: Traits
) -> list[tuple[int, dict[str, float | None]]]:
    """The segments that moved with a whole, most blamed first.

    Args:
        row: the whole.
        decision: of the bucket that has just closed, all rows.
        expectation: of the same bucket.
        traits: of all rows.

    Returns:
        `(row of the segment, {"relative_shift", "value", "expected", "n", "evidence"})`. Value and
        expected are per bucket for totals, at the present level; else quotients since the start of the
        segment's shift. `evidence` is log10 M.
    """
    children = np.flatnonzero(traits.parent == row)
    log_m = np.where(expectation.ready[children], decision.log_m[children], -np.inf)
    named = children[e_benjamini_hochberg(log_m, traits.log_threshold[children])]
    blame = deviance(named, decision, expectation, traits)
    order = sorted(range(named.size), key=lambda i: (-blame[i], int(named[i])))
    return [_figures(int(named[i]), decision, expectation, traits) for i in order]


def deviance(rows: Ints, decision: Decision, expectation: Expectation, traits: Traits) -> Floats:
    """G^2 / phi of what was observed since the start, against what was expected; 0 where undefined."""
    x, m, n = (v[rows] for v in (decision.sum_x, decision.sum_expected, decision.sum_n))
    phi, law = expectation.phi[rows], traits.law[rows]
    with np.errstate(all="ignore"):
        count = 2.0 * (_x_log_ratio(x, m) - (x - m)) / phi
        share = 2.0 * (_x_log_ratio(x, m) + _x_log_ratio(n - x, n - m)) / phi
        normal = (x - m) ** 2 / decision.sum_variance[rows]
        result = np.where(
            law == laws.NEGATIVE_BINOMIAL, count, np.where(law == laws.BETA_BINOMIAL, share, normal)
        )
    return np.where(np.isfinite(result), result, 0.0)


def _x_log_ratio(x: Floats, m: Floats) -> Floats:
    return np.where(x > 0, x * np.log(x / m), 0.0)


def _figures(
    row: int, decision: Decision, expectation: Expectation, traits: Traits
) -> tuple[int, dict[str, float | None]]:
    x, m, n = (float(v[row]) for v in (decision.sum_x, decision.sum_expected, decision.sum_n))
    shift = x / m - 1.0 if m else None
    value, expected = None, None
    if traits.total[row] and shift is not None:
        expected = float(expectation.level[row])
        value = expected * (1.0 + shift)
    elif n > 0:
        value, expected = x / n, m / n
    return row, {
        "relative_shift": shift,
        "value": value,
        "expected": expected,
        "n": n,
        "evidence": float(decision.log_m[row]) / _LN10,
    }

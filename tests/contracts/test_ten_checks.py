"""Fast forms of those of the ten checks (GUARD.md) that concern several parts at once: 3, 5, 7 and 8.

The others stand beside what they check: 1 in `guard/test_bets.py`, 2, 4, 6, 9 and 10 in
`guard/test_guard_promise.py`, the bias of 9 in `baseline/test_baseline_learns.py`, the split and the places of 10
in `stats/test_decomposition.py` and `diagnose/`. `make bench-guard` has all of them at length.
"""

from dataclasses import replace

import numpy as np
import pytest

from monitor.core.frozen import bet
from monitor.guard import Guard
from monitor.guard.bets import UP, Bets
from monitor.model.tick import Expectation
from monitor.model.time import HOUR, MINUTE
from monitor.release.arms import EPS, Arms
from monitor.release.watch import LOG_ALPHA, Watch
from monitor.stats.selection import e_benjamini_hochberg
from tests.contracts.flow import (
    A_90_DAYS,
    SHARE,
    Flow,
    draw_counts,
    draw_shares,
    make_expectation,
    make_traits,
    observe,
    season,
)


def test_check_3_run_lengths_of_the_whole_flow() -> None:
    """Season, phi 2 and a factor AR(.95) of 4 %, all learnt: at A = 1,000 fewer than one alarm in A buckets."""
    rng, rows, width, least = np.random.default_rng(3), 40, HOUR // 2, 1000.0
    flow = Flow(make_traits(rows, log_threshold=np.log(least)), width=width)
    factor, alarms, judged = np.zeros(rows), 0, 0
    for k in range(24 * 48):
        factor = 0.95 * factor + 0.04 * np.sqrt(1 - 0.95**2) * rng.standard_normal(rows)
        mean = 10_000 * season(k, width) * np.exp(factor)
        expected, decision = flow.run(k, draw_counts(rng, mean, 2.0, rows))
        alarms += int(decision.opened.sum())
        judged += int(expected.ready.sum())
    assert judged > 10 * least
    assert alarms <= judged / least
    assert (flow.baseline._autocorrelation.table["tau2"] > 0).mean() > 0.9, "it is there, and seen"


@pytest.mark.parametrize(
    ("n", "drop", "optimum"), [(1000.0, 0.05, 56.4), (1000.0, 0.1, 16.1), (100.0, 0.2, 35.8)]
)
def test_check_5_delays_stay_near_the_optimum(n: float, drop: float, optimum: float) -> None:
    """That of a CUSUM which knows the shift (`benchmarks/checks.optimum`): at most 2.3 times as many buckets."""
    rng, rows, guard = np.random.default_rng(4), 80, Guard(bucket_us=MINUTE)
    guard.append(rows)
    traits = make_traits(rows, SHARE, min_relative_shift=0.0)
    expected = make_expectation(rows, level=0.2, units=n, phi=2.0)
    first = np.full(rows, np.inf)
    for k in range(int(8 * optimum)):
        x = draw_shares(rng, n, 0.2 * (1 - drop), 2.0, rows)
        opened = guard.step(observe(k, x, n), expected, traits).opened
        first = np.where(opened & np.isinf(first), k + 1.0, first)
    assert first.mean() <= 2.3 * optimum


def test_check_7_pages_of_many_null_series_are_within_their_common_budget() -> None:
    """100 series that share one page in 30 days, which wander by half a percent a day, over 20 days."""
    rng, rows = np.random.default_rng(7), 100
    flow = Flow(make_traits(rows, log_threshold=np.log(30 * 24 * rows)), width=HOUR)
    level, pages = np.zeros(rows), 0
    for k in range(38 * 24):
        level += 0.005 / np.sqrt(24) * rng.standard_normal(rows)
        x = draw_counts(rng, 3000 * season(k, HOUR) * np.exp(level), 2.0, rows)
        pages += int(flow.run(k, x)[1].opened.sum())
    assert pages <= 1


def test_check_7_of_the_listed_segments_at_most_one_percent_are_innocent() -> None:
    """60 wholes of ten segments, of which one loses 40 %: the guilty are listed, hardly another is."""
    rng, segments, rows = np.random.default_rng(5), 10, 600
    guard, traits = Guard(bucket_us=MINUTE), make_traits(rows, log_threshold=np.log(20 * A_90_DAYS))
    guard.append(rows)
    guilty = np.arange(rows) % segments == 0
    expected = make_expectation(rows, level=100.0, phi=2.0)
    means = 100.0 * np.where(guilty, 0.6, 1.0)
    decision = [
        guard.step(observe(k, draw_counts(rng, means, 2.0, rows)), expected, traits)
        for k in range(40)
    ][-1]
    false, found = [], 0
    for first in range(0, rows, segments):
        mine = slice(first, first + segments)
        named = e_benjamini_hochberg(decision.log_m[mine], traits.log_threshold[mine])
        false.append(named[1:].sum() / max(named.sum(), 1))
        found += int(named[0])
    assert np.mean(false) <= 0.01
    assert found >= 0.9 * len(false)


@pytest.mark.parametrize(("effect", "least", "most"), [(0.0, 0.0, 0.01), (-0.3, 0.9, 1.0)])
def test_check_8_a_canary_looked_at_every_minute(effect: float, least: float, most: float) -> None:
    """300 canaries under a season that both arms share, for two hours: alarms at alpha = 1 %."""
    runs, n = 300, (120, 360)
    rng, arms, bets = np.random.default_rng(8), Arms(), Bets()
    arms.add([0] * runs)
    ones, none = np.ones(runs), np.zeros(runs, dtype=bool)
    watch = Watch(UP, begin_us=0, halved=False)
    watch.add(
        row=np.arange(runs), share=ones, base=ones, sd=0 * ones, eps=EPS * ones, ready=ones > 0
    )
    traits = make_traits(runs, SHARE, min_relative_shift=EPS, min_units=0.0)
    for k in range(120):
        rate = 0.3 * season(k * 12, MINUTE, amplitude=0.3)
        drawn = []
        for units, value in zip(n, (rate * (1 + effect), rate), strict=True):
            drawn.append((draw_shares(rng, units, value, 2.0, runs), units * ones))
        compared = arms.compare(
            treatment=drawn[0], control=drawn[1], law=traits.law, phi=np.nan * ones,
            min_units=10 * ones,
        )  # fmt: skip
        expected: Expectation = make_expectation(
            runs, level=compared.level, units=compared.n, phi=compared.phi
        )
        seen = replace(observe(k, compared.x, compared.n), observed=compared.usable)
        watch.take(bet(seen, expected, traits, bets, usable=~none, suspect=none), MINUTE)
    called = watch.table["down"] >= -LOG_ALPHA
    called = called | (watch.table["up"] >= -LOG_ALPHA)
    assert least <= called.mean() <= most

"""Drifts of what the baseline has learnt: none in 60 days of a null world, found where there is one."""

import numpy as np
import pytest

from monitor.guard import Drift
from monitor.model.tick import Reason
from monitor.model.time import DAY, HOUR
from tests.contracts.flow import (
    COUNT,
    MEAN,
    SHARE,
    Flow,
    draw_counts,
    draw_shares,
    make_traits,
    season,
)

WIDTH, ROWS = 6 * HOUR, 60
LOG_THRESHOLD = np.full(ROWS, np.log(300.0))


def drifts(law: str, days: int, *, wander: float, growth: float = 0.0, begin: int = 10**6) -> float:
    """How many opened, by row; levels wander by day and fall by 2 % a day from `begin` on."""
    rng, flow, drift = np.random.default_rng(7), Flow(make_traits(ROWS, law), width=WIDTH), Drift()
    drift.table.append(ROWS)
    level, opened = np.zeros(ROWS), 0
    for k in range(days * 4):
        level += 0.5 * wander * rng.standard_normal(ROWS) + growth / 4
        level += np.log(0.98) / 4 * (k >= begin * 4)
        mean = np.exp(level) * season(k, WIDTH)
        if law == COUNT:
            _, decision = flow.run(k, draw_counts(rng, 20_000 * mean, 2.0, ROWS))
        elif law == SHARE:
            x = draw_shares(rng, 20_000, 0.2 * mean, 2.0, ROWS)
            _, decision = flow.run(k, x, 20_000)
        else:
            x = 20_000 * 30 * mean * (1 + 0.01 * rng.standard_normal(ROWS))
            _, decision = flow.run(k, x, 20_000)
        drift.note_steps(decision.closed & (decision.reason == Reason.NEW_NORMAL), (k + 1) * WIDTH)
        if (k + 1) * WIDTH % DAY == 0:
            weeks = flow.baseline.weeks(np.arange(ROWS), flow.traits)
            assert weeks is not None
            opened += int(drift.step(weeks, flow.traits, LOG_THRESHOLD).opened.sum())
    return opened / ROWS


@pytest.mark.parametrize(
    ("law", "growth"), [(COUNT, 0.0), (SHARE, 0.0), (MEAN, 0.0), (COUNT, 0.01)]
)
def test_sixty_days_of_a_level_that_wanders_or_grows_by_one_percent_a_day(
    law: str, growth: float
) -> None:
    assert drifts(law, 28 + 60, wander=0.01 if growth == 0 else 0.0, growth=growth) <= 60 / 300 / 4


@pytest.mark.parametrize("law", [COUNT, SHARE, MEAN])
def test_two_percent_a_day_are_found_within_ten_days(law: str) -> None:
    assert drifts(law, 40 + 10, wander=0.002, begin=40) >= 0.9

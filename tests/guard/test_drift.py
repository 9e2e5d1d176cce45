"""Slow drifts: within their budget where a level wanders or grows, found within ten days at 2 % a day."""

from typing import Any

import numpy as np
import pytest

from monitor.guard import Drift
from monitor.model.drift import DAYS, STEPS, Drifting, Weeks
from monitor.model.tick import Floats
from monitor.model.time import DAY
from tests.contracts.flow import make_traits

LOG_THRESHOLD = float(np.log(300.0))
"""One of ten metrics, one drift a month for all."""


def weeks(y: Floats, end: int) -> Weeks:
    """The four weeks of log levels by day before a day."""
    parts = [y[:, end - (i + 1) * DAYS : end - i * DAYS] for i in range(STEPS + 1)]
    steps = np.stack([parts[i] - parts[i + 1] for i in range(STEPS)], axis=1)
    ones = np.ones(len(y))
    return Weeks(
        rows=np.arange(len(y)), start_us=(end - DAYS) * DAY, end_us=end * DAY, steps=steps,
        value=ones, before=ones, n=ones,
    )  # fmt: skip


def judge(drift: Drift, y: Floats, end: int, **traits: Any) -> Drifting:
    return drift.step(weeks(y, end), make_traits(len(y), **traits), np.full(len(y), LOG_THRESHOLD))


def run(y: Floats, **traits: Any) -> np.ndarray:
    """Days on which each row opened."""
    drift = Drift()
    drift.table.append(len(y))
    opened = [judge(drift, y, end, **traits).opened for end in range(4 * DAYS, y.shape[1] + 1)]
    return np.array(opened).T


def wandering(rows: int, days: int, *, sd: float, scatter: float, growth: float = 0.0) -> Floats:
    rng = np.random.default_rng(5)
    level = np.cumsum(sd * rng.standard_normal((rows, days)) + growth, axis=1)
    return level + scatter * rng.standard_normal((rows, days))


@pytest.mark.parametrize(
    ("sd", "scatter", "growth"),
    [(0.0, 0.03, 0.0), (0.01, 0.005, 0.0), (0.01, 0.02, 0.0), (0.01, 0.005, 0.01), (0.0, 0.1, 0.0)],
)
def test_a_level_that_wanders_or_grows_as_before_is_no_drift(
    sd: float, scatter: float, growth: float
) -> None:
    """60 judged days of 400 series: at most what the budget allows, which is 60 / 300 of a series."""
    opened = run(wandering(400, 28 + 60, sd=sd, scatter=scatter, growth=growth))
    assert opened.sum() <= 400 * 60 / 300 / 5, "far within it"


@pytest.mark.parametrize("daily", [-0.02, 0.02])
@pytest.mark.parametrize(("sd", "share"), [(0.0, 0.99), (0.005, 0.9), (0.01, 0.65)])
def test_two_percent_a_day_are_found_within_ten_days(daily: float, sd: float, share: float) -> None:
    y = wandering(300, 45 + 11, sd=sd, scatter=0.005)
    days = np.arange(y.shape[1])
    opened = run(y + np.log1p(daily) * np.maximum(days - 44, 0))
    assert (opened[:, 45 - 28 :].any(axis=1)).mean() >= share
    assert opened[:, : 45 + 4 - 28].sum() <= 1, "nothing to see in the first days"


def test_the_test_has_teeth_without_the_wandering_a_null_world_is_full_of_drifts() -> None:
    y = wandering(100, 28 + 60, sd=0.05, scatter=0.0)
    assert run(y).sum() > 100 * 60 / 300, "five times what is taken for no drift"


def test_only_the_directions_asked_for_are_found() -> None:
    y = np.log1p(-0.02) * np.maximum(np.arange(60) - 40, 0.0)[None, :]
    assert run(y, up=False).sum() == 1
    assert run(y, down=False).sum() == 0
    assert run(y, min_relative_shift=0.3).sum() == 0, "a smaller shift is not a shift"


def test_one_odd_day_and_a_steady_growth_are_no_drift() -> None:
    odd = np.zeros((1, 60))
    odd[0, 40] = -1.0
    assert run(odd).sum() == 0
    assert run(0.02 * np.arange(60.0)[None, :]).sum() == 0, "it grew as fast in the weeks before"


def test_days_that_are_not_known_are_left_out_and_too_few_say_nothing() -> None:
    y = np.log1p(-0.02) * np.maximum(np.arange(60) - 40, 0.0)[None, :].copy()
    y[0, [37, 45, 50]] = np.nan
    assert run(y).sum() == 1
    y[0, 30:60:2] = np.nan
    assert run(y).sum() == 0


def test_a_step_that_became_the_new_normal_is_no_drift() -> None:
    y = np.where(np.arange(80) >= 40, -0.3, 0.0)[None, :]
    drift = Drift()
    drift.table.append(1)
    opened = 0
    for end in range(28, 81):
        if end == 41:
            drift.note_steps(np.array([True]), end * DAY)
        opened += int(judge(drift, y, end).opened.sum())
    assert opened == 0
    assert run(y).sum() == 1, "told where nobody paged it"


def test_it_ends_when_the_weeks_are_alike_again_and_not_before() -> None:
    y = np.log1p(-0.02) * np.clip(np.arange(80) - 40.0, 0.0, 14.0)[None, :]
    drift = Drift()
    drift.table.append(1)
    found = [judge(drift, y, end) for end in range(28, 81)]
    open_ = np.array([one.open[0] for one in found])
    assert sum(one.opened[0] for one in found) == sum(one.closed[0] for one in found) == 1
    first, last = np.flatnonzero(open_)[[0, -1]] + 28
    assert 46 <= first <= 50
    assert 58 <= last <= 66
    assert open_[first - 28 : last - 27].all()
    (moved,) = found[first - 28].moved
    assert -0.16 < moved < -0.05


def test_the_chance_that_is_shown_reaches_the_threshold_when_it_opens() -> None:
    y = wandering(200, 60, sd=0.01, scatter=0.01)
    y = y + np.log1p(-0.03) * np.maximum(np.arange(60) - 40, 0)
    drift = Drift()
    drift.table.append(200)
    for end in range(28, 61):
        found = judge(drift, y, end)
        assert (found.surprise[found.opened] >= LOG_THRESHOLD - 1e-9).all()


def test_a_restored_state_goes_on_as_the_other_one() -> None:
    y = wandering(20, 70, sd=0.02, scatter=0.01)
    drift = Drift()
    drift.table.append(20)
    for end in range(28, 71):
        other = Drift()
        other.load(drift.dump())
        one, two = judge(drift, y, end), judge(other, y, end)
        assert one.opened.tobytes() == two.opened.tobytes()
        assert one.surprise.tobytes() == two.surprise.tobytes()


def test_it_is_due_once_a_day() -> None:
    drift = Drift()
    due = []
    for hour in range(1, 73):
        now = 20_000 * DAY + hour * DAY // 24
        if drift.is_due(now):
            drift.looked(now)
            due.append(hour)
    assert due == [1, 24, 48, 72]

"""Days of the history against the same weekdays a week before."""

import numpy as np
import pytest

from monitor.model.time import DAY, HOUR
from tests.contracts.flow import COUNT, MEAN, SHARE, T0, Flow, make_traits, season

WIDTH = 6 * HOUR


def grown(law: str, days: int, factor: float, *, hole: int | None = None) -> Flow:
    """Buckets that are multiplied by `factor` a week; with a day at a tenth."""
    flow = Flow(make_traits(2, law, page_no_data=False), width=WIDTH)
    for k in range(4 * days):
        level = season(k, WIDTH) * factor ** (k // 28)
        level *= 0.1 if hole is not None and k // 4 == hole else 1.0
        if law == COUNT:
            flow.run(k, [1000.0 * level, 500.0 * level])
        else:
            flow.run(k, [300.0 * level, 150.0 * level], [1000.0, 500.0])
    return flow


@pytest.mark.parametrize("law", [COUNT, SHARE, MEAN])
def test_every_step_is_the_growth_of_a_week(law: str) -> None:
    flow = grown(law, 35, 1.05)
    weeks = flow.baseline.weeks(np.array([1]), flow.traits)
    assert weeks is not None
    assert weeks.steps.shape == (1, 3, 7)
    assert weeks.steps == pytest.approx(np.log(1.05), abs=2e-3)
    assert weeks.value / weeks.before == pytest.approx(1.05, abs=2e-3)
    assert (weeks.start_us, weeks.end_us) == (T0 + 28 * DAY, T0 + 35 * DAY)
    assert weeks.n == pytest.approx(28 * 500 * (1.05**4 * 0.97 if law == COUNT else 1), rel=0.02)


def test_hours_of_an_incident_are_left_out() -> None:
    flow = grown(COUNT, 42, 1.0, hole=38)
    weeks = flow.baseline.weeks(np.array([0]), flow.traits)
    assert weeks is not None
    step = weeks.steps[0, 0]
    assert np.isnan(step).sum() >= 1
    assert step[~np.isnan(step)] == pytest.approx(0, abs=2e-3)
    assert weeks.value == pytest.approx(weeks.before, rel=5e-3)


def test_three_weeks_are_not_enough_and_weeks_in_one_bucket_have_no_days() -> None:
    flow = grown(COUNT, 26, 1.0)
    weeks = flow.baseline.weeks(np.array([0]), flow.traits)
    assert weeks is not None
    assert np.isnan(weeks.steps[0, 2]).any()
    slow = Flow(make_traits(1), width=7 * DAY)
    for k in range(6):
        slow.run(k, [1000.0])
    assert slow.baseline.weeks(np.array([0]), slow.traits) is None
    fresh = Flow(make_traits(1), width=HOUR)
    assert fresh.baseline.weeks(np.array([0]), fresh.traits) is None


def test_buckets_of_a_day_are_days() -> None:
    flow = Flow(make_traits(1), width=DAY)
    for k in range(40):
        flow.run(k, [1000.0 * 1.02**k])
    weeks = flow.baseline.weeks(np.array([0]), flow.traits)
    assert weeks is not None
    assert weeks.steps == pytest.approx(7 * np.log(1.02), abs=2e-3)

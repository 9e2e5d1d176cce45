"""Days in the list of holidays: neither judged nor learnt."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from monitor.baseline import Baseline
from monitor.baseline.slots import Slots
from monitor.guard import Guard
from monitor.model.tick import Reason, State
from monitor.model.time import DAY, HOUR
from tests.contracts.flow import SHARE, Flow, make_traits, observe, season

T0_DAY = (date(2026, 1, 5) - date(1970, 1, 1)).days


def flow_with_holiday(day: int, *, width: int = HOUR, law: str = "negative_binomial") -> Flow:
    """A flow of one series, of which the day-th day is a holiday."""
    flow = Flow(make_traits(1, law), width=width)
    flow.baseline = Baseline(bucket_us=width, timezones=["UTC"], holidays=[T0_DAY + day])
    flow.baseline.append(1)
    return flow


@pytest.mark.parametrize("law", ["negative_binomial", SHARE])
def test_a_holiday_neither_pages_nor_teaches_and_the_day_after_is_normal(law: str) -> None:
    flow, rng = flow_with_holiday(30, law=law), np.random.default_rng(1)
    opened, levels = [], {}
    for k in range(24 * 34):
        n = 4000 * season(k, HOUR) * (0.3 if k // 24 == 30 else 1.0)
        p = 0.1 if k // 24 == 30 else 0.2
        x = rng.poisson(n * (p / 0.2 if law == SHARE else 1.0) * (0.2 if law == SHARE else 1.0), 1)
        expected, decision = flow.run(k, x.astype(float), n if law == SHARE else None)
        levels[k] = float(expected.level[0])
        opened += [k] if decision.opened[0] else []
        if k // 24 == 30:
            assert decision.state[0] == State.LEARNING
            assert decision.reason[0] == Reason.HOLIDAY
        elif k >= 24 * 19:
            assert decision.state[0] != State.LEARNING
    assert not opened
    true = 0.2 if law == SHARE else 4000 * season(24 * 32 + 12, HOUR)
    assert levels[24 * 32 + 12] == pytest.approx(true, rel=0.02)
    assert levels[24 * 31] / levels[24 * 24] == pytest.approx(1, abs=0.02)


def test_without_the_list_the_same_day_pages() -> None:
    flow, rng = Flow(make_traits(1), width=HOUR), np.random.default_rng(1)
    opened = 0
    for k in range(24 * 31):
        x = rng.poisson(4000 * season(k, HOUR) * (0.3 if k // 24 == 30 else 1.0), 1)
        opened += int(flow.run(k, x.astype(float))[1].opened[0])
    assert opened == 1


def test_an_incident_waits_over_a_holiday_for_its_end_or_its_acceptance() -> None:
    """It began ten hours before: on the holiday it is neither resolved nor the new normal."""
    flow, rng = flow_with_holiday(30), np.random.default_rng(2)
    closed = []
    for k in range(24 * 33):
        fallen = k >= 24 * 30 - 10
        x = rng.poisson(4000 * season(k, HOUR) * (0.5 if fallen else 1.0), 1).astype(float)
        _, decision = flow.run(k, x)
        closed += [(k, Reason(int(decision.reason[0])))] if decision.closed[0] else []
    ((when, why),) = closed
    assert why == Reason.NEW_NORMAL
    assert 24 * 31 + 12 <= when <= 24 * 31 + 15


def test_a_holiday_is_the_local_day() -> None:
    slots = Slots(HOUR, ["UTC", "Pacific/Auckland", "America/New_York"], [T0_DAY])
    hours = [
        slots.holiday(slots.of(observe(k, [0.0], width=HOUR).start_us)) for k in range(-24, 48)
    ]
    found = np.array([h for h in hours if h is not None])
    assert found.sum(axis=0).tolist() == [24, 24, 24]
    assert np.flatnonzero(found[:, 0])[0] == 24
    assert np.flatnonzero(found[:, 1])[0] == 24 - 13
    assert np.flatnonzero(found[:, 2])[0] == 24 + 5
    assert Slots(HOUR, ["UTC"]).holiday(5) is None


def test_a_bucket_of_a_day_can_be_a_holiday_and_one_of_a_week_cannot() -> None:
    slots = Slots(DAY, ["Europe/Berlin"], [T0_DAY + 2])
    first = observe(0, [0.0], width=DAY).start_us - HOUR  # local midnight
    slots.anchor(first)
    found = [slots.holiday(slots.of(first + k * DAY)) for k in range(4)]
    assert [bool(f[0]) for f in found if f is not None] == [False, False, True, False]
    assert Slots(7 * DAY, ["UTC"], [T0_DAY]).holiday(0) is None


def test_silence_on_a_holiday_is_no_alert() -> None:
    flow, rng = flow_with_holiday(25), np.random.default_rng(3)
    flow.guard = Guard(bucket_us=HOUR)
    flow.guard.append(1)
    for k in range(24 * 26):
        x = np.zeros(1) if k // 24 == 25 else rng.poisson(4000, 1).astype(float)
        seen = observe(k, x, width=HOUR)
        if k // 24 == 25:
            seen = replace(seen, observed=np.zeros(1, bool))
        assert not flow.step(seen)[1].opened[0]

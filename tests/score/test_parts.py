import math
from collections.abc import Iterable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.score.alarm import Alarm
from monitor.score.autoregression import Autoregression
from monitor.score.history import History
from monitor.score.profile import Profile
from monitor.score.residual import Residual
from monitor.score.runs import Runs
from monitor.score.scale import Scale
from monitor.score.season import find_period
from monitor.score.spacing import Spacing
from monitor.score.tail import LOGISTIC, Tail, Tails


def tail_of(values: Iterable[float], prior: Sequence[float] = ()) -> Tail:
    tails = Tails([Tail(prior)])
    for value in values:
        tails.learn([value])
    return tails[0]


def test_what_was_counted_bounds_the_law_beyond_it() -> None:
    ordinary = np.abs(np.random.default_rng(2).normal(size=5_000)).tolist()
    freed = [50.0 + row % 7 if row % 120 == 0 else v for row, v in enumerate(ordinary)]
    assert tail_of(ordinary).evidence(55.0) > 4
    assert tail_of(freed).evidence(55.0) < 3


def test_a_tail_gives_the_share_of_the_past_and_extrapolates_it() -> None:
    chance = np.random.default_rng(1)
    tail = tail_of(chance.exponential(size=20_000).tolist())
    for decades in (0.5, 1.0, 1.9):
        assert tail.evidence(decades * math.log(10)) == pytest.approx(decades, abs=0.15)
    far = [tail.evidence(value) for value in (6, 10, 20, 50)]
    assert far == sorted(far)
    assert 2.2 < far[0] < 3.2


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=60), st.floats(0, 1e9), st.floats(0, 1e9))
def test_a_larger_value_is_never_less_rare(past: list[float], one: float, other: float) -> None:
    tail = tail_of(past, LOGISTIC)
    low, high = sorted((one, other))
    assert 0 <= tail.evidence(low) <= tail.evidence(high) + 1e-9


def test_the_value_of_an_evidence_has_that_evidence() -> None:
    tail = tail_of(np.random.default_rng(2).exponential(size=3_000).tolist(), LOGISTIC)
    for evidence in (2.5, 4, 8):
        assert tail.evidence(tail.value_at(evidence)) == pytest.approx(evidence)


def test_a_tail_that_knows_nothing_says_nothing() -> None:
    assert Tail().evidence(5.0) == 0
    assert math.isnan(Tail().value_at(3.0))


def test_a_signal_that_is_unknown_is_not_counted() -> None:
    tails = Tails([Tail(), Tail(least=50)])
    for row in range(100):
        tails.learn([float(row % 10), math.nan])
    assert tails[0].evidence(9.5) > 0
    assert tails[1].evidence(9.5) == 0


def test_a_tail_may_wait_before_it_speaks() -> None:
    tails = Tails([Tail(least=50)])
    for _ in range(30):
        tails.learn([1.0])
    assert tails[0].evidence(9.0) == 0
    for _ in range(60):
        tails.learn([1.0])
    assert tails[0].evidence(9.0) > 1


def test_a_tail_forgets() -> None:
    tail = tail_of([10.0] * 2_000 + [1.0] * 500_000)
    assert tail.evidence(9.0) > 6


def test_a_run_is_rare_where_runs_were_short_and_ordinary_where_they_were_long() -> None:
    short, long = Runs(1.0), Runs(1.0)
    for _ in range(300):
        short.learn(longer=False)
        for _ in range(9):
            long.learn(longer=True)
        long.learn(longer=False)
    for _ in range(6):
        short.learn(longer=True)
        long.learn(longer=True)
    assert short.evidence > 3
    assert long.evidence < 0.5
    short.learn(longer=False)
    assert short.evidence == 0


def test_what_always_goes_on_is_no_news() -> None:
    runs = Runs(1.0)
    for _ in range(100_000):
        runs.learn(longer=True)
    assert runs.evidence < 1


@pytest.mark.parametrize("period", [7, 24, 144, 500])
def test_a_period_is_found_through_noise_and_trend(period: int) -> None:
    rows = np.arange(period * 6)
    wave = np.sin(2 * np.pi * rows / period) + 0.3 * np.sin(6 * np.pi * rows / period)
    values = wave + 0.01 * rows + np.random.default_rng(3).normal(0, 0.2, len(rows))
    found = find_period(values.tolist())
    assert found is not None
    assert abs(found - period) <= max(1, 0.02 * period)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [1.0] * 3,
        [5.0] * 500,
        np.random.default_rng(4).normal(size=500).tolist(),
        list(range(500)),
        np.random.default_rng(4).normal(size=800).cumsum().tolist(),
    ],
    ids=["none", "few", "constant", "noise", "line", "walk"],
)
def test_no_period_is_found_where_there_is_none(values: list[float]) -> None:
    assert find_period(values) is None


def test_a_wave_is_forecast_from_its_past() -> None:
    values = [math.sin(row / 9) for row in range(400)]
    model = Autoregression()
    model.fit(values, None)
    assert model.forecast(values) == pytest.approx(math.sin(400 / 9), abs=0.02)


def test_last_period_helps_where_neighbours_do_not() -> None:
    chance = np.random.default_rng(5)
    shape = chance.normal(size=50)
    values = (np.tile(shape, 30) + chance.normal(0, 0.05, 1_500)).tolist()
    model = Autoregression()
    model.fit(values, 50)
    assert model.forecast(values) == pytest.approx(shape[0], abs=0.3)


@pytest.mark.parametrize("values", [[], [1.0, 2.0], [3.0] * 200])
def test_nothing_is_fitted_to_what_does_not_vary(values: list[float]) -> None:
    model = Autoregression()
    model.fit(values, None)
    assert math.isnan(model.forecast(values))


def test_a_profile_is_the_mean_of_earlier_periods() -> None:
    profile = Profile(4, [1.0, 2.0, 3.0, 4.0] * 3, 0)
    assert [profile.expected(row) for row in range(12, 16)] == [1.0, 2.0, 3.0, 4.0]
    profile.learn(12, 1e9, 0.5)
    assert 1.0 < profile.expected(16) <= 1.125


def test_a_slot_that_was_hardly_seen_is_unknown() -> None:
    assert math.isnan(Profile(4, [1.0, 2.0], 0).expected(0))


def test_between_its_slots_a_profile_is_a_line() -> None:
    rows = 480
    profile = Profile(rows, [float(row % rows) for row in range(3 * rows)], 0)
    errors = [profile.expected(row) - row for row in range(10, rows - 10)]
    assert max(map(abs, errors)) < 0.6
    assert 100 < profile.expected(0) < 380


def test_scatter_is_that_of_the_place() -> None:
    profile = Profile(48, [0.0] * 200, 0)
    assert profile.scatter(0) == 1
    for row in range(48 * 40):
        profile.learn_scatter(row, 0.4 if row % 48 < 24 else 0.1)
    assert profile.scatter(12) / profile.scatter(36) == pytest.approx(3, rel=0.1)
    for row in range(48 * 5_000):
        profile.learn_scatter(row, 0.0)
    assert profile.scatter(12) == pytest.approx(1, abs=0.01)


def test_a_scale_is_moved_little_by_one_outlier() -> None:
    scale = Scale()
    for _ in range(1_000):
        scale.learn(1.0)
    scale.learn(1e9)
    assert scale.mean == pytest.approx(1.02)


def test_a_residual_without_forecast_is_unknown_and_not_learnt() -> None:
    residual = Residual(rate=0.1, floor=0.05)
    for _ in range(40):
        residual.learn(math.nan, 1.0)
    assert all(math.isnan(x) for x in residual.measure(1.0, 1.0))


def test_residuals_of_one_sign_drift() -> None:
    residual = Residual(rate=0.1, floor=0.05)
    for row in range(200):
        residual.learn((-1.0) ** row, 1.0)
    steady = residual.measure(1.0, 1.0)[2]
    for _ in range(20):
        residual.learn(1.0, 1.0)
    assert residual.measure(1.0, 1.0)[2] > 3 * steady


def test_a_history_keeps_its_numbering_through_gaps() -> None:
    history = History()
    for value in range(50_000):
        history.append(float(value))
    history.fill(3, -1.0, None)
    assert history.next == 50_003
    assert len(history.values) <= 40_000
    assert history.values[-4:] == [49_999.0, -1.0, -1.0, -1.0]
    assert len(history.tail()) == 20_000
    history.fill(2, -1.0, 5)
    assert history.values[-2:] == [49_998.0, 49_999.0]
    history.fill(10**9, 5.0, 7)
    assert history.next == 50_005 + 10**9
    assert set(history.values) == {5.0}


def test_the_step_and_what_is_absent() -> None:
    spacing = Spacing()
    for row in range(60):
        assert spacing.absent(300.0 * row) == 0
        spacing.learn(300.0 * row)
    assert spacing.step == 300
    assert spacing.rows_a_day() == 288
    assert spacing.absent(300.0 * 64) == 4
    assert spacing.absent(0.0) == 0
    assert spacing.absent(math.nan) == 0


def test_uneven_rows_have_no_step() -> None:
    spacing = Spacing()
    for at in np.cumsum(np.random.default_rng(6).exponential(60, 200)).tolist():
        spacing.learn(at)
    assert math.isnan(spacing.step)
    assert spacing.rows_a_day() is None


def test_one_anomaly_is_one_alert() -> None:
    alarm = Alarm()
    assert not any(alarm.step(9.0) for _ in range(99))
    quiet = [alarm.step(0.0) for _ in range(100)]
    loud = [alarm.step(9.0) for _ in range(200)]
    assert not any(quiet)
    assert loud == [True] + [False] * 199
    assert not any(alarm.step(0.0) for _ in range(10))
    assert alarm.step(9.0)


def test_what_is_ten_times_rarer_is_another_anomaly() -> None:
    alarm = Alarm()
    for _ in range(200):
        alarm.step(0.0)
    assert alarm.step(4.0)
    assert not any(alarm.step(evidence) for evidence in (4.2, 5.2, 4.1, 4.9, 5.0))
    assert not alarm.step(6.1)
    assert not alarm.step(7.0)
    assert alarm.step(8.1)


def test_every_alert_raises_the_threshold_for_a_while() -> None:
    alarm = Alarm()
    for _ in range(200):
        alarm.step(0.0)
    before = alarm.threshold
    alarm.step(9.0)
    assert alarm.threshold == pytest.approx(before + 0.05, abs=1e-3)
    for _ in range(1_100):
        alarm.step(0.0)
    assert alarm.threshold == before == 3

"""What the baseline learns of a series, and how soon."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from monitor.baseline import Baseline
from monitor.model.tick import Expectation, Floats, Traits
from monitor.model.time import DAY, FOREVER, HOUR, MINUTE
from tests.contracts.flow import (
    COUNT,
    MEAN,
    SHARE,
    SUM,
    draw_counts,
    draw_shares,
    make_traits,
    observe,
    season,
)

QUARTER = 15 * MINUTE


class Learner:
    """A baseline that is fed bucket by bucket, with nothing held."""

    def __init__(self, traits: Traits, width: int, *timezones: str) -> None:
        self.traits, self.width = traits, width
        self.baseline = Baseline(bucket_us=width, timezones=[*timezones] or ["UTC"])
        self.baseline.append(traits.law.size)

    def expect(self, k: int) -> Expectation:
        seen = observe(k, np.zeros(self.traits.law.size), width=self.width)
        return self.baseline.expect(seen.start_us, seen.end_us, self.traits)

    def learn(
        self,
        k: int,
        x: Floats,
        n: Floats | None = None,
        *,
        observed: bool = True,
        incident: int | None = None,
    ) -> Expectation:
        """Feed the k-th bucket; `incident` is the bucket where an open incident began."""
        size = self.traits.law.size
        expected = self.expect(k)
        start = observe(incident or 0, [0.0], width=self.width).start_us
        self.baseline.learn(
            observe(k, x, n, width=self.width, observed=observed),
            expected,
            self.traits,
            hold=np.full(size, incident is not None),
            incident_start_us=np.full(size, FOREVER if incident is None else start),
            accepted=np.zeros(size, dtype=bool),
        )
        return expected


def errors(
    learner: Learner, mean: Callable[[int], float], first: int, last: int, scale: float = 1.0
) -> Floats:
    """Relative errors of the expectation, bucket by bucket and row by row, while it learns counts."""
    rng, size = np.random.default_rng(2), learner.traits.law.size
    out = []
    for k in range(last):
        expected = learner.learn(k, draw_counts(rng, mean(k) * scale, 2.0, size))
        if k >= first:
            out.append(expected.level / (mean(k) * scale) - 1)
    return np.array(out)


def test_a_season_with_a_weekend_is_learnt() -> None:
    """+-15 % in a day and -10 % at weekends; 20,000 an hour leave an error of about 1 %."""
    learner = Learner(make_traits(20), HOUR)
    found = errors(learner, lambda k: season(k, HOUR), 24 * 28, 24 * 35, 20_000)
    assert np.sqrt(np.mean(found**2)) < 0.01
    assert np.abs(found.mean(axis=1)).max() < 0.01  # no hour of the week is off
    assert abs(found.mean()) < 0.002


def test_inside_the_hour_the_profile_has_no_steps() -> None:
    """With a step profile the first and last quarter of an hour would be 1.5 % off at the flank."""
    learner = Learner(make_traits(20), QUARTER)
    found = errors(learner, lambda k: season(k, QUARTER, weekend=0.0), 96 * 28, 96 * 30, 50_000)
    by_quarter = found.reshape(-1, 4, 20).mean(axis=2)
    assert np.abs(by_quarter).max() < 0.007
    flank = by_quarter[4:9].mean(axis=0)  # 04:00 to 09:00: 4 % an hour
    assert np.abs(flank - flank.mean()).max() < 0.003


def test_a_step_of_the_profile_is_not_overshot() -> None:
    """Doors open at 8: an unlimited parabola would be 50 % off beside the step."""
    learner = Learner(make_traits(10), QUARTER)
    found = errors(
        learner, lambda k: 4.0 if 8 <= k // 4 % 24 < 18 else 1.0, 96 * 28, 96 * 29, 20_000
    )
    assert np.abs(found.mean(axis=1)).max() < 0.02


def test_it_is_ready_on_day_18_and_says_so_before() -> None:
    learner, rng = Learner(make_traits(3), QUARTER), np.random.default_rng(1)
    left, ready = [], []
    for k in range(96 * 20):
        expected = learner.learn(k, draw_counts(rng, 500.0, 1.0, 3))
        left.append(int(expected.learning_us[0]))
        ready.append(bool(expected.ready.all()))
    assert ready.index(True) / 96 == pytest.approx(18, abs=0.05)
    assert left[0] == 18 * DAY - QUARTER
    assert all(later <= earlier for earlier, later in pairwise(left))
    assert left[ready.index(True)] == 0
    assert min(left[: ready.index(True)]) > 0


@pytest.mark.parametrize(("day", "noticed"), [(8, False), (22, True), (22, False), (40, True)])
def test_six_hours_at_half_leave_no_trace(day: int, noticed: bool) -> None:
    """Check 9: the baseline is off by 1 % at most, at the time of the fault and elsewhere."""
    learner, size = Learner(make_traits(40), HOUR), 40
    rng = np.random.default_rng(day)
    fault = range(day * 24 + 9, day * 24 + 15)
    found = []
    for k in range(24 * (day + 16)):
        mean = 20_000 * season(k, HOUR)
        x = draw_counts(rng, mean * (0.5 if k in fault else 1.0), 1.0, size)
        incident = fault.start if noticed and k in fault else None
        expected = learner.learn(k, x, incident=incident)
        if k >= max(24 * 19, fault.stop + 48):
            found.append(expected.level / mean - 1)
    bias = np.array(found).mean(axis=1)
    assert np.abs(bias).max() < 0.01
    assert float(np.median(learner.expect(24 * (day + 16)).sd_level)) < 0.01


def test_an_early_outage_is_not_learnt_when_a_later_week_is_marked() -> None:
    """Two weeks remain for those hours, one of them the outage: the other is nearer to the day."""
    learner, rng = Learner(make_traits(20), HOUR), np.random.default_rng(14)
    outage = range(24 * 6 + 4, 24 * 6 + 19)
    marked = range(24 * 20 + 4, 24 * 20 + 19)
    for k in range(24 * 27):
        mean = 20_000 * season(k, HOUR) * (0.01 if k in outage else 1.0)
        incident = marked.start if k in marked else None
        learner.learn(k, draw_counts(rng, mean, 1.0, 20), incident=incident)
    off = {}
    for hour in (0, 2, 5, 11, 17, 21, 23):
        k = 24 * 27 + hour
        off[hour] = float(np.median(learner.expect(k).level)) / (20_000 * season(k, HOUR)) - 1
    elsewhere = np.mean([off[hour] for hour in (0, 2, 21, 23)])
    for hour in (5, 11, 17):
        assert off[hour] == pytest.approx(elsewhere, abs=0.01), (
            "the shape is that of the other week"
        )
    assert abs(elsewhere) < 0.03, "the level has not yet forgotten what it took the outage for"


def test_growth_of_one_percent_a_day_is_followed() -> None:
    learner = Learner(make_traits(20), HOUR)
    found = errors(learner, lambda k: season(k, HOUR) * 1.01 ** (k / 24), 24 * 30, 24 * 40, 20_000)
    assert abs(found.mean()) < 0.005
    assert np.median(learner.expect(24 * 40).sd_level) < 0.012


@pytest.mark.parametrize("per_bucket", [0.3, 3.0])
def test_a_sparse_count_is_not_biased(per_bucket: float) -> None:
    """A mean of logs would be off by tens of percent; a ratio of sums is not."""
    learner, rng = Learner(make_traits(300), HOUR // 2), np.random.default_rng(4)
    total = 0.0
    for k in range(48 * 24):
        expected = learner.learn(k, draw_counts(rng, per_bucket, 1.0, 300))
        if k >= 48 * 19:
            total += float(expected.level.mean())
    assert total / (48 * 5) == pytest.approx(per_bucket, rel=0.03)


def test_dispersion_is_learnt_and_does_not_see_the_season() -> None:
    learner = Learner(make_traits(30), QUARTER)
    errors(learner, lambda k: season(k, QUARTER, amplitude=0.3), 96 * 25, 96 * 25, 400)
    phi = learner.expect(96 * 25).phi
    assert np.median(phi) == pytest.approx(2.1, abs=0.15)


@pytest.mark.parametrize("law", [SHARE, SUM, MEAN])
def test_the_other_kinds(law: str) -> None:
    """Level, dispersion and units of a share, of a sum and of a mean."""
    learner, rng, size = Learner(make_traits(30, law), HOUR), np.random.default_rng(5), 30
    for k in range(24 * 30):
        n = rng.poisson(2000 * season(k, HOUR), size).astype(float)
        level = 0.2 * season(k, HOUR, amplitude=0.05, weekend=0.0)
        if law == SHARE:
            x = draw_shares(rng, n, level, 3.0, size)
        else:
            x = level * 100 * n * (1 + 0.5 * rng.standard_normal(size) / np.sqrt(n))
        learner.learn(k, x, n)
    k = 24 * 30 + 12
    expected = learner.expect(k)
    level = 0.2 * season(k, HOUR, amplitude=0.05, weekend=0.0)
    true = {SHARE: level, MEAN: 100 * level, SUM: 100 * level * 2000 * season(k, HOUR)}[law]
    assert np.median(expected.level) == pytest.approx(true, rel=0.02)
    units = 2000 * season(k, HOUR)
    assert 0.9 * units < np.median(expected.units) < units
    if law != SUM:
        true_phi = {SHARE: 3.0, MEAN: 0.25}[law]  # the larger of two estimates is high, if anything
        assert 0.95 * true_phi < np.median(expected.phi) < 1.35 * true_phi


def test_a_segment_of_the_local_week_stays_where_it_is_when_clocks_change() -> None:
    """Berlin moves its clocks on 29 March 2026, day 83: the busy hours move in UTC."""
    zones = ("UTC", "Europe/Berlin")
    traits = make_traits(2, timezone=[0, 1])
    learner = Learner(traits, HOUR, *zones)
    found = []
    for k in range(24 * 50, 24 * 90):
        change = 24 * 83 + 1
        local = k + (2 if k >= change else 1)
        mean = 10_000 * (3.0 if 9 <= local % 24 < 17 else 1.0)
        expected = learner.learn(k, np.full(2, mean))
        if k >= change:
            found.append(np.abs(expected.level / mean - 1))
    off = np.array(found).max(axis=0)
    assert off[1] < 0.02
    assert off[0] > 0.5


def test_a_metric_in_steps_of_a_day_learns_its_weekend() -> None:
    learner, rng = Learner(make_traits(20), DAY), np.random.default_rng(6)
    ready = []
    for k in range(60):
        mean = 5000.0 * (0.6 if k % 7 >= 5 else 1.0)
        expected = learner.learn(k, draw_counts(rng, mean, 1.0, 20))
        ready.append(bool(expected.ready.all()))
        if k >= 45:
            assert np.median(expected.level) == pytest.approx(mean, rel=0.03)
    assert 17 <= ready.index(True) <= 22


def test_a_metric_in_steps_of_a_week_has_no_season() -> None:
    learner, rng = Learner(make_traits(20), 7 * DAY), np.random.default_rng(7)
    ready = []
    for k in range(30):
        expected = learner.learn(k, draw_counts(rng, 5000.0, 1.0, 20))
        ready.append(bool(expected.ready.all()))
    assert 5 <= ready.index(True) <= 20
    assert np.median(learner.expect(30).level) == pytest.approx(5000, rel=0.02)


def test_a_partly_covered_hour_is_scaled_and_one_covered_by_less_than_half_is_missing() -> None:
    """Every third hour has two of four buckets, every fifth but one: totals stay unbiased."""
    learner, rng = Learner(make_traits(20), QUARTER), np.random.default_rng(8)
    for k in range(96 * 25):
        hour, quarter = divmod(k, 4)
        seen = not (hour % 3 == 0 and quarter >= 2) and not (hour % 5 == 0 and quarter >= 1)
        x = draw_counts(rng, 2000.0, 1.0, 20) if seen else np.zeros(20)
        learner.learn(k, x, observed=seen)
    expected = learner.expect(96 * 25 + 50)
    assert expected.ready.all()
    assert np.mean(expected.level) == pytest.approx(2000, rel=0.01)


def test_a_gap_of_days_is_survived_and_one_of_weeks_is_learnt_anew() -> None:
    learner, rng = Learner(make_traits(5), HOUR), np.random.default_rng(9)
    for k in range(24 * 30):
        learner.learn(k, draw_counts(rng, 5000 * season(k, HOUR), 1.0, 5))
    later = 24 * 34 + 7
    expected = learner.expect(later)
    assert expected.ready.all()
    assert np.mean(expected.level) == pytest.approx(5000 * season(later, HOUR), rel=0.03)
    for k in range(24 * 80, 24 * 82):
        learner.learn(k, draw_counts(rng, 900, 1.0, 5))
    expected = learner.expect(24 * 82)
    assert not expected.ready.any()
    assert (expected.learning_us > 10 * DAY).all()


def test_a_gap_inside_an_hour_breaks_no_hour() -> None:
    """Every sixth hour ends early and the next begins late: what was seen of both is used."""
    learner, rng = Learner(make_traits(10), QUARTER), np.random.default_rng(13)
    for k in range(96 * 20):
        if k % 24 not in {3, 4}:
            learner.learn(k, draw_counts(rng, 2000.0, 1.0, 10))
    expected = learner.expect(96 * 20)
    assert expected.ready.all()
    assert np.mean(expected.level) == pytest.approx(2000, rel=0.01)


def test_a_series_below_zero_stays_learning() -> None:
    """A mean of -5 has no logarithm: no level, no warning, no decision."""
    learner, rng = Learner(make_traits(1, MEAN), HOUR), np.random.default_rng(10)
    for k in range(24 * 30):
        learner.learn(k, 100 * (rng.standard_normal(1) - 5), np.array([100.0]))
    expected = learner.expect(24 * 30)
    assert not expected.ready.any()
    assert np.isnan(expected.level).all()
    assert (expected.learning_us > 0).all()


def test_rare_bursts_of_a_mean_do_not_carry_the_level_away() -> None:
    """A mean that is 0 but for bursts has errors far beyond its level: the level stays among them."""
    learner, rng = Learner(make_traits(4, MEAN), HOUR), np.random.default_rng(12)
    highest = 0.0
    for k in range(24 * 40):
        burst = (rng.random(4) < 0.05) * rng.lognormal(4.0, 2.0, 4)
        highest = max(highest, float(burst.max()))
        expected = learner.learn(k, burst + 1e-9, np.ones(4))
        assert np.nanmax(expected.level, initial=0.0) <= highest
    assert not np.isnan(learner.expect(24 * 40).level).any()


def test_what_never_happens_has_a_level_and_a_wide_band() -> None:
    learner = Learner(make_traits(1, SHARE), HOUR)
    for k in range(24 * 25):
        learner.learn(k, np.zeros(1), np.array([1000.0]))
    expected = learner.expect(24 * 25)
    assert expected.ready.all()
    assert 0 < expected.level[0] < 1e-3
    assert expected.sd_level[0] > 1


def test_a_held_level_does_not_follow_and_is_let_go_after_a_day() -> None:
    start = 24 * 25
    after: dict[bool, list[float]] = {}
    for held in (True, False):
        learner, rng = Learner(make_traits(30), HOUR), np.random.default_rng(11)
        for k in range(start):
            learner.learn(k, draw_counts(rng, 5000, 1.0, 30))
        levels = []
        for k in range(start, start + 48):
            x = draw_counts(rng, 4500, 1.0, 30)
            expected = learner.learn(k, x, incident=start if held else None)
            levels.append(float(np.mean(expected.level)))
        after[held] = levels
    assert after[True][24] == pytest.approx(after[True][0], rel=0.002)
    assert after[False][24] < after[True][24] - 15
    assert after[True][47] < after[True][24] - 10


def test_an_accepted_shift_moves_the_level_at_once_and_its_children_with_it() -> None:
    learner, rng = Learner(make_traits(3, parent=[-1, 0, -1]), HOUR), np.random.default_rng(12)
    start = 24 * 25
    accepted = np.array([True, False, False])
    for k in range(start + 24):
        shift = 0.7 if k >= start else 1.0
        x = draw_counts(rng, 50_000 * shift * season(k, HOUR), 1.0, 3)
        expected = learner.expect(k)
        learner.baseline.learn(
            observe(k, x, width=HOUR),
            expected,
            learner.traits,
            hold=np.full(3, k >= start),
            incident_start_us=np.full(
                3, observe(start, [0.0], width=HOUR).start_us if k >= start else FOREVER
            ),
            accepted=accepted & (k == start + 23),
        )
    k = start + 24
    level = learner.expect(k).level / (50_000 * season(k, HOUR))
    assert level[:2] == pytest.approx([0.7, 0.7], rel=0.02)
    assert level[2] == pytest.approx(1.0, rel=0.02)


def test_a_cleared_row_knows_nothing() -> None:
    learner = Learner(make_traits(2), HOUR)
    for k in range(24 * 20):
        learner.learn(k, np.full(2, 1000.0))
    learner.baseline.clear(np.array([0]))
    expected = learner.expect(24 * 20)
    assert expected.ready.tolist() == [False, True]
    assert np.isnan(expected.level[0])
    assert expected.learning_us[0] > 17 * DAY


def test_rows_may_be_added_while_it_runs() -> None:
    learner = Learner(make_traits(1), HOUR)
    for k in range(24 * 20):
        learner.learn(k, np.full(1, 1000.0))
    learner.baseline.append(2)
    learner.traits = make_traits(3)
    for k in range(24 * 20, 24 * 40):
        expected = learner.learn(k, np.full(3, 1000.0))
        if k == 24 * 25:
            assert expected.ready.tolist() == [True, False, False]
    assert learner.expect(24 * 40).ready.all()
    assert learner.baseline.size == 3


def test_counts_and_shares_learn_the_same_season() -> None:
    """Rows of different laws share a panel: each is learnt by its own."""
    count = np.array([True, False])
    traits = make_traits(2, law=SHARE)
    mixed = Traits(
        law=np.where(count, 0, 1).astype(np.int8),
        total=count,
        **{
            name: getattr(traits, name)
            for name in traits.__dataclass_fields__
            if name not in {"law", "total"}
        },
    )
    assert COUNT == "negative_binomial"
    learner = Learner(mixed, HOUR)
    for k in range(24 * 25):
        learner.learn(k, np.array([1000.0, 200.0]), np.array([1000.0, 1000.0]))
    expected = learner.expect(24 * 25)
    assert expected.level == pytest.approx([1000.0, 0.2], rel=0.01)

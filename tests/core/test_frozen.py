"""A bucket is bet on against the level of before, of whatever law."""

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from monitor.aggregate.panel import Panel
from monitor.core.frozen import frozen_bucket, unpredicted
from monitor.core.past_levels import KEPT_US, PastLevels
from monitor.core.releases import Seen
from monitor.guard.bets import UP, Bets
from monitor.model.tick import LAWS, TailExpectation, Wander
from monitor.model.time import DAY, HOUR
from monitor.release.watch import Watch
from tests.contracts.flow import COUNT, QUANTILE, SHARE, T0, make_expectation, make_traits, observe


class FakePanel:
    """Answers how many of 1,000 events with an exponential tail lie above some values."""

    def above(self, _tick: Any, values: Any) -> Any:
        self.asked = values
        return 1000 * 0.05 ** (values / 100.0)


def watch_of(base: float, rows: list[int]) -> Watch:
    watch = Watch(UP, begin_us=T0, halved=False)
    size = len(rows)
    watch.add(
        row=np.array(rows),
        share=np.ones(size),
        base=np.full(size, base),
        sd=np.full(size, 0.001),
        eps=np.full(size, 0.02),
        ready=np.ones(size, bool),
    )
    return watch


def seen(law: str, x: Any, n: Any, level: float, **more: Any) -> Seen:
    size = 3
    expectation = make_expectation(size, level=level, units=1000.0)
    return Seen(
        tick=cast("Any", None),
        observation=observe(0, np.full(size, x), np.full(size, n)),
        expectation=replace(expectation, **more),
        levels=np.full(size, 1.0),
        traits=make_traits(size, law),
        suspect=np.zeros(size, bool),
    )


def test_what_is_expected_is_the_level_then_times_the_shape_now() -> None:
    watch = watch_of(1.25, [2, -1])
    bucket = frozen_bucket(watch, seen(COUNT, 1000.0, 1000.0, 1000.0), cast("Panel", None), Bets())
    assert bucket.mean[0] == 1250
    assert bucket.observed.tolist() == [True, False], "the row that was given away says nothing"
    assert bucket.log_bets[0, UP].max() < 0 < bucket.log_bets[0, ~UP].max()


def test_a_share_stays_below_one() -> None:
    watch = watch_of(2.0, [0])
    bucket = frozen_bucket(watch, seen(SHARE, 900.0, 1000.0, 0.9), cast("Panel", None), Bets())
    assert bucket.mean[0] < 1000
    assert np.isfinite(bucket.variance[0])


@pytest.mark.parametrize(("base", "rises"), [(1.0, False), (0.7, True)])
def test_a_quantile_is_judged_by_the_events_above_its_frozen_level(
    base: float, rises: bool
) -> None:
    panel, watch = FakePanel(), watch_of(base, [1])
    size = 3
    tail = TailExpectation(shift=np.zeros(size), deviation=np.full(size, 0.01), phi=np.ones(size))
    one = seen(QUANTILE, 100_000.0, 1000.0, 100.0, tail=tail)
    bucket = frozen_bucket(watch, one, cast("Panel", panel), Bets())
    assert panel.asked[1, 0] == pytest.approx(100.0 * base)
    assert np.isnan(panel.asked[0]).all(), "other rows are not asked for"
    assert bool(bucket.log_bets[0, UP].max() > 0) is rises
    assert LAWS[one.traits.law[0]] == QUANTILE


def test_the_level_of_an_hour_of_the_last_day_is_remembered() -> None:
    past, rows = PastLevels(), np.array([0, 3])
    for hour in range(60):
        expectation = make_expectation(2, ready=np.array([True, hour > 58]))
        past.note(T0 + hour * HOUR, np.full(2, float(hour)), expectation)
        past.note(T0 + hour * HOUR + 1, np.full(2, -1.0), expectation)
    level, _ = past.at(T0 + 50 * HOUR + 30, rows)
    np.testing.assert_array_equal(level, [50.0, np.nan])
    assert past.is_forgotten(T0 + 59 * HOUR - KEPT_US - 2 * HOUR)
    assert not past.is_forgotten(T0 + 59 * HOUR - DAY)
    assert not PastLevels().is_forgotten(T0)
    other = PastLevels()
    other.load(past.dump())
    other.clear(np.array([0, 9]))
    assert np.isnan(other.at(T0 + 50 * HOUR, rows)[0]).all()
    assert past.at(T0 + 50 * HOUR, rows)[0][0] == 50, "a copy"


def test_of_a_bucket_that_has_long_closed_nothing_is_predicted() -> None:
    one = make_expectation(2, level=1000.0, units=1000.0, phi=2.0)
    assert unpredicted(one, make_traits(2, COUNT)) is one
    wander = Wander(
        ahead=np.array([0.1, 0.0]),
        variance=np.array([0.001, 0.0]),
        tau2=np.array([0.0004, 0.0]),
        rho=np.array([0.95, 0.0]),
        size=np.ones(2),
    )
    found = unpredicted(replace(one, wander=wander), make_traits(2, COUNT))
    assert found.wander is None
    # 1000^2 0.0004 (1.95 / 0.05) over a variance of 1000 at phi = 1
    assert found.phi.tolist() == [pytest.approx(2.0 + 15.6), 2.0]

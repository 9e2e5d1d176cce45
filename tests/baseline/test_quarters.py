"""Inside the hour: weekends wherever they are, and flanks that no quarter can hold."""

import numpy as np
import pytest

from monitor.baseline.quarters import SATURDAY, Quarters
from monitor.model.time import HOUR, MINUTE
from tests.contracts.flow import T0, Flow, draw_counts, make_traits

THURSDAY = 3
"""In days since a Monday; local weeks begin with it."""


def profile(rows: int, rest: tuple[int, ...], quiet: float, noise: float = 0.02) -> np.ndarray:
    """Log profiles whose days of rest (0 is Thursday) lack the busy hours."""
    rng = np.random.default_rng(2)
    hours = np.tile(np.where((np.arange(24) >= 8) & (np.arange(24) < 18), 0.0, -1.4), (7, 1))
    hours[list(rest)] += quiet * (hours[list(rest)] == 0)
    return hours.reshape(1, 168) + noise * rng.standard_normal((rows, 168))


@pytest.mark.parametrize("first", range(7))
def test_two_days_in_a_row_that_differ_are_the_weekend(first: int) -> None:
    quarters = Quarters(12)
    quarters.table.append(20)
    quarters.find_weekends(profile(20, (first, (first + 1) % 7), -1.4))
    assert (quarters.table["weekend"] == first).all()


@pytest.mark.parametrize("rest", [(), (1, 2, 3), (0, 1, 2, 3, 4, 5, 6)])
def test_where_no_two_days_stand_out_it_is_saturday_and_sunday(rest: tuple[int, ...]) -> None:
    quarters = Quarters(12)
    quarters.table.append(20)
    quarters.find_weekends(profile(20, rest, -1.4 if len(rest) != 3 else 0.0))
    assert (quarters.table["weekend"] == SATURDAY).all()


def test_a_profile_that_is_not_known_changes_nothing() -> None:
    quarters = Quarters(12)
    quarters.table.append(2)
    unknown = profile(2, (1, 2), -1.4)
    unknown[1, 5] = np.nan
    quarters.find_weekends(unknown)
    assert quarters.table["weekend"].tolist() == [1, SATURDAY]


def test_corrections_that_mixed_the_days_are_learnt_anew() -> None:
    quarters = Quarters(12)
    quarters.table.append(2)
    quarters.table["hours"][:] = 9
    quarters.find_weekends(np.concatenate([profile(1, (1, 2), -1.4), profile(1, (2, 3), -1.4)]))
    assert quarters.table["hours"][0].max() == 0
    assert quarters.table["hours"][1].min() == 9


def office(k: int, width: int, opens: float, rest: tuple[int, ...]) -> float:
    """Busy for ten hours of a working day; days since a Monday."""
    minute = k * width // MINUTE
    hour, weekday = minute % 1440 / 60, minute // 1440 % 7
    return 1.0 if opens <= hour < opens + 10 and weekday not in rest else 0.25


def grown(
    days: int, *, opens: float, rest: tuple[int, ...], width: int
) -> tuple[Flow, list[float], int]:
    """Bias of every bucket of the last day, and how often an incident opened."""
    rng, rows, pages = np.random.default_rng(4), 3, 0
    flow, bias = Flow(make_traits(rows), width=width), []
    day = 24 * HOUR // width
    for k in range(days * day):
        level = 10_000 * office(k, width, opens, rest)
        expected, decision = flow.run(k, draw_counts(rng, level, 2.0, rows))
        pages += int(decision.opened.sum())
        if k >= (days - 1) * day:
            bias.append(float(np.mean(expected.level) / level - 1))
    return flow, bias, pages


@pytest.mark.parametrize("days", [15, 16])
def test_a_weekend_that_is_learnt_last_does_not_move_the_level_of_all_days(days: int) -> None:
    """The profile of the first days knows one Sunday only, and not at once what to make of it."""
    flow, bias, _ = grown(days, opens=8.0, rest=(5, 6), width=30 * MINUTE)
    assert abs(np.mean(bias)) < 0.005
    assert max(map(abs, bias)) < 0.04
    assert not flow.baseline._autocorrelation.on.any(), "an error of the level is no process"


@pytest.mark.slow
def test_a_flank_inside_a_quarter_does_not_page() -> None:
    """Doors that open at 8:12, Friday and Saturday off; its first quarter is two buckets long."""
    width = 12 * MINUTE
    flow, _, pages = grown(20, opens=8.2, rest=(4, 5), width=width)
    assert pages == 0
    assert (flow.baseline._quarters.table["weekend"] == 4 - THURSDAY).all()
    eight = 21 * 120 + 8 * 5  # on a Monday
    starts = [T0 + (eight + place) * width for place in range(5)]
    phis = [np.median(flow.baseline.expect(s, s + width, flow.traits).phi) for s in starts]
    assert min(phis[:2]) > 20 * max(phis[2:]), "these buckets cannot be as expected"
    assert 1.5 < max(phis[2:]) < 5.0


def test_rough_quarters_are_learnt_and_calm_ones_are_not() -> None:
    quarters, rng = Quarters(12), np.random.default_rng(3)
    quarters.table.append(50)
    local, noise = np.full(50, 8), np.full((50, 4), 1e-3)
    of_hour = 10.5 / 12  # what the profile knows of the hour
    for _ in range(25):
        in_use = quarters.factors(local, 9e-4 * np.ones(50))
        assert in_use is not None
        for place in range(12):
            true = 0.25 if place < 2 else 1.0
            expected = of_hour * np.exp(in_use[:, quarters.part(place)])
            x = true * (1 + np.sqrt(1e-3 / true) * rng.standard_normal(50))
            quarters.learn(place, x, expected, np.ones(50, bool))
        quarters.commit(local, in_use, np.ones(50, bool), 9e-4 * np.ones(50), noise)
    found = quarters.roughness(local, noise, np.zeros(50))
    assert found is not None
    assert (found[:, 0] > 50).all()
    assert (found[:, 1:] == 1).mean() > 0.95
    other = quarters.roughness(np.full(50, 9), noise, np.zeros(50))
    assert other is not None
    assert (other == 1).all()
    hidden = quarters.roughness(local, noise, np.ones(50))
    assert hidden is not None
    assert (hidden == 1).all(), "what is carried on from bucket to bucket is no roughness"


def test_buckets_of_a_quarter_or_longer_have_no_roughness() -> None:
    for per_slot in (1, 2, 4):
        quarters = Quarters(per_slot)
        quarters.table.append(1)
        assert quarters.roughness(np.zeros(1, np.int64), np.ones((1, 4)), np.zeros(1)) is None

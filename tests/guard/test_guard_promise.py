"""What the guard promises where the expectation is right: false alarms, delays, recovery."""

from dataclasses import replace

import numpy as np
import pytest

from monitor.guard import Guard
from monitor.model.tick import Decision, Reason, State
from monitor.model.time import MINUTE
from tests.contracts.flow import (
    A_90_DAYS,
    COUNT,
    MEAN,
    SHARE,
    SUM,
    draw_counts,
    draw_shares,
    make_expectation,
    make_traits,
    observe,
)


def guard_of(size: int) -> Guard:
    guard = Guard(bucket_us=MINUTE)
    guard.append(size)
    return guard


def shares_world(
    size: int, ticks: int, *, shift: float, assumed_phi: float = 2.0, band: float = 0.02
) -> list[Decision]:
    """Proportion .2, dispersion 2, 1000 units a bucket, shifted from the first bucket on."""
    rng, guard, n = np.random.default_rng(3), guard_of(size), 1000.0
    traits = make_traits(size, SHARE, min_relative_shift=band)
    expected = make_expectation(size, level=0.2, units=n, phi=assumed_phi)
    return [
        guard.step(
            observe(k, draw_shares(rng, n, 0.2 * (1 + shift), 2.0, size), n), expected, traits
        )
        for k in range(ticks)
    ]


def delays(decisions: list[Decision]) -> np.ndarray:
    opened = np.array([d.opened for d in decisions])
    return np.where(opened.any(axis=0), opened.argmax(axis=0) + 1.0, np.inf)


@pytest.mark.parametrize("edge", [-0.02, 0.0, 0.02])
def test_alarms_by_t_are_no_more_than_t_over_a(edge: float) -> None:
    """Check 2, t = 500, A = 1000, at the edges of the band too; counts and shares side by side."""
    half, rng = 300, np.random.default_rng(1)
    size = 2 * half
    count = np.arange(size) < half
    share = make_traits(size, SHARE, log_threshold=np.log(1000.0))
    traits = replace(share, law=np.where(count, 0, 1).astype(np.int8), total=count)
    level = np.where(count, 1000.0, 0.2)
    expected = make_expectation(size, level=level, units=1000.0, phi=2.0)
    guard, alarmed = guard_of(size), np.zeros(size, dtype=bool)
    for k in range(500):
        x = np.concatenate(
            [
                draw_counts(rng, 1000.0 * (1 + edge), 2.0, half),
                draw_shares(rng, 1000.0, 0.2 * (1 + edge), 2.0, half),
            ]
        )
        n = np.where(count, x, 1000.0)
        alarmed |= guard.step(observe(k, x, n), expected, traits).opened
    assert alarmed.mean() <= 0.5
    assert (
        edge == 0.0 or alarmed.any()
    )  # at the edge the bound is nearly reached: the test can fail


def test_the_test_has_teeth_dispersion_ignored_alarms_all_the_time() -> None:
    """Check 6: phi = 2 taken for 1 gives more than 50 false alarms per 90 days (no null band)."""
    size, ticks = 100, 1000
    decisions = shares_world(size, ticks, shift=0.0, assumed_phi=1.0, band=0.0)
    alarms = sum(int(d.opened.sum()) for d in decisions)
    assert alarms / (size * ticks) * A_90_DAYS > 50
    honest = shares_world(size, ticks, shift=0.0, band=0.0)
    assert sum(int(d.opened.sum()) for d in honest) <= 1


@pytest.mark.parametrize(("shift", "limit"), [(-0.1, 32.0), (-0.2, 9.0), (-0.5, 3.5)])
def test_mean_delay_at_n_1000(shift: float, limit: float) -> None:
    """Check 4, and the cap: no alarm before the third bucket."""
    took = delays(shares_world(100, 130, shift=shift))
    assert took.mean() <= limit
    assert took.min() >= 3


@pytest.mark.parametrize("law", [COUNT, SHARE, SUM, MEAN])
@pytest.mark.parametrize("factor", [0.0, 0.5, 1.5, 100.0])
def test_no_single_bucket_pages(law: str, factor: float) -> None:
    """Check 10: whatever one bucket holds, the next is as expected."""
    level = {COUNT: 1000.0, SHARE: 0.2, SUM: 5000.0, MEAN: 30.0}[law]
    expected = make_expectation(1, level=level, units=1000.0, phi=2.0)
    total = law in (COUNT, SUM)
    mean = level if total else level * 1000.0
    guard, traits = guard_of(1), make_traits(1, law)
    odd = min(mean * factor, 1000.0) if law == SHARE else mean * factor
    for k, x in enumerate([mean, odd, mean, mean]):
        n = x if law == COUNT else 1000.0
        assert not guard.step(observe(k, [x], n), expected, traits).opened[0]


@pytest.mark.parametrize("shift", [-0.1, -0.2, -0.5, 0.3])
def test_an_incident_that_goes_on_is_not_resolved(shift: float) -> None:
    """Check 9: false resolves of incidents of 6 h are at most 1 %."""
    decisions = shares_world(100, 360 + 60, shift=shift)
    opened = np.array([d.opened for d in decisions]).any(axis=0)
    closed = np.array([d.closed for d in decisions]).any(axis=0)
    assert opened.mean() >= 0.99
    assert closed.mean() <= 0.01


@pytest.mark.parametrize("shift", [-0.1, -0.2, -0.5, 0.3])
def test_an_incident_that_is_over_resolves_soon_and_stays_quiet(shift: float) -> None:
    rng, guard, size = np.random.default_rng(5), guard_of(60), 60
    traits = make_traits(size)
    expected = make_expectation(size, phi=2.0)
    decisions = []
    for k in range(300):
        mean = 1000.0 * (1 + shift if k < 100 else 1.0)
        x = draw_counts(rng, mean, 2.0, size)
        decisions.append(guard.step(observe(k, x), expected, traits))
    assert all(d.open.all() for d in decisions[70:100])
    closing = np.array([d.closed for d in decisions])
    assert (closing.sum(axis=0) == 1).all()
    assert np.median(closing.argmax(axis=0)) <= 100 + (40 if abs(shift) < 0.2 else 8)
    reasons = {int(d.reason[r]) for d in decisions for r in np.flatnonzero(d.closed)}
    assert reasons == {Reason.RECOVERED}
    assert not any(d.opened.any() for d in decisions[100:])
    assert set(decisions[-1].state.tolist()) <= {State.OK, State.SUSPECTED}


def test_what_comes_after_a_shift_does_not_hide_its_end() -> None:
    """A short and faint shift: the normal buckets that follow it outnumber its own before its end is certain."""
    rng, guard, size, ends = np.random.default_rng(7), guard_of(60), 60, 21
    traits, expected = make_traits(size), make_expectation(size, level=30.0, units=30.0, phi=1.2)
    closing, found = np.full(size, np.inf), np.zeros(size, dtype=bool)
    for k in range(140):
        mean = 30.0 * (0.7 if 5 <= k < ends else 1.0)
        d = guard.step(observe(k, draw_counts(rng, mean, 1.2, size)), expected, traits)
        found |= d.opened & (k < ends)
        closing = np.where(d.closed & np.isinf(closing), k, closing)
        shift = (d.sum_x / d.sum_expected - 1.0)[d.closed]
        assert (shift < -0.15).all(), "the figures are those of the shift"
    assert found.mean() > 0.7
    assert np.quantile(closing[found], 0.9) <= ends + 40


def test_the_start_of_a_shift_is_estimated() -> None:
    """Where the CUSUM of the winning bet last left 0: within 5 buckets of 40, typically on it."""
    rng, guard, size = np.random.default_rng(6), guard_of(60), 60
    traits, expected = make_traits(size), make_expectation(size, phi=2.0)
    starts: dict[int, int] = {}
    for k in range(80):
        x = draw_counts(rng, 1000.0 * (0.8 if k >= 40 else 1.0), 2.0, size)
        d = guard.step(observe(k, x), expected, traits)
        for row in np.flatnonzero(d.opened):
            starts[int(row)] = int(d.start_us[row] - observe(0, x).start_us) // MINUTE
            n = k - starts[int(row)] + 1
            assert d.sum_expected[row] == pytest.approx(1000.0 * n)
            assert d.sum_variance[row] == pytest.approx(2000.0 * n)
            assert d.direction[row] == -1
    assert len(starts) == size
    assert np.median([*starts.values()]) == 40
    assert np.quantile(np.abs(np.array([*starts.values()]) - 40), 0.9) <= 5

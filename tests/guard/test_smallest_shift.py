"""The smallest fall and rise of each law, against the guard itself."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.guard import Guard, band_edges
from monitor.guard.detectable import minimum_detectable_shift, volume_factor
from monitor.guard.smallest_shift import Typical, smallest_shift
from monitor.model.tick import LAWS, Floats, Observation, TailExpectation
from monitor.model.time import MINUTE
from tests.contracts.flow import (
    A_90_DAYS,
    COUNT,
    MEAN,
    QUANTILE,
    SHARE,
    SUM,
    draw_counts,
    draw_shares,
    make_expectation,
    make_traits,
    observe,
)

LOG_A = math.log(A_90_DAYS)
SERIES, BEFORE, BUCKETS, PHI = 100, 20, 60, 2.0
CASES = [(COUNT, 30.0, 30.0), (SHARE, 100.0, 0.2), (SHARE, 1000.0, 0.9), (MEAN, 300.0, 5.0)]


def typical(law: str, n: float, level: float, **changes: object) -> Typical:
    one = Typical(
        law=LAWS.index(law),
        level=level,
        units=n,
        phi=PHI,
        eps=0.02,
        log_threshold=LOG_A,
        capital=1.0,
    )
    return replace(one, **changes)  # type: ignore[arg-type]


def draw(rng: np.random.Generator, law: str, n: float, level: float, part: float) -> Floats:
    if law == COUNT:
        return draw_counts(rng, n * part, PHI, SERIES)
    if law == SHARE:
        return draw_shares(rng, n, level * part, PHI, SERIES)
    noise = rng.standard_normal(SERIES) * math.sqrt(PHI / n)
    return np.asarray(n * level * part * (1 + noise))


@pytest.mark.parametrize("up", [False, True])
@pytest.mark.parametrize(("law", "n", "level"), CASES)
def test_it_is_found_in_more_than_half_of_the_worlds_and_a_smaller_one_in_fewer(
    law: str, n: float, level: float, up: bool
) -> None:
    shift = smallest_shift(typical(law, n, level), buckets=BUCKETS, up=up)
    found = []
    for size in (shift, 0.6 * shift):
        part = 1 + size if up else 1 - size
        rng, guard = np.random.default_rng(4), Guard(bucket_us=MINUTE)
        guard.append(SERIES)
        traits = make_traits(SERIES, law)
        expected = make_expectation(SERIES, level=level, units=n, phi=PHI)
        seen = np.zeros(SERIES, dtype=bool)
        for k in range(BEFORE + BUCKETS):
            x = draw(rng, law, n, level, part if k >= BEFORE else 1.0)
            bucket = observe(k, x, None if law == COUNT else n)
            seen |= guard.step(bucket, expected, traits).opened
        found.append(seen.mean())
    assert 0.4 <= found[0] <= 0.9
    assert found[1] < found[0] - 0.2


@pytest.mark.parametrize("up", [False, True])
def test_a_quantile_of_exponential_values_is_found_as_often(up: bool) -> None:
    n, tail, level, buckets = 100, 0.05, 100.0, 30
    one = typical(QUANTILE, n, level, phi=1.0, tail=(tail, 0.0, 0.02, 1.0))
    shift = smallest_shift(one, buckets=buckets, up=up)
    rng, guard = np.random.default_rng(4), Guard(bucket_us=MINUTE)
    guard.append(SERIES)
    traits = make_traits(SERIES, QUANTILE, tail=tail)
    expected = replace(
        make_expectation(SERIES, level=level, units=n),
        tail=TailExpectation(
            shift=np.zeros(SERIES), deviation=np.full(SERIES, 0.02), phi=np.ones(SERIES)
        ),
    )
    edges = band_edges(expected, traits)
    usual = level / -math.log((n * tail + 0.5) / (n + 0.5))
    found = np.zeros(SERIES, dtype=bool)
    for k in range(BEFORE + buckets):
        part = (1 + shift if up else 1 - shift) if k >= BEFORE else 1.0
        values = rng.exponential(usual * part, (SERIES, n))
        above = np.stack([(values > edges[:, i : i + 1]).sum(axis=1) for i in range(3)], axis=1)
        seen: Observation = observe(k, np.quantile(values, 1 - tail, axis=1) * n, n)
        seen = replace(seen, above=above.astype(float))
        found |= guard.step(seen, expected, traits).opened
    assert 0.4 <= found.mean() <= 0.9


def test_of_a_count_it_is_what_the_normal_one_says() -> None:
    one = typical(COUNT, 1000.0, 1000.0)
    normal = minimum_detectable_shift(
        relative_variance=PHI / 1000, eps=0.02, log_threshold=LOG_A, buckets=60
    )
    assert smallest_shift(one, buckets=60, up=False) == pytest.approx(normal, rel=0.05)
    assert smallest_shift(one, buckets=60, up=True) == pytest.approx(normal, rel=0.05)


@given(
    law=st.sampled_from([COUNT, SHARE, SUM, MEAN]),
    n=st.floats(1, 1e6),
    eps=st.floats(0, 0.7),
    buckets=st.integers(3, 10_000),
    up=st.booleans(),
)
def test_it_lies_outside_the_band_and_falls_with_time(
    law: str, n: float, eps: float, buckets: int, up: bool
) -> None:
    one = typical(law, n, 0.3 if law == SHARE else n, eps=eps)
    soon, later = (smallest_shift(one, buckets=b, up=up) for b in (buckets, 2 * buckets))
    if not math.isnan(soon):
        assert eps <= later <= soon
        lost = smallest_shift(one, buckets=buckets, up=up, remains=0.7)
        assert math.isnan(lost) or lost >= soon


def test_where_the_band_is_wide_a_multiple_can_be_found_and_half_cannot() -> None:
    one = typical(COUNT, 30.0, 30.0, eps=0.55)
    rise, fall = (smallest_shift(one, buckets=60, up=up) for up in (True, False))
    assert 0.55 < fall < 0.8
    assert 0.55 < rise < 1.0


@pytest.mark.parametrize(
    "changes",
    [{"level": math.nan}, {"units": 0.0}, {"eps": 0.9}, {"phi": math.nan}, {"level": -1.0}],
)
def test_what_is_not_known_is_not_found(changes: dict[str, float]) -> None:
    one = replace(typical(COUNT, 1000.0, 1000.0), **changes)  # type: ignore[arg-type]
    assert math.isnan(smallest_shift(one, buckets=60, up=False))


def test_nothing_is_found_in_two_buckets_and_a_full_share_cannot_rise() -> None:
    assert math.isnan(smallest_shift(typical(COUNT, 1e6, 1e6), buckets=2, up=False))
    assert math.isnan(smallest_shift(typical(SHARE, 1e4, 0.99), buckets=500, up=True))
    assert not math.isnan(smallest_shift(typical(SHARE, 1e4, 0.99), buckets=500, up=False))


@given(v=st.floats(1e-6, 0.1), shift=st.floats(0.05, 0.9), buckets=st.integers(5, 2000))
def test_the_needed_volume_is_that_at_which_the_shift_is_the_smallest(
    v: float, shift: float, buckets: int
) -> None:
    factor = volume_factor(
        shift=shift, relative_variance=v, eps=0.02, log_threshold=LOG_A, buckets=buckets
    )
    there = minimum_detectable_shift(
        relative_variance=v / factor, eps=0.02, log_threshold=LOG_A, buckets=buckets
    )
    assert there == pytest.approx(shift, rel=1e-6)


def test_a_rise_to_a_multiple_needs_less_volume_than_a_fall_by_half() -> None:
    fall, rise = (
        volume_factor(
            shift=shift, relative_variance=0.3, eps=0.3, log_threshold=LOG_A, buckets=60, up=up
        )
        for shift, up in ((0.5, False), (2.0, True))
    )
    assert rise < 0.1 * fall


def test_no_volume_is_enough_within_the_band_or_in_two_buckets() -> None:
    inside = volume_factor(
        shift=0.02, relative_variance=1e-3, eps=0.02, log_threshold=LOG_A, buckets=60
    )
    brief = volume_factor(
        shift=0.5, relative_variance=1e-3, eps=0.02, log_threshold=LOG_A, buckets=2
    )
    assert math.isnan(inside)
    assert math.isnan(brief)

"""The minimum detectable shift, against the guard itself."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.guard import Guard
from monitor.guard.detectable import minimum_detectable_shift
from monitor.model.time import MINUTE
from tests.contracts.flow import (
    A_90_DAYS,
    COUNT,
    SHARE,
    draw_counts,
    draw_shares,
    make_expectation,
    make_traits,
    observe,
)

LOG_A = math.log(A_90_DAYS)
SERIES, BEFORE = 200, 20


def shift(v: float, buckets: float, eps: float = 0.02, log_threshold: float = LOG_A) -> float:
    return minimum_detectable_shift(
        relative_variance=v, eps=eps, log_threshold=log_threshold, buckets=buckets
    )


@pytest.mark.parametrize("law", [COUNT, SHARE])
@pytest.mark.parametrize(("n", "buckets"), [(1000, 6), (1000, 60), (1000, 288), (10_000, 60)])
def test_a_fall_of_this_size_is_found_in_about_half_of_the_worlds(
    law: str, n: float, buckets: int
) -> None:
    level, phi = (n, 2.0) if law == COUNT else (0.2, 2.0)
    fall = shift(phi / n if law == COUNT else phi * 0.8 / (0.2 * n), buckets)
    rng, guard = np.random.default_rng(4), Guard(bucket_us=MINUTE)
    guard.append(SERIES)
    traits, expected = (
        make_traits(SERIES, law),
        make_expectation(SERIES, level=level, units=n, phi=phi),
    )
    found = np.zeros(SERIES, dtype=bool)
    for k in range(BEFORE + buckets):
        part = 1.0 - (fall if k >= BEFORE else 0.0)
        if law == COUNT:
            x = draw_counts(rng, n * part, phi, SERIES)
        else:
            x = draw_shares(rng, n, level * part, phi, SERIES)
        found |= guard.step(observe(k, x, None if law == COUNT else n), expected, traits).opened
    assert 0.4 <= found.mean() <= 0.9


@given(
    v=st.floats(1e-7, 1.0),
    eps=st.floats(0.0, 0.7),
    log_threshold=st.floats(3.0, 30.0),
    buckets=st.integers(3, 100_000),
)
def test_it_lies_outside_the_band_and_falls_with_time(
    v: float, eps: float, log_threshold: float, buckets: int
) -> None:
    soon, later = (shift(v, t, eps, log_threshold) for t in (buckets, 2 * buckets))
    if math.isnan(soon):
        return
    assert eps < later <= soon <= 1.0
    assert shift(2 * v, buckets, eps, log_threshold) >= soon or math.isnan(
        shift(2 * v, buckets, eps, log_threshold)
    )


@pytest.mark.parametrize(
    ("v", "eps", "log_threshold", "buckets"),
    [
        (1e-4, 0.02, LOG_A, 2),  # no two buckets page
        (1e-4, 0.8, LOG_A, 1000),  # the band is wider than every bet
        (50.0, 0.02, LOG_A, 60),  # even a fall to nothing is noise
        (float("nan"), 0.02, LOG_A, 60),
        (1e-4, float("nan"), LOG_A, 60),
        (1e-4, 0.02, math.inf, 60),
    ],
)
def test_it_is_undefined_where_nothing_is_found(
    v: float, eps: float, log_threshold: float, buckets: float
) -> None:
    assert math.isnan(shift(v, buckets, eps, log_threshold))

"""Sums that do not depend on order."""

import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.ingest import sums

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def total(numbers: list[float]) -> tuple[float, float]:
    parts = [np.array([part.sum()]) for part in sums.levels(np.array(numbers))]
    high, low = sums.pair(parts, 1)
    return float(high[0]), float(low[0])


@given(st.lists(NUMBERS.filter(lambda x: abs(x) <= sums.LARGEST), max_size=50), st.randoms())
def test_sums_are_exact_to_twenty_eight_digits_in_any_order(
    numbers: list[float], rng: random.Random
) -> None:
    high, low = total(numbers)
    exact = sum(map(Fraction, numbers), Fraction(0))
    scale = max(map(abs, map(Fraction, numbers)), default=Fraction(0))
    assert abs(Fraction(high) + Fraction(low) - exact) <= abs(scale) / 10**28 + Fraction(1e-300)
    shuffled = rng.sample(numbers, len(numbers))
    assert total(shuffled) == (high, low)


def test_what_a_plain_sum_loses_is_kept() -> None:
    assert total([1e16, 1.0, -1e16]) == (1.0, 0.0)
    assert total([1e16, 1.0]) == (1e16, 1.0)


@pytest.mark.parametrize("number", [1e308, -1.7e308])
def test_huge_numbers_do_not_overflow(number: float) -> None:
    high, low = total([number] * 1000)
    assert high == pytest.approx(1000 * np.copysign(sums.LARGEST, number))
    assert np.isfinite(low)


def test_no_numbers_have_no_parts() -> None:
    assert sums.levels(np.empty(0)) == []
    assert sums.pair([], 2)[0].tolist() == [0.0, 0.0]


def test_the_smallest_numbers_there_are() -> None:
    high, _ = total([2.5e-308, 2.0**-1022])
    assert high == pytest.approx(2.5e-308 + 2.0**-1022, rel=1e-12, abs=0)
    assert total([5e-324] * 3) == (0.0, 0.0)

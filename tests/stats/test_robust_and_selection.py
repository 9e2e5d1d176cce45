import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.stats.e_detector import CEILING, grow
from monitor.stats.robust import median_last, minmod_last
from monitor.stats.selection import (
    e_benjamini_hochberg,
    weighted_e_benjamini_hochberg,
)

numbers = st.one_of(st.just(float("nan")), st.floats(-1e6, 1e6))


@given(st.lists(numbers, min_size=1, max_size=9))
def test_median_ignores_what_is_missing(values: list[float]) -> None:
    known = [v for v in values if not math.isnan(v)]
    expected = np.median(known) if known else np.nan
    np.testing.assert_array_equal(median_last(np.array([values]))[0], expected)


def test_minmod_of_nothing_is_zero() -> None:
    assert minmod_last(np.array([[np.nan, np.nan]]))[0] == 0.0
    assert minmod_last(np.array([[-0.3, -0.1, np.nan]]))[0] == -0.1


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=12))
def test_e_bh_is_the_largest_set_that_satisfies_its_definition(ratio: list[float]) -> None:
    m = len(ratio)
    ordered = sorted(ratio, reverse=True)
    sizes = [k for k in range(1, m + 1) if ordered[k - 1] >= np.log(m) - np.log(k)]
    expected = [bool(sizes) and r >= ordered[sizes[-1] - 1] for r in ratio]
    named = e_benjamini_hochberg(np.array(ratio) + 7.0, np.full(m, 7.0))
    assert e_benjamini_hochberg(np.array(ratio), np.zeros(m)).tolist() == expected
    assert named.size == m


def test_e_bh_without_evidence_names_nobody() -> None:
    none = e_benjamini_hochberg(np.array([-np.inf, np.nan]), np.array([5.0, 5.0]))
    assert none.tolist() == [False, False]
    assert e_benjamini_hochberg(np.empty(0), np.empty(0)).size == 0


def test_one_bucket_adds_no_more_than_the_cap_and_r_stays_finite() -> None:
    cap = np.array([2.0])
    assert grow(np.array([0.0]), np.array([50.0]), cap)[0] == pytest.approx(np.exp(2.0))
    assert grow(np.array([CEILING]), np.array([50.0]), cap)[0] == CEILING
    assert grow(np.array([5.0]), np.array([-np.inf]), cap)[0] < 1e-20


@given(st.lists(st.tuples(st.floats(-5, 12), st.floats(0.001, 1)), min_size=1, max_size=9))
def test_weighted_e_bh_is_the_largest_set_that_satisfies_its_definition(
    drawn: list[tuple[float, float]],
) -> None:
    log_e = np.array([e for e, _ in drawn])
    share = np.array([s for _, s in drawn]) / sum(s for _, s in drawn)
    count = weighted_e_benjamini_hochberg(log_e, np.log(share), np.log(0.01))
    ordered = np.sort(log_e + np.log(share))[::-1]
    for k in range(1, len(drawn) + 1):
        meets = ordered[k - 1] >= -np.log(k * 0.01) - 1e-12
        assert not meets or k <= count, "a larger set would do"
        assert k != count or meets

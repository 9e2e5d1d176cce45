"""The most specific series that explains a shift is named first; alike is told as alike."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.diagnose import diagnose
from monitor.diagnose.deviance import deviance
from monitor.diagnose.place import Place, place_of
from tests.diagnose.scopes import COVERS, GRID, grid, make_scope

CALM = np.array([[4000.0, 3000.0], [2000.0, 1000.0]])
CERTAIN = {"log_m": np.full(9, 60.0)}


def place(cells: Any, **changes: Any) -> Place:
    return place_of(make_scope(GRID, grid(cells), grid(CALM), covers=COVERS, **changes))


@given(st.integers(0, 1), st.integers(0, 1), st.floats(0.3, 0.6))
def test_a_combination_is_named_where_it_alone_fell(row: int, column: int, fall: float) -> None:
    cells = CALM.copy()
    cells[row, column] *= 1 - fall
    found = place(cells)
    assert found.series[0] == 5 + 2 * row + column
    assert found.confidence(found.series[0]) == "high"


@given(st.integers(0, 1), st.floats(0.3, 0.6))
def test_a_segment_is_named_before_its_combinations(column: int, fall: float) -> None:
    cells = CALM.copy()
    cells[:, column] *= 1 - fall
    assert place(cells).series[0] == 3 + column


def test_where_all_fell_alike_nothing_stands_out() -> None:
    found = place(CALM * 0.6)
    assert (found.series, found.chance) == ([], None)


def test_what_is_certain_is_listed_where_all_fell_alike_but_is_no_place() -> None:
    found = place(CALM * 0.6, **CERTAIN)
    assert set(found.series) == set(range(1, 9))
    assert {found.confidence(i) for i in found.series} == {None}


def test_what_the_first_explains_is_not_listed_and_what_it_does_not_is() -> None:
    cells = CALM.copy()
    cells[:, 1] *= 0.5
    assert place(cells, **CERTAIN).series == [4], "the others hold only what it did"
    cells[1, 0] *= 0.5
    found = place(cells, **CERTAIN)
    assert len(found.series) > 1
    assert found.confidence(found.series[1]) == "high"


def test_without_combinations_what_the_first_did_to_others_is_told_by_shares() -> None:
    cells = CALM.copy()
    cells[:, 1] *= 0.5
    scope = make_scope(GRID[:5], grid(cells)[:5], grid(CALM)[:5], log_m=np.full(5, 60.0))
    found = place_of(scope)
    assert found.series[0] == 4
    assert 3 not in found.series


def test_a_fall_that_is_noise_in_each_segment_has_no_place() -> None:
    assert place_of(make_scope([0, 1, 1], [180, 90, 90], [200, 100, 100])).chance is None


def test_confidence_grows_with_the_evidence() -> None:
    found = [
        place_of(make_scope([0, 1, 1], [1000 - k, 300 - k, 700], [1000, 300, 700]))
        for k in (10, 40, 58, 120)
    ]
    words = [one.confidence(1) for one in found]
    assert words == [None, "low", "medium", "high"]


def test_a_segments_own_incident_names_a_combination_in_it_first() -> None:
    covers = np.array([[-1, -1], [0, -1], [0, -1]])
    scope = make_scope([1, 3, 3], [700, 200, 500], [1000, 500, 500], covers=covers)
    assert place_of(scope).series == [1, 0]
    assert place_of(make_scope([1], [700], [1000])).series == [0]


def test_funnel_steps_are_judged_against_those_who_came_to_the_step_before() -> None:
    """Half of the carts are lost; what follows loses as much and is not at fault."""
    x, m = [90, 50, 40, 1000, 300, 90], [180, 100, 80, 1000, 600, 180]
    found = place_of(
        make_scope(
            [0, 1, 1, 2, 2, 2],
            x,
            m,
            [1000, 555, 445, 1000, 1000, 1000],
            log_m=np.full(6, 30.0),
            groupings=((), ("country",), ("step",)),
            steps=2,
            law="beta_binomial",
        )
    )
    assert found.series[0] == 4
    assert 5 not in found.series
    assert found.confidence(4) == "high"


def test_series_of_which_nothing_is_expected_are_not_named() -> None:
    unknown = np.array([0, np.inf, 0.0])
    scope = make_scope([0, 1, 1], [500, 100, 400], [1000, 600, 400], sd_level=unknown)
    assert place_of(scope).series == []
    assert place_of(make_scope([0, 1], [500, 0], [1000, 0])).series == []


def test_deviance_is_g_squared_over_phi_and_the_error_of_the_level_is_noise() -> None:
    scope = make_scope([0], [2400], [3200], [16000], law="beta_binomial")
    g2 = 2 * (2400 * np.log(2400 / 3200) + 13600 * np.log(13600 / 12800))
    sums = scope.sums.copy()
    sums[:, 3] *= 2.0
    assert deviance(scope.sums, scope.law, np.zeros(1))[0] == pytest.approx(g2)
    assert deviance(sums, scope.law, np.zeros(1))[0] == pytest.approx(g2 / 2)
    assert deviance(scope.sums, scope.law, np.full(1, 0.1))[0] < g2 / 10


def test_figures_are_per_bucket_for_totals_and_quotients_for_rates() -> None:
    ((row, figures),) = diagnose(make_scope([0, 1, 1], [700, 0, 700], [1000, 300, 700])).segments
    assert row == 101
    assert (figures["value"], figures["expected"], figures["relative_shift"]) == (0, 30, -1)
    assert figures["share"] == pytest.approx(1)
    rates = make_scope(
        [0, 1, 1], [150, 50, 100], [200, 100, 100], [1000, 500, 500], law="beta_binomial"
    )
    ((_, figures),) = diagnose(rates).segments
    assert (figures["value"], figures["expected"], figures["n"]) == (0.1, 0.2, 500)


def test_a_share_that_is_all_but_one_is_known_no_closer_to_it_than_its_level() -> None:
    """Lines of one event that repeat ids, of another that do not: the first is the place."""
    scope = make_scope(
        [0, 1, 1],
        [500, 250, 250],
        [750 * (1 - 1e-9), 500 * (1 - 1e-9), 250 * (1 - 1e-9)],
        [750, 500, 250],
        law="beta_binomial",
        sd_level=np.full(3, 2e-5),
    )
    found = place_of(scope)
    assert found.series[0] == 1
    assert found.confidence(1) == "high"

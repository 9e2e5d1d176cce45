"""Of a rate: what its rates did, what its mix did, and when the two point apart."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.diagnose.mix import Mix, mix_of
from tests.diagnose.scopes import make_scope

E = np.array([0.1, 0.3])


def split(n: Any, usual: Any, rate: Any, *, whole: float | None = None) -> Mix:
    """Two countries of learnt rates E, with so many units, usual units and rates now."""
    n, usual = np.array(n, dtype=float), np.array(usual, dtype=float)
    x, m = n * rate, n * E
    before = float(np.sum(usual * E) / usual.sum()) if whole is None else whole
    total = n.sum()
    found = mix_of(
        make_scope(
            [0, 1, 1],
            np.append(x.sum(), x),
            np.append(total * before, m),
            np.append(total, n),
            law="beta_binomial",
            usual=np.append(usual.sum(), usual),
        )
    )
    assert found is not None
    return found


PAIR = st.tuples(st.floats(1, 1e5), st.floats(1, 1e5))
RATES = st.tuples(st.floats(0.001, 0.99), st.floats(0.001, 0.99))


@given(n=PAIR, usual=PAIR, rate=RATES, off=st.floats(0.8, 1.25))
def test_rate_and_mix_add_up_to_the_relative_shift(
    n: tuple[float, float], usual: tuple[float, float], rate: tuple[float, float], off: float
) -> None:
    """Also where the learnt level of the whole is not the sum of its parts."""
    whole = off * float(np.dot(usual, E) / np.sum(usual))
    found = split(n, usual, rate, whole=whole)
    shift = float(np.dot(n, rate) / np.sum(n)) / whole - 1
    assert found.rate_effect + found.mix_effect == pytest.approx(
        shift, abs=1e-12 * (1 + abs(shift))
    )


def test_a_change_of_mix_alone_has_no_rate_effect() -> None:
    found = split([900, 100], [500, 500], E)
    assert found.rate_effect == pytest.approx(0, abs=1e-12)
    assert found.mix_effect == pytest.approx(0.12 / 0.2 - 1)
    assert found.simpson is False
    assert found.series is not None


def test_a_change_of_rates_alone_has_no_mix_effect() -> None:
    found = split([500, 500], [500, 500], E * [0.5, 1])
    assert found.mix_effect == pytest.approx(0, abs=1e-12)
    assert found.rate_effect == pytest.approx(-0.125)
    assert (found.series, found.simpson) == (None, False)


def test_simpson_is_flagged_where_rates_rise_and_the_whole_falls() -> None:
    found = split([9000, 1000], [5000, 5000], E * 1.2)
    assert found.rate_effect > 0 > found.rate_effect + found.mix_effect
    assert found.simpson


def test_a_rate_effect_within_noise_has_no_sign() -> None:
    found = split([900, 100], [500, 500], E * 1.01)
    assert found.rate_effect > 0
    assert not found.simpson


def test_the_dimension_is_the_one_whose_mix_effect_is_largest() -> None:
    scope = make_scope(
        [0, 1, 1, 2, 2],
        [120, 90, 30, 60, 60],
        [200, 90, 30, 60, 60],
        [1000, 900, 100, 500, 500],
        law="beta_binomial",
        usual=[1000, 500, 500, 500, 500],
    )
    found = mix_of(scope)
    assert found is not None
    assert found.group == 1


def test_what_has_no_segment_is_a_part_whose_share_is_usual() -> None:
    """A fifth of the units has no country; its rate falls, and that is a rate effect."""
    sums = ([160, 40, 80], [200, 40, 80], [1000, 400, 400])
    found = mix_of(make_scope([0, 1, 1], *sums, law="beta_binomial"))
    assert found is not None
    assert found.rate_effect == pytest.approx(-0.2)
    assert found.mix_effect == pytest.approx(0, abs=1e-12)


def test_there_is_no_mix_without_a_rate_segments_or_units() -> None:
    assert mix_of(make_scope([0, 1], [50, 50], [100, 100])) is None, "a count"
    assert mix_of(make_scope([0], [50], [100], [1000], law="beta_binomial")) is None
    assert mix_of(make_scope([0, 1], [0, 0], [0, 0], [0, 0], law="beta_binomial")) is None
    unknown = make_scope([0, 1], [50, 0], [100, 0], [1000, 0], law="beta_binomial")
    assert mix_of(unknown) is None, "its segments are not learnt yet"


def test_combinations_are_asked_where_there_are_no_single_dimensions() -> None:
    sums = ([120, 90, 30], [200, 90, 30], [1000, 900, 100])
    scope = make_scope([0, 3, 3], *sums, law="beta_binomial", usual=[1000, 500, 500])
    found = mix_of(scope)
    assert found is not None
    assert found.group == 3

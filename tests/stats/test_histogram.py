import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.stats.histogram import PARTS, bins, edges

SMALLEST = 2.0**-1022
LARGEST = float(np.finfo(np.float64).max)
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False),
    st.sampled_from([0.0, -0.0, SMALLEST, -SMALLEST, LARGEST, -LARGEST, 1.0, 2.0, 0.5]),
    st.integers(0, 300).map(lambda eighth: eighth / 8),
)


@given(st.lists(NUMBERS, min_size=2))
def test_bins_keep_the_order_of_values(numbers: list[float]) -> None:
    values = np.sort(np.array(numbers))
    assert (np.diff(bins(values)) >= 0).all()


@given(st.lists(NUMBERS))
def test_a_value_lies_within_the_edges_of_its_bin(numbers: list[float]) -> None:
    values = np.array(numbers)
    lower, upper = edges(bins(values))
    assert ((lower <= values) & (values <= upper)).all()


@given(st.lists(NUMBERS))
def test_a_bin_is_no_wider_than_a_part_of_its_least_magnitude(numbers: list[float]) -> None:
    lower, upper = edges(bins(np.array(numbers)))
    nearest = np.minimum(np.abs(lower), np.abs(upper))
    assert (upper / PARTS - lower / PARTS <= nearest / PARTS / PARTS).all()


@given(st.lists(NUMBERS))
def test_negatives_mirror_positives(numbers: list[float]) -> None:
    values = np.array(numbers)
    assert (bins(-values) == -bins(values)).all()
    lower, upper = edges(bins(values))
    mirrored_lower, mirrored_upper = edges(bins(-values))
    assert (mirrored_lower == -upper).all()
    assert (mirrored_upper == -lower).all()


@given(st.integers(1, (1024 + 1022) * PARTS))
def test_neighbouring_bins_share_an_edge_and_leave_none_out(place: int) -> None:
    lower, upper = edges(np.array([place - 1, place]))
    if place > 1:  # between zero and the smallest float there is nothing
        assert upper[0] == lower[1]
    assert lower[1] < upper[1]
    assert bins(lower[1:]) == place
    assert bins(np.nextafter(upper[1:], 0)) == place or upper[1] == LARGEST


def test_zero_is_alone_with_what_is_too_small_to_be_told_from_it() -> None:
    assert bins(np.array([0.0, -0.0, SMALLEST / 2, -5e-324])).tolist() == [0, 0, 0, 0]
    assert bins(np.array([SMALLEST, -SMALLEST])).tolist() == [1, -1]


def test_no_values_have_no_bins() -> None:
    none = bins(np.empty(0))
    assert none.dtype == np.int64
    assert [edge.size for edge in edges(none)] == [0, 0]

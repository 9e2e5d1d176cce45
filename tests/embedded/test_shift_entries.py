"""Shifts of hashes of units and of histograms."""

import numpy as np
import pytest

from monitor.definitions.plan import Form
from monitor.embedded.shift_entries import (
    Table,
    coarser_entries,
    shifted,
    shifted_bins,
    shifted_units,
)
from monitor.model.frame import Entries
from monitor.stats.distinct import KEPT, SPAN_BITS, estimate
from monitor.stats.histogram import bins


def units(count: int, seed: int = 1) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).integers(0, 1 << SPAN_BITS, count))


def bag(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return keys, np.ones_like(keys)


@pytest.mark.parametrize("shift", [-0.5, -0.2, 0.3, 1.0, 2.5])
@pytest.mark.parametrize("count", [3000, 60_000])
def test_the_estimate_moves_by_the_shift_whether_or_not_all_hashes_were_kept(
    shift: float, count: int
) -> None:
    kept = units(count)[:KEPT]
    found = shifted_units(kept, shift)
    assert len(np.unique(found)) == len(found)
    smallest = np.sort(found)[:KEPT]
    number = estimate(np.array([len(smallest)]), smallest[-1:])[0]
    assert number == pytest.approx(count * (1 + shift), rel=0.06)
    assert found.min() >= 0


def test_a_fall_to_nothing_leaves_nobody() -> None:
    assert shifted_units(units(100), -1.0).size == 0


def test_a_unit_becomes_the_same_ones_wherever_it_stands() -> None:
    keys = units(500)
    for shift in (-0.4, 0.7):
        halves = [shifted_units(part, shift) for part in (keys[::2], keys[1::2])]
        assert np.array_equal(np.union1d(*halves), shifted_units(keys, shift))


def test_of_the_whole_only_the_shifted_segment_moves() -> None:
    shifts, both, others = units(1000, 1), units(200, 2), units(1000, 3)
    whole = np.unique(np.concatenate([shifts, both, others]))
    moved, rest = np.union1d(shifts, both), np.union1d(others, both)
    found, counts = coarser_entries(Form.UNIQUES, bag(whole), [bag(moved)], [bag(rest)], -0.3)
    assert set(rest) <= set(found), "whoever is elsewhere too stays"
    assert len(found) - len(rest) == pytest.approx(700, rel=0.1)
    assert (counts == 1).all()


def test_values_of_a_histogram_move_by_the_shift() -> None:
    values = np.array([0.0, -3.0, 0.5, 120.0, 1e6])
    for shift in (-0.5, 0.25):
        moved = shifted_bins(bins(values), shift)
        assert np.abs(moved - bins(values * (1 + shift))).max() <= 1


def test_histograms_of_the_whole_keep_their_events() -> None:
    slow, fast = bins(np.array([800.0, 900.0])), bins(np.array([10.0, 20.0, 900.0]))
    keys, counts = np.unique(np.concatenate([slow, fast]), return_counts=True)
    mine = slow, np.array([1, 1])
    found, number = coarser_entries(Form.QUANTILE, (keys, counts), [mine], [], 1.0)
    assert number.sum() == 5
    expected = np.sort(np.concatenate([shifted_bins(slow, 1.0), fast]))
    assert np.array_equal(np.repeat(found, number), expected)
    assert shifted(Form.QUANTILE, mine, 1.0)[1].sum() == 2


def test_a_table_keeps_the_order_of_entries_and_what_does_not_change() -> None:
    entries = Entries(
        row=np.array([0, 0, 2], np.int32),
        measure=np.zeros(3, np.int16),
        key=np.array([5, 9, 7]),
        count=np.array([1, 2, 3]),
    )
    table = Table.of(entries)
    assert table.old(1)[0].size == table.old(7)[0].size == 0
    assert [column.tolist() for column in table.old(0)] == [[5, 9], [1, 2]]
    table.put(0, (np.array([4]), np.array([6])))
    after = table.entries()
    assert (after.row.tolist(), after.key.tolist(), after.count.tolist()) == (
        [0, 2],
        [4, 7],
        [6, 3],
    )
    table.put(2, (np.empty(0, np.int64), np.empty(0, np.int64)))
    assert table.entries().row.tolist() == [0]

"""Sketches against dictionaries: merged in any order, rolled over windows, packed and unpacked."""

from collections import Counter
from collections.abc import Sequence

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from monitor.aggregate import rolling
from monitor.aggregate.pile import Pile
from monitor.aggregate.rolling import Rolling
from monitor.aggregate.sketches import (
    EMPTY,
    MEASURE_BITS,
    Sketch,
    added,
    measure_of,
    merged,
    pack,
    slots_of,
    unpack,
)
from monitor.model.tick import Bools, Ints
from monitor.stats.distinct import KEPT

Entry = tuple[int, int, int, int]
"""(row, measure, key, count)"""

entries = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.integers(0, 1),
        st.one_of(st.integers(-5, 5), st.integers(0, 2**63 - 1)),
        st.integers(1, 10**9),
    ),
    max_size=30,
)


def of_units(slots: Ints) -> Bools:
    """Measure 0 holds units, measure 1 a histogram."""
    units: Bools = measure_of(slots) == 0
    return units


def raw(items: Sequence[Entry]) -> Sketch:
    row, measure, key, count = (np.array([e[i] for e in items], dtype=np.int64) for i in range(4))
    return Sketch(slot=slots_of(row, measure), key=key, count=count)


def as_dict(sketch: Sketch) -> dict[tuple[int, int], int]:
    places = list(zip(sketch.slot.tolist(), sketch.key.tolist(), strict=True))
    assert places == sorted(set(places))
    return dict(zip(places, sketch.count.tolist(), strict=True))


def plain(items: Sequence[Entry]) -> dict[tuple[int, int], int]:
    total: Counter[tuple[int, int]] = Counter()
    for row, measure, key, count in items:
        total[row << MEASURE_BITS | measure, key] += count
    return {place: 1 if not place[0] & 1 else count for place, count in total.items()}


@given(parts=st.lists(entries, max_size=5))
def test_merging_is_union_for_units_and_addition_for_bins(parts: list[list[Entry]]) -> None:
    wanted = plain([e for part in parts for e in part])
    at_once = merged([raw(part) for part in parts], of_units)
    assert as_dict(at_once) == wanted
    by_and_by = EMPTY
    for part in reversed(parts):
        by_and_by = merged([raw(part), by_and_by], of_units)
    assert as_dict(by_and_by) == wanted
    assert as_dict(unpack(pack(at_once))) == wanted


def test_nothing_packs_to_nothing() -> None:
    assert len(unpack(pack(EMPTY))) == 0
    assert len(added([EMPTY])) == 0
    assert EMPTY.of_rows(np.array([1])) is EMPTY


def units(rng: np.random.Generator, size: int, row: int = 0) -> Sketch:
    keys = np.unique(rng.integers(0, 2**63 - 1, size))
    return Sketch(
        slot=slots_of(np.full(len(keys), row), np.zeros(len(keys), dtype=np.int64)),
        key=keys,
        count=np.ones_like(keys),
    )


def test_of_many_units_the_smallest_hashes_stay_whatever_the_order() -> None:
    """A histogram beside them loses none of its bins."""
    rng = np.random.default_rng(1)
    parts = [units(rng, 3000, row % 2) for row in range(6)]
    bins = raw([(0, 1, key, 2) for key in range(-3000, 3000)])
    whole = merged([*parts, bins], of_units)
    kept = EMPTY
    for part in parts[::-1]:
        kept = merged([kept, part], of_units)
    kept = merged([bins, kept], of_units)
    assert as_dict(kept) == as_dict(whole)
    slots = np.array([0, 1, 1 << MEASURE_BITS])
    assert whole.distinct(slots).tolist() == [KEPT, 6000, KEPT]
    everything = np.unique(np.concatenate([p.key for p in parts[::2]]))
    assert whole.of_slots(slots[:1]).key.tolist() == everything[:KEPT].tolist()
    assert whole.nth(slots[:1], KEPT - 1).tolist() == [everything[KEPT - 1]]


def test_a_pile_is_merged_on_the_way() -> None:
    rng, pile = np.random.default_rng(2), Pile(of_units)
    parts = [units(rng, 700, row) for row in (0, 1, 0, 2, 1)]
    for part in parts:
        pile.add(60, part)
        pile.add(120, EMPTY)
    assert as_dict(pile.get(60)) == as_dict(merged(parts, of_units))
    other = Pile(of_units)
    other.load(pile.dump())
    other.clear(np.array([1]))
    assert other.get(60).rows().tolist() == [0, 2]
    other.clear(np.array([0, 2]))
    assert len(other.take(60)) == 0
    assert pile.dump()[0][0] == 60
    assert len(pile.take(120)) == 0


@given(
    parts=st.lists(entries, min_size=1, max_size=12),
    width=st.integers(1, 4),
    least=st.integers(0, 9),
)
@settings(max_examples=60)
def test_a_rolling_sketch_is_the_sum_of_what_is_inside(
    parts: list[list[Entry]], width: int, least: int
) -> None:
    buckets = [merged([raw(part)], of_units) for part in parts]
    slots = slots_of(np.repeat(np.arange(6), 2), np.tile([0, 1], 6))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rolling, "_LEAST", least)
        table, inside = Rolling(2), EMPTY
        for i, bucket in enumerate(buckets):
            table.add(bucket, +1)
            if i >= width:
                table.add(buckets[i - width], -1)
            inside = added(buckets[max(0, i - width + 1) : i + 1])
            assert as_dict(table.of_slots(slots)) == as_dict(inside)
            assert table.distinct(slots).tolist() == inside.distinct(slots).tolist()
            some = slots[inside.distinct(slots) > 0]
            assert table.nth(some, 0).tolist() == inside.nth(some, 0).tolist()
        table.clear(np.array([0, 3, 99]))
        left = inside.of_rows(np.array([0, 3]), inside=False)
        assert as_dict(table.of_slots(slots)) == as_dict(left)
        assert table.distinct(slots).tolist() == left.distinct(slots).tolist()


def test_taking_away_restates() -> None:
    """A late event's bucket is taken out as it was and put back as it is."""
    table, slot = Rolling(2), np.array([1])
    old, new = raw([(0, 1, 5, 2)]), raw([(0, 1, 5, 3), (0, 1, 6, 1)])
    for sketch, sign in ((old, +1), (old, +1), (old, -1), (new, +1)):
        table.add(sketch, sign)
    assert as_dict(table.of_slots(slot)) == {(1, 5): 5, (1, 6): 1}
    assert table.distinct(slot).tolist() == [2]

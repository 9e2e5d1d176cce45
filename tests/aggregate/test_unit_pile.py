"""What waits for a bucket to close: the same whatever the order, and no unit costs more than a few others."""

import random

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from monitor.aggregate import unit_pile
from monitor.aggregate.unit_pile import FEW, UnitPile

some = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 4), st.integers(0, 30)), min_size=1, max_size=120
)


@settings(max_examples=80)
@given(drawn=some, seed=st.integers(0, 99))
def test_what_is_kept_does_not_depend_on_the_order(
    drawn: list[tuple[int, int, int]], seed: int
) -> None:
    chance, found = random.Random(seed), []
    for _ in range(2):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(unit_pile, "FEW", 5)
            patch.setattr(unit_pile, "_LEAST", chance.choice([1, 7]))
            pile = UnitPile(3)
            events = chance.sample(drawn, len(drawn))
            while events:
                cut = chance.randint(1, 9)
                pile.add(0, np.array(events[:cut]).T)
                del events[:cut]
            found.append(pile.take(0).tolist())
    assert found[0] == found[1]
    units = {(p, k): sorted({t for q, j, t in drawn if (q, j) == (p, k)}) for p, k, _ in drawn}
    wanted = [
        (place, key, time)
        for place in (0, 1)
        for key in sorted(k for p, k in units if p == place)[:3]
        for time in dict.fromkeys([*units[place, key][:4], units[place, key][-1]])
    ]
    assert list(zip(*found[0], strict=True)) == wanted


def test_a_unit_that_starts_a_million_times_costs_no_more_than_a_few() -> None:
    pile, largest = UnitPile(4096), 0
    for part in range(100):
        times = np.arange(part, 1_000_000, 100)
        events = np.stack([np.zeros_like(times), np.full_like(times, 7), times])
        pile.add(0, events)
        largest = max(largest, sum(held.shape[1] for held in pile._parts[0]))
    assert largest < 20_000
    assert pile.take(0)[2].tolist() == [*range(FEW - 1), 999_999]
    assert pile.left_out >= 1_000_000 - FEW


def test_all_later_steps_are_kept_and_a_dump_keeps_the_count() -> None:
    times = np.arange(1000)
    events = np.stack([np.zeros_like(times), np.full_like(times, 7), times])
    later, starts, again = UnitPile(), UnitPile(10), UnitPile(10)
    for pile in (later, starts):
        pile.add(0, events)
    assert later.get(0).shape == (3, 1000)
    again.load(starts.dump())
    assert (again.left_out, again.get(0).shape) == (1000 - FEW, (3, FEW))

"""Ids that were seen shortly before: against two sets, however lines are cut into calls."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from monitor.ingest.repeats import GENERATION, Repeats

IDS = st.lists(st.integers(-4, 30) | st.integers(-(2**63), 2**63 - 1), max_size=150)


def plain(idents: list[int], generation: int) -> list[bool]:
    old: set[int] = set()
    young: set[int] = set()
    found = []
    for number, ident in enumerate(idents, 1):
        found.append(ident in old | young)
        young.add(ident)
        if number % generation == 0:
            old, young = young, set()
    return found


@given(IDS, st.integers(1, 40), st.lists(st.integers(0, 150), max_size=6))
def test_repeats_are_exact_within_two_generations(
    idents: list[int], generation: int, cuts: list[int]
) -> None:
    idents = [ident or 1 for ident in idents]  # 0 and 1 are taken for one
    repeats, found = Repeats(generation), []
    for start, stop in pairwise([0, *sorted(cuts), len(idents)]):
        found += repeats.among(np.array(idents[start:stop], np.int64)).tolist()
    assert found == plain(idents, generation)


def test_an_id_is_known_for_a_generation_and_forgotten_after_two() -> None:
    fresh = np.random.default_rng(7).permutation(np.arange(1, 4 * GENERATION))
    for lines_between, known in ((GENERATION, True), (2 * GENERATION, False)):
        repeats = Repeats()
        one = np.array([-5])
        assert not repeats.among(one).any()
        assert not repeats.among(fresh[:lines_between]).any()
        assert repeats.among(one).tolist() == [known]


def test_ids_that_are_no_text_and_follow_each_other_are_found() -> None:
    """Their hashes are themselves, so that they lie close together."""
    repeats = Repeats()
    numbers = np.arange(0, 40_000) * 2**20
    assert not repeats.among(numbers).any()
    assert repeats.among(numbers[::7]).all()

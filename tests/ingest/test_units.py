"""Units are ranked by their keyed hashes, which are known from flush to flush, until there are too many."""

from hashlib import blake2b

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.ingest import units
from monitor.ingest.units import Ranked, Units, as_texts

KEY = b"key"
TEXTS = st.lists(st.sampled_from([None, "", "u1", "u2", "ü", "5"]) | st.text(max_size=3))


def ranked(of: Units, texts: list[str | None]) -> Ranked:
    return of.ranked(np.array([hash(text) for text in texts], np.int64), texts)


def keyed(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), key=KEY, digest_size=8).digest(), "big") >> 1


@given(st.lists(TEXTS, max_size=4))
def test_every_unit_has_the_rank_of_its_hash_in_every_flush(
    flushes: list[list[str | None]],
) -> None:
    some = Units(KEY)
    for texts in flushes:
        found = ranked(some, texts)
        assert found.keys.tolist() == sorted({keyed(text) for text in texts if text is not None})
        for text, rank in zip(texts, found.rank.tolist(), strict=True):
            assert rank == -1 if text is None else found.keys[rank] == keyed(text)


def test_a_unit_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    some = Units(KEY)
    hashed: list[str | None] = []
    digest = some._digest

    def noted(text: str | None) -> bytes:
        hashed.append(text)
        return digest(text)

    monkeypatch.setattr(some, "_digest", noted)
    ranked(some, ["a", "b", "a"])
    some.flushed()
    ranked(some, ["b", "c"])
    assert sorted(map(str, hashed)) == ["a", "b", "c"]


def test_too_many_units_are_forgotten_after_a_flush_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "MOST", 2)
    some = Units(KEY)
    before = ranked(some, ["a", "b", "c"])
    assert some.known == 3
    some.flushed()
    assert some.known == 0
    assert ranked(some, ["a", "b", "c"]).keys.tolist() == before.keys.tolist()


def test_numbers_that_are_equal_are_one_unit() -> None:
    assert as_texts([5, 5.0, "5", None, 0.5]) == ["5", "5", "5", None, "0.5"]

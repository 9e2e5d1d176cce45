"""Units keep their number and their hash from flush to flush, until there are too many."""

import pytest

from monitor.ingest import units
from monitor.ingest.units import Units


def number(of: Units, *found: str) -> list[int]:
    return [of.numbers.setdefault(unit, len(of.numbers)) for unit in found]


def test_a_unit_that_comes_again_is_not_fresh_and_has_the_same_hash() -> None:
    some = Units(b"key")
    assert number(some, "a", "b") == [0, 1]
    assert some.fresh == 2
    first = some.hashes().tolist()
    some.flushed()
    assert number(some, "b", "c") == [1, 2]
    assert some.fresh == 1
    assert some.hashes().tolist()[:2] == first
    assert len(set(some.hashes().tolist())) == 3


def test_too_many_units_are_forgotten_after_a_flush_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "MOST", 2)
    some = Units(b"key")
    number(some, "a", "b", "c")
    before = some.hashes().tolist()
    some.flushed()
    assert number(some, "c") == [0]
    assert some.hashes().tolist() == before[2:]

"""The bytes of dimensions have the number of what they mean, also once they were forgotten."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.ingest import dimensions
from monitor.ingest.dimensions import Dimensions
from monitor.ingest.fields import dimensions as checked

VALUES = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 2.0, "a", "2", ""])
ANY = st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES)


@given(st.lists(ANY))
def test_bytes_and_checked_values_have_one_number(objects: list[dict[str, Any]]) -> None:
    some = Dimensions(["a", "b"])
    for one in objects:
        number = some.of_bytes[json.dumps(one).encode()]
        texts = checked(one)
        assert some.of(texts) == number
        assert some.values[number] == (texts.get("a"), texts.get("b"))


def test_what_is_absent_or_null_has_no_values() -> None:
    some = Dimensions(["a"])
    assert some.of_bytes[b""] == some.of_bytes[b"null"] == some.of_bytes[b'{"b":1}'] == some.of({})


@pytest.mark.parametrize("text", [b"[]", b'"a"', b'{"z":{}}', b'{"z":[1]}', b'{"z":1e999}', b"1"])
def test_what_is_no_object_of_scalars_is_refused_each_time(text: bytes) -> None:
    some = Dimensions(["a"])
    for _ in range(2):
        with pytest.raises(msgspec.DecodeError):
            some.of_bytes[text]


def test_few_texts_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dimensions, "MOST_TEXTS", 3)
    some = Dimensions(["a"])
    for turn in range(2):
        numbers = [some.of_bytes[b'{"a":%d,"b":%d}' % (n, turn)] for n in range(5)]
        assert numbers == [0, 1, 2, 3, 4]
        assert len(some.of_bytes) <= 3
    assert some.most == 5

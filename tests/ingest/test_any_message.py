"""Whatever comes, ingest accounts for every message, and none costs its neighbours.

`make fuzz` is the long form of this.
"""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.fuzz.messages import check_messages
from tests.strategies.messages import FIELDS, MESSAGES


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    messages=st.lists(MESSAGES, min_size=1, max_size=8),
    fields=FIELDS,
    cuts=st.lists(st.integers(0, 16), max_size=2),
)
@example(messages=[b"", b"", b'{"name":" ","time":-1}'], fields=None, cuts=[])  # before 1970
def test_every_message_is_accounted_for(
    messages: Sequence[bytes], fields: Mapping[str, str] | None, cuts: Sequence[int]
) -> None:
    assert check_messages(messages, fields, cuts)["accepted"] >= len(messages)


def test_the_account_tells_what_there_was() -> None:
    told = check_messages([b"{", b"", b'{"name":"neighbour","time":1}'], None)
    assert told["neighbours"] == 4
    assert (told["read"], told["blank"], told["dead_lettered"], told["not_json"]) == (5, 1, 1, 1)

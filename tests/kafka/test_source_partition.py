"""Offsets that a group has committed, by this program or by another."""

import pytest
from aiokafka.structs import OffsetAndMetadata

from monitor.kafka.source_partition import ingest_state


def test_the_state_of_a_flush_is_read() -> None:
    text = '{"newest":5,"seen":5,"watermark":3,"candidates":[]}'
    state = ingest_state(OffsetAndMetadata(7, text))
    assert state == {"newest": 5, "seen": 5, "watermark": 3, "candidates": []}


@pytest.mark.parametrize("metadata", ["", None, "host-7f3a", "17", "null", "[1]", '{"a":1}'])
def test_what_another_program_has_committed_is_no_state(metadata: str | None) -> None:
    assert ingest_state(OffsetAndMetadata(7, metadata)) is None

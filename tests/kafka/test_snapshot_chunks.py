"""Snapshots in chunks: only whole ones count, and a broken one falls back to the one before."""

import random
from dataclasses import dataclass

import pytest

from monitor.kafka import snapshots
from monitor.kafka.snapshots import Archive, Held


@dataclass
class Got:
    key: bytes | None
    value: bytes | None
    topic: str = "snapshots"
    offset: int = 0


def archive_of(*entries: tuple[bytes | None, bytes | None]) -> Archive:
    archive = Archive()
    for key, value in entries:
        archive.take(Got(key, value))
    return archive


@pytest.fixture
def state() -> bytes:
    """Bytes that do not compress, larger than one message."""
    return random.Random(1).randbytes(2_000_000)


def test_a_large_state_travels_in_chunks_and_comes_back(state: bytes) -> None:
    entries = snapshots.entries(3, 70, state)
    assert [key for key, _ in entries] == [b"3|70|0", b"3|70|1", b"3|70|2", b"3|70|manifest"]
    assert list(archive_of(*entries).complete()) == [(70, state)]


def test_the_newest_comes_first(state: bytes) -> None:
    archive = archive_of(*snapshots.entries(0, 900, b"new"), *snapshots.entries(0, 70, b"old"))
    assert list(archive.complete()) == [(900, b"new"), (70, b"old")]


@pytest.mark.parametrize("damage", ["missing chunk", "missing manifest", "changed bytes"])
def test_a_broken_snapshot_falls_back_to_the_one_before(state: bytes, damage: str) -> None:
    broken = dict(snapshots.entries(0, 99, state))
    if damage == "missing chunk":
        del broken[b"0|99|1"]
    elif damage == "missing manifest":
        del broken[b"0|99|manifest"]
    else:
        broken[b"0|99|1"] = b"x" + broken[b"0|99|1"][1:]
    archive = archive_of(*snapshots.entries(0, 70, b"old"), *broken.items())
    assert list(archive.complete()) == [(70, b"old")]
    assert archive.unusable == 1


@pytest.mark.parametrize("key", [None, b"", b"what", b"0|x|manifest", b"\xff|1|0"])
def test_a_key_that_is_no_snapshots_is_passed_over(key: bytes | None) -> None:
    archive = archive_of((key, b"?"), *snapshots.entries(0, 70, b"state"))
    assert list(archive.complete()) == [(70, b"state")]


def test_two_are_kept_and_the_rest_is_tombstoned() -> None:
    held = Held.of(0, archive_of(*snapshots.entries(0, 10, b"a"), *snapshots.entries(0, 20, b"b")))
    gone = held.replaced_by(30, [b"0|30|0", b"0|30|manifest"])
    assert gone == [b"0|10|0", b"0|10|manifest"]
    assert held.replaced_by(30, [b"0|30|manifest"]) == [b"0|30|0"]
    assert list(held.keys) == [20, 30]


def test_tombstones_remove_what_they_name() -> None:
    entries = snapshots.entries(0, 10, b"a")
    archive = archive_of(*entries, *((key, None) for key, _ in entries))
    assert archive.parts == {}

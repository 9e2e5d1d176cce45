"""Frames in parts: joined as they were cut, resumed where one is unfinished."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from monitor.kafka.framing import Head, Joiner, Link, messages
from monitor.model.frame import Frame, decode_frame, encode_frame
from monitor.model.ledger import Ledger


@dataclass
class Got:
    offset: int
    value: bytes | None
    headers: list[tuple[str, bytes]] = field(default_factory=list)


def frame(source: int, start: int, rows: int = 0) -> Frame:
    return Frame(
        source=source,
        sources=2,
        start=start,
        stop=start + 10,
        watermark_us=77,
        activity=np.arange(rows, dtype=np.int64),
    )


def read(log: list[tuple[bytes, list[tuple[str, bytes]]]]) -> list[Got]:
    return [Got(offset=i, value=v, headers=h) for i, (v, h) in enumerate(log)]


def test_a_small_frame_is_one_message_with_all_it_says_in_its_headers() -> None:
    [got] = read(list(messages(frame(1, 40))))
    parcel = Joiner().add(got)
    assert parcel is not None
    assert parcel.head == Head(source=1, sources=2, start=40, stop=50, watermark_us=77)
    assert parcel.body == encode_frame(frame(1, 40))


def test_parts_of_two_sources_interleave_and_join() -> None:
    one, two = (list(messages(frame(source, 0, rows=50), size=100)) for source in (0, 1))
    assert len(one) == len(two) > 3
    log = read([part for pair in zip(one, two, strict=True) for part in pair])
    joiner = Joiner()
    joined = [parcel for got in log if (parcel := joiner.add(got))]
    assert [parcel.head.source for parcel in joined] == [0, 1]
    for parcel in joined:
        assert decode_frame(parcel.body).activity.tolist() == list(range(50))


def test_a_ledger_travels_in_the_parts_of_its_frame() -> None:
    column = np.arange(50)
    ledger = Ledger(
        bucket=column,
        event=column,
        aspect=column,
        detail=column,
        count=column,
        events=["order"],
        details=[""],
    )
    whole = Frame(source=0, sources=1, start=0, stop=9, ledger=ledger)
    parts = read(list(messages(whole, size=100)))
    joiner = Joiner()
    *none, parcel = [joiner.add(got) for got in parts]
    assert len(none) > 20
    assert parcel is not None
    found = decode_frame(parcel.body).ledger
    assert found is not None
    assert found.count.tolist() == column.tolist()


def test_an_unfinished_frame_holds_back_where_reading_resumes() -> None:
    log = read(list(messages(frame(0, 0, rows=50), size=100)))
    joiner = Joiner()
    assert joiner.resume(9) == 9
    for got in log[:-1]:
        assert joiner.add(got) is None
    assert joiner.resume(9) == 0
    assert joiner.add(log[-1]) is not None
    assert joiner.resume(9) == 9


def test_a_reader_that_begins_in_the_middle_drops_the_cut_frame_only() -> None:
    cut = list(messages(frame(0, 0, rows=50), size=100))[2:]
    whole = list(messages(frame(0, 10, rows=50), size=100))
    joiner = Joiner()
    joined = [parcel for got in read(cut + whole) if (parcel := joiner.add(got))]
    assert [parcel.head.start for parcel in joined] == [10]


def test_headers_of_something_else_are_refused() -> None:
    with pytest.raises(ValueError, match="'source' is missing"):
        Joiner().add(Got(offset=0, value=b""))
    with pytest.raises(ValueError, match="invalid literal"):
        Head.of([(name, b"x") for name, _ in next(messages(frame(0, 0)))[1]])


def test_an_empty_frame_at_the_position_is_no_repeat() -> None:
    head = Head(source=0, sources=1, start=10, stop=10, watermark_us=5)
    assert head.link(10) is Link.NEXT
    assert head.link(11) is Link.REPEAT

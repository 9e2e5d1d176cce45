"""Frames as bytes: what is written is read, also what older code wrote."""

import msgspec
import numpy as np

from monitor.model import codec
from monitor.model.frame import Frame, decode_frame, encode_frame
from monitor.model.ledger import Aspect, Ledger


def ledger() -> Ledger:
    return Ledger(
        bucket=np.array([60, 60], np.int64),
        event=np.array([0, 1], np.int32),
        aspect=np.array([Aspect.MALFORMED, Aspect.LINES], np.int16),
        detail=np.array([1, 0], np.int32),
        count=np.array([2, 10**12], np.int64),
        events=["", "order"],
        details=["", "not_json"],
    )


def test_a_frame_keeps_its_ledger() -> None:
    frame = Frame(source=0, sources=1, start=0, stop=9, ledger=ledger())
    found = decode_frame(encode_frame(frame)).ledger
    assert found is not None
    for field in Ledger.__struct_fields__:
        one, other = getattr(found, field), getattr(ledger(), field)
        assert np.array_equal(one, other)
        assert getattr(one, "dtype", None) == getattr(other, "dtype", None)


def test_a_frame_of_before_there_were_ledgers_has_none() -> None:
    fields = msgspec.structs.asdict(Frame(source=3, sources=4, start=1, stop=2, ledger=ledger()))
    del fields["ledger"]
    found = decode_frame(codec.encode(fields))
    assert (found.source, found.stop, found.ledger) == (3, 2, None)


def test_code_of_before_there_were_ledgers_reads_what_it_knows() -> None:
    class Older(msgspec.Struct, frozen=True, kw_only=True):
        source: int
        stop: int

    frame = Frame(source=3, sources=4, start=1, stop=2, ledger=ledger())
    found = codec.decoder(Older).decode(encode_frame(frame))
    assert (found.source, found.stop) == (3, 2)

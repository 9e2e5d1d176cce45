"""A frame: what one source partition says to one shard in one flush. The log is made of these."""

from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.model import codec
from monitor.model.ledger import Ledger
from monitor.model.release import RELEASES, Release
from monitor.model.time import NEVER


class Entries(msgspec.Struct, frozen=True, kw_only=True):
    """What measures that are no sums grew by: one entry a (row, measure, key), sorted so.

    Attributes:
        row: index of a row of the `Deltas`. int32[e]
        measure: index of the measure among the metric's. int16[e]
        key: of uniques, the keyed hash of a unit, 63 bits; of a quantile, the bin of its histogram
            (`stats.histogram`). int64[e]
        count: of uniques 1; of a quantile, events in the bin. int64[e]
    """

    row: Any
    measure: Any
    key: Any
    count: Any


class UnitEvents(msgspec.Struct, frozen=True, kw_only=True):
    """What units did that a cohort's metric looks at, sorted by (row, step, key, time), none twice.

    Attributes:
        row: index of a row of the `Deltas`: bucket and lateness of the event, and of a start its series
            (a start is there once for every series that it belongs to); later steps stand in the rows of
            the whole. int32[e]
        step: index into the cohort's `steps`; 0 is a start. A derived metric has those of all its
            inputs, one after the other. int16[e]
        key: keyed hash of the unit, 63 bits. int64[e]
        time_us: event time. int64[e]
    """

    row: Any
    step: Any
    key: Any
    time_us: Any


class Deltas(msgspec.Struct, frozen=True, kw_only=True):
    """What one metric's measures grew by, columnar: one row a (late, bucket, series), sorted so.

    Attributes:
        metric: its name.
        formula: hash of what it measures; rows under another hash than the core's are skipped.
        groups: per series, which of the metric's groupings it belongs to (0 is the whole). int16[s]
        segments: per series, the values of that grouping's dimensions as one CSV row; `all` for 0.
        late: per row, whether the bucket had ended by the source's watermark when read. bool[r]
        bucket: per row, the start of the bucket, microseconds. int64[r]
        series: per row, index into `groups` and `segments`. int32[r]
        hi: per row and measure (the metric's `measures`, in order), the sum; 0 for measures that are
            no sums. float64[r, k]
        lo: what `hi` lacks of the exact sum. float64[r, k]
        entries: of measures that are no sums; None where the metric has none.
        units: of a metric that follows cohorts, what units did; else None. In the measures that follow
            from it `hi` and `lo` are 0.
    """

    metric: str
    formula: str
    groups: Any
    segments: list[str]
    late: Any
    bucket: Any
    series: Any
    hi: Any
    lo: Any
    entries: Entries | None = None
    units: UnitEvents | None = None


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One flush of one source for one shard.

    Attributes:
        source: the source partition.
        sources: how many partitions the topic (files the replay) has.
        start: first offset covered; with `stop` the chain by source.
        stop: offset after the last one covered.
        watermark_us: no on-time delta before it is still to come; `NEVER` before the source spoke,
            `FOREVER` once it has ended.
        newest_us: newest confirmed event time (else the newest seen); `NEVER` where none.
        lost: events that retention removed before they were read.
        activity: starts of the base buckets in which any on-time event arrived, sorted, whether or
            not a metric uses it. int64[b]
        deltas: one entry a metric of the shard that has rows.
        ledger: what was seen of the measurement itself, the same for every shard of a flush; None
            where nothing was.
        releases: what was told of releases; a frame of the source `RELEASES` brings nothing else.
    """

    source: int
    sources: int
    start: int
    stop: int
    watermark_us: int = NEVER
    newest_us: int = NEVER
    lost: int = 0
    activity: Any = msgspec.field(default_factory=lambda: np.empty(0, np.int64))
    deltas: list[Deltas] = []
    ledger: Ledger | None = None
    releases: list[Release] = []


_decoder = codec.decoder(Frame)


def release_frame(releases: Iterable[Release]) -> Frame:
    """The frame that tells a shard of releases."""
    return Frame(source=RELEASES, sources=0, start=0, stop=0, releases=list(releases))


def encode_frame(frame: Frame) -> bytes:
    """The bytes of a frame."""
    return codec.encode(frame)


def decode_frame(data: bytes) -> Frame:
    """The frame of these bytes; raises `msgspec.DecodeError` where they are none."""
    return _decoder.decode(data)


Int64s = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

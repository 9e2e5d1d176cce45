"""Lines of `buckets.ndjson` from the core's effects, for those who write files and keep no store."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.core.effects import ClosedBucket, Effect, Group, RestatedBucket
from monitor.journal.records import LABELS, closed_columns, numbers, restated_columns
from monitor.model.bucket import (
    NOT_KNOWN,
    UNJUDGED,
    BucketColumns,
    BucketLine,
    Number,
    RestatedColumns,
)
from monitor.model.quality import BucketQuality
from monitor.model.tick import Floats
from monitor.model.time import DAY

_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was judged of one bucket of a panel."""

    groups: tuple[Group, ...]
    expected: Floats
    lower: Floats
    upper: Floats
    evidence: Floats
    state: NDArray[np.int8]
    quality: Mapping[str, BucketQuality]


class Judged:
    """What was judged in the last while, so that a restated line can repeat it.

    Memory: 33 bytes a series and bucket of the window.

    Args:
        restatement_window_us: how long after its end a bucket can still be restated.
    """

    def __init__(self, restatement_window_us: int) -> None:
        # Sources may differ in their watermarks, and a bucket may be as long as a day.
        self._window_us = restatement_window_us + DAY
        self._kept: OrderedDict[tuple[int, int], list[_Kept]] = OrderedDict()
        self._newest_us = 0

    def keep(self, effect: ClosedBucket) -> None:
        """Remember a bucket, and forget those that nothing can restate any more."""
        part = _Kept(
            effect.groups,
            effect.expected,
            effect.lower,
            effect.upper,
            effect.evidence,
            effect.state,
            effect.quality,
        )
        self._kept.setdefault((effect.start_us, effect.end_us), []).append(part)
        self._newest_us = max(self._newest_us, effect.end_us)
        while next(iter(self._kept))[1] < self._newest_us - self._window_us:
            self._kept.popitem(last=False)

    def body(self, effect: RestatedBucket, restated: RestatedColumns) -> BucketColumns:
        """The judged columns of the bucket that these rows restate, as far as they are known."""
        for part in self._kept.get((effect.start_us, effect.end_us), ()):
            for group in part.groups:
                if (group.metric, group.dimension) == (restated.metric, restated.dimension):
                    return _body(restated, group, part)
        return _unjudged(restated)


def bucket_rows(
    effect: Effect, *, parents_only: bool = False, memory: Judged | None = None
) -> list[BucketLine]:
    """The rows of an effect; none where it is no bucket.

    Args:
        effect: what the core decided.
        parents_only: only the wholes, dimension `all`.
        memory: what was judged of earlier buckets (and now of this one); without it the rows of a
            restatement have no expectation, band and evidence, although they replace rows that do.
    """
    if isinstance(effect, ClosedBucket):
        if memory is not None:
            memory.keep(effect)
        return [row for c in closed_columns(effect, parents_only=parents_only) for row in c.rows()]
    if isinstance(effect, RestatedBucket):
        return [
            row
            for restated in restated_columns(effect, parents_only=parents_only)
            for row in _restated_rows(effect, restated, memory)
        ]
    return []


def bucket_ndjson(
    effect: Effect, *, parents_only: bool = False, memory: Judged | None = None
) -> bytes:
    """`bucket_rows` as the bytes of a file: a JSON object and a line feed each."""
    return _encoder.encode_lines(bucket_rows(effect, parents_only=parents_only, memory=memory))


def _restated_rows(
    effect: RestatedBucket, restated: RestatedColumns, memory: Judged | None
) -> Iterator[BucketLine]:
    body = memory.body(effect, restated) if memory is not None else _unjudged(restated)
    named = set(restated.segments)
    return (row for row in restated.over(body).rows() if row.segment in named)


def _body(restated: RestatedColumns, group: Group, part: _Kept) -> BucketColumns:
    blank: list[Number] = [None] * len(group.segments)
    return BucketColumns(
        metric=restated.metric,
        dimension=restated.dimension,
        start=restated.start,
        end=restated.end,
        segments=list(group.segments),
        value=blank,
        n=blank,
        expected=numbers(part.expected[group.rows]),
        lower=numbers(part.lower[group.rows]),
        upper=numbers(part.upper[group.rows]),
        window_value=blank,
        evidence=numbers(part.evidence[group.rows]),
        evidence_ratio=blank,
        state=[LABELS[code] for code in part.state[group.rows].tolist()],
        measures=dict.fromkeys(group.measures, blank),
        data_quality=part.quality.get(group.metric, NOT_KNOWN),
    )


def _unjudged(restated: RestatedColumns) -> BucketColumns:
    blank: list[Number] = [None] * len(restated.segments)
    return BucketColumns(
        metric=restated.metric,
        dimension=restated.dimension,
        start=restated.start,
        end=restated.end,
        segments=restated.segments,
        value=blank,
        n=blank,
        expected=blank,
        lower=blank,
        upper=blank,
        window_value=blank,
        evidence=blank,
        evidence_ratio=blank,
        state=[restated.unjudged or UNJUDGED] * len(restated.segments),
        measures=dict.fromkeys(restated.measures, blank),
    )

"""One closed bucket of all the series of a metric and dimension, columnar: the `buckets` stream."""

from collections.abc import Iterator
from itertools import repeat
from typing import Any

import msgspec

Number = int | float | None
"""A whole number travels as an integer, an undefined one as null."""

UNJUDGED = "learning"
"""State of a series that first appeared in a bucket by late events: nothing was expected of it."""


class BucketLine(msgspec.Struct, frozen=True, gc=False):
    """One line of `buckets.ndjson`: a series in one bucket, its fields in the order of the file."""

    metric: str
    dimension: str
    segment: str
    start: str
    end: str
    value: Number
    n: Number
    expected: Number
    lower: Number
    upper: Number
    window_value: Number
    evidence: Number
    state: str
    revision: int
    measures: dict[str, Number]


class BucketColumns(msgspec.Struct, frozen=True, kw_only=True):
    """All series of one metric and dimension in one bucket; lists have one entry a segment.

    Attributes:
        metric: its name.
        dimension: `all`, or dimension names joined by a comma.
        start, end: RFC 3339.
        revision: of every segment, or a list by segment.
        segments: `all`, or one CSV row of values each.
        value, n, expected, lower, upper, window_value, evidence, state: as in `buckets.ndjson`.
        evidence_ratio: log M / log A: 1 fires.
        measures: the sums themselves, by name.
        learning_seconds: how long the series still learns before it is judged.
    """

    metric: str
    dimension: str
    start: str
    end: str
    revision: int | list[int] = 0
    segments: list[str]
    value: list[Number]
    n: list[Number]
    expected: list[Number]
    lower: list[Number]
    upper: list[Number]
    window_value: list[Number]
    evidence: list[Number]
    evidence_ratio: list[Number]
    state: list[str]
    measures: dict[str, list[Number]]
    learning_seconds: list[Number] = []

    def rows(self) -> list[BucketLine]:
        """One line a segment."""
        count = len(self.segments)
        revision = self.revision
        revisions = [revision] * count if isinstance(revision, int) else revision
        names = tuple(self.measures)
        measures = [
            dict(zip(names, sums, strict=True))
            for sums in zip(*self.measures.values(), strict=True)
        ] or [{} for _ in range(count)]
        return list(
            map(
                BucketLine,
                repeat(self.metric),
                repeat(self.dimension),
                self.segments,
                repeat(self.start),
                repeat(self.end),
                self.value,
                self.n,
                self.expected,
                self.lower,
                self.upper,
                self.window_value,
                self.evidence,
                self.state,
                revisions,
                measures,
            )
        )

    def lines(self, segment: str | None = None) -> Iterator[dict[str, Any]]:
        """The rows as dicts, of one segment or (None) of all; what learns says for how long."""
        rows = self.rows() if segment is None or segment in self.segments else []
        for i, row in enumerate(rows):
            if segment is None or row.segment == segment:
                line = msgspec.structs.asdict(row)
                left = self.learning_seconds[i] if self.learning_seconds else None
                yield line if left is None else {**line, "learning_seconds": left}


class RestatedColumns(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What late events changed of a closed bucket, for the segments that it names.

    Attributes: see `BucketColumns`; `revision` is by segment, from 1 on; `unjudged` is the state of
        segments that the bucket does not have yet, None for `learning`.
    """

    metric: str
    dimension: str
    start: str
    end: str
    revision: list[int]
    segments: list[str]
    value: list[Number]
    n: list[Number]
    window_value: list[Number]
    measures: dict[str, list[Number]]
    unjudged: str | None = None

    def over(self, body: BucketColumns) -> BucketColumns:
        """The bucket with these rows in place of its own; new segments are appended, unjudged."""
        place = {segment: i for i, segment in enumerate(body.segments)}
        fresh = [segment for segment in self.segments if segment not in place]
        for segment in fresh:
            place[segment] = len(place)
        rows = [place[segment] for segment in self.segments]
        blank: list[Number] = [None] * len(fresh)
        old = body.revision
        base = [old] * len(body.segments) if isinstance(old, int) else old

        def put(column: list[Number], values: list[Number]) -> list[Number]:
            merged = column + blank
            for row, value in zip(rows, values, strict=True):
                merged[row] = value
            return merged

        revision = [*base, *[0] * len(fresh)]
        for row, number in zip(rows, self.revision, strict=True):
            revision[row] = number
        return BucketColumns(
            metric=body.metric,
            dimension=body.dimension,
            start=body.start,
            end=body.end,
            revision=revision,
            segments=body.segments + fresh,
            value=put(body.value, self.value),
            n=put(body.n, self.n),
            expected=body.expected + blank,
            lower=body.lower + blank,
            upper=body.upper + blank,
            window_value=put(body.window_value, self.window_value),
            evidence=body.evidence + blank,
            evidence_ratio=body.evidence_ratio + blank,
            state=body.state + [self.unjudged or UNJUDGED] * len(fresh),
            measures={
                name: put(
                    body.measures.get(name, [None] * len(body.segments)),
                    self.measures.get(name, [None] * len(self.segments)),
                )
                for name in body.measures | self.measures
            },
            learning_seconds=body.learning_seconds and body.learning_seconds + blank,
        )

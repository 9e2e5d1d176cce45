"""What the core decides, for the journal to keep: closed buckets, restatements, incidents."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.model.incident import IncidentChanged, IncidentFaded
from monitor.model.tick import Floats, Ints, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The series of one metric in one grouping, as rows of a panel.

    Attributes:
        metric: its name.
        dimension: `all`, or dimension names joined by a comma.
        segments: the segment of each row: `all`, or one CSV row of values.
        rows: indices into the arrays of the effect. int64
        measures: names of the metric's measures, in the order of the columns of `measures`.
    """

    metric: str
    dimension: str
    segments: tuple[str, ...]
    rows: Ints
    measures: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedBucket:
    """Revision 0 of one bucket of a panel. Arrays have one entry a row of the panel; NaN is null.

    Attributes:
        start_us, end_us: the bucket.
        groups: which rows belong to which metric and dimension.
        state: `State` codes. int8
        value, n, expected, lower, upper, window_value: as in `buckets.ndjson`, rounded.
        evidence: log10 M; NaN where not judged.
        log_threshold: natural log of A by row (evidence ratio = evidence * ln 10 / log_threshold).
        measures: the sums themselves. float64[rows, k]
        learning_seconds: how long the series still learns before it is judged; NaN where it does not.
    """

    start_us: int
    end_us: int
    groups: tuple[Group, ...]
    state: NDArray[np.int8]
    value: Floats
    n: Floats
    expected: Floats
    lower: Floats
    upper: Floats
    window_value: Floats
    evidence: Floats
    log_threshold: Floats
    measures: Floats
    learning_seconds: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningBucket:
    """A cohort's bucket as it stands when it ends, before its units have had their time.

    Shown until the judged `ClosedBucket` of the same start replaces it; who writes each bucket once
    passes it over.

    Attributes:
        bucket: state `immature`, without a band; `evidence` is that of the newest judged bucket.
    """

    bucket: ClosedBucket


@dataclass(frozen=True, slots=True, kw_only=True)
class RestatedBucket:
    """Rows of a closed bucket that late events changed: everything restated of it so far.

    Replaces, of revision 0, the columns that it has; `expected`, band, evidence and state stay.
    Array entries follow `groups[...].rows`, as in `ClosedBucket`.

    Attributes:
        revision: by row, from 1 on. int64
        unjudged: state of the rows that revision 0 does not have.
    """

    start_us: int
    end_us: int
    groups: tuple[Group, ...]
    revision: Ints
    value: Floats
    n: Floats
    window_value: Floats
    measures: Floats
    unjudged: State = State.LEARNING


Effect = ClosedBucket | RunningBucket | RestatedBucket | IncidentChanged | IncidentFaded

__all__ = [
    "ClosedBucket",
    "Effect",
    "Group",
    "IncidentChanged",
    "IncidentFaded",
    "RestatedBucket",
    "RunningBucket",
]

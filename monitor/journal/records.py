"""Effects of the core, and dead letters, as records of the journal: keys and JSON.

Columns are converted for all series of an effect at once; only then are they cut by group.
"""

import base64
import math
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np

from monitor.core.effects import (
    ClosedBucket,
    Effect,
    Group,
    IncidentChanged,
    IncidentFaded,
    RestatedBucket,
    RunningBucket,
)
from monitor.model.bucket import BucketColumns, Number, RestatedColumns
from monitor.model.event import DeadLetter
from monitor.model.incident import Incident
from monitor.model.record import Record, Stream
from monitor.model.tick import Floats, State
from monitor.model.time import to_rfc3339
from monitor.stats.exact import round_significant

WHOLE = "all"
RESTATED = "restated"
LABELS = tuple(state.label for state in State)

_INTEGERS = 2.0**53
_LN10 = math.log(10)
_encoder = msgspec.json.Encoder()

_INTERNAL = ("updated_at", "labels")
"""Fields of an incident that are no part of `alerts.ndjson`."""


def records(effect: Effect) -> list[Record]:
    """What the journal keeps of an effect: one record a metric and dimension, or one incident."""
    match effect:
        case ClosedBucket():
            return [_record(c, _key(c)) for c in closed_columns(effect)]
        case RunningBucket(bucket=bucket):
            return records(bucket)
        case RestatedBucket():
            return [_record(c, f"{_key(c)}|{RESTATED}") for c in restated_columns(effect)]
        case IncidentChanged(incident=incident):
            value = _encoder.encode(incident)
            return [Record(stream=Stream.ALERTS, key=incident.alert_id, value=value)]
        case IncidentFaded(alert_id=alert_id):
            return [Record(stream=Stream.ALERTS, key=alert_id, value=None)]


def closed_columns(effect: ClosedBucket, *, parents_only: bool = False) -> Iterator[BucketColumns]:
    """The bucket by metric and dimension; only the wholes (dimension `all`) where asked."""
    cut = _Cut(effect.groups, parents_only=parents_only)
    start, end = to_rfc3339(effect.start_us), to_rfc3339(effect.end_us)
    value, n = cut.column(effect.value), cut.column(effect.n)
    expected, window = cut.column(effect.expected), cut.column(effect.window_value)
    lower, upper = cut.column(effect.lower), cut.column(effect.upper)
    evidence = cut.column(effect.evidence)
    ratio = cut.column(round_significant(effect.evidence * _LN10 / effect.log_threshold))
    state = [LABELS[code] for code in effect.state[cut.rows].tolist()]
    measures = cut.matrix(effect.measures)
    learning = cut.column(effect.learning_seconds)
    for group, part in cut.parts():
        yield BucketColumns(
            metric=group.metric,
            dimension=group.dimension,
            start=start,
            end=end,
            segments=list(group.segments),
            value=value[part],
            n=n[part],
            expected=expected[part],
            lower=lower[part],
            upper=upper[part],
            window_value=window[part],
            evidence=evidence[part],
            evidence_ratio=ratio[part],
            state=state[part],
            measures=_named(group, measures, part),
            learning_seconds=learning[part],
        )


def restated_columns(
    effect: RestatedBucket, *, parents_only: bool = False
) -> Iterator[RestatedColumns]:
    """The restated rows by metric and dimension; only the wholes where asked."""
    cut = _Cut(effect.groups, parents_only=parents_only)
    start, end = to_rfc3339(effect.start_us), to_rfc3339(effect.end_us)
    revision = effect.revision[cut.rows].tolist()
    value, n = cut.column(effect.value), cut.column(effect.n)
    window = cut.column(effect.window_value)
    measures = cut.matrix(effect.measures)
    for group, part in cut.parts():
        yield RestatedColumns(
            metric=group.metric,
            dimension=group.dimension,
            start=start,
            end=end,
            revision=revision[part],
            segments=list(group.segments),
            value=value[part],
            n=n[part],
            window_value=window[part],
            measures=_named(group, measures, part),
            unjudged=None if effect.unjudged is State.LEARNING else effect.unjudged.label,
        )


def alert_line(incident: Incident) -> dict[str, Any]:
    """A line of `alerts.ndjson`: the incident in the order of its fields, and its runbook."""
    line: dict[str, Any] = msgspec.to_builtins(incident)
    for name in _INTERNAL:
        del line[name]
    return line


def dead_letter_line(letter: DeadLetter) -> dict[str, Any]:
    """A line of `dead_letters.ndjson`; bytes that are no UTF-8 stand in `payload_base64`."""
    line: dict[str, Any] = {
        "source": letter.source,
        "position": letter.position,
        "reason": letter.reason.value,
        "detail": letter.detail,
    }
    try:
        line["payload"] = letter.payload.decode()
    except UnicodeDecodeError:
        line["payload_base64"] = base64.b64encode(letter.payload).decode("ascii")
    return line


def dead_letter_record(letter: DeadLetter) -> Record:
    """The record of a dead letter, under its source and position: its line, and when it was read."""
    line = dead_letter_line(letter)
    if letter.read_us is not None:
        line["read_at"] = to_rfc3339(letter.read_us)
    return Record(
        stream=Stream.DEAD_LETTERS,
        key=f"{letter.source}|{letter.position}",
        value=_encoder.encode(line),
    )


def numbers(values: Floats) -> list[Number]:
    """A list of the values for JSON: whole ones below 2^53 as integers, NaN and infinity as None.

    >>> numbers(np.array([3.0, 0.25, float("nan")]))
    [3, 0.25, None]
    """
    whole = (values == np.rint(values)) & (np.abs(values) < _INTEGERS)
    if whole.all():
        integers: list[Number] = values.astype(np.int64).tolist()
        return integers
    made: list[Number] = values.tolist()
    for i in np.flatnonzero(whole).tolist():
        made[i] = int(values[i])
    for i in np.flatnonzero(~np.isfinite(values)).tolist():
        made[i] = None
    return made


class _Cut:
    """The rows of some groups, taken out of the panel's arrays so that each group is one slice."""

    def __init__(self, groups: tuple[Group, ...], *, parents_only: bool) -> None:
        self.groups = [g for g in groups if not parents_only or g.dimension == WHOLE]
        chosen = [g.rows for g in self.groups]
        self.rows = np.concatenate(chosen) if chosen else np.empty(0, np.int64)

    def column(self, values: Floats) -> list[Number]:
        """One list over the rows of all groups."""
        return numbers(values[self.rows])

    def matrix(self, values: Floats) -> list[list[Number]]:
        """One list a column."""
        return [self.column(values[:, i]) for i in range(values.shape[1])]

    def parts(self) -> Iterator[tuple[Group, slice]]:
        """Each group with its slice of the lists."""
        first = 0
        for group in self.groups:
            last = first + len(group.rows)
            yield group, slice(first, last)
            first = last


def _named(group: Group, measures: list[list[Number]], part: slice) -> dict[str, list[Number]]:
    return {name: measures[i][part] for i, name in enumerate(group.measures)}


def _key(columns: BucketColumns | RestatedColumns) -> str:
    return f"{columns.metric}|{columns.dimension}|{columns.start}"


def _record(columns: BucketColumns | RestatedColumns, key: str) -> Record:
    return Record(stream=Stream.BUCKETS, key=key, value=_encoder.encode(columns))

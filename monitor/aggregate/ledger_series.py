"""From a frame's ledger to the deltas of the metrics of the measurement."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from monitor.definitions.plan import MetricPlan
from monitor.definitions.quality import (
    APP_VERSION,
    COMPLETE,
    DELAY,
    EVENT,
    FIELD,
    LATENESS,
    ON_TIME,
    REASON,
    SOURCE,
    UNIQUE,
    VOLUME,
    WELLFORMED,
)
from monitor.model.event import Reject
from monitor.model.frame import Deltas, Entries, Frame
from monitor.model.ledger import Aspect, Ledger
from monitor.model.segment import format_segment
from monitor.model.tick import Floats, Ints

_Series = tuple[int, str]
"""(index of a grouping, segment)."""
_Parts = Iterator[tuple[tuple[str, ...], tuple[str, ...], tuple[float, float]]]
"""(dimensions, their values, what a line adds to the measures)."""
_MOST_TARGETS = 20_000
_WHOLE = "all"
_UNNAMED = "unknown"
_GOOD = (1.0, 1.0)
_BAD = (0.0, 1.0)
_NOT_GOOD = (-1.0, 0.0)
"""Of a line that was counted as good by another aspect."""


class LedgerSeries:
    """Makes the deltas; what a (event, aspect, detail) belongs to is worked out once.

    Args:
        metrics: those of the measurement.
        fields: by event name, the fields that its lines need.
    """

    def __init__(self, metrics: Sequence[MetricPlan], fields: Mapping[str, Sequence[str]]) -> None:
        self._metrics = tuple(metrics)
        self._fields = fields
        self._places = [{names: g for g, names in enumerate(m.groupings)} for m in metrics]
        self._targets: dict[tuple[str, int, str, int], list[list[tuple[_Series, Floats]]]] = {}

    def deltas(self, frame: Frame) -> list[Deltas]:
        """What a frame adds to the metrics; nothing where it has no ledger."""
        ledger = frame.ledger
        if ledger is None or not len(ledger.bucket):
            return []
        width = self._metrics[0].calendar.width_us
        code = (ledger.event.astype(np.int64) * 64 + ledger.aspect) * len(ledger.details)
        distinct, which = np.unique(code + ledger.detail, return_inverse=True)
        starts, at = np.unique(ledger.bucket // width * width, return_inverse=True)
        counts = np.zeros((len(distinct), len(starts)))
        np.add.at(counts, (which, at), ledger.count)
        keys = [_key(ledger, one) for one in distinct.tolist()]
        targets = [self._of(*key, frame.source) for key in keys]
        found = []
        for index, metric in enumerate(self._metrics):
            links = [(k, *one) for k, target in enumerate(targets) for one in target[index]]
            if links:
                found.append(_grown(metric, links, counts, starts, keys))
        return [one for one in found if one is not None]

    def _of(
        self, event: str, aspect: int, detail: str, source: int
    ) -> list[list[tuple[_Series, Floats]]]:
        """By metric, the series that a key counts in, with what one of it adds to each measure."""
        key = (event, aspect, detail, source)
        known = self._targets.get(key)
        if known is None:
            if len(self._targets) >= _MOST_TARGETS:
                self._targets.clear()
            known = self._targets[key] = [
                [
                    (
                        (places[names], format_segment(values) if names else _WHOLE),
                        np.array(weights),
                    )
                    for names, values, weights in self._parts(metric.name, *key)
                    if names in places
                ]
                for metric, places in zip(self._metrics, self._places, strict=True)
            ]
        return known

    def _parts(self, metric: str, event: str, aspect: int, detail: str, source: int) -> _Parts:
        name = event or _UNNAMED
        if metric == VOLUME:
            yield from _volume(name, aspect, detail, source)
        elif metric == COMPLETE:
            yield from self._complete(event, aspect, detail)
        elif metric == WELLFORMED:
            yield from _wellformed(name, aspect, detail)
        elif metric == ON_TIME:
            yield from _on_time(name, aspect)
        elif metric == UNIQUE and aspect in (Aspect.IDENTIFIED, Aspect.REPEATED):
            yield from _by_event(name, _GOOD if aspect == Aspect.IDENTIFIED else _NOT_GOOD)
        elif metric in DELAY.values() and aspect == Aspect.DELAY:
            yield from _by_event(name, _BAD)

    def _complete(self, event: str, aspect: int, detail: str) -> _Parts:
        if aspect == Aspect.LINES:
            yield from _by_event(event, _GOOD)
            for field in self._fields.get(event, ()):
                yield (EVENT, FIELD), (event, field), _GOOD
        elif aspect == Aspect.INCOMPLETE:
            yield from _by_event(event, _NOT_GOOD)
        elif aspect == Aspect.MISSING:
            yield (EVENT, FIELD), (event, detail), _NOT_GOOD


def _by_event(event: str, weights: tuple[float, float]) -> _Parts:
    yield (), (), weights
    yield (EVENT,), (event,), weights


def _volume(event: str, aspect: int, detail: str, source: int) -> _Parts:
    if aspect == Aspect.EVENTS:
        yield from _by_event(event, _GOOD)
        yield (EVENT, SOURCE), (event, str(source)), _GOOD
    elif aspect == Aspect.VERSION:
        yield (EVENT, APP_VERSION), (event, detail), _GOOD


def _wellformed(event: str, aspect: int, detail: str) -> _Parts:
    if aspect in (Aspect.LINES, Aspect.LATE):
        yield from _by_event(event, _GOOD)
        for reason in Reject:
            yield (REASON,), (reason.value,), _GOOD
    elif aspect == Aspect.MALFORMED:
        yield from _by_event(event, _BAD)
        yield (REASON,), (detail,), _BAD


def _on_time(event: str, aspect: int) -> _Parts:
    if aspect == Aspect.LINES:
        yield from _by_event(event, _GOOD)
        yield (LATENESS,), ("late",), _GOOD
        yield (LATENESS,), ("too_late",), _GOOD
    elif aspect == Aspect.LATE:
        yield from _by_event(event, _BAD)
        yield (LATENESS,), ("late",), _BAD
        yield (LATENESS,), ("too_late",), _GOOD
    elif aspect == Aspect.TOO_LATE:
        yield (LATENESS,), ("too_late",), _NOT_GOOD


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Pairs of a bucket and a series that hold anything, sorted so."""

    bucket: Ints
    series: Ints
    number: Ints
    """Of each (bucket, series), which row it is."""


def _grown(
    metric: MetricPlan,
    links: Sequence[tuple[int, _Series, Floats]],
    counts: Floats,
    starts: Ints,
    keys: Sequence[tuple[str, int, str]],
) -> Deltas | None:
    """The deltas of one metric.

    Args:
        metric: which.
        links: (index of a key, series, what one of it adds to each measure).
        counts: of every key in every bucket. float64[keys, buckets]
        starts: of the buckets.
        keys: (event, aspect, detail).
    """
    names = sorted({series for _, series, _ in links})
    place = {series: i for i, series in enumerate(names)}
    of = np.array([place[series] for _, series, _ in links])
    key = np.array([k for k, _, _ in links])
    measures = len(metric.measures)
    weights = np.stack([weights[:measures] for _, _, weights in links])
    sums = np.zeros((len(names), len(starts), measures))
    np.add.at(sums, of, counts[key][:, :, None] * weights[:, None, :])
    held = np.zeros((len(names), len(starts)))
    np.add.at(held, of, counts[key])
    bucket, series = np.nonzero(held.T)
    if not len(bucket):
        return None
    number = np.full(held.T.shape, -1)
    number[bucket, series] = np.arange(len(bucket))
    high = sums[series, bucket]
    rows = _Rows(bucket=bucket, series=series, number=number)
    return Deltas(
        metric=metric.name,
        formula=metric.formula,
        groups=np.array([group for group, _ in names], np.int16),
        segments=[segment for _, segment in names],
        late=np.zeros(len(bucket), dtype=np.bool_),
        bucket=starts[bucket],
        series=series.astype(np.int32),
        hi=high,
        lo=np.zeros_like(high),
        entries=_entries(rows, of, key, counts, keys) if metric.name in DELAY.values() else None,
    )


def _entries(
    rows: _Rows, of: Ints, key: Ints, counts: Floats, keys: Sequence[tuple[str, int, str]]
) -> Entries:
    """The histograms of delays: the detail of a key is its bin."""
    link, bucket = np.nonzero(counts[key])
    row = rows.number[bucket, of[link]]
    bins = np.array([int(keys[k][2]) for k in key.tolist()])[link]
    order = np.lexsort((bins, row))
    places = np.stack([row[order], bins[order]])
    first = np.flatnonzero(np.diff(places, prepend=-1).any(axis=0)) if order.size else order
    total = np.add.reduceat(counts[key[link], bucket][order], first)
    return Entries(
        row=places[0][first].astype(np.int32),
        measure=np.zeros(len(first), np.int16),
        key=places[1][first],
        count=total.astype(np.int64),
    )


def _key(ledger: Ledger, code: int) -> tuple[str, int, str]:
    rest, detail = divmod(code, len(ledger.details))
    event, aspect = divmod(rest, 64)
    return ledger.events[event], aspect, ledger.details[detail]

"""What a lane knows of its measurement: of every bucket, and of the time of an incident."""

from collections.abc import Mapping, Sequence, Set
from typing import Final

import numpy as np

from monitor.aggregate.ledger_past import ACTIVE, LedgerPast
from monitor.aggregate.line_shares import (
    INCOMPLETE,
    LATE,
    LOST_SHARE,
    MALFORMED,
    REPEATED,
    LineShares,
    Shares,
    Subject,
)
from monitor.alert.silence import Others
from monitor.definitions.needs import line_fields
from monitor.definitions.plan import MetricPlan
from monitor.model.ledger import Aspect
from monitor.model.quality import BucketQuality, Seen, Share
from monitor.model.time import HOUR, MINUTE

_DIGITS: Final = 4
_AS_USUAL: Final = 0.5
_MOST_KINDS: Final = 256
"""Of spotless buckets: by which metrics have lines, and lines with an id."""
_LATELY_US: Final = 15 * MINUTE
WHOLE: Final = ""
"""Of a metric's lines, those of all its event names together."""
_UNKNOWN: Final = BucketQuality()
Qualities = Mapping[str, BucketQuality]


class Measurement:
    """Reads the past of the ledgers for the metrics of a lane.

    Args:
        past: what was counted.
        metrics: of the lane.
    """

    def __init__(self, past: LedgerPast, metrics: Sequence[MetricPlan]) -> None:
        self.past = past
        self._metrics = tuple(metrics)
        self._buckets = LineShares(past, [Subject(fields=line_fields(m)) for m in metrics])
        self._spotless: dict[bytes, Qualities] = {}
        self._of_metric: dict[str, tuple[list[tuple[str, str]], LineShares]] = {}

    def of_bucket(self, start_us: int, end_us: int) -> Qualities:
        """`data_quality` of a bucket, by metric."""
        key = self._buckets.spotless(start_us, end_us)
        if key is None:
            return self._shares_of(start_us, end_us)
        if key not in self._spotless:
            if len(self._spotless) >= _MOST_KINDS:
                self._spotless.clear()
            self._spotless[key] = self._shares_of(start_us, end_us)
        return self._spotless[key]

    def _shares_of(self, start_us: int, end_us: int) -> Qualities:
        found = self._buckets.over(start_us, end_us)
        if found is None:
            return {metric.name: _UNKNOWN for metric in self._metrics}
        columns = [REPEATED, LATE, INCOMPLETE, MALFORMED]
        suspect: list[bool] = np.any(found.beyond, axis=1).tolist()
        shares = np.round(found.value[:, columns], _DIGITS)
        known: list[list[bool]] = np.isfinite(shares).tolist()
        return {
            metric.name: BucketQuality(
                suspect[row],
                *(v if k else None for v, k in zip(shares[row].tolist(), known[row], strict=True)),
            )
            for row, metric in enumerate(self._metrics)
        }

    def seen(self, metric: MetricPlan, since_us: int, until_us: int) -> Mapping[str, Seen]:
        """What was seen of a metric's lines over some time, by event name and of all (`WHOLE`)."""
        places, reader = self._reader(metric)
        shares = reader.over(since_us, until_us)
        if shares is None:
            return {}
        missing: dict[str, dict[str, Share]] = {}
        seen: dict[str, Seen] = {}
        for row, (event, field) in enumerate(places):
            if field:
                missing.setdefault(event, {})[field] = _share(shares, row, INCOMPLETE)
        for row, (event, field) in enumerate(places):
            if not field:
                seen[event] = Seen(
                    repeated=_share(shares, row, REPEATED),
                    malformed=_share(shares, row, MALFORMED),
                    lost=_share(shares, row, LOST_SHARE),
                    late=_share(shares, row, LATE),
                    missing=missing.get(event, {}),
                    incomplete=_share(shares, row, INCOMPLETE),
                )
        return seen

    def events(self) -> set[str]:
        """Every event name that was ever counted."""
        return {event for event, _, _ in self.past.keys(Aspect.EVENTS)}

    def going_on(
        self, own: Set[str], since_us: int, until_us: int, *, version: str | None = None
    ) -> Others:
        """What goes on beside event names that may have stopped.

        As usual is at least half of what came in the hour before, by time.

        Args:
            own: the names that may have stopped.
            since_us: since when.
            until_us: until when.
            version: only events of this app version, where the ledgers tell versions apart.
        """
        versions = [key for key in self.past.keys(Aspect.VERSION) if key[0] not in own]
        known = [key for key in self.past.keys(Aspect.EVENTS) if key[0] not in own]
        same_place = version is not None and bool(versions)
        keys = [key for key in versions if key[2] == version] if same_place else known
        now = self.past.between(since_us, until_us)
        before = self.past.between(since_us - HOUR, since_us)
        if now is None or before is None:
            return Others()
        part = _AS_USUAL * (until_us - since_us) / HOUR
        found = []
        for event, aspect, detail in keys:
            place = self.past.column(event, aspect, detail)
            if place is not None and now[place] > 0 and now[place] >= part * before[place]:
                found.append((-int(now[place]), event))
        active = self.past.column("", ACTIVE)
        last = self.past.between(max(since_us, until_us - _LATELY_US), until_us)
        return Others(
            names=tuple(event for _, event in sorted(found)),
            known=bool(known),
            same_place=same_place,
            heard=None if active is None or last is None else bool(last[active]),
        )

    def quiet_since(
        self, own: Set[str], since_us: int, until_us: int, *, version: str | None = None
    ) -> int | None:
        """From when on nothing of these event names came, up to now; None where it is not known.

        Args:
            own: the names.
            since_us: no earlier time is given.
            until_us: now.
            version: only events of this app version.
        """
        aspect = Aspect.EVENTS if version is None else Aspect.VERSION
        names = [key for key in self.past.keys(aspect) if key[0] in own]
        columns = [
            place
            for event, _, detail in names
            if (place := self.past.column(event, aspect, detail)) is not None
            and (version is None or detail == version)
        ]

        def came(from_us: int) -> bool:
            counts = self.past.between(from_us, until_us)
            return counts is None or bool(counts[columns].any())

        base_us = self.past.base_us
        first, last = -(-since_us // base_us), until_us // base_us - 1
        if not columns or last < first or came(last * base_us):
            return None
        while first < last:
            middle = (first + last) // 2
            first, last = (middle + 1, last) if came(middle * base_us) else (first, middle)
        return last * base_us

    def _reader(self, metric: MetricPlan) -> tuple[list[tuple[str, str]], LineShares]:
        known = self._of_metric.get(metric.name)
        if known is None:
            fields = line_fields(metric)
            subjects = [((WHOLE, ""), Subject(fields=fields))]
            for event, names in fields.items():
                subjects.append(((event, ""), Subject(fields={event: names})))
                subjects += [((event, n), Subject(fields={event: (n,)})) for n in names]
            reader = LineShares(self.past, [subject for _, subject in subjects])
            known = self._of_metric[metric.name] = [place for place, _ in subjects], reader
        return known


def _share(shares: Shares, row: int, column: int) -> Share:
    return Share(
        value=float(shares.value[row, column]),
        usual=float(shares.usual[row, column]),
        beyond=bool(shares.beyond[row, column]),
    )

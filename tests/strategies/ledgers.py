"""Ledgers, and frames that carry them, by hand."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from monitor.model.frame import Frame
from monitor.model.ledger import Aspect, Ledger
from monitor.model.time import NEVER

Row = tuple[int, str, Aspect, str, int]
"""(bucket, event, aspect, detail, count)."""


def ledger_of(rows: Iterable[Row]) -> Ledger:
    """A ledger; rows of the same name are counted together."""
    total: Counter[tuple[int, str, int, str]] = Counter()
    for bucket, event, aspect, detail, count in rows:
        total[bucket, event, int(aspect), detail] += count
    ordered = sorted((key, count) for key, count in total.items() if count)
    events = sorted({key[1] for key, _ in ordered})
    details = sorted({"", *(key[3] for key, _ in ordered)})
    return Ledger(
        bucket=np.array([key[0] for key, _ in ordered], np.int64),
        event=np.array([events.index(key[1]) for key, _ in ordered], np.int32),
        aspect=np.array([key[2] for key, _ in ordered], np.int16),
        detail=np.array([details.index(key[3]) for key, _ in ordered], np.int32),
        count=np.array([count for _, count in ordered], np.int64),
        events=events,
        details=details,
    )


def frame_of(
    rows: Iterable[Row], *, start: int = 0, stop: int = 0, lost: int = 0, newest_us: int = NEVER
) -> Frame:
    """A frame with a ledger and nothing else."""
    return Frame(
        source=0,
        sources=1,
        start=start,
        stop=stop,
        lost=lost,
        newest_us=newest_us,
        ledger=ledger_of(rows),
    )


def lines(bucket: int, event: str, count: int, **aspects: int) -> list[Row]:
    """Lines of an event name in a bucket, and how many of them were what: `repeated=3`."""
    rows: list[Row] = [
        (bucket, event, Aspect.LINES, "", count),
        (bucket, event, Aspect.IDENTIFIED, "", count),
        (bucket, event, Aspect.EVENTS, "", count),
    ]
    for name, number in aspects.items():
        aspect, _, detail = name.partition("_")
        kind = Aspect[aspect.upper()]
        rows.append((bucket, event, kind, detail, number))
        if kind is Aspect.MISSING:
            rows.append((bucket, event, Aspect.INCOMPLETE, "", number))
    return rows

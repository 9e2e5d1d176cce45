"""The past out of a SQLite state file, beside the service that writes it."""

from pathlib import Path
from typing import Any

from monitor.journal.records import alert_line
from monitor.journal.search import first_after
from monitor.journal.store import Store
from monitor.model.bucket import BucketColumns, BucketLine
from monitor.model.past import Past
from monitor.model.time import SECOND, from_rfc3339


class StateHistory:
    """A state file.

    Args:
        path: an existing SQLite file.

    Raises:
        StateError: it is none of the monitor's.
    """

    def __init__(self, path: Path) -> None:
        self._store = Store(path)

    def close(self) -> None:
        """Release the file."""
        self._store.close()

    def alerts(self) -> list[dict[str, Any]]:
        """The newest state of every incident, newest change first."""
        return [alert_line(incident) for incident in self._store.alerts()]

    def series(
        self, metric: str, dimension: str, segment: str, *, since_us: int, until_us: int | None
    ) -> Past:
        """The buckets of a series that start in [since, until)."""

        def read(since_us: int, until_us: int | None) -> list[BucketLine]:
            found = self._store.columns(metric, dimension, since_us=since_us, until_us=until_us)
            return [row for c in found for row in c.rows() if row.segment == segment]

        newest = self._newest(metric, dimension)
        has = newest is not None and segment in newest.segments
        last_us = from_rfc3339(newest.end) if newest is not None and has else None
        rows = tuple(read(since_us, until_us))
        if rows:
            first_us: int | None = from_rfc3339(rows[0].start)
            last_us = last_us or from_rfc3339(rows[-1].end)
        else:
            first_us = first_after(read, since_us, last_us)
        return Past(
            rows=rows,
            first_us=first_us,
            last_us=last_us,
            judged_from_us=_learnt(newest, segment) if newest is not None else None,
        )

    def segments(self, metric: str, dimension: str) -> list[str]:
        """The segments that the newest bucket has."""
        newest = self._newest(metric, dimension)
        return sorted(newest.segments) if newest is not None else []

    def _newest(self, metric: str, dimension: str) -> BucketColumns | None:
        return next(iter(self._store.recent(metric, dimension, count=1)), None)


def _learnt(newest: BucketColumns, segment: str) -> int | None:
    """When the series will be judged, where it still learns."""
    if segment not in newest.segments or not newest.learning_seconds:
        return None
    left = newest.learning_seconds[newest.segments.index(segment)]
    return None if left is None else from_rfc3339(newest.end) + round(left * SECOND)

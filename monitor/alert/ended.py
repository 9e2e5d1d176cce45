"""Incidents that have just resolved: what fires again soon is the same incident."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from monitor.model.tick import Reason
from monitor.model.time import HOUR

JOIN_US = HOUR
JOIN_BUCKETS = 4
"""What fires again within this time, or so many buckets if that is longer, is the same incident."""
OVER = (Reason.RECOVERED, Reason.DATA_RETURNED)
"""Ends after which the shift may come back; after the others the series is judged against something else."""


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """An incident as it resolved.

    Attributes:
        alert_id, labels: its own; the direction is among the labels, which never change.
        started_us: when it began first.
        ended_us: when it resolved last.
        times: how often it has fired.
    """

    alert_id: str
    labels: dict[str, str]
    started_us: int
    ended_us: int
    times: int = 1


class Ended:
    """The last incident of every row that has just resolved."""

    def __init__(self) -> None:
        self._rows: dict[int, Earlier] = {}

    def remember(self, row: int, earlier: Earlier) -> None:
        """Note that a row's incident has resolved."""
        self._rows[row] = earlier

    def take(self, row: int, labels: Mapping[str, str]) -> Earlier | None:
        """The incident that goes on where the row fires under these labels; None where it is a new one."""
        earlier = self._rows.pop(row, None)
        return earlier if earlier is not None and earlier.labels == labels else None

    def expire(self, now_us: int, width_us: int) -> None:
        """Forget what resolved too long ago to go on."""
        longest = max(JOIN_US, JOIN_BUCKETS * width_us)
        if self._rows:
            self._rows = {r: e for r, e in self._rows.items() if now_us - e.ended_us <= longest}

    def forget(self, rows: Iterable[int]) -> None:
        """Forget rows whose series is no more."""
        for row in rows:
            self._rows.pop(row, None)

    def dump(self) -> list[list[Any]]:
        """The incidents as plain values."""
        return [[row, msgspec.to_builtins(one)] for row, one in sorted(self._rows.items())]

    def load(self, state: list[list[Any]]) -> None:
        """Take over what `dump` gave."""
        self._rows = {row: msgspec.convert(one, Earlier) for row, one in state}

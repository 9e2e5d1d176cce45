"""The buckets of one flush: where in time its cells lie, and for which calendars they are late."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from monitor.definitions.calendar import bucket_end, bucket_starts
from monitor.definitions.plan import Calendar

Ints = NDArray[np.int64]

_LATE_ROW = 1 << 61
"""Sorts the rows of late events behind all on-time ones; beyond every time of a calendar."""


class Lateness(IntEnum):
    """How an event stands to a bucket that holds it."""

    ON_TIME = 0
    LATE = 1
    TOO_LATE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """The rows of one calendar, sorted by (late, bucket).

    Attributes:
        late: by row. bool
        bucket: by row, the start of the bucket, microseconds. int64
        row: by slot, its row; -1 where the slot is too late for this calendar. int64
    """

    late: NDArray[np.bool_]
    bucket: Ints
    row: Ints


class Slots:
    """Numbers the base buckets in which events fall, apart by how late they are.

    Attributes:
        starts: by slot, the start of the base bucket, microseconds.
        homes: by slot, the base bucket in which the ledger has its lines; `NEVER` where in none.
        standings: by slot, the `Lateness` by calendar; None where nothing had ended, not even the
            base bucket.
    """

    def __init__(self, calendars: Sequence[Calendar], *, restatement_window_us: int) -> None:
        self.starts: list[int] = []
        self.homes: list[int] = []
        self.standings: list[tuple[Lateness, ...] | None] = []
        self._calendars = calendars
        self._window_us = restatement_window_us
        self._slots: dict[tuple[int, int, tuple[Lateness, ...] | None], int] = {}
        self._ends: dict[int, tuple[int, ...]] = {}

    def on_time(self, bucket_us: int) -> int:
        """The slot of a base bucket that has not ended."""
        return self._slot(bucket_us, bucket_us, None)

    def late(self, bucket_us: int, watermark_us: int, home_us: int) -> int:
        """The slot of a base bucket that had ended when its event was read.

        Args:
            bucket_us: its start.
            watermark_us: by which it had ended.
            home_us: where the ledger has the event.
        """
        ends = self._ends.get(bucket_us)
        if ends is None:
            ends = tuple(bucket_end(calendar, bucket_us) for calendar in self._calendars)
            self._ends[bucket_us] = ends
        forgotten_us = watermark_us - self._window_us
        standing = (Lateness((end <= watermark_us) + (end <= forgotten_us)) for end in ends)
        return self._slot(bucket_us, home_us, tuple(standing))

    def activity(self) -> Ints:
        """Starts of the base buckets with events that were on time, sorted."""
        starts = [
            start
            for start, standing in zip(self.starts, self.standings, strict=True)
            if standing is None
        ]
        return np.array(sorted(starts), np.int64)

    def rows(self, number: int) -> Rows:
        """The rows (late, bucket) that the slots make in one calendar, by its index."""
        keys = bucket_starts(self._calendars[number], np.array(self.starts, np.int64))
        stands = np.array(
            [Lateness.ON_TIME if stand is None else stand[number] for stand in self.standings],
            np.int64,
        )
        keys = keys + _LATE_ROW * (stands == Lateness.LATE)
        used = stands != Lateness.TOO_LATE
        unique, inverse = np.unique(keys[used], return_inverse=True)
        row = np.full(keys.size, -1, np.int64)
        row[used] = inverse
        late = unique >= _LATE_ROW // 2
        return Rows(late=late, bucket=unique - _LATE_ROW * late, row=row)

    def clear(self) -> None:
        """Forget the flush."""
        self.starts.clear()
        self.homes.clear()
        self.standings.clear()
        self._slots.clear()
        self._ends.clear()

    def _slot(self, bucket_us: int, home_us: int, standing: tuple[Lateness, ...] | None) -> int:
        slot = self._slots.get((bucket_us, home_us, standing))
        if slot is None:
            slot = self._slots[bucket_us, home_us, standing] = len(self.starts)
            self.starts.append(bucket_us)
            self.homes.append(home_us)
            self.standings.append(standing)
        return slot

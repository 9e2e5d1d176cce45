"""Slots: the hours (or longer buckets) of a series' week, in its local time.

A slot is an hour, or the bucket where that is longer. Slots are numbered without a gap; the number of
a slot in local time, modulo the slots of a week, says where in its week it stands.
"""

from collections.abc import Collection
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from monitor.model.tick import Bools, Ints
from monitor.model.time import DAY, HOUR, SECOND, WEEK

ROWS = 4
"""Weeks that the profile is made of."""
LAG_US = DAY
"""The profile is made of slots at least this old."""


class Slots:
    """The numbering of slots for buckets of one width.

    Buckets below an hour share the slot of their hour. Buckets of whole days begin at local
    midnight, so their length differs by an hour twice a year: they are numbered by the nearest
    whole multiple since the first one seen.

    Args:
        bucket_us: width of a bucket.
        timezones: IANA names.
        holidays: days since 1970-01-01, in each time zone as its own.

    Attributes:
        width_us: length of a slot.
        week: slots of a week; 1 where a week is not a whole number of slots.
        lag: slots that are too new for the profile.
        history: slots that are kept.
        anchor_us: where slot 0 begins.
    """

    def __init__(
        self, bucket_us: int, timezones: list[str], holidays: Collection[int] = ()
    ) -> None:
        self.bucket_us = bucket_us
        self._holidays = frozenset(holidays) if bucket_us <= DAY else frozenset()
        self.timezones = timezones
        self.width_us = max(bucket_us, HOUR)
        self.week = WEEK // self.width_us if WEEK % self.width_us == 0 else 1
        self.lag = -(-LAG_US // self.width_us)
        self.history = ROWS * self.week + self.lag
        self.anchor_us = 0
        self._anchored = bucket_us < DAY
        self._zones = [ZoneInfo(name) for name in timezones]
        self._local: dict[tuple[int, int], int] = {}

    @property
    def share(self) -> float:
        """What one bucket is of its slot."""
        return self.bucket_us / self.width_us

    @property
    def day(self) -> int:
        """Slots of a day, at least 1."""
        return max(1, DAY // self.width_us)

    def of(self, start_us: int) -> int:
        """The slot of the bucket that begins here."""
        if self.bucket_us < DAY:
            return start_us // self.width_us
        return (start_us - self.anchor_us + self.width_us // 2) // self.width_us

    def place(self, start_us: int) -> int:
        """Which bucket of its slot begins here, from 0 on."""
        return 0 if self.bucket_us >= self.width_us else start_us % self.width_us // self.bucket_us

    def anchor(self, start_us: int) -> None:
        """Count day-long buckets from the first that is learnt."""
        if not self._anchored:
            self.anchor_us, self._anchored = start_us, True

    def start(self, slot: int) -> int:
        """Start of a slot; of day-long buckets to within the hour that a clock is moved by."""
        return self.anchor_us + slot * self.width_us

    def local(self, slot: int) -> Ints:
        """The number of a slot in local time, by time zone."""
        return np.array([self._local_one(slot, zone) for zone in range(len(self._zones))])

    def locals(self, first: int, count: int, zone: int) -> Ints:
        """Local numbers of `count` slots from `first` on."""
        return np.array([self._local_one(slot, zone) for slot in range(first, first + count)])

    def _local_one(self, slot: int, zone: int) -> int:
        if self.bucket_us >= DAY:
            return slot  # the buckets themselves are local
        known = self._local.get((slot, zone))
        if known is None:
            if len(self._local) > 8 * self.history * len(self._zones):
                self._local.clear()
            start_us = self.start(slot)
            known = (start_us + _offset_us(start_us, self._zones[zone])) // self.width_us
            self._local[slot, zone] = known
        return known

    def holiday(self, slot: int) -> Bools | None:
        """By time zone, whether a slot is on a holiday; None where there are none."""
        if not self._holidays:
            return None
        days = self.local(slot) * self.width_us // DAY
        if self.bucket_us >= DAY:  # begins at local midnight: its noon is the same day everywhere
            middle_us = self.start(slot) + self.width_us // 2
            days = np.array([(middle_us + _offset_us(middle_us, z)) // DAY for z in self._zones])
        return np.array([int(day) in self._holidays for day in days], dtype=np.bool_)

    def dump(self) -> dict[str, int]:
        """What must be remembered of the numbering."""
        return {"anchor_us": self.anchor_us, "anchored": int(self._anchored)}

    def load(self, state: dict[str, int]) -> None:
        """Take over what `dump` gave."""
        self.anchor_us = state["anchor_us"]
        self._anchored = bool(state["anchored"])


def _offset_us(time_us: int, zone: ZoneInfo) -> int:
    offset = datetime.fromtimestamp(time_us // SECOND, zone).utcoffset()
    return 0 if offset is None else round(offset.total_seconds()) * SECOND

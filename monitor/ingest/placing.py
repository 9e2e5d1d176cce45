"""Where in time the events of a source fall, in the order they are read: slot by slot.

Whether an event is late is judged by the watermark as it stands when the event is read, so that it does
not matter where flushes and batches are cut.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from monitor.ingest.sampling import Sampling
from monitor.ingest.slots import Slots
from monitor.ingest.watermark import Watermark
from monitor.model.time import FOREVER, NEVER, from_datetime

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_US: Final = from_datetime(datetime.max.replace(tzinfo=UTC))


class Placing:
    """Places events, and moves the watermark with them.

    Most events fall into the base bucket of the one before. In the `window`, a part of that bucket,
    this is certain, and all that an event moves is the newest time.

    Args:
        watermark: of the source.
        slots: numbers what events fall in.
        base_us: width of a base bucket, microseconds.

    Attributes:
        sampling: of which events the arrival is looked at.
        first_us: earliest time that was placed; `FOREVER` where none.
    """

    def __init__(self, watermark: Watermark, slots: Slots, *, base_us: int) -> None:
        self.sampling = Sampling()
        self.first_us = FOREVER
        self._watermark, self._slots, self._base_us = watermark, slots, base_us
        self.close()

    @property
    def last_us(self) -> int:
        """Latest time that was placed, or confirmed; `NEVER` where none."""
        return max(self._watermark.newest_us, self._watermark.seen_us)

    @property
    def home_us(self) -> int | None:
        """Start of the base bucket that the source has reached; None before it spoke."""
        reached_us = max(self._watermark.newest_us, self._watermark.watermark_us)
        return None if reached_us == NEVER else reached_us - reached_us % self._base_us

    def close(self) -> None:
        """Close the window: slots are numbered anew, or the watermark moved by other means."""
        self._low_us = self._high_us = NEVER
        self._window: tuple[datetime, datetime] | None = None
        self._slot = -1

    def together(self, times: Sequence[Any], horizon_us: int) -> int | None:
        """The slot of events that all lie in the window; None where not all do.

        Args:
            times: theirs, as they came; at least one.
            horizon_us: the latest time that is believed.
        """
        if self._low_us == self._high_us:
            return None
        if self._window is None:
            self._window = _moment(self._low_us), _moment(self._high_us)
        low, high = self._window
        try:
            newest = max(times)
            if not (low <= min(times) and newest < high):
                return None
        except TypeError:  # numbers are among them
            return None
        newest_us = from_datetime(newest)
        if newest_us > horizon_us:
            return None
        if newest_us > self._watermark.newest_us:
            self._watermark.advance(newest_us)
        return self._slot

    def place(self, time_us: int, position: int, *, used: bool) -> int:
        """The slot of the next event; -1 where it is late and no metric uses it.

        Args:
            time_us: when it happened.
            position: of its message.
            used: whether some metric uses events of its name.
        """
        watermark = self._watermark
        if self._low_us <= time_us < self._high_us:
            if time_us > watermark.newest_us:
                watermark.advance(time_us)
            return self._slot
        self.first_us = min(self.first_us, time_us)
        start_us = time_us - time_us % self._base_us
        end_us = start_us + self._base_us
        on_time = end_us > watermark.watermark_us
        slot = -1
        if on_time:
            slot = self._slots.on_time(start_us)
        elif used:
            slot = self._late(start_us)
        if time_us > watermark.newest_us:
            self._observe(time_us, position)
        # what was confirmed just now may have ended the bucket
        if on_time and watermark.newest_us != NEVER and end_us > watermark.watermark_us:
            self._slot, self._window = slot, None
            self._low_us = max(start_us, self.first_us)
            self._high_us = min(end_us, watermark.limit_us + 1)
        return slot

    def _late(self, start_us: int) -> int:
        """The slot of a base bucket that has ended."""
        home_us = self.home_us
        assert home_us is not None, "late before the source spoke"  # noqa: S101
        return self._slots.late(start_us, self._watermark.watermark_us, home_us)

    def _observe(self, time_us: int, position: int) -> None:
        """Move the watermark; it may leave the window behind."""
        watermark = self._watermark
        is_jump = time_us > watermark.limit_us
        watermark.observe(time_us)
        if is_jump or self._high_us <= watermark.watermark_us:
            self.close()
        newest_us = watermark.newest_us
        if newest_us >= self.sampling.next_us:
            self.sampling.begin(
                position, newest_us // self._base_us * self._base_us + self._base_us
            )


def _moment(time_us: int) -> datetime:
    return _EPOCH + timedelta(microseconds=min(time_us, _LAST_US))

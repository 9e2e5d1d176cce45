"""Where buckets begin and end: the one place that knows about calendars and daylight saving time.

Buckets below a day are aligned to the epoch. Buckets of whole days begin at midnight of the
calendar's time zone; they are counted from Monday 1970-01-05, so that weeks begin on Mondays.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from monitor.definitions.plan import Calendar
from monitor.model.time import DAY, HOUR, from_datetime

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MONDAY: Final = 4
"""Days from 1970-01-01, a Thursday, to the Monday that buckets of several days are counted from."""
_WIDEST_OFFSET: Final = 26 * HOUR
"""No local midnight is further from that of UTC, even where a zone jumped over a whole day."""
_OLDEST: Final = from_datetime(datetime(2, 1, 1, tzinfo=UTC))
_NEWEST: Final = from_datetime(datetime(9998, 1, 1, tzinfo=UTC))


def bucket_start(calendar: Calendar, time_us: int) -> int:
    """Start of the bucket that holds this time.

    >>> bucket_start(Calendar(width_us=60_000_000), 119_999_999)
    60000000
    """
    width = calendar.width_us
    if width < DAY:
        return time_us - time_us % width
    return _day_edge(calendar.timezone, _first_day(calendar, time_us))


def bucket_end(calendar: Calendar, start_us: int) -> int:
    """End of the bucket that begins at (or holds) this time: the start of the one after it.

    >>> from monitor.model.time import to_rfc3339
    >>> berlin = Calendar(width_us=DAY, timezone="Europe/Berlin")
    >>> to_rfc3339(bucket_end(berlin, from_datetime(datetime(2026, 3, 28, 23, tzinfo=UTC))))
    '2026-03-29T22:00:00Z'
    """
    width = calendar.width_us
    if width < DAY:
        return start_us - start_us % width + width
    return _day_edge(calendar.timezone, _first_day(calendar, start_us) + width // DAY)


def window_start(calendar: Calendar, end_us: int, window_us: int) -> int:
    """Start of the window that ends at this edge of a bucket; days are those of the calendar.

    >>> from monitor.model.time import to_rfc3339
    >>> berlin = Calendar(width_us=DAY, timezone="Europe/Berlin")
    >>> end = from_datetime(datetime(2026, 10, 25, 23, tzinfo=UTC))
    >>> to_rfc3339(window_start(berlin, end, 7 * DAY))
    '2026-10-18T22:00:00Z'
    """
    if calendar.width_us < DAY:
        return end_us - window_us
    return _day_edge(calendar.timezone, _local_day(calendar.timezone, end_us) - window_us // DAY)


def bucket_starts(calendar: Calendar, times_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Start of the bucket of each of these times; cheap where few base buckets are given."""
    if calendar.width_us < DAY:
        return times_us - times_us % calendar.width_us
    unique, inverse = np.unique(times_us, return_inverse=True)
    starts = np.fromiter(
        (bucket_start(calendar, time) for time in unique.tolist()), np.int64, unique.size
    )
    return starts[inverse]


def day_of(timezone: str, time_us: int) -> int:
    """Number (since 1970-01-01) of the calendar day that holds this time in a zone."""
    return _first_day(Calendar(width_us=DAY, timezone=timezone), time_us)


def day_start(timezone: str, day: int) -> int:
    """First instant at which clocks in this zone show this day (see `day_of`) or a later one.

    >>> from monitor.model.time import to_rfc3339
    >>> to_rfc3339(day_start("Europe/Berlin", day_of("Europe/Berlin", 0) + 1))
    '1970-01-01T23:00:00Z'
    """
    return _day_edge(timezone, day)


def _first_day(calendar: Calendar, time_us: int) -> int:
    """Number (since 1970-01-01) of the first local day of the bucket that holds this time."""
    days = calendar.width_us // DAY
    day = _local_day(calendar.timezone, time_us)
    day = (day - _FIRST_MONDAY) // days * days + _FIRST_MONDAY
    while _day_edge(calendar.timezone, day) > time_us:  # a clock set back over midnight
        day -= days
    while _day_edge(calendar.timezone, day + days) <= time_us:
        day += days
    return day


def _local_day(timezone: str, time_us: int) -> int:
    return (time_us + _offset(timezone, time_us)) // DAY


def _offset(timezone: str, time_us: int) -> int:
    """What local clocks are ahead of UTC at this instant; at the ends of the calendar, as there."""
    moment = _EPOCH + timedelta(microseconds=min(max(time_us, _OLDEST), _NEWEST))
    offset = ZoneInfo(timezone).utcoffset(moment.astimezone(ZoneInfo(timezone)))
    return 0 if offset is None else offset // timedelta(microseconds=1)


@lru_cache(maxsize=65_536)
def _day_edge(timezone: str, day: int) -> int:
    """First instant at which clocks in this zone show this day or a later one."""
    midnight = day * DAY
    edge = midnight - _offset(timezone, midnight - _offset(timezone, midnight))
    if _local_day(timezone, edge - 1) < day <= _local_day(timezone, edge):
        return edge
    low, high = midnight - _WIDEST_OFFSET, midnight + _WIDEST_OFFSET
    while high - low > 1:
        middle = (low + high) // 2
        if _local_day(timezone, middle) < day:
            low = middle
        else:
            high = middle
    return high

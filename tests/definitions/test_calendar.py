"""Where buckets begin and end, across changes of the clocks."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.definitions.calendar import bucket_end, bucket_start, bucket_starts
from monitor.definitions.plan import Calendar
from monitor.model.time import DAY, FOREVER, HOUR, MINUTE, NEVER, from_datetime

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",  # clocks change at midnight
    "America/St_Johns",  # and used to do so at 00:01
    "America/Havana",
    "Pacific/Apia",  # has no 30 December 2011
    "Asia/Kathmandu",
    "America/Toronto",  # lost half an hour around midnight in 1919
]
TIMES = st.integers(
    from_datetime(datetime(1900, 1, 1, tzinfo=UTC)), from_datetime(datetime(2100, 1, 1, tzinfo=UTC))
)


def utc(*parts: int) -> int:
    return from_datetime(datetime(*parts, tzinfo=UTC))  # type: ignore[misc, arg-type]


def test_short_buckets_are_aligned_to_the_epoch_in_every_zone() -> None:
    calendar = Calendar(width_us=6 * HOUR, timezone="Asia/Kathmandu")
    assert bucket_start(calendar, utc(2026, 1, 1, 11, 59)) == utc(2026, 1, 1, 6)
    assert bucket_end(calendar, utc(2026, 1, 1, 6)) == utc(2026, 1, 1, 12)
    assert bucket_start(Calendar(width_us=MINUTE), -1) == -MINUTE


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (utc(2026, 3, 28, 23), utc(2026, 3, 29, 22)),
        (utc(2026, 10, 24, 22), utc(2026, 10, 25, 23)),
        (utc(2026, 6, 30, 22), utc(2026, 7, 1, 22)),
    ],
)
def test_days_begin_at_local_midnight(start: int, end: int) -> None:
    calendar = Calendar(width_us=DAY, timezone="Europe/Berlin")
    for time in (start, start + 1, end - 1):
        assert bucket_start(calendar, time) == start
        assert bucket_end(calendar, time) == end


def test_weeks_begin_on_monday() -> None:
    calendar = Calendar(width_us=7 * DAY, timezone="America/New_York")
    assert bucket_start(calendar, utc(2026, 3, 8, 12)) == utc(2026, 3, 2, 5)
    assert bucket_end(calendar, utc(2026, 3, 2, 5)) == utc(2026, 3, 9, 4)


def test_several_days_are_counted_from_the_first_monday() -> None:
    calendar = Calendar(width_us=3 * DAY)
    assert bucket_start(calendar, utc(1970, 1, 5)) == utc(1970, 1, 5)
    assert bucket_start(calendar, utc(1970, 1, 4)) == utc(1970, 1, 2)


@given(TIMES, st.sampled_from(ZONES), st.sampled_from([1, 3, 7]))
def test_buckets_follow_each_other_without_a_gap(time: int, zone: str, days: int) -> None:
    calendar = Calendar(width_us=days * DAY, timezone=zone)
    start = bucket_start(calendar, time)
    end = bucket_end(calendar, start)
    assert start <= time < end
    for inside in (start, time, end - 1):
        assert (bucket_start(calendar, inside), bucket_end(calendar, inside)) == (start, end)
    assert bucket_start(calendar, end) == end


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("around", [utc(2011, 12, 30), utc(1919, 3, 31), utc(2006, 10, 29, 2, 30)])
def test_every_instant_around_a_change_has_one_bucket(zone: str, around: int) -> None:
    calendar = Calendar(width_us=DAY, timezone=zone)
    previous = bucket_start(calendar, around - 3 * DAY)
    for time in range(around - 3 * DAY, around + 3 * DAY, 10 * MINUTE):
        start, end = bucket_start(calendar, time), bucket_end(calendar, time)
        assert start <= time < end
        assert start in (previous, bucket_end(calendar, previous))
        previous = start


def test_the_ends_of_time() -> None:
    for zone in ZONES:
        calendar = Calendar(width_us=7 * DAY, timezone=zone)
        for time in (NEVER, FOREVER):
            assert bucket_start(calendar, time) <= time < bucket_end(calendar, time)


@given(st.lists(TIMES), st.sampled_from([MINUTE, HOUR, DAY, 7 * DAY]))
def test_many_at_once_are_the_same(times: list[int], width_us: int) -> None:
    calendar = Calendar(width_us=width_us, timezone="America/New_York")
    found = bucket_starts(calendar, np.array(times, np.int64))
    assert found.tolist() == [bucket_start(calendar, time) for time in times]

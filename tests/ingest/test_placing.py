"""A batch is placed at once exactly where its events, one by one, would all come to that slot."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from monitor.definitions.plan import Calendar
from monitor.ingest.placing import Placing
from monitor.ingest.slots import Slots
from monitor.ingest.watermark import Watermark
from monitor.model.time import HOUR, MINUTE, SECOND

START = 1_700_000_000 // 3600 * HOUR
TIMES = st.one_of(
    st.integers(START, START + 2 * MINUTE),
    st.integers(START - HOUR, START + 3 * HOUR),
    st.sampled_from([START, START + MINUTE - 1, START + MINUTE, START + HOUR, START + HOUR + 1]),
)
BATCHES = st.lists(st.lists(TIMES, min_size=1, max_size=5), max_size=12)
HORIZON = START + 2 * HOUR


def placing() -> Placing:
    watermark = Watermark(allowed_lateness_us=30 * SECOND, idle_timeout_us=MINUTE)
    calendars = [Calendar(width_us=MINUTE)]
    return Placing(watermark, Slots(calendars, restatement_window_us=HOUR), base_us=MINUTE)


def moment(time_us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)


@given(BATCHES)
def test_together_is_as_one_by_one(batches: list[list[int]]) -> None:
    at_once, single = placing(), placing()
    for times in batches:
        believed = [time for time in times if time <= HORIZON]
        slot = at_once.together([moment(time) for time in times], HORIZON)
        slots = [single.place(time, 0, used=True) for time in believed]
        if slot is None:
            assert [at_once.place(time, 0, used=True) for time in believed] == slots
        else:
            assert believed == times
            assert slots == [slot] * len(times)
        assert at_once._watermark.dump() == single._watermark.dump()
        assert (at_once.first_us, at_once.last_us) == (single.first_us, single.last_us)


def test_numbers_are_placed_one_by_one() -> None:
    at = placing()
    for _ in range(3):
        at.place(START, 0, used=True)
    assert at.together([moment(START)], HORIZON) is not None
    assert at.together([START // SECOND], HORIZON) is None
    assert at.together([moment(START), START // SECOND], HORIZON) is None


def test_a_watermark_that_moved_by_other_means_closes_the_window() -> None:
    at = placing()
    for _ in range(3):
        at.place(START, 0, used=True)
    at._watermark.idle(START + HOUR)
    at.close()
    assert at.together([moment(START)], HORIZON) is None
    assert at.place(START, 0, used=False) == -1
    assert at.place(START, 0, used=True) >= 0

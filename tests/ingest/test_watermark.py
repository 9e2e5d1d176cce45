"""How far a source has come, and what one wrong clock does to that."""

import json

from hypothesis import given
from hypothesis import strategies as st

from monitor.ingest.watermark import Watermark
from monitor.model.time import HOUR, MINUTE, NEVER, SECOND


def watermark(*times: int, lateness_us: int = 30 * SECOND, idle_us: int = MINUTE) -> Watermark:
    mark = Watermark(allowed_lateness_us=lateness_us, idle_timeout_us=idle_us)
    for time in times:
        mark.observe(time)
    return mark


def test_nothing_is_known_before_three_events() -> None:
    mark = watermark(5 * HOUR, 5 * HOUR + 1)
    assert (mark.newest_us, mark.watermark_us) == (NEVER, NEVER)
    assert mark.best_newest_us == 5 * HOUR + 1


def test_the_lowest_of_three_becomes_the_newest_and_near_ones_push_it_on() -> None:
    mark = watermark(5 * HOUR + MINUTE, 5 * HOUR, 90 * HOUR)
    assert mark.newest_us == 5 * HOUR + MINUTE
    assert mark.watermark_us == 5 * HOUR + MINUTE - 30 * SECOND
    assert mark.candidates == [90 * HOUR]
    assert mark.best_newest_us == mark.newest_us


def test_two_wrong_clocks_close_nothing_and_a_third_voice_does() -> None:
    mark = watermark(0, 0, 0, 50 * HOUR, 60 * HOUR)
    assert mark.newest_us == 0
    mark.observe(70 * HOUR)
    assert mark.newest_us == 50 * HOUR
    assert mark.candidates == [60 * HOUR, 70 * HOUR]


def test_an_hour_ahead_is_believed_and_more_is_not() -> None:
    mark = watermark(0, 0, 0, HOUR)
    assert mark.newest_us == HOUR
    mark.observe(2 * HOUR + 1)
    assert mark.newest_us == HOUR


def test_candidates_that_time_has_caught_up_with_are_dropped() -> None:
    mark = watermark(0, 0, 0, HOUR + 1, HOUR + 2)
    mark.observe(MINUTE)
    mark.observe(5 * HOUR)
    assert mark.newest_us == MINUTE
    assert mark.candidates == [5 * HOUR]


def test_idleness_moves_it_by_the_arrival_clock_and_never_back() -> None:
    mark = watermark(0, 0, 0)
    mark.idle(10 * MINUTE)
    assert mark.watermark_us == 9 * MINUTE
    mark.observe(MINUTE)
    mark.idle(0)
    assert mark.watermark_us == 9 * MINUTE
    assert mark.newest_us == MINUTE


def test_idleness_waits_for_the_allowed_lateness() -> None:
    mark = watermark(lateness_us=10 * MINUTE)
    mark.idle(HOUR)
    assert mark.watermark_us == 50 * MINUTE
    assert mark.best_newest_us == NEVER


@given(st.lists(st.integers(0, 5 * HOUR)), st.lists(st.integers(0, 5 * HOUR)))
def test_its_state_survives_json_and_it_never_moves_back(
    before: list[int], after: list[int]
) -> None:
    mark = watermark(*before)
    text = json.dumps(mark.dump())
    assert len(text) < 300
    restored = watermark()
    restored.load(json.loads(text))
    for time in after:
        previous = mark.watermark_us
        mark.observe(time)
        restored.observe(time)
        assert mark.watermark_us >= previous
        assert restored.dump() == mark.dump()

"""The demo's story and the clock that compresses its last hours."""

from monitor.embedded.story import COMPRESSED_US, HISTORY_US, CompressedClock, Story
from monitor.model.time import DAY, HOUR, MINUTE, SECOND

NOW = 20_400 * DAY + 9 * HOUR + 17 * MINUTE + 31 * SECOND


def test_the_story_ends_at_the_minute_and_begins_on_a_whole_hour() -> None:
    story = Story.ending(NOW, seed=7)
    assert story.now_us == NOW - 31 * SECOND
    assert story.start_us % HOUR == 0
    assert story.compressed_us - story.start_us >= HISTORY_US
    assert story.minutes * MINUTE == story.now_us - story.start_us


def test_everything_that_goes_wrong_does_so_in_compressed_time() -> None:
    story = Story.ending(NOW, seed=7)
    assert {fault.kind for fault in story.faults} == {"incident", "bad_release"}
    for fault in story.faults:
        assert story.compressed_us < fault.started_us
        assert fault.ended_us < story.now_us - HOUR  # there is time to see it resolved


def test_the_clock_reaches_the_wall_clock_and_stays_with_it() -> None:
    wall = [NOW]
    clock = CompressedClock(lambda: wall[0], NOW - COMPRESSED_US, seconds=40)
    seen = [clock()]
    for _ in range(50):
        wall[0] += SECOND
        seen.append(clock())
    assert seen[0] == NOW - COMPRESSED_US
    assert seen == sorted(seen)
    assert seen[20] < wall[0] - COMPRESSED_US // 3
    assert not CompressedClock(lambda: wall[0], 0, seconds=1).has_arrived
    assert clock.has_arrived
    assert seen[-1] == wall[0]

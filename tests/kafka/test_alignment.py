"""Who is ahead of the slowest waits; others are asked no more often than needed."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from monitor.errors import MonitorError
from monitor.kafka import alignment
from monitor.kafka.alignment import AHEAD_US, Alignment
from monitor.model.time import HOUR, NEVER

START = 1_760_000_400_000_000


class Part:
    """A partition that was read up to a time."""

    def __init__(self, watermark_us: int = NEVER) -> None:
        self.watermark_us = watermark_us
        self.waits = False


class Group:
    """What a group has committed, and how often it was asked."""

    def __init__(self, **marks: int) -> None:
        self.marks = {int(name[1:]): mark for name, mark in marks.items()}
        self.asked = 0
        self.away = False

    async def __call__(self) -> Mapping[int, int]:
        self.asked += 1
        if self.away:
            message = "no broker"
            raise MonitorError(message)
        return dict(self.marks)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "ASK_SECONDS", 0.0)


async def settle(aligned: Alignment, held: Mapping[int, Part], partitions: int) -> None:
    """Settle, let what is asked be answered, and settle with the answer."""
    aligned.settle(held, partitions)
    for _ in range(3):
        await asyncio.sleep(0)
    aligned.settle(held, partitions)


def waiting(held: Mapping[int, Part]) -> list[int]:
    return [number for number, part in held.items() if part.waits]


async def test_one_that_is_ahead_waits_until_the_slowest_has_come() -> None:
    held = {0: Part(START), 1: Part(START + AHEAD_US), 2: Part(START + AHEAD_US + 1)}
    group = Group()
    aligned = Alignment(group)
    await settle(aligned, held, 3)
    assert waiting(held) == [2]
    held[0].watermark_us += 1
    await settle(aligned, held, 3)
    assert waiting(held) == []
    assert group.asked == 0, "there is nobody else"


async def test_one_without_a_watermark_neither_waits_nor_lets_wait() -> None:
    held = {0: Part(), 1: Part(START), 2: Part(START + HOUR)}
    await settle(Alignment(Group()), held, 3)
    assert waiting(held) == []
    none = {0: Part(), 1: Part()}
    await settle(Alignment(Group()), none, 2)
    assert waiting(none) == []


async def test_partitions_of_other_workers_count_by_what_they_committed() -> None:
    group = Group(p0=START + 2 * AHEAD_US, p1=START)
    held = {0: Part(START + 2 * AHEAD_US)}
    aligned = Alignment(group)
    await settle(aligned, held, 2)
    assert waiting(held) == [0]
    group.marks[1] = START + AHEAD_US
    await settle(aligned, held, 2)
    assert waiting(held) == []


async def test_what_this_worker_reads_itself_counts_as_it_is_not_as_it_was_committed() -> None:
    group = Group(p0=START, p1=START, p2=START + 2 * AHEAD_US)
    held = {0: Part(START + 2 * AHEAD_US), 1: Part(START + 2 * AHEAD_US)}
    await settle(Alignment(group), held, 3)
    assert waiting(held) == []


async def test_others_are_asked_once_in_as_long_as_one_may_be_ahead() -> None:
    group = Group()
    aligned = Alignment(group)
    held = {0: Part(START)}
    for hour in range(49):
        held[0].watermark_us = START + hour * HOUR
        group.marks[1] = START + hour * HOUR
        await settle(aligned, held, 2)
        assert waiting(held) == []
    # at first, and whenever it is more than six hours ahead of what was known
    assert group.asked == 1 + 48 // 7


async def test_a_partition_elsewhere_that_never_spoke_is_asked_for_again() -> None:
    group = Group(p0=START)
    aligned = Alignment(group)
    held = {0: Part(START)}
    await settle(aligned, held, 2)
    held[0].watermark_us = START + AHEAD_US
    await settle(aligned, held, 2)
    assert group.asked == 1
    group.marks[1] = START - HOUR
    held[0].watermark_us += 1
    await settle(aligned, held, 2)
    assert group.asked == 2
    assert waiting(held) == [0]


async def test_an_empty_answer_is_none() -> None:
    group = Group()
    aligned = Alignment(group)
    held = {0: Part(START)}
    await settle(aligned, held, 2)
    group.marks = {0: START, 1: START - 2 * AHEAD_US}
    await settle(aligned, held, 2)
    assert waiting(held) == [0]


async def test_a_partition_that_the_topic_does_not_have_does_not_count() -> None:
    held = {0: Part(START + 2 * AHEAD_US)}
    await settle(Alignment(Group(p1=START + 2 * AHEAD_US, p9=START)), held, 2)
    assert waiting(held) == []


async def test_one_that_lost_its_watermark_is_read_again() -> None:
    held = {0: Part(START + 2 * AHEAD_US), 1: Part(START)}
    aligned = Alignment(Group())
    await settle(aligned, held, 2)
    assert waiting(held) == [0]
    held[0].watermark_us = NEVER
    await settle(aligned, {0: held[0]}, 2)
    assert waiting(held) == []


async def test_a_worker_that_ends_asks_no_more() -> None:
    forever = asyncio.Event()

    async def committed() -> Mapping[int, int]:
        await forever.wait()
        return {}

    aligned = Alignment(committed)
    held = {0: Part(START)}
    await settle(aligned, held, 2)
    assert waiting(held) == [], "nothing stands while it is asked"
    await aligned.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    await aligned.close()


async def test_while_the_broker_is_away_what_was_known_holds() -> None:
    group = Group(p1=START)
    aligned = Alignment(group)
    held = {0: Part(START + 2 * AHEAD_US)}
    await settle(aligned, held, 2)
    group.away = True
    await settle(aligned, held, 2)
    assert waiting(held) == [0]
    group.away, group.marks[1] = False, START + 2 * AHEAD_US
    await settle(aligned, held, 2)
    assert waiting(held) == []


async def test_what_is_no_news_is_asked_for_ever_more_rarely(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alignment, "ASK_SECONDS", 0.5)
    clock = 1000.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: clock)
    group = Group(p1=START)
    aligned = Alignment(group)
    held = {0: Part(START + 2 * AHEAD_US)}
    asked = []
    for tick in range(1200):
        clock = 1000.0 + tick / 10
        before = group.asked
        await settle(aligned, held, 2)
        if group.asked > before:
            asked.append(round(clock - 1000, 1))
    assert asked == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5, 47.5, 63.5, 79.5, 95.5, 111.5]
    group.marks[1] += 1
    clock += 8
    await settle(aligned, held, 2)
    clock += 0.5
    asked_now = group.asked
    await settle(aligned, held, 2)
    assert group.asked == asked_now + 1, "news came: soon again"


async def test_a_long_wait_is_told_once_and_its_end_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "SAY_SECONDS", 0.0)
    said: list[tuple[str, dict[str, Any]]] = []
    aligned = Alignment(Group(), say=lambda event, **fields: said.append((event, fields)))
    held = {0: Part(START), 3: Part(START + 7 * HOUR)}
    for _ in range(5):
        await settle(aligned, held, 2)
    [(event, fields)] = said
    assert event == "ingest.waits"
    assert (fields["partition"], fields["slowest"], fields["ahead_seconds"]) == (3, 0, 7 * 3600)
    held[0].watermark_us += 2 * HOUR
    await settle(aligned, held, 2)
    await settle(aligned, held, 2)
    assert said[1:] == [("ingest.goes_on", {"partition": 3})]


async def test_one_that_was_given_away_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "SAY_SECONDS", 0.0)
    said: list[str] = []
    aligned = Alignment(Group(), say=lambda event, **_: said.append(event))
    held = {0: Part(START), 1: Part(START + 7 * HOUR)}
    await settle(aligned, held, 2)
    await settle(aligned, {0: held[0]}, 2)
    held[1].watermark_us = START
    await settle(aligned, held, 2)
    assert said == ["ingest.waits"]
    held[1].watermark_us = START + 7 * HOUR
    await settle(aligned, held, 2)
    assert said == ["ingest.waits"] * 2


async def test_a_short_wait_is_not_told() -> None:
    said: list[str] = []
    aligned = Alignment(Group(), say=lambda event, **_: said.append(event))
    held = {0: Part(START), 1: Part(START + 7 * HOUR)}
    await settle(aligned, held, 2)
    assert waiting(held) == [1]
    held[0].watermark_us += 2 * HOUR
    await settle(aligned, held, 2)
    assert waiting(held) == []
    assert said == []

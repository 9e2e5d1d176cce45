"""The past of the ledgers: any span's counts, whatever the frames' borders, within bounded memory."""

from collections import Counter

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from monitor.aggregate.ledger_past import LOST, READ, LedgerPast
from monitor.model.ledger import Aspect
from monitor.model.time import DAY, HOUR, MINUTE
from tests.strategies.ledgers import Row, frame_of, lines

T0 = 20_400 * DAY
rows = st.lists(
    st.tuples(
        st.integers(0, 300),
        st.sampled_from(["order", "view", ""]),
        st.sampled_from([Aspect.LINES, Aspect.MISSING, Aspect.MALFORMED]),
        st.sampled_from(["", "country"]),
        st.integers(1, 9),
    ),
    max_size=40,
)


def count(past: LedgerPast, since: int, until: int, event: str, aspect: int, detail: str) -> int:
    found = past.between(T0 + since * MINUTE, T0 + until * MINUTE)
    place = past.column(event, aspect, detail)
    assert found is not None
    return 0 if place is None else int(found[place])


@given(rows, st.integers(0, 300), st.integers(0, 300), st.lists(st.integers(0, 310), max_size=4))
def test_a_span_holds_what_its_buckets_hold_wherever_frames_are_cut(
    drawn: list[Row], since: int, length: int, cuts: list[int]
) -> None:
    past = LedgerPast(MINUTE)
    before = 0
    for cut in [*sorted(cuts), 310]:
        part = [(T0 + r[0] * MINUTE, *r[1:]) for r in drawn if before <= r[0] < cut]
        past.take(frame_of(part))
        past.settle(T0 + cut * MINUTE + 7)
        past = restored(past)
        before = max(before, cut)
    wanted: Counter[tuple[str, int, str]] = Counter()
    for bucket, event, aspect, detail, number in drawn:
        if since <= bucket < since + length:
            wanted[event, aspect, detail] += number
    for event, aspect, detail, *_ in {(r[1], r[2], r[3]) for r in drawn}:
        found = count(past, since, since + length, event, aspect, detail)
        assert found == wanted[event, aspect, detail]


def restored(past: LedgerPast) -> LedgerPast:
    return LedgerPast(MINUTE, past.dump())


def test_what_is_not_final_is_not_read() -> None:
    past = LedgerPast(MINUTE)
    past.take(frame_of(lines(T0, "order", 5) + lines(T0 + MINUTE, "order", 7)))
    past.settle(T0 + MINUTE)
    assert count(past, 0, 10, "order", Aspect.LINES, "") == 5
    past.settle_all()
    assert count(past, 0, 10, "order", Aspect.LINES, "") == 12


def test_two_days_are_kept_by_bucket_and_five_weeks_by_hour() -> None:
    past = LedgerPast(MINUTE)
    for hour in range(40 * 24):
        past.take(frame_of(lines(T0 + hour * HOUR + 5 * MINUTE, "order", 1 + hour)))
        past.settle(T0 + (hour + 1) * HOUR)
    end = 40 * 24 * 60
    newest = 40 * 24 - 1
    assert count(past, end - 60, end - 56, "order", Aspect.LINES, "") == 0
    assert count(past, end - 60, end - 54, "order", Aspect.LINES, "") == 1 + newest
    week = range(newest - 24 * 7 + 1, newest + 1)
    assert count(past, end - 7 * 24 * 60, end, "order", Aspect.LINES, "") == sum(
        1 + hour for hour in week
    )
    assert past.between(T0 + DAY, T0 + 2 * DAY) is None, "too long ago"
    hourly = past.hourly(T0 + end * MINUTE + 59, 3)
    place = past.column("order", Aspect.LINES)
    assert hourly[:, place].tolist() == [newest - 1, newest, newest + 1]


def test_a_gap_longer_than_what_is_kept_holds_nothing() -> None:
    past = LedgerPast(MINUTE)
    past.take(frame_of(lines(T0, "order", 5)))
    past.settle(T0 + 90 * DAY)
    past.take(frame_of(lines(T0 + 90 * DAY, "order", 6)))
    past.settle(T0 + 91 * DAY)
    days = [count(past, d * 1440, (d + 1) * 1440, "order", Aspect.LINES, "") for d in (89, 90)]
    assert days == [0, 6]


def test_what_comes_for_a_final_bucket_counts_in_the_next_one() -> None:
    past = LedgerPast(MINUTE)
    past.take(frame_of(lines(T0, "order", 5)))
    past.settle(T0 + 10 * MINUTE)
    past.take(frame_of(lines(T0 + MINUTE, "order", 3)))
    past.settle(T0 + 11 * MINUTE)
    assert count(past, 0, 10, "order", Aspect.LINES, "") == 5
    assert count(past, 10, 11, "order", Aspect.LINES, "") == 3


def test_a_service_begins_after_the_history_that_it_learnt_from() -> None:
    past = LedgerPast(MINUTE)
    past.take(frame_of(lines(T0, "order", 5) + lines(T0 + 30 * MINUTE, "order", 100)))
    past.settle(T0 + 10 * MINUTE)
    past.end_history()
    past.take(frame_of(lines(T0 + 5 * MINUTE, "order", 50) + lines(T0 + 12 * MINUTE, "order", 2)))
    past.settle(T0 + 40 * MINUTE)
    assert count(past, 0, 40, "order", Aspect.LINES, "") == 7


def test_what_a_source_lost_is_known_beside_what_it_read() -> None:
    past = LedgerPast(MINUTE)
    newest = T0 + 3 * MINUTE + 5
    past.take(frame_of([], start=10, stop=110, lost=30, newest_us=newest))
    past.settle(T0 + 10 * MINUTE)
    assert count(past, 3, 4, "", LOST, "") == 30
    assert count(past, 3, 4, "", READ, "") == 70


def test_the_state_under_another_bucket_width_is_forgotten() -> None:
    past = LedgerPast(MINUTE)
    past.take(frame_of(lines(T0, "order", 5)))
    past.settle(T0 + HOUR)
    other = LedgerPast(5 * MINUTE, past.dump())
    assert other.version == 0


def test_keys_are_bounded_and_versions_leave_room_for_others() -> None:
    past = LedgerPast(MINUTE)
    past.take(frame_of([(T0, "order", Aspect.VERSION, str(i), 1) for i in range(5_000)]))
    assert past.version == 1_024
    past.take(frame_of([(T0, str(i), Aspect.LINES, "", 1) for i in range(5_000)]))
    past.settle(T0 + MINUTE)
    found = past.between(T0, T0 + MINUTE)
    assert found is not None
    assert past.version == np.count_nonzero(found) == 2_048

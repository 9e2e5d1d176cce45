"""Shares of lines against what is usual: an hour is judged by the day before it."""

import pytest

from monitor.aggregate.ledger_past import LedgerPast
from monitor.aggregate.line_shares import (
    INCOMPLETE,
    LATE,
    LOST_SHARE,
    MALFORMED,
    REPEATED,
    LineShares,
    Shares,
    Subject,
)
from monitor.model.ledger import Aspect
from monitor.model.time import DAY, HOUR, MINUTE
from tests.strategies.ledgers import Row, frame_of, lines

T0 = 20_400 * DAY
ORDERS = Subject(fields={"order": ("country",)})
VIEWS = Subject(fields={"view": ()})


def world(days: int = 3, **usual: int) -> list[Row]:
    """A thousand orders and views every hour."""
    return [
        row
        for hour in range(24 * days)
        for event in ("order", "view")
        for row in lines(T0 + hour * HOUR, event, 1_000, **usual)
    ]


def shares(rows: list[Row], since: int, until: int, **frame: int) -> Shares:
    past = LedgerPast(MINUTE)
    past.take(frame_of(rows, **frame))
    past.settle(until)
    found = LineShares(past, [ORDERS, VIEWS]).over(since, until)
    assert found is not None
    return found


NOW = T0 + 3 * DAY


@pytest.mark.parametrize(
    ("aspects", "column", "value"),
    [
        ({"repeated": 190}, REPEATED, 0.19),
        ({"late": 250}, LATE, 0.2),
        ({"missing_country": 300}, INCOMPLETE, 0.3),
        ({"malformed_bad_field": 250}, MALFORMED, 0.2),
    ],
)
def test_every_share_is_of_its_own_lines(
    aspects: dict[str, int], column: int, value: float
) -> None:
    found = shares(world() + lines(NOW, "order", 1_000, **aspects), NOW, NOW + HOUR)
    assert found.value[0, column] == pytest.approx(value)
    assert found.usual[0, column] == 0
    assert found.beyond[0].tolist() == [c == column for c in range(5)]
    assert not found.beyond[1].any(), "views are as ever"


def test_a_field_that_the_subject_does_not_need_is_no_matter() -> None:
    rows = world() + lines(NOW, "order", 1_000, missing_colour=900)
    assert shares(rows, NOW, NOW + HOUR).value[0, INCOMPLETE] == 0


def test_dead_letters_without_a_name_are_everybodys_by_its_lines() -> None:
    rows = [*world(), *lines(NOW, "order", 750), *lines(NOW, "view", 250)]
    rows.append((NOW, "", Aspect.MALFORMED, "not_json", 1_000))
    found = shares(rows, NOW, NOW + HOUR)
    assert found.value[:, MALFORMED].tolist() == [0.5, 0.5]
    assert found.beyond[:, MALFORMED].all()


def test_what_was_lost_is_lost_to_all() -> None:
    rows = [*world(), *lines(NOW, "order", 750), *lines(NOW, "view", 250)]
    found = shares(rows, NOW, NOW + HOUR, stop=1_500, lost=500, newest_us=NOW)
    assert found.value[:, LOST_SHARE] == pytest.approx([1 / 3, 1 / 3])
    assert found.beyond[:, LOST_SHARE].all()


def test_what_is_usual_is_not_suspect() -> None:
    rows = world(repeated=190) + lines(NOW, "order", 1_000, repeated=195)
    found = shares(rows, NOW, NOW + HOUR)
    assert found.usual[0, REPEATED] == pytest.approx(0.19)
    assert not found.beyond.any()


def test_what_happens_every_night_is_usual_at_night_alone() -> None:
    rows = [
        row
        for hour in range(24 * 3 + 12)
        for row in lines(T0 + hour * HOUR, "order", 1_000, repeated=300 * (hour % 24 == 3))
    ]
    night, day = NOW + 3 * HOUR, NOW + 10 * HOUR
    assert not shares(rows, night, night + HOUR).beyond.any()
    at_day = rows + lines(day, "order", 1_000, repeated=600)
    assert shares(at_day, day, day + HOUR).beyond[0, REPEATED]


def test_a_fault_of_the_same_day_does_not_become_usual() -> None:
    rows = world(days=2)
    for hour in range(48, 72):
        rows += lines(T0 + hour * HOUR, "order", 1_000, repeated=200 * (hour in (55, 56, 57)))
    rows += lines(NOW, "order", 1_000, repeated=200)
    assert shares(rows, NOW, NOW + HOUR).beyond[0, REPEATED]


@pytest.mark.parametrize("many", [10, 30])
def test_few_lines_prove_nothing(many: int) -> None:
    rows = world() + lines(NOW, "order", many, repeated=many // 10)
    assert not shares(rows, NOW, NOW + HOUR).beyond.any()


def test_where_nothing_is_known_there_are_no_shares() -> None:
    past = LedgerPast(MINUTE)
    reader = LineShares(past, [ORDERS])
    assert reader.over(T0, T0 + HOUR) is None
    past.take(frame_of(lines(T0, "order", 10)))
    past.settle(T0 + HOUR)
    found = reader.over(T0, T0 + HOUR)
    assert found is not None
    assert not found.beyond.any(), "nothing is known of the day before"
    assert reader.over(T0 + HOUR, T0 + 2 * HOUR) is None

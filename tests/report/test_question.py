import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.errors import InputError
from monitor.model.segment import format_segment
from monitor.report.question import Moment, find_metric, parse_moment, place
from tests.journal.examples import metric

AT = 1_793_196_300_000_000
TIME = "2026-10-28T14:05:00Z"


def test_the_whole_has_no_dimensions() -> None:
    assert parse_moment(f"orders@{TIME}") == Moment(metric="orders", values={}, at_us=AT)


@pytest.mark.parametrize("time", [TIME, "2026-10-28T15:05:00+01:00", "1793196300", "1793196300000"])
def test_a_time_is_rfc_3339_or_a_number_since_the_epoch(time: str) -> None:
    assert parse_moment(f"orders@{time}").at_us == AT


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), st.booleans())
def test_a_quoted_value_is_read_as_it_is(value: str, whole_cell: bool) -> None:
    cell = quoted(f"country={value}") if whole_cell else f"country={quoted(value)}"
    asked = parse_moment(f"orders,{cell},platform=ios@{TIME}")
    assert asked.values == {"country": value, "platform": "ios"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"@{TIME}", "names no metric"),
        (f",country=DE@{TIME}", "names no metric"),
        (f"orders,country@{TIME}", "'country' is no dim=value"),
        (f"orders,=DE@{TIME}", "'=DE' is no dim=value"),
        (f"orders,,a=b@{TIME}", "'' is no dim=value"),
        (f"orders,a=b,a=c@{TIME}", "twice"),
        (f'orders,a="b@{TIME}', "quote is not closed"),
        ("orders@", "is no time"),
        ("orders@noon", "is no time"),
        ("orders@2026-10-28T14:05:00", "with its offset"),
        ("orders@inf", "is no time"),
        ("orders@nan", "is no time"),
        ("orders@1e18", "is no time"),
    ],
)
def test_a_question_that_cannot_be_read_is_told(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told) as error:
        parse_moment(text)
    assert repr(text) in str(error.value)
    assert "\n" not in str(error.value)


PLAN = metric(
    "orders",
    groupings=((), ("country",), ("country", "platform")),
    log_threshold=(10.0, 12.0, 12.0),
)


def moment(**values: str) -> Moment:
    return Moment(metric="orders", values=values, at_us=AT)


def test_dimensions_are_found_in_any_order() -> None:
    assert place(moment(), PLAN) == ("all", "all")
    assert place(moment(country="DE"), PLAN) == ("country", "DE")
    both = moment(platform="a,b", country="DE")
    assert place(both, PLAN) == ("country,platform", format_segment(["DE", "a,b"]))


def test_dimensions_that_a_metric_does_not_have_are_told_with_those_it_has() -> None:
    with pytest.raises(InputError, match=r"kept by contry: it has country, .*mean 'country'"):
        place(moment(contry="DE"), PLAN)
    with pytest.raises(InputError, match="it has no segments"):
        place(moment(country="DE"), metric("orders"))


def test_a_metric_is_found_or_told_why_not() -> None:
    assert find_metric("orders", [PLAN]) is PLAN
    with pytest.raises(InputError, match="did you mean 'orders'"):
        find_metric("ordrs", [PLAN])

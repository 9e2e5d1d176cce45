import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model.quantity import format_duration, parse_duration, parse_share
from monitor.model.time import DAY, HOUR, MINUTE, SECOND, WEEK


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("250ms", 250_000),
        ("30s", 30 * SECOND),
        ("1.5h", 90 * MINUTE),
        ("1h 30m", 90 * MINUTE),
        ("2d", 2 * DAY),
        ("1w", WEEK),
        ("0s", 0),
    ],
)
def test_durations(text: str, microseconds: int) -> None:
    assert parse_duration(text) == microseconds


@pytest.mark.parametrize("text", ["", "m", "5", "5 minutes", "-5m", "5m!", None, [], True, "9e9d"])
def test_not_durations(text: object) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


def test_a_bare_number_lacks_its_unit() -> None:
    with pytest.raises(ValueError, match="write 5s, 5m, 5h or 5d"):
        parse_duration(5)


def test_an_absurd_duration() -> None:
    with pytest.raises(ValueError, match="longer than 100 years"):
        parse_duration("99999999999d")


@given(st.integers(min_value=0, max_value=1000 * HOUR // 1000).map(lambda n: n * 1000))
def test_durations_are_read_as_they_are_written(duration_us: int) -> None:
    assert parse_duration(format_duration(duration_us)) == duration_us


@pytest.mark.parametrize("value", ["2", "x%", "nan%", True, None, float("inf")])
def test_not_shares(value: object) -> None:
    with pytest.raises(ValueError, match="is not a share"):
        parse_share(value)

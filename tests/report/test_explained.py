import io
from typing import Any

import pytest
from rich.console import Console

from monitor.report.explained import alert_table, explained
from monitor.report.explanation import Explanation, long
from monitor.report.why_paged import explain_alert
from tests.journal.examples import metric
from tests.report.rows import alert, fall, row

PLAN = metric("orders")


def segment(name: str, **changes: Any) -> dict[str, Any]:
    values = {"relative_shift": -0.6, "value": 20.0, "expected": 50.0, "n": 400, "evidence": 9.0}
    return {"dimension": "country", "segment": name, **values, **changes}


def explanation(rows: Any = None, **changes: Any) -> Explanation:
    return explain_alert("x", alert(**changes), fall() if rows is None else rows, PLAN)


def printed(shown: object, *, width: int = 100, colours: bool = False) -> str:
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        color_system="standard" if colours else None,
        force_terminal=colours,
    )
    console.print(shown)
    return out.getvalue()


def test_a_release_is_told_and_no_cause_claimed() -> None:
    release = {"service": "web", "version": "8.2.0", "seconds_before": 300.0}
    told = printed(explained(explanation(release=release)))
    assert "web 8.2.0, 5 min before the start; it need not be the cause" in told
    assert "no release is known" in printed(explained(explanation()))


def test_data_quality_is_told_with_its_shares() -> None:
    quality = {
        "suspect": True,
        "reasons": ["twice as many duplicates"],
        "duplicates": 0.125,
        "late": None,
        "silent": [
            {"dimension": "all", "segment": "all"},
            {"dimension": "country", "segment": "DE"},
        ],
    }
    told = printed(explained(explanation(data_quality=quality)), width=200)
    assert (
        "suspect; twice as many duplicates; duplicates 12.5 %; late not measured; "
        "silent: the whole, country=DE"
    ) in told


def test_many_segments_are_counted_beyond_the_first() -> None:
    told = printed(explained(explanation(segments=[segment(f"C{i}") for i in range(15)])))
    assert "country=C11" in told
    assert "country=C12" not in told
    assert "and 3 more: --json lists them" in told


@pytest.mark.parametrize("width", [30, 44, 60, 80, 140])
def test_numbers_are_whole_however_narrow_the_terminal_is(width: int) -> None:
    rows = [row(m, value=123_456, expected=150_000.0, n=123_456) for m in range(40)]
    told = printed(explained(explanation(rows, segments=[segment("DE")])), width=width)
    assert "123,456" in told
    assert "-60 %" in told
    assert max(map(len, told.splitlines())) <= width


def test_markup_in_a_name_is_only_a_name() -> None:
    told = printed(explained(explanation(segments=[segment("[red]x[/blue]")])))
    assert "country=[red]x[/blue]" in told
    listed = printed(alert_table([alert(dimension="country", segment="[/x]")]))
    assert "orders (country=[/x])" in listed


def test_an_alert_without_a_shift_is_listed_as_silent() -> None:
    assert "silent" in printed(alert_table([alert(relative_shift=None)]))


def test_headings_are_bold_and_marks_have_a_colour_where_there_are_colours() -> None:
    told = printed(explained(explanation()), colours=True)
    assert "\x1b[1morders, by bucket of 1m" in told
    assert "\x1b[1;36m" in told
    assert "\x1b" not in printed(explained(explanation()))


@pytest.mark.parametrize(
    ("seconds", "told"), [(3.0, "3 s"), (3600.0, "1 h"), (86400.0 * 9.5, "9 d 12 h")]
)
def test_short_times_are_told_in_two_units(seconds: float, told: str) -> None:
    assert long(seconds) == told

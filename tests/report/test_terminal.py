import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from monitor.model.bucket import BucketLine
from monitor.model.time import HOUR, to_rfc3339
from monitor.report.explanation import Explanation, Judging, Mark
from monitor.report.grid import column_of, columns, dotted, scale_of
from monitor.report.terminal import Chart
from monitor.report.why_paged import explain_alert
from tests.journal.examples import metric
from tests.report.rows import T0, alert, fall, row

LEFT = len(" 132 ┤")
PLAN = metric("orders", unit_name="EUR")


def explanation(rows: Sequence[BucketLine], **changes: Any) -> Explanation:
    return explain_alert("abcd", alert(**changes), rows, PLAN)


def drawn(shown: Explanation, *, width: int = 80, encoding: str = "utf-8") -> list[str]:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    Console(file=out, width=width, color_system=None).print(Chart(shown))
    out.seek(0)
    return out.read().splitlines()


def test_the_fall_stands_below_the_band_and_the_evidence_above_its_line() -> None:
    lines = drawn(explanation(fall()))
    assert lines[0] == "orders in EUR, by bucket of 1m; ░ expected, with its noise"
    value, evidence = lines[1:9], lines[-5:]
    assert value[0].startswith(" 132 ┤")
    assert "░" in value[0]
    assert "░" not in value[-1]  # 60 is below 68, where the band ends
    assert any(0x2800 <= ord(c) <= 0x28FF for c in value[-1])
    assert lines[-6] == "evidence of a shift (log10): 5 fires"
    assert any(line.lstrip().startswith("5 ┤─") for line in evidence)
    assert "▲" in evidence[0]  # 30 is far beyond what there is room for


def test_marks_stand_under_their_buckets() -> None:
    lines = drawn(explanation(fall()), width=LEFT + 40)
    marks = {
        name: line
        for line in lines
        for name in ("start", "found", "resolved")
        if f"{name} 1" in line
    }
    assert marks["start"].index("▲ start 10:10") == LEFT + 10
    assert marks["found"].index("▲ found 10:14") == LEFT + 13
    assert marks["resolved"].index("resolved 10:30 ▲") == LEFT + 29 - 15


@pytest.mark.parametrize(
    ("hours", "label"), [(1, "asked 11-22 18:00"), (24, "asked 12-23"), (0.1, "asked 13:12")]
)
def test_a_mark_says_its_day_where_the_chart_shows_several(hours: float, label: str) -> None:
    width = round(hours * HOUR)
    rows = [
        row(0, start=to_rfc3339(T0 + i * width), end=to_rfc3339(T0 + (i + 1) * width))
        for i in range(33)
    ]
    shown = replace(explanation(rows), marks=(Mark(name="asked", at=rows[-1].start),))
    assert any(f"{label} ▲" in line for line in drawn(shown))


@pytest.mark.parametrize("width", [8, 20, 40, 80, 140, 300])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_no_line_is_longer_than_the_terminal_is_wide(width: int, encoding: str) -> None:
    assert max(map(len, drawn(explanation(fall()), width=width, encoding=encoding))) <= width


def test_a_terminal_of_ascii_gets_ascii() -> None:
    text = "\n".join(drawn(explanation(fall()), encoding="ascii"))
    assert text.isascii()
    assert "*" in text
    assert ":" in text
    assert "#" in text
    assert "^ start 10:10" in text


def test_without_buckets_there_is_no_chart() -> None:
    assert drawn(explanation([])) == []


def test_what_is_undefined_leaves_a_gap_and_no_zero() -> None:
    blank = [
        row(m, value=None, lower=None, upper=None, evidence=None, state="no_data") for m in range(9)
    ]
    text = "\n".join(drawn(explanation(blank)))
    assert "evidence: none, nothing was judged" in text
    assert "░" not in text.splitlines()[1]
    assert not any(0x2801 <= ord(c) <= 0x28FF for c in text)


numbers = st.none() | st.floats(-1e9, 1e9)


@given(
    st.lists(st.tuples(numbers, numbers, numbers, numbers), min_size=1, max_size=200),
    st.integers(10, 150),
    st.sampled_from(["utf-8", "ascii"]),
    st.none() | st.floats(1e-3, 100),
)
def test_any_series_can_be_drawn(
    values: list[tuple[float | None, ...]], width: int, encoding: str, threshold: float | None
) -> None:
    rows = [
        row(i, value=value, lower=lower, upper=upper, evidence=evidence)
        for i, (value, lower, upper, evidence) in enumerate(values)
    ]
    shown = Explanation(
        asked="x", metric="orders", dimension="all", segment="all", answer="", why=(), alert=None,
        judging=Judging(severity=None, threshold=threshold, seconds_per_false_alarm=None),
        marks=(Mark(name="asked", at=rows[-1].start), Mark(name="start", at="2020-01-01T00:00:00Z")),
        peak=None, unit_name=None, owner=None, runbook_url=None, detail=(), buckets=tuple(rows),
    )  # fmt: skip
    lines = drawn(shown, width=width, encoding=encoding)
    assert max(map(len, lines)) <= width
    assert len(lines) >= 12


@given(st.integers(1, 300), st.integers(1, 300))
def test_every_bucket_is_in_a_column_and_its_mark_points_at_it(size: int, count: int) -> None:
    rows = [row(i) for i in range(size)]
    parts = list(columns(rows, count))
    assert len(parts) == count
    assert all(parts)
    assert {r.start for part in parts for r in part} >= {r.start for r in rows} or count < 1
    for index in {0, size // 2, size - 1}:
        at = column_of(rows, index, count)
        assert rows[index] in parts[at]
        assert at == 0 or rows[index] not in parts[at - 1]


def test_a_jump_is_one_stroke() -> None:
    cells = dotted([0.0, 1.0], scale_of([0.0, 1.0], 8))
    assert cells == {(0, 0): "⣸", (0, 1): "⢸"}

import math

import pytest

from monitor.score import Judgement, Reason
from monitor.score.rows import Reader, Row, written

HEADER = b"timestamp,value,n\n"


def rows(*lines: bytes) -> tuple[list[Row], Reader]:
    reader = Reader()
    return [row for line in lines if (row := reader.read(line)) is not None], reader


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (b"2023-11-14T22:13:20Z", 1.7e9),
        (b"2023-11-14T23:13:20+01:00", 1.7e9),
        (b"2023-11-14 22:13:20", 1.7e9),
        (b"2023-11-14T22:13:20.5Z", 1.7e9 + 0.5),
        (b"1700000000", 1.7e9),
        (b"1700000000.25", 1.7e9 + 0.25),
        (b"1700000000000", 1.7e9),
        (b"1700000000000000", 1.7e9),
        (b"1700000000000000000", 1.7e9),
        (b"2023-11-14", 1_699_920_000),
        (b"17", 17),
    ],
)
def test_timestamps_of_all_forms_are_read_and_stand_as_they_stood(
    text: bytes, seconds: float
) -> None:
    (row,), reader = rows(HEADER, text + b",5,\n")
    assert row.time == pytest.approx(seconds)
    assert row.timestamp == text.decode()
    assert not reader.problems


@pytest.mark.parametrize("text", ["", "nan", "NaN", "null", "NA", "None", " "])
def test_an_absent_value_is_missing_and_no_problem(text: str) -> None:
    (row,), reader = rows(HEADER, f"17,{text},3\n".encode())
    assert math.isnan(row.number)
    assert row.value == ""
    assert not reader.problems


@pytest.mark.parametrize("text", ["abc", "inf", "-Infinity", "1_000", "1e999", "1,5x"])
def test_a_value_that_is_no_number_is_missing_and_counted(text: str) -> None:
    (row,), reader = rows(HEADER, f'17,"{text}",3\n'.encode())
    assert math.isnan(row.number)
    assert reader.problems == {"a value that is not a number": 1}


def test_rows_that_lack_columns_or_times_are_kept() -> None:
    found, reader = rows(HEADER, b"17\n", b",4\n", b"yesterday,5,2\n", b"18,6,x\n")
    assert [row.timestamp for row in found] == ["17", "", "yesterday", "18"]
    assert [row.value for row in found] == ["", "4", "5", "6"]
    assert reader.problems == {
        "a timestamp that cannot be read": 2,
        "an n that is not a number": 1,
    }


def test_repeated_and_unsorted_timestamps_are_counted() -> None:
    found, reader = rows(HEADER, b"20,1\n", b"20,2\n", b"10,3\n", b"30,4\n")
    assert len(found) == 4
    assert reader.problems == {
        "a timestamp that is repeated": 1,
        "a timestamp that is earlier than one before it": 1,
    }


def test_columns_are_found_by_name() -> None:
    (row,), _ = rows(b"\xef\xbb\xbfHost; N ;Value;Timestamp\r\n", b"a;3;1.5;17\r\n")
    assert (row.timestamp, row.value, row.number, row.n) == ("17", "1.5", 1.5, 3)


def test_a_file_without_header_loses_no_row() -> None:
    found, reader = rows(b"17,1\n", b"18,2\n")
    assert [row.number for row in found] == [1, 2]
    assert reader.notes


def test_other_names_are_taken_by_place() -> None:
    found, reader = rows(b"when,what\n", b"17,1\n")
    assert [(row.time, row.number) for row in found] == [(17, 1)]
    assert "no column `value`" in reader.notes[0]


def test_values_alone_are_enough() -> None:
    found, reader = rows(b"value\n", b"1\n", b"2\n")
    assert [row.number for row in found] == [1, 2]
    assert "evenly spaced" in reader.notes[0]
    assert not reader.problems


def test_blank_lines_are_no_rows() -> None:
    assert rows(HEADER, b"\n", b" \r\n") == ([], rows(HEADER)[1])


def test_text_that_is_not_utf8_or_not_csv_is_still_a_row() -> None:
    found, _ = rows(HEADER, b"\xff\xfe,1\n", b'"17,2\n', b'"' + b"x" * 200_000 + b'",3\n')
    assert len(found) == 3
    assert found[0].timestamp.encode("utf-8", "surrogateescape") == b"\xff\xfe"


def test_a_judged_row_is_written() -> None:
    row = Row(timestamp='a,"b"', value="5.0", time=0.0, number=5.0, n=math.nan)
    judged = Judgement(
        expected=1 / 3,
        lower=math.nan,
        upper=2.0,
        evidence=12.0,
        score=1 - 1e-12,
        alert=True,
        reason=Reason.ABOVE,
    )
    assert written(row, judged) == ('"a,""b""",5.0,0.333333333333,,2,0.999999999999,1,above\n')

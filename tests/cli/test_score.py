"""`monitor score` as a user types it."""

import csv
import gzip
import io
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from monitor.cli import execute
from tests.score.series import BEGIN, noise

COLUMNS = ["timestamp", "value", "expected", "lower", "upper", "score", "alert", "reason"]


def text_of(values: list[float]) -> str:
    lines = "".join(f"{1_700_000_000 + 300 * row},{v:.3f}\n" for row, v in enumerate(values))
    return f"timestamp,value\n{lines}"


def faulty() -> str:
    return text_of([v + 60 * (BEGIN <= row < BEGIN + 20) for row, v in enumerate(noise())])


def read(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_every_row_is_judged_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(faulty())
    assert execute(["score", str(source), "--out", str(out)]) == 0
    rows = read(out)
    given = list(csv.DictReader(io.StringIO(faulty())))
    assert list(rows[0]) == COLUMNS
    assert [(r["timestamp"], r["value"]) for r in rows] == [
        (r["timestamp"], r["value"]) for r in given
    ]
    assert all(0 <= float(r["score"]) < 1 for r in rows)
    assert {r["alert"] for r in rows} == {"0", "1"}
    assert rows[BEGIN]["alert"] == "1"
    assert rows[BEGIN]["reason"]
    assert float(rows[BEGIN]["upper"]) < float(rows[BEGIN]["value"])
    assert "1,500 rows, 0 without a value" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["plain", "gz", "zst"])
def test_archives_are_read_as_they_are(tmp_path: Path, form: str) -> None:
    data = faulty().encode()
    name = {"plain": "in.csv", "gz": "in.csv.gz", "zst": "in.csv.zst"}[form]
    packed = {
        "plain": data,
        "gz": gzip.compress(data),
        "zst": zstandard.ZstdCompressor().compress(data),
    }[form]
    (tmp_path / name).write_bytes(packed)
    assert execute(["score", str(tmp_path / name), "--out", str(tmp_path / "out.csv")]) == 0
    assert len(read(tmp_path / "out.csv")) == len(noise())


def test_standard_input_to_standard_output_gives_the_same(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(faulty())
    execute(["score", str(tmp_path / "in.csv"), "--out", str(tmp_path / "out.csv")])
    piped = subprocess.run(
        [sys.executable, "-m", "monitor", "score", "-", "--out", "-"],
        input=faulty().encode(),
        capture_output=True,
        check=True,
    )
    assert piped.stdout == (tmp_path / "out.csv").read_bytes()


def test_it_may_write_over_its_input(tmp_path: Path) -> None:
    path = tmp_path / "series.csv"
    path.write_text(faulty())
    assert execute(["score", str(path), "--out", str(path)]) == 0
    assert len(read(path)) == len(noise())


@pytest.mark.parametrize(
    ("text", "rows", "said"),
    [
        ("", 0, "is empty"),
        ("timestamp,value\n", 0, "0 rows"),
        ("timestamp,value\n1,x\n2,3\n\n3\n", 3, "with a value that is not a number"),
        ("timestamp,value\n5,1\n5,1\n4,1\nsoon,1\n", 4, "with a timestamp that is repeated"),
        ("1,2\n2,3\n", 2, "no header"),
        ("a,b\n1,2\n", 1, "no column `value`"),
        ("\x00\x01\x02\n\xff", 1, "not a number"),
    ],
)
def test_whatever_is_in_the_data_it_exits_0_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, rows: int, said: str
) -> None:
    (tmp_path / "in.csv").write_text(text)
    assert execute(["score", str(tmp_path / "in.csv"), "--out", str(tmp_path / "o.csv")]) == 0
    assert len(read(tmp_path / "o.csv")) == rows
    assert said in capsys.readouterr().err


def test_a_file_that_is_not_there_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["score", str(tmp_path / "none.csv")]) == 2
    assert "no such file" in capsys.readouterr().err
    assert execute(["score"]) == 2


def test_an_output_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in.csv").write_text(faulty())
    assert execute(["score", str(tmp_path / "in.csv"), "--out", str(tmp_path)]) == 2
    assert "is a directory" in capsys.readouterr().err

"""The shop in a file: whole or not at all, in every format, with the truth beside it."""

import gzip
import json
from pathlib import Path

import pytest
import zstandard

from monitor.embedded.shop_file import write
from monitor.errors import MonitorError
from monitor.ingest.synthetic import Shop, parse_fault

START = 1_793_577_600_000_000


def shop() -> Shop:
    fault = parse_fault("incident:orders,country=DE:-45%@2026-11-02T14:05:00Z/80m")
    return Shop(seed=2, start_us=START, faults=[fault], aggregated=True)


def test_every_format_holds_the_same_lines(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.ndjson", "b.ndjson.gz", "c.ndjson.zst")]
    written = [write(shop(), file, 3) for file in files]
    lines = list(shop().lines(0, 3))
    plain = b"\n".join(lines) + b"\n"
    assert files[0].read_bytes() == plain
    assert gzip.decompress(files[1].read_bytes()) == plain
    assert zstandard.ZstdDecompressor().decompressobj().decompress(files[2].read_bytes()) == plain
    assert written == [len(lines)] * 3
    assert len(list(tmp_path.iterdir())) == 6


def test_the_same_shop_gives_the_same_archive(tmp_path: Path) -> None:
    for name in ("a.ndjson.gz", "b.ndjson.gz"):
        write(shop(), tmp_path / name, 2)
    assert (tmp_path / "a.ndjson.gz").read_bytes() == (tmp_path / "b.ndjson.gz").read_bytes()


def test_the_truth_stands_beside_it(tmp_path: Path) -> None:
    write(shop(), tmp_path / "new" / "shop.ndjson", 1)
    truth = json.loads((tmp_path / "new" / "shop.ndjson.truth.json").read_text())
    assert truth == shop().truth()


def test_progress_is_told_of_every_minute(tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    count = write(shop(), tmp_path / "a.ndjson", 4, lambda *step: steps.append(step))
    assert [minutes for minutes, _ in steps] == [1, 1, 1, 1]
    assert sum(lines for _, lines in steps) == count


@pytest.mark.parametrize("name", ["a.ndjson", "a.ndjson.gz", "a.ndjson.zst"])
def test_an_interrupt_leaves_nothing_and_what_was_there(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("before")

    def interrupt(minutes: int, lines: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(shop(), tmp_path / name, 5, interrupt)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "before"


def test_bad_names_are_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(MonitorError, match=r"shop.csv: names no format: end the name in .ndjson"):
        write(shop(), tmp_path / "shop.csv", 1)
    (tmp_path / "folder.ndjson").mkdir()
    with pytest.raises(MonitorError, match="is a directory"):
        write(shop(), tmp_path / "folder.ndjson", 1)
    (tmp_path / "file").write_text("")
    with pytest.raises(MonitorError, match="name a file that can be written"):
        write(shop(), tmp_path / "file" / "a.ndjson", 1)
    assert {path.name for path in tmp_path.iterdir()} == {"folder.ndjson", "file"}


def test_no_minutes_are_an_empty_file(tmp_path: Path) -> None:
    assert write(shop(), tmp_path / "a.ndjson", 0) == 0
    assert (tmp_path / "a.ndjson").read_bytes() == b""

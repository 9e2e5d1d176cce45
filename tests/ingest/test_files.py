"""Lines of files, whatever state these are in."""

import gzip
import io
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import InputError
from monitor.ingest import archives, files
from monitor.ingest.files import LineFile, expand, open_files, open_lines

Write = Callable[[str, bytes], str]
COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
}
LINES = [f'{{"line":{i},"text":"{random.Random(i).random()}"}}'.encode() for i in range(50_000)]
DATA = b"\n".join(LINES) + b"\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(name: str, data: bytes) -> str:
        path = tmp_path / name
        path.write_bytes(data)
        return str(path)

    return put


def read(path: str) -> tuple[list[bytes], list[str]]:
    file = open_lines(path)
    return list(file), file.warnings


@pytest.mark.parametrize("suffix", COMPRESS)
def test_lines_of_every_format(write: Write, suffix: str) -> None:
    file = open_lines(write("events.ndjson" + suffix, COMPRESS[suffix](DATA)))
    assert list(file) == LINES
    assert file.warnings == []
    assert file.bytes_read == file.size


@pytest.mark.parametrize("suffix", COMPRESS)
def test_archives_one_after_another_are_one(write: Write, suffix: str) -> None:
    compress = COMPRESS[suffix]
    assert read(write("x" + suffix, compress(b"a\nb") + compress(b"c\nd"))) == (
        [b"a", b"bc", b"d"],
        [],
    )


@pytest.mark.parametrize("suffix", COMPRESS)
def test_an_empty_file(write: Write, suffix: str) -> None:
    for data in (b"", COMPRESS[suffix](b"")):
        path = write("x" + suffix, data)
        assert read(path) == ([], [f"{path}: is empty"])


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_of_a_truncated_archive_the_whole_lines_count(write: Write, suffix: str) -> None:
    whole = COMPRESS[suffix](DATA)
    path = write("x" + suffix, whole[: len(whole) // 2])
    lines, warnings = read(path)
    assert 1000 < len(lines) < len(LINES)
    assert lines[:-1] == LINES[: len(lines) - 1]
    assert LINES[len(lines) - 1].startswith(lines[-1])
    assert len(warnings) == 1
    assert warnings[0].startswith(f"{path}: is cut off; its whole lines count")


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_damaged_archive_is_read_up_to_the_damage(write: Write, suffix: str) -> None:
    whole = bytearray(COMPRESS[suffix](DATA))
    middle = len(whole) // 2
    whole[middle : middle + 200] = b"\xa5" * 200
    path = write("x" + suffix, bytes(whole))
    lines, warnings = read(path)
    assert lines[:2000] == LINES[:2000]
    assert [warning.split(" (")[0] for warning in warnings] == [f"{path}: is damaged"]


def test_a_wrong_checksum_keeps_all_lines(write: Write) -> None:
    whole = gzip.compress(DATA)
    lines, warnings = read(write("x.gz", whole[:-8] + b"\1" * 8))
    assert lines[:-1] == LINES
    assert "incorrect data check" in warnings[0]


def test_what_is_no_archive_at_all(write: Write) -> None:
    lines, warnings = read(write("x.gz", b"\0\1\2"))
    assert lines == [b"\0\1\2"]
    assert "damaged from its first byte" in warnings[0]
    assert read(write("y.gz", b"a\nb\n")) == ([b"a", b"b"], [])


def test_padding_behind_a_gzip_is_ignored_and_junk_is_not(write: Write) -> None:
    assert read(write("x.gz", gzip.compress(b"a\n") + b"\0" * 3_000_000)) == ([b"a"], [])
    lines, warnings = read(write("y.gz", gzip.compress(b"a\n") + b"junk"))
    assert lines == [b"a", b"junk"]
    assert "behind its end" in warnings[0]


def test_a_last_line_without_a_line_feed_is_a_line(write: Write) -> None:
    assert read(write("x", b"a\r\n\nb"))[0] == [b"a\r", b"", b"b"]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sampled_from([b"\n", b"a", b"bc", b"\r", b"\0"])).map(b"".join),
    st.lists(st.integers(1, 7), min_size=1),
)
def test_lines_do_not_depend_on_how_a_file_is_read(data: bytes, sizes: list[int]) -> None:
    stream = io.BytesIO(data)

    class Slow:
        def read(self, size: int, /) -> bytes:
            sizes.append(sizes.pop(0))
            return stream.read(min(size, sizes[0]))

        def close(self) -> None:
            pass

    found = list(LineFile("x", Slow(), None))
    expected = data.split(b"\n")
    assert found == (expected if expected[-1] else expected[:-1])


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_archives_do_not_depend_on_how_they_are_read(suffix: str) -> None:
    data = COMPRESS[suffix](b"a\nb\n") + COMPRESS[suffix](b"c\n" * 1000)
    for step in (2, 5, 100):
        stream = io.BytesIO(data)
        head = [stream.read(5)]
        read = lambda size: head.pop() if head else stream.read(min(size, step))  # noqa: B023, E731
        assert b"".join(archives.plain(read, "x")) == b"a\nb\n" + b"c\n" * 1000


def test_a_monstrous_line_is_cut_and_said_so(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LONGEST_LINE", 3 << 20)
    path = write("x", b"a\n" + b"x" * (7 << 20) + b"\nb\n")
    lines, warnings = read(path)
    assert [len(line) for line in lines] == [1, 3 << 20, 1]
    assert warnings == [f"{path}: kept {3 << 20} bytes of each line that is longer (1 in all)"]


def test_a_gzip_bomb_comes_a_block_at_a_time() -> None:
    bomb = io.BytesIO(gzip.compress(b"\0" * (64 << 20)))
    assert max(map(len, archives.plain(bomb.read, "x"))) <= archives.BLOCK


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"no/such: no such file; check the path"):
        open_lines("no/such")
    with pytest.raises(InputError, match=rf"{tmp_path}: is a directory; name the files in it"):
        open_lines(str(tmp_path))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match="x: may not be read; check its permissions"):
        open_lines("x")


def test_a_disk_that_fails_while_reading() -> None:
    class Broken:
        def read(self, size: int, /) -> bytes:
            raise OSError(5, "Input/output error")

        def close(self) -> None:
            pass

    with pytest.raises(InputError, match=r"x: cannot be read \(Input/output error\)"):
        list(LineFile("x", Broken(), None))


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(b"a\nb"))))
    file = open_lines("-")
    assert (file.size, list(file)) == (None, [b"a", b"b"])


def test_a_pipe_has_no_size(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    keeper = os.open(tmp_path / "pipe", os.O_RDWR)
    os.write(keeper, b"a\nb")
    file = open_lines(str(tmp_path / "pipe"))
    os.close(keeper)
    assert (file.size, list(file)) == (None, [b"a", b"b"])


def test_patterns_are_expanded(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b.ndjson", "a.ndjson", "c.txt", "odd[1].ndjson"):
        write(name, b"")
    monkeypatch.chdir(tmp_path)
    assert expand(["*.ndjson", "c.txt", "a.*"]) == [
        "a.ndjson",
        "b.ndjson",
        "odd[1].ndjson",
        "c.txt",
    ]
    assert expand(["odd[1].ndjson", "-"]) == ["odd[1].ndjson", "-"]
    with pytest.raises(InputError, match=r"\*\.gz: matches no file in .*; check source.files"):
        expand(["*.ndjson", "*.gz"])


def test_a_file_named_twice_is_read_once(write: Write) -> None:
    path = write("x", b"a")
    (file,) = open_files([path, path])
    assert list(file) == [b"a"]


def test_files_are_closed_when_one_of_them_cannot_be_opened(write: Write) -> None:
    with pytest.raises(InputError, match="no/such"):
        open_files([write("x", b"a"), "no/such"])

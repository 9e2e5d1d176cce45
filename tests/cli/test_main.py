import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from monitor import cli
from monitor.errors import ConfigError, UnreachableError


@pytest.fixture
def raising() -> Iterator[list[BaseException]]:
    """A verb `init` that raises what is put into the list."""
    raised: list[BaseException] = []

    @click.command()
    def command() -> None:
        raise raised[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli._Verbs, "get_command", lambda *_: command)
        yield raised


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (ConfigError("a:1: b\nc:2: d"), 2, "a:1: b\nc:2: d\n"),
        (UnreachableError("no broker"), 4, "no broker\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_an_error_is_a_line_and_a_code(
    raising: list[BaseException],
    capfd: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    told: str,
) -> None:
    raising.append(error)
    assert cli.execute(["init"]) == code
    assert capfd.readouterr().err == told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["chekc"], ["there is no command 'chekc'", "did you mean 'check'?"]),
        (["check", "--confg", "x"], ["--confg", "--config"]),
        (["init"], ["DIR"]),
    ],
)
def test_wrong_usage_is_one_line(
    capfd: pytest.CaptureFixture[str], arguments: list[str], told: list[str]
) -> None:
    assert cli.execute(arguments) == 2
    err = capfd.readouterr().err
    assert err.startswith("monitor: ")
    assert err.count("\n") == 1
    assert all(part in err for part in told)


def test_without_a_command_there_is_help(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.execute([]) == 2
    assert capfd.readouterr().err.startswith("Usage: monitor")


def test_an_unlike_command_gets_the_list(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["xyz"]) == 2
    assert f"known are {', '.join(cli.VERBS)}" in capfd.readouterr().err


def test_every_verb_has_its_file_and_help(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.execute(["--help"]) == 0
    out = capfd.readouterr().out
    for verb in cli.VERBS:
        assert f"  {verb} " in out
        assert cli.execute([verb, "--help"]) == 0


def test_main_exits_with_the_code() -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["xyz"])
    assert caught.value.code == 2


def test_a_reader_that_leaves_is_no_error() -> None:
    program = "from monitor.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), errors) == (0, b"")


def test_a_reader_that_has_seen_enough_of_a_table_is_no_failure(tmp_path: Path) -> None:
    """`monitor check | head -1`, with the reader gone before the table comes."""
    folder = tmp_path / "config"
    assert cli.execute(["init", str(folder)]) == 0
    program = "from monitor.cli import main; main()"
    command = [sys.executable, "-c", program, "check", "--config", str(folder)]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writing)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr

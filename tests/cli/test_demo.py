"""`monitor demo`: its options, its end, and what it writes; its story is in the system tests."""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from monitor.cli import execute

PROGRAM = (sys.executable, "-c", "from monitor.cli import main; main()", "demo")
FAULT = "incident:orders,country=DE:-45%@2026-11-19T20:00:00Z/80m"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_it_ends_by_itself(tmp_path: Path) -> None:
    began = time.monotonic()
    done = subprocess.run(
        [*PROGRAM, "--for", "2s", "--history", "1d", "--port", str(free_port())],
        capture_output=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"has ended: 0 alerts fired" in done.stdout
    assert b"Traceback" not in done.stderr
    assert time.monotonic() - began < 30
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_events_to_a_file_with_their_truth(tmp_path: Path) -> None:
    path = tmp_path / "shop.ndjson"
    arguments = ["demo", "--write", str(path), "--history", "1h"]
    arguments += ["--until", "2026-11-20T00:00:00Z", "--fault", FAULT]
    assert execute(arguments) == 0
    first = path.read_bytes()
    assert json.loads(first.splitlines()[-1])["time"].startswith("2026-11-19T23:5")
    (truth,) = json.loads(Path(f"{path}.truth.json").read_text())
    assert (truth["kind"], truth["where"]) == ("incident", {"country": "DE"})
    assert execute(arguments) == 0
    assert path.read_bytes() == first
    assert execute([*arguments, "--single"]) == 0
    assert path.stat().st_size > 3 * len(first)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--for", "soon"], "is not a duration"),
        (["--fault", "fire"], "fault 'fire'"),
        (["--until", "2026-11-20T00:00:00Z"], "belong to --write"),
        (["--until", "noon", "--write", "x.gz"], "is not a time"),
        (["--write", "x.txt"], "names no format"),
        (["--write", "x.gz", "--kafka", "h:1"], "exclude each other"),
    ],
)
def test_wrong_options(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["demo", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_a_port_that_was_asked_for_and_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert execute(["demo", "--port", str(port)]) == 2
    assert f"--port {port}: cannot be listened on" in capsys.readouterr().err


def test_told_to_stop_while_it_writes_it_leaves_nothing(tmp_path: Path) -> None:
    demo = start("--write", str(tmp_path / "shop.ndjson"))
    deadline = time.monotonic() + 30
    while not list(tmp_path.iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    demo.send_signal(signal.SIGTERM)
    _, errors = demo.communicate(timeout=15)
    assert demo.returncode == 130
    assert b"Traceback" not in errors
    assert list(tmp_path.iterdir()) == []

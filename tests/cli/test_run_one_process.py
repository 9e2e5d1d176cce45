"""`monitor run` without Kafka: files or the shop, one process, one state file."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import execute
from monitor.journal.store import Store
from tests.embedded import history

PROGRAM = (sys.executable, "-c", "from monitor.cli import main; main()", "run")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def running(
    config: Path, port: int, logged: str = "run.caught_up"
) -> Iterator[subprocess.Popen[bytes]]:
    """The service, from when it is ready; told to stop at the end."""
    process = subprocess.Popen(
        [*PROGRAM, "--config", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=config.parent,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None, process.communicate()[1]
            try:
                get(port, "/readyz")
                break
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.1)
        yield process
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=15)
        assert process.returncode == 0, errors
        events = [json.loads(line)["event"] for line in errors.splitlines()]
        assert logged in events
    finally:
        process.kill()
        process.communicate()


def get(port: int, route: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{route}", timeout=10) as answer:
        return json.loads(answer.read())


def test_files_are_read_once_and_served_for_as_long_as_it_runs(tmp_path: Path) -> None:
    port = free_port()
    path = history.write(tmp_path / "events.ndjson", [*history.calm(), *history.fallen()])
    source = f'{{files: ["{tmp_path}/*.ndjson"]}}'
    config, _ = history.configured(tmp_path, source, api=f"{{port: {port}}}")
    with running(config, port):
        first = get(port, "/api/v1/alerts")["alerts"]
    assert [(a["metric"], a["state"]) for a in first] == [("orders", "firing")]
    assert path.exists()
    with running(config, port):
        assert get(port, "/api/v1/alerts")["alerts"] == first


def test_the_shop_begins_when_the_service_does(tmp_path: Path) -> None:
    port = free_port()
    config, _ = history.configured(tmp_path, "{synthetic: {seed: 3}}", api=f"{{port: {port}}}")
    with running(config, port):
        metrics = get(port, "/api/v1/metrics")["metrics"]
    assert {m["name"] for m in metrics} == {"orders", "error_rate"}


def test_roles_are_for_kafka(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, _ = history.configured(tmp_path, "{synthetic: {seed: 3}}")
    assert execute(["run", "--config", str(config), "--roles", "ingest"]) == 2
    assert "--roles splits a service on Kafka" in capsys.readouterr().err


def test_a_pattern_without_files_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, _ = history.configured(
        tmp_path, f'{{files: ["{tmp_path}/*.gz"]}}', api=f"{{port: {free_port()}}}"
    )
    assert execute(["run", "--config", str(config)]) == 2
    assert "matches no file" in capsys.readouterr().err


def test_a_pipe_is_no_source_of_a_service(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    port = free_port()
    config, _ = history.configured(
        tmp_path, f'{{files: ["{tmp_path}/pipe"]}}', api=f"{{port: {port}}}"
    )
    assert execute(["run", "--config", str(config)]) == 2
    assert "is no regular file" in capsys.readouterr().err


def test_a_file_that_has_changed_since_it_was_read_is_told(tmp_path: Path) -> None:
    port = free_port()
    lines = history.calm(end=history.START + 86_400)
    history.write(tmp_path / "events.ndjson", lines)
    source = f'{{files: ["{tmp_path}/events.ndjson"]}}'
    config, _ = history.configured(tmp_path, source, api=f"{{port: {port}}}")
    with running(config, port) as first:
        pass
    history.write(tmp_path / "events.ndjson", [*lines, *lines[-5:]])
    with running(config, port, logged="source.changed") as second:
        pass
    assert first.returncode == second.returncode == 0


def test_a_state_that_cannot_be_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    config, _ = history.configured(tmp_path, "{synthetic: {seed: 3}}", api=f"{{port: {port}}}")
    with Store(tmp_path / "state.db") as store:
        store.commit([], snapshots={0: b"damaged"})
    assert execute(["run", "--config", str(config)]) == 2
    told = capsys.readouterr().err
    assert str(tmp_path / "state.db") in told
    assert "move it away to start anew" in told

"""`monitor run` as a process: what it refuses, and how it ends."""

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.kafka_io import create_topic
from tests.system.running import PROGRAM, Run, configured
from tests.system.servers import Kafka, free_port


def configuration(folder: Path, *, broker: str, port: int, more: str = "") -> Path:
    return configured(
        folder / "config",
        f'source: {{kafka: {{bootstrap_servers: "{broker}", topic: {folder.name}.events}}}}\n'
        f"journal: {{kafka: {{prefix: {folder.name}, shards: 1}}}}\n"
        f"api: {{host: 127.0.0.1, port: {port}}}\n{more}",
    )


def refused(config: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and the one line of `monitor run`."""
    done = subprocess.run(
        [*PROGRAM, "run", "--config", config, "--state", config.parent / "state", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = [line for line in done.stderr.splitlines() if line]
    assert len(lines) == 1, done.stderr
    return done.returncode, lines[0]


def test_a_broker_that_is_down_is_exit_4_with_address_and_remedy(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    config = configuration(tmp_path, broker=address, port=free_port())
    code, line = refused(config)
    assert code == 4
    assert re.search(rf"no Kafka broker answers at {address}; start it", line)


@pytest.mark.system
def test_a_topic_that_does_not_exist_is_named_with_the_remedy(tmp_path: Path, kafka: Kafka) -> None:
    config = configuration(tmp_path, broker=kafka.address, port=free_port())
    code, line = refused(config)
    assert code == 2
    assert f"topic '{tmp_path.name}.events' does not exist on {kafka.address}; create it" in line


def test_a_port_in_use_is_named_with_the_remedy(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, line = refused(configuration(tmp_path, broker="127.0.0.1:1", port=port))
    assert code == 2
    assert re.search(rf"cannot listen on 127.0.0.1:{port} .*in use.*set api.port", line)


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        ("ingset", "there is no role 'ingset'; did you mean 'ingest'?"),
        (" ,", "--roles names no role; known are ingest, core, serve"),
    ],
)
def test_roles_that_are_none(tmp_path: Path, roles: str, said: str) -> None:
    config = configuration(tmp_path, broker="127.0.0.1:1", port=free_port())
    code, line = refused(config, "--roles", roles)
    assert code == 2
    assert said in line


def test_an_instance_is_a_name(tmp_path: Path) -> None:
    config = configuration(tmp_path, broker="127.0.0.1:1", port=free_port())
    code, line = refused(config, "--instance", "pod 0")
    assert code == 2
    assert "'pod 0' is not a name" in line


@pytest.fixture
def run(tmp_path: Path, kafka: Kafka) -> Iterator[Run]:
    """A service with an empty source, up."""
    create_topic(kafka.address, f"{tmp_path.name}.events")
    config = configuration(tmp_path, broker=kafka.address, port=free_port())
    running = Run(config, tmp_path / "state")
    running.start()
    try:
        running.wait_for_event("view.caught_up")
        running.wait_for_event("partition.opened", count=3)
        yield running
    finally:
        running.destroy()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


@pytest.mark.system
def test_children_die_with_a_killed_supervisor(run: Run) -> None:
    pids = [run.pids(role)[-1] for role in ("ingest", "core", "serve")]
    assert all(alive(pid) for pid in pids)
    run.stop(signal.SIGKILL)
    deadline = time.monotonic() + 15
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline, "children outlive their supervisor"
        time.sleep(0.1)


@pytest.mark.system
def test_ctrl_c_ends_it_gracefully(run: Run) -> None:
    code, seconds = run.stop(signal.SIGINT)
    assert code == 0
    assert seconds < 10
    assert run.log()[-1]["event"] == "run.stopped"


@pytest.mark.system
def test_the_roles_of_one_service_may_run_apart(tmp_path: Path, kafka: Kafka) -> None:
    """Two supervisors beside each other share counters; the second does not wipe them."""
    create_topic(kafka.address, f"{tmp_path.name}.events")
    config = configuration(tmp_path, broker=kafka.address, port=free_port())
    runs = [Run(config, tmp_path / "state", ["--roles", r]) for r in ("ingest", "core,serve")]
    runs[1].log_file = tmp_path / "second.log"
    try:
        for one in runs:
            one.start()
            one.wait_for_event("partition.opened")
        [counters] = (tmp_path / "state").glob("*/counters")
        names = {file.name.rsplit("_", 1)[1] for file in counters.glob("*.db")}
        assert len(names) >= 2  # files of several processes
        assert {r["role"] for r in runs[0].log() if r["event"] == "role.started"} == {"ingest"}
    finally:
        for one in runs:
            one.destroy()

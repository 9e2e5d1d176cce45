"""What compose would start, started by hand: the same settings, on free ports of this machine.

Kafka from its environment, the command that makes the topic, the monitor with its variables, Alertmanager
and Prometheus with their files. Only host names and ports are replaced.
"""

import contextlib
import json
import os
import re
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.deploy.files import ROOT, SECRETS, laid_out, services
from tests.system import servers
from tests.system.kafka_io import create_topic
from tests.system.running import PROGRAM

pytestmark = pytest.mark.system

_T = TypeVar("_T")


class Ports:
    """Free ports in place of the names of the services."""

    def __init__(self) -> None:
        self._given: dict[str, int] = {}

    def of(self, place: str) -> int:
        return self._given.setdefault(place, servers.free_port())

    def within(self, text: str, here: str = "") -> str:
        """The text, with every `service:port` on this machine; `here` is the service of localhost."""

        def local(found: re.Match[str]) -> str:
            name = here if found[1] == "localhost" else found[1]
            return f"127.0.0.1:{self.of(f'{name}:{found[2]}')}"

        return re.sub(rf"\b({'|'.join([*services(), 'localhost'])}):(\d+)", local, text)


def _or_skip(make: Callable[[], _T]) -> _T:
    try:
        return make()
    except servers.MissingError as missing:
        if os.environ.get("MONITOR_REQUIRE_SERVERS") == "1":
            pytest.fail(f"{missing} (MONITOR_REQUIRE_SERVERS=1 forbids the skip)")
        pytest.skip(f"needs a real server: {missing}")


def properties(ports: Ports, folder: Path) -> str:
    """Kafka's settings, as its image makes them of KAFKA_...: lower case, dots for underscores."""
    lines = []
    for name, value in services()["kafka"]["environment"].items():
        if name in ("KAFKA_HEAP_OPTS", "KAFKA_LOG_DIRS"):
            continue
        bound = re.sub(r"://:(\d+)", r"://localhost:\1", value)
        key = name.removeprefix("KAFKA_").lower().replace("_", ".")
        lines.append(f"{key}={ports.within(bound, here='kafka')}")
    return "\n".join([*lines, f"log.dirs={folder / 'data'}", ""])


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[servers.Server]]:
    running: list[servers.Server] = []
    yield running
    for server in reversed(running):
        server.stop()


def start_kafka(ports: Ports, folder: Path) -> servers.Server:
    java, classpath = servers.program("java"), f"{servers.jars()}/*"
    folder.mkdir()
    settings = folder / "server.properties"
    settings.write_text(properties(ports, folder))
    storage = ["kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qk", "-c"]
    done([java, "-cp", classpath, *storage, str(settings)])
    port = ports.of("kafka:9092")
    return servers.start(
        "kafka",
        [
            java,
            "-Xmx768m",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            classpath,
            "kafka.Kafka",
            str(settings),
        ],
        address=f"127.0.0.1:{port}",
        folder=folder,
        ready=lambda: accepts(port),
    )


def make_topic(ports: Ports) -> None:
    """What the command of the service `topics` says; the jars of the tests lack its program."""
    script, *options = services()["topics"]["command"]
    assert script == "/opt/kafka/bin/kafka-topics.sh"
    said = dict(option.lstrip("-").partition("=")[::2] for option in options)
    address = ports.within(said["bootstrap-server"])
    create_topic(address, said["topic"], int(said["partitions"]))


def done(command: list[str]) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def start_monitor(ports: Ports, tree: Path) -> servers.Server:
    given = services()["monitor"]["environment"]
    variables = {
        name: re.sub(r"\$\{(\w+).*\}", lambda found: SECRETS[found[1]], ports.within(value))
        for name, value in given.items()
    }
    variables |= {
        "MONITOR__API__HOST": "127.0.0.1",
        "MONITOR__API__PORT": str(ports.of("monitor:8321")),
    }
    config, state = tree / "etc" / "monitor" / "config", tree / "state"
    address = f"127.0.0.1:{ports.of('monitor:8321')}"
    set_ = [f"{name}={value}" for name, value in variables.items()]
    run = ["run", "--config", str(config), "--state", str(state)]
    return servers.start(
        "monitor",
        ["env", f"PYTHONPATH={ROOT}", *set_, *PROGRAM, *run],
        address=address,
        folder=tree,
        ready=servers.http_ready(f"http://{address}/readyz"),
    )


def start_told(ports: Ports, tree: Path, service: str, port: str, *more: str) -> servers.Server:
    """Prometheus or Alertmanager with its own file, names replaced."""
    binary = servers.program(*(["prometheus"] if service == "prometheus" else _ALERTMANAGERS))
    config = tree / "etc" / service / f"{service}.yaml"
    config.write_text(ports.within(config.read_text()).replace("scrape_interval: 15s", _OFTEN))
    for rules in config.parent.glob("rules/*.yaml"):
        rules.write_text(rules.read_text().replace("  interval: 30s", "  interval: 1s"))
    address = f"127.0.0.1:{ports.of(f'{service}:{port}')}"
    options = [f"--config.file={config}", f"--web.listen-address={address}", *more]
    return servers.start(
        service,
        [binary, *options],
        address=address,
        folder=tree,
        ready=servers.http_ready(f"http://{address}/-/ready"),
    )


_ALERTMANAGERS = ("prometheus-alertmanager", "alertmanager")
_OFTEN = "scrape_interval: 1s"


def answer(address: str, path: str) -> Any:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as got:
        return json.load(got)


def eventually(what: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_all_of_it_starts_and_finds_each_other(
    tmp_path: Path, started: list[servers.Server]
) -> None:
    ports = Ports()
    for service in ("monitor", "prometheus", "alertmanager"):
        laid_out(service, tmp_path)
    started.append(_or_skip(lambda: start_kafka(ports, tmp_path / "kafka")))
    make_topic(ports)
    alertmanager = _or_skip(
        lambda: start_told(
            ports,
            tmp_path,
            "alertmanager",
            "9093",
            f"--storage.path={tmp_path / 'am'}",
            "--cluster.listen-address=",
        )
    )
    started.append(alertmanager)
    started.append(start_monitor(ports, tmp_path))
    prometheus = _or_skip(
        lambda: start_told(
            ports, tmp_path, "prometheus", "9090", f"--storage.tsdb.path={tmp_path / 'tsdb'}"
        )
    )
    started.append(prometheus)

    def scraped() -> bool:
        asked = "/api/v1/query?query=up%7Bjob%3D%22monitor%22%7D"
        result = answer(prometheus.address, asked)["data"]["result"]
        return [sample["value"][1] for sample in result] == ["1"]

    def judged() -> bool:
        groups = answer(prometheus.address, "/api/v1/rules")["data"]["groups"]
        return {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}

    def told() -> bool:
        alerts = answer(alertmanager.address, "/api/v2/alerts")
        receivers = {a["labels"]["alertname"]: a["receivers"][0]["name"] for a in alerts}
        return receivers == {"MonitorDeadMansSwitch": "heartbeat"}

    eventually(scraped)
    eventually(judged, 90)
    eventually(told)

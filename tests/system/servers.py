"""Real servers for the system tests and the benchmarks: Kafka, Prometheus, Alertmanager.

Each is started on free ports in a folder of its own, waited for, and killed with its process group.
"""

import base64
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_HERE = Path(__file__).parent
_START_SECONDS = 60.0


class MissingError(Exception):
    """A program that a server needs is not on this machine."""


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(*names: str) -> str:
    """Path of the first of these programs that is installed."""
    for name in names:
        if path := shutil.which(name):
            return path
    message = f"{' or '.join(names)} is not installed"
    raise MissingError(message)


@dataclass(kw_only=True)
class Server:
    """A running server.

    Attributes:
        address: host:port.
        log: the file with what it printed.
    """

    name: str
    address: str
    log: Path
    process: subprocess.Popen[bytes]

    def stop(self, number: int = signal.SIGKILL) -> None:
        """Signal its process group and wait until it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        self.process.wait(timeout=20)


def start(
    name: str, command: Sequence[str], *, address: str, folder: Path, ready: Callable[[], bool]
) -> Server:
    """Start a program in its own process group and wait until `ready` says so."""
    log = folder / f"{name}.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            cwd=folder,
            start_new_session=True,
        )
    server = Server(name=name, address=address, log=log, process=process)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if ready():
            return server
        time.sleep(0.05)
    server.stop()
    message = f"{name} did not start on {address}: {log.read_text(errors='replace')[-2000:]}"
    raise RuntimeError(message)


def jars() -> Path:
    """The folder with Kafka's jars: MONITOR_KAFKA_LIBS, else a cache that `fetch.sh` fills."""
    if given := os.environ.get("MONITOR_KAFKA_LIBS"):
        folder = Path(given)
    else:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = cache / "metric-monitor" / "kafka" / "libs"
        if not folder.is_dir():
            program("mvn")
            try:
                subprocess.run(
                    ["sh", _HERE / "kafka" / "fetch.sh", folder], check=True, timeout=300
                )
            except (subprocess.SubprocessError, OSError) as error:
                message = f"Kafka's jars could not be fetched into {folder}: {error}"
                raise MissingError(message) from error
    if not any(folder.glob("kafka-server-*.jar")):
        message = f"{folder} holds no Kafka jars; run tests/system/kafka/fetch.sh {folder}"
        raise MissingError(message)
    return folder


_BROKER = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={folder}/data
num.partitions=2
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
auto.create.topics.enable=false
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=1000
"""


class Kafka:
    """A one-node broker (KRaft) whose data outlive a stop."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._java = program("java")
        self._classpath = f"{jars()}/*"
        self._port = free_port()
        self.address = f"127.0.0.1:{self._port}"
        self._server: Server | None = None
        self._properties = folder / "server.properties"
        controller = free_port()
        self._properties.write_text(
            _BROKER.format(port=self._port, controller=controller, folder=folder)
            + self._listeners(controller)
        )
        # An id that begins with a dash would be read as an option.
        cluster = "M" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]
        self._command(
            *["kafka.tools.StorageTool", "format", "--standalone", "-t", cluster],
            *[*self._format_options(), "-c", str(self._properties)],
        )

    def _listeners(self, controller: int) -> str:
        """More properties."""
        return ""

    def _format_options(self) -> list[str]:
        """More options of `StorageTool format`."""
        return []

    def _command(self, *arguments: str) -> None:
        """Run one of Kafka's own tools."""
        subprocess.run(
            [self._java, "-XX:TieredStopAtLevel=1", "-cp", self._classpath, *arguments],
            check=True,
            capture_output=True,
            cwd=self._folder,
            timeout=_START_SECONDS,
        )

    def start(self) -> None:
        """Start the broker and wait until it accepts connections."""
        self._server = start(
            "kafka",
            [
                self._java,
                "-Xmx768m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                self._classpath,
                "kafka.Kafka",
                str(self._properties),
            ],
            address=self.address,
            folder=self._folder,
            ready=self._accepts,
        )

    def stop(self, number: int = signal.SIGKILL) -> None:
        """Kill the broker; `start` brings it back with its data."""
        if self._server is not None:
            self._server.stop(number)
            self._server = None

    def signal(self, number: int) -> None:
        """Signal the broker, where it runs."""
        if self._server is not None:
            os.killpg(self._server.process.pid, number)

    def _accepts(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1):
            return True
        return False


def http_ready(url: str) -> Callable[[], bool]:
    """Whether a GET of this address answers 200."""

    def ready() -> bool:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    return ready


def start_prometheus(folder: Path, targets: Sequence[str]) -> Server:
    """Prometheus that scrapes these addresses four times a second."""
    binary = program("prometheus")
    config = folder / "prometheus.yml"
    listed = ", ".join(f"'{target}'" for target in targets)
    config.write_text(
        "global: {scrape_interval: 250ms}\n"
        "scrape_configs:\n"
        f"  - job_name: monitor\n    static_configs: [{{targets: [{listed}]}}]\n"
    )
    address = f"127.0.0.1:{free_port()}"
    command = [
        binary,
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
    ]
    return start(
        "prometheus",
        command,
        address=address,
        folder=folder,
        ready=http_ready(f"http://{address}/-/ready"),
    )


def start_alertmanager(folder: Path, port: int | None = None) -> Server:
    """Alertmanager with a receiver that tells nobody, on a free port where none is given."""
    binary = program("prometheus-alertmanager", "alertmanager")
    config = folder / "alertmanager.yml"
    config.write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    address = f"127.0.0.1:{port or free_port()}"
    command = [
        binary,
        f"--config.file={config}",
        f"--storage.path={folder / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    return start(
        "alertmanager",
        command,
        address=address,
        folder=folder,
        ready=http_ready(f"http://{address}/-/ready"),
    )


@contextlib.contextmanager
def running_kafka(folder: Path) -> Iterator[Kafka]:
    """A broker for the time of a `with` block."""
    broker = Kafka(folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()

"""Fixtures of the system tests; a server that cannot be had skips what needs it.

With MONITOR_REQUIRE_SERVERS=1 (as in CI) it fails instead.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
import pytest_asyncio

from monitor.kafka.broker import on_loop_error
from tests.system import servers
from tests.system.secure_kafka import SecureKafka

_T = TypeVar("_T")


def _or_skip(make: Callable[[], _T]) -> _T:
    try:
        return make()
    except servers.MissingError as missing:
        if os.environ.get("MONITOR_REQUIRE_SERVERS") == "1":
            pytest.fail(f"{missing} (MONITOR_REQUIRE_SERVERS=1 forbids the skip)")
        pytest.skip(f"needs a real server: {missing}")


@pytest_asyncio.fixture(autouse=True)
async def quiet_loop() -> AsyncIterator[None]:
    """As in the service: what aiokafka leaves unretrieved is no news."""
    asyncio.get_running_loop().set_exception_handler(on_loop_error)
    yield


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Kafka]:
    """A broker that all tests of the session share; tests keep apart by their prefixes."""
    folder = tmp_path_factory.mktemp("kafka")
    broker = _or_skip(lambda: servers.Kafka(folder))
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def kafka_and_alertmanager_can_be_had() -> None:
    """For a test that starts its own."""
    _or_skip(servers.jars)
    _or_skip(lambda: servers.program("java"))
    _or_skip(lambda: servers.program("prometheus-alertmanager", "alertmanager"))


@pytest.fixture(scope="session")
def secure_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    """A broker with TLS, logins and access rights."""
    folder = tmp_path_factory.mktemp("secure-kafka")
    broker = _or_skip(lambda: SecureKafka(folder))
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture(scope="session")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Server]:
    folder: Path = tmp_path_factory.mktemp("alertmanager")
    server = _or_skip(lambda: servers.start_alertmanager(folder))
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Callable[[list[str]], servers.Server]]:
    """Starts a Prometheus that scrapes the addresses it is given."""
    started: list[servers.Server] = []

    def begin(targets: list[str]) -> servers.Server:
        started.append(_or_skip(lambda: servers.start_prometheus(tmp_path, targets)))
        return started[-1]

    try:
        yield begin
    finally:
        for server in started:
            server.stop()

"""The service over TLS with a login, as a user who may do what docs/kafka.md lists and nothing else."""

import asyncio
import json
import os
import re
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import execute
from monitor.clock import wall_clock
from monitor.errors import UnreachableError
from monitor.kafka.broker import Broker, Outgoing, on_loop_error
from monitor.kafka.hooks import hooks_of
from monitor.kafka.permissions import Operation
from monitor.kafka.security import security_of
from monitor.model.time import SECOND
from monitor.settings import KafkaSecurity
from tests.system import shop
from tests.system.kafka_io import create_topic, until, write
from tests.system.running import PROGRAM, Run, configured
from tests.system.secure_kafka import (
    LIMITED,
    LIMITED_PASSWORD,
    PASSWORD,
    USER,
    Right,
    SecureKafka,
    allow,
)
from tests.system.servers import free_port

pytestmark = pytest.mark.system

PREFIX = "safe"
SETTING = "source.kafka.security"


def login(kafka: SecureKafka, mechanism: str = "SCRAM-SHA-512", **other: Any) -> KafkaSecurity:
    """The administrator's."""
    given = {
        "protocol": "SASL_SSL",
        "mechanism": mechanism,
        "username": USER,
        "password_env": "KAFKA_PASSWORD",
        "ca_file": str(kafka.keys.authority),
    }
    return KafkaSecurity(**{**given, **other})


def broker(address: str, security: KafkaSecurity, password: str = PASSWORD) -> Broker:
    variables = {"KAFKA_PASSWORD": password}
    return Broker(address=address, security=security_of(security, variables, setting=SETTING))


async def topics_of(one: Broker) -> list[str]:
    async with one.admin() as admin:
        return list(await admin.list_topics())


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
async def test_every_mechanism_lets_in(secure_kafka: SecureKafka, mechanism: str) -> None:
    await topics_of(broker(secure_kafka.login, login(secure_kafka, mechanism)))


async def test_a_certificate_lets_in(secure_kafka: SecureKafka) -> None:
    keys = secure_kafka.keys
    security = KafkaSecurity(
        protocol="SSL",
        ca_file=str(keys.authority),
        cert_file=str(keys.client),
        key_file=str(keys.client_key),
        key_password_env="KAFKA_PASSWORD",
    )
    await topics_of(broker(secure_kafka.mtls, security))


async def refusal(one: Broker) -> str:
    with pytest.raises(UnreachableError) as caught:
        await topics_of(one)
    return str(caught.value)


async def test_what_is_wrong_is_told_with_the_remedy(secure_kafka: SecureKafka) -> None:
    kafka, keys = secure_kafka, secure_kafka.keys
    right = broker(kafka.login, login(kafka))
    wrong = broker(kafka.login, login(kafka), "wrong password")
    strange = broker(kafka.login, login(kafka, ca_file=str(keys.other)))
    named = replace(right, address=kafka.login.replace("127.0.0.1", "localhost"))
    assert "wrong password" not in f"{wrong!r} {await refusal(wrong)}"
    cases = [
        (wrong, r"refuses the user 'monitor' with SCRAM-SHA-512; .*password in \$KAFKA_PASSWORD"),
        (strange, rf"{kafka.login} has a certificate that is not trusted .*security.ca_file"),
        (named, r"certificate for another name .*bootstrap_servers.*check_hostname: false"),
        (replace(right, address=kafka.address), r"closes the connection.*protocol, SASL_SSL"),
        (Broker(address=kafka.login), r"closes the connection.*protocol, PLAINTEXT, that of the"),
        (Broker(address=kafka.mtls, security=security_of(
            KafkaSecurity(protocol="SSL", ca_file=str(keys.authority)), {}, setting=SETTING
        )), r"closes the connection.*cert_file"),
    ]  # fmt: skip
    for one, said in cases:
        assert re.search(said, await refusal(one)), one


async def test_a_certificate_for_another_name_may_be_allowed(secure_kafka: SecureKafka) -> None:
    address = secure_kafka.login.replace("127.0.0.1", "localhost")
    await topics_of(broker(address, login(secure_kafka, check_hostname=False)))


def configuration(folder: Path, kafka: SecureKafka, *, port: int, more: str = "") -> Path:
    service = f"""
source:
  kafka:
    bootstrap_servers: "{kafka.login}"
    topic: {PREFIX}-events
    group: {PREFIX}
    security:
      protocol: SASL_SSL
      mechanism: SCRAM-SHA-512
      username: {LIMITED}
      password_env: KAFKA_PASSWORD
      ca_file: {kafka.keys.authority}
journal: {{kafka: {{prefix: {PREFIX}, shards: 2}}}}
api: {{port: {port}}}
{more}"""
    return configured(folder / "config", service, shop.METRICS)


def refused(config: Path, password: str) -> str:
    """What `monitor run` says, in one line, that ends with exit code 4."""
    done = subprocess.run(
        [*PROGRAM, "run", "--config", config, "--state", config.parent / "state"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "KAFKA_PASSWORD": password},
    )
    assert done.returncode == 4, done.stderr
    [line] = (done.stdout + done.stderr).splitlines()
    assert password not in line
    return line


def test_a_wrong_password_is_exit_4_in_one_line(tmp_path: Path, secure_kafka: SecureKafka) -> None:
    line = refused(configuration(tmp_path, secure_kafka, port=free_port()), "not the right one")
    assert f"{secure_kafka.login} refuses the user '{LIMITED}' with SCRAM-SHA-512" in line
    assert "password in $KAFKA_PASSWORD" in line


def test_a_wrong_authority_is_exit_4_in_one_line(tmp_path: Path, secure_kafka: SecureKafka) -> None:
    config = configuration(tmp_path, secure_kafka, port=free_port())
    file, keys = config / "monitor.yaml", secure_kafka.keys
    file.write_text(file.read_text().replace(str(keys.authority), str(keys.other)))
    line = refused(config, LIMITED_PASSWORD)
    assert f"{secure_kafka.login} has a certificate that is not trusted here" in line


Verb = Callable[..., tuple[int, str]]


@pytest.fixture
def verb(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Verb:
    """Runs a verb; its exit code and all output."""

    def run(*arguments: str | Path, password: str = LIMITED_PASSWORD) -> tuple[int, str]:
        monkeypatch.setenv("KAFKA_PASSWORD", password)
        code = execute([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return code, out + err

    return run


def test_dead_letters_with_a_wrong_password(
    tmp_path: Path, secure_kafka: SecureKafka, verb: Verb
) -> None:
    config = configuration(tmp_path, secure_kafka, port=free_port())
    code, said = verb("deadletters", "list", "--config", config, password="not the right one")
    assert code == 4
    assert f"refuses the user '{LIMITED}'" in said
    assert "not the right one" not in said
    assert len(said.splitlines()) == 1


NEEDED = (
    Right([Operation.READ, Operation.WRITE], "topic", f"{PREFIX}-events"),
    Right(
        [Operation.READ, Operation.WRITE, Operation.CREATE, Operation.DESCRIBE_CONFIGS],
        "topic",
        f"{PREFIX}.",
        prefixed=True,
    ),
    Right([Operation.READ], "group", PREFIX, prefixed=True),
    Right([Operation.WRITE], "transactional-id", PREFIX, prefixed=True),
)
"""What docs/kafka.md says that the service's user needs."""


@pytest.fixture(scope="module")
def allowed(secure_kafka: SecureKafka) -> SecureKafka:
    """A broker on which the limited user may do that."""
    asyncio.run(allow(secure_kafka, LIMITED, NEEDED))
    return secure_kafka


def connected(verb: Verb, config: Path) -> tuple[int, dict[tuple[str, str], dict[str, str]]]:
    """Exit code and rows of `check --connect --json`."""
    code, said = verb("check", "--connect", "--json", "--config", config)
    rows = json.loads(said[said.index("{") :])["connect"]
    return code, {(row["what"], row["name"]): row for row in rows}


def test_what_a_user_lacks_is_a_finding_with_the_command(
    tmp_path: Path, secure_kafka: SecureKafka, verb: Verb
) -> None:
    """Before the rights are given; what is looked at stays as it was."""
    config = configuration(tmp_path, secure_kafka, port=free_port())
    code, rows = connected(verb, config)
    assert code == 1
    assert rows["source broker", secure_kafka.login]["state"] == "ok"
    assert rows["source topic", f"{PREFIX}-events"]["detail"].startswith("does not exist, or may")
    grant = f"--allow-principal User:{LIMITED} --operation Read --group {PREFIX}"
    assert grant in rows["group, rights", PREFIX]["remedy"]
    made = rows["journal topic", f"{PREFIX}.frames"]
    assert made["state"] == "finding"
    assert "cannot be made" in made["detail"]
    assert "--operation Write" in rows["transactions", f"{PREFIX}-*"]["remedy"]
    assert asyncio.run(topics_of(Broker(address=secure_kafka.address))) == []


def test_a_check_of_servers_that_are_away_is_exit_4(tmp_path: Path, verb: Verb) -> None:
    away = free_port()
    config = configured(
        tmp_path / "config",
        f"source: {{kafka: {{bootstrap_servers: '127.0.0.1:{away}'}}}}\n"
        f"alertmanager: {{url: 'http://user:{PASSWORD[:6]}@127.0.0.1:{away}'}}\n"
        f"grafana: {{url: 'http://127.0.0.1:{away}'}}\n",
        shop.METRICS,
    )
    code, rows = connected(verb, config)
    assert code == 4
    assert [row["state"] for row in rows.values()] == ["unreachable"] * 3
    assert rows["source broker", f"127.0.0.1:{away}"]["detail"] == "takes no connections"
    assert PASSWORD[:6] not in str(rows)


@pytest.fixture
def service(tmp_path: Path, allowed: SecureKafka, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """A service of the limited user, and half a day of the shop's events."""
    monkeypatch.setenv("KAFKA_PASSWORD", LIMITED_PASSWORD)
    create_topic(allowed.address, f"{PREFIX}-events")
    end = wall_clock() // SECOND // shop.STEP * shop.STEP
    lines = list(shop.lines(end - shop.DAY // 2, end))
    events = [
        Outgoing(topic=f"{PREFIX}-events", partition=line.partition, value=line.body)
        for line in lines
    ]
    broken = Outgoing(topic=f"{PREFIX}-events", partition=0, value=b"no JSON")
    asyncio.run(write(Broker(address=allowed.address), [*events, broken]))
    port = free_port()
    config = configuration(tmp_path, allowed, port=port)
    running = Run(config, tmp_path / "state")
    running.start()
    try:
        deadline = time.monotonic() + 60
        while not closed(port):
            assert running.alive, running.tail()
            assert time.monotonic() < deadline, running.tail()
            time.sleep(0.2)
        yield running
    finally:
        running.destroy()


def closed(port: int) -> bool:
    try:
        url = f"http://127.0.0.1:{port}/api/v1/metrics/orders/buckets"
        with urllib.request.urlopen(url, timeout=5) as answer:
            return len(json.loads(answer.read())["buckets"]) >= 40
    except OSError:
        return False


def test_the_service_over_tls_with_a_login(
    service: Run, tmp_path: Path, allowed: SecureKafka, verb: Verb
) -> None:
    """Buckets, hooks, dead letters and events of the demo: all of it over the one listener."""
    config = tmp_path / "config"
    asyncio.run(hear_of_both(config))
    code, said = verb("deadletters", "list", "--config", config)
    assert code == 0, said
    assert "not_json" in said
    demo = ["demo", "--kafka", allowed.login, "--topic", f"{PREFIX}-events", "--config", config]
    code, said = verb(*demo, "--history", "1h", "--for", "1s")
    assert code == 0, said
    code, rows = connected(verb, config)
    assert [row for row in rows.values() if row["state"] != "ok"] == []
    assert code == 0
    assert rows["source topic, rights", f"{PREFIX}-events"]["detail"] == "Read"
    code, _ = service.stop()
    assert code == 0
    assert LIMITED_PASSWORD not in service.log_file.read_text()


async def hear_of_both(config: Path) -> None:
    """Wait until an agent of Faust's was told of buckets of both metrics."""
    asyncio.get_running_loop().set_exception_handler(on_loop_error)
    seen: set[str] = set()
    hooks = hooks_of(config, name=f"{PREFIX}.hooks")

    @hooks.app.agent(hooks.buckets)  # type: ignore[untyped-decorator]
    async def look(buckets: Any) -> None:
        async for one in buckets:
            seen.add(one.metric)

    async def told() -> bool:
        return {"orders", "error_rate"} <= seen

    async with hooks.app:
        await until(told)

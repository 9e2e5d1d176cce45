"""A broker as people run it: TLS, logins, certificates of clients, and access rights.

Listeners beside the open one of `servers.Kafka`, whose users are the administrators here: SASL_SSL with
all three mechanisms, and MTLS, which asks for a certificate.
"""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Int8, Int16, Int32, Schema, String

from monitor.kafka.permissions import Operation
from monitor.kafka.reach import connection
from monitor.kafka.security import OPEN
from tests.system.servers import Kafka, free_port, program

USER, PASSWORD = "monitor", "Geheim und lang: 8§"
LIMITED, LIMITED_PASSWORD = "limited", "another one"
_MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512")
_LISTENERS = """
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,MTLS:SSL
listeners=PLAINTEXT://{open},SASL_SSL://127.0.0.1:{login},MTLS://127.0.0.1:{mtls},CONTROLLER://{controller}
advertised.listeners=PLAINTEXT://{open},SASL_SSL://127.0.0.1:{login},MTLS://127.0.0.1:{mtls}
ssl.keystore.type=PEM
ssl.keystore.location={keys.server}
ssl.truststore.type=PEM
ssl.truststore.location={keys.authority}
listener.name.mtls.ssl.client.auth=required
listener.name.sasl_ssl.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.sasl_ssl.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:CN=client;User:{user}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Files of a small authority.

    Attributes:
        authority: its certificate.
        server: key and certificate of the broker.
        client, client_key: of a client; the key's password is `PASSWORD`.
        other: an authority that signed nothing.
    """

    authority: Path
    server: Path
    client: Path
    client_key: Path
    other: Path


def make_keys(folder: Path) -> Keys:
    """An authority that signed a server's certificate, for 127.0.0.1, and a client's."""
    openssl = program("openssl")
    ec: list[str | Path] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]

    def run(*arguments: str | Path) -> None:
        subprocess.run([openssl, *arguments], check=True, capture_output=True, cwd=folder)

    def authority(name: str) -> Path:
        out = ["-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2"]
        use = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        run("req", "-x509", *ec, "-nodes", *out, "-subj", f"/CN={name}", *use)
        return folder / f"{name}.pem"

    def signed(name: str, extension: str, *protect: str) -> tuple[Path, Path]:
        key, request, cert = (folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
        extensions = folder / f"{name}.ext"
        extensions.write_text(extension + "\nauthorityKeyIdentifier=keyid\n")
        run("req", *ec, *protect, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        by = ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial", "-days", "2"]
        run("x509", "-req", "-in", request, "-out", cert, *by, "-extfile", extensions)
        return key, cert

    trusted, other = authority("authority"), authority("other")
    key, cert = signed("server", "subjectAltName=IP:127.0.0.1", "-nodes")
    server = folder / "server.pem"
    server.write_text(key.read_text() + cert.read_text())
    client_key, client = signed(
        "client", "extendedKeyUsage=clientAuth", "-passout", f"pass:{PASSWORD}"
    )
    return Keys(authority=trusted, server=server, client=client, client_key=client_key, other=other)


class SecureKafka(Kafka):
    """A broker with listeners that ask who is there."""

    def __init__(self, folder: Path) -> None:
        self.keys = make_keys(folder)
        self.login = f"127.0.0.1:{free_port()}"
        self.mtls = f"127.0.0.1:{free_port()}"
        super().__init__(folder)

    def _listeners(self, controller: int) -> str:
        return _LISTENERS.format(
            open=self.address,
            login=self.login.rsplit(":", 1)[1],
            mtls=self.mtls.rsplit(":", 1)[1],
            controller=f"127.0.0.1:{controller}",
            keys=self.keys,
            user=USER,
            password=PASSWORD.encode("unicode_escape").decode().replace("\\xa7", "\\u00a7"),
        )

    def _format_options(self) -> list[str]:
        users = ((USER, PASSWORD), (LIMITED, LIMITED_PASSWORD))
        return [
            option
            for mechanism in _MECHANISMS
            for name, password in users
            for option in ("--add-scram", f'{mechanism}=[name="{name}",password="{password}"]')
        ]


class _AclsResponse(Response):  # type: ignore[misc]
    API_KEY, API_VERSION = 30, 1
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("results", Array(("error_code", Int16), ("error_message", String("utf-8")))),
    )


class _AclsStruct(RequestStruct):  # type: ignore[misc]
    API_KEY, API_VERSION = 30, 1
    RESPONSE_TYPE = _AclsResponse
    SCHEMA = Schema(
        (
            "creations",
            Array(
                ("resource_type", Int8),
                ("resource_name", String("utf-8")),
                ("resource_pattern_type", Int8),
                ("principal", String("utf-8")),
                ("host", String("utf-8")),
                ("operation", Int8),
                ("permission_type", Int8),
            ),
        )
    )


class _AclsRequest(Request[_AclsStruct]):  # type: ignore[misc]
    API_KEY = 30

    def __init__(self, creations: list[tuple[Any, ...]]) -> None:
        self._creations = creations

    def build(self, request_struct_class: type[Any]) -> Any:
        return request_struct_class(self._creations)


@dataclass(frozen=True, slots=True)
class Right:
    """What a user may do: `kafka-acls.sh --add --operation READ --topic events`."""

    operations: Sequence[Operation]
    resource: Literal["topic", "group", "transactional-id"]
    name: str
    prefixed: bool = False


_RESOURCES = {"topic": 2, "group": 3, "transactional-id": 5}
_LITERAL, _PREFIXED, _ALLOW = 3, 4, 3


async def allow(kafka: SecureKafka, user: str, rights: Sequence[Right]) -> None:
    """Give a user rights, by the listener whose users are administrators."""
    creations = [
        (
            _RESOURCES[right.resource],
            right.name,
            _PREFIXED if right.prefixed else _LITERAL,
            f"User:{user}",
            "*",
            int(operation),
            _ALLOW,
        )
        for right in rights
        for operation in right.operations
    ]
    async with connection(kafka.address, OPEN) as conn:
        answer = await conn.send(_AclsRequest(creations))
    assert not any(code for code, _ in answer.results), answer.results

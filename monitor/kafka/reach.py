"""Why a broker does not let a client in, in words: aiokafka only says that it could not bootstrap.

A connection is made by hand, step by step: name, port, TLS, login, first question, and then every
address that the broker itself names.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from monitor.kafka.security import Security

_REQUEST_MS = 5_000
_LARGEST_PORT = 65_535
_NOT_REACHED = "start it, or correct {place}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why one server cannot be used.

    Attributes:
        server: host:port.
        what: what it did, or did not do.
        remedy: what a person can do.
        is_silence: whether nobody is there at all.
    """

    server: str
    what: str
    remedy: str
    is_silence: bool = False

    def __str__(self) -> str:
        """One line."""
        return f"{self.server} {self.what}; {self.remedy}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a client meets at an address.

    Attributes:
        troubles: what is wrong, also with one server of several.
        server: the one that answered; None where none did.
        cluster: its id.
        brokers: how many the cluster has.
    """

    troubles: tuple[Trouble, ...]
    server: str | None = None
    cluster: str = ""
    brokers: int = 0


async def look(address: str, security: Security, *, setting: str) -> Look:
    """Try every server of an address, and those that the first good one names.

    Args:
        address: host:port joined by commas.
        security: what the client has.
        setting: where the address is configured, such as `source.kafka`.
    """
    found: list[Trouble] = []
    answered: dict[str, Any] = {}
    for server in (part.strip() for part in address.split(",")):
        trouble, told = await _ask(server, security, setting)
        if trouble is None:
            answered[server] = told
        else:
            found.append(trouble)
    if not answered:
        return Look(troubles=tuple(found))
    server, told = next(iter(answered.items()))
    named = {f"{broker[1]}:{broker[2]}" for broker in told.brokers}
    for other in sorted(named - answered.keys()):
        trouble, _ = await _ask(other, security, setting)
        if trouble is not None:
            found.append(_misled(trouble, server))
    return Look(
        troubles=tuple(found), server=server, cluster=told.cluster_id, brokers=len(told.brokers)
    )


def _misled(trouble: Trouble, asked: str) -> Trouble:
    """The trouble with an address that a broker has named."""
    remedy = (
        f"{asked} answers, but sends its clients to {trouble.server}: correct the brokers' "
        "advertised.listeners, or use the listener that is meant for this machine"
    )
    return Trouble(server=trouble.server, what=trouble.what, remedy=remedy)


async def _ask(server: str, security: Security, setting: str) -> tuple[Trouble | None, Any]:
    """The trouble with a server, else what it tells of its cluster."""
    try:
        async with connection(server, security) as conn:
            return None, await conn.send(MetadataRequest([]))
    except (OSError, KafkaError, TimeoutError, ValueError) as error:
        what, remedy = explained(error, security)
        place = setting if setting.startswith("-") else f"{setting}.bootstrap_servers"
        trouble = Trouble(
            server=server,
            what=what,
            remedy=remedy.format(place=place),
            is_silence=isinstance(error, ConnectionRefusedError),
        )
        return trouble, None


@asynccontextmanager
async def connection(server: str, security: Security) -> AsyncIterator[AIOKafkaConnection]:
    """A connection to one server, for the time of a `with` block."""
    host, _, port = server.rpartition(":")
    if int(port) > _LARGEST_PORT:
        message = f"port {port} is above {_LARGEST_PORT}"
        raise ValueError(message)
    conn = await create_conn(
        host.strip("[]"), int(port), request_timeout_ms=_REQUEST_MS, **security.options
    )
    try:
        yield conn
    finally:
        closed: Any = conn.close()
        if closed is not None:
            await closed
        await asyncio.sleep(0)


def explained(error: BaseException, security: Security) -> tuple[str, str]:
    """What a server did, and the remedy, in which `{place}` stands for the place of its address."""
    match error:
        case ssl.SSLError():
            return _tls(error, security)
        case KafkaError():
            return _kafka(error, security)
        case ConnectionResetError():
            return "closes the connection", _listener(security)
        case TimeoutError():
            remedy = f"{_NOT_REACHED}; a firewall may be between, or {_listener(security)}"
            return f"does not answer within {_REQUEST_MS // 1000} s", remedy
    return _unreached(error), _NOT_REACHED


def _unreached(error: BaseException) -> str:
    if isinstance(error, socket.gaierror):
        return "is a name that is not known here"
    if isinstance(error, ConnectionRefusedError):
        return "takes no connections"
    return f"cannot be reached ({str(error) or type(error).__name__})"


def _tls(error: ssl.SSLError, security: Security) -> tuple[str, str]:
    if isinstance(error, ssl.SSLCertVerificationError):
        if "match" in error.verify_message:
            what = f"has a certificate for another name ({error.verify_message})"
            return what, (
                "use the name of the certificate in {place}, or set "
                f"{security.setting}.check_hostname: false"
            )
        return f"has a certificate that is not trusted here ({error.verify_message})", (
            f"set {security.setting}.ca_file to the authority that signed it"
        )
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if "certificate required" in reason or "handshake failure" in reason:
        return f"asks for a certificate of the client's ({reason})", (
            f"set {security.setting}.cert_file and key_file"
        )
    if "alert" in reason:
        return f"refuses the client's certificate ({reason})", (
            f"give it one that its authority signed: {security.setting}.cert_file"
        )
    return f"does not speak TLS on this port ({reason})", _listener(security)


def _kafka(error: KafkaError, security: Security) -> tuple[str, str]:
    match error:
        case SaslAuthenticationFailed() | AuthenticationFailedError():
            what = f"refuses the user {security.username!r} with {security.mechanism}"
            return what, (
                f"correct {security.setting}.username, or the password in {security.password_from}, "
                "or create the user (kafka-configs.sh --alter --entity-type users)"
            )
        case UnsupportedSaslMechanismError():
            return f"does not offer {security.mechanism}", (
                f"set {security.setting}.mechanism to one of its sasl.enabled.mechanisms"
            )
        case IllegalSaslStateError():
            return "asks for no login on this port", _listener(security)
        case _:
            return f"closes the connection ({type(error).__name__})", _listener(security)


def _listener(security: Security) -> str:
    certificate = ", and does that ask for a cert_file" if security.context is not None else ""
    return (
        f"is {security.setting}.protocol, {security.protocol}, that of the listener on this port"
        f"{certificate}?"
    )

"""Checks of what `monitor.yaml` says of Kafka: listeners, logins, topics."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath

from monitor.definitions.mistake import Fault, Path
from monitor.model.quantity import format_duration
from monitor.model.time import HOUR
from monitor.settings import KafkaJournal, KafkaSecurity, KafkaSource

_SERVER = re.compile(r"(?:\[[0-9a-fA-F:]+\]|[^\s:,\[\]]+):\d{1,5}")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,200}")
_SETTING = re.compile(r"[a-z]+(\.[a-z]+)+")
_SOURCE: Path = ("source", "kafka")
_JOURNAL: Path = ("journal", "kafka")
_SHORTEST_LOG_US = HOUR
_LOGIN = ("mechanism", "username", "password_env", "password_file")
_TLS = (
    "ca_file",
    "cert_file",
    "key_file",
    "key_password_env",
    "key_password_file",
    "check_hostname",
)
_OF_ITS_OWN = {
    "cleanup.policy": "the journal needs the one that it sets",
    "retention.ms": "write journal.kafka.retention",
    "min.insync.replicas": "write journal.kafka.min_insync_replicas",
}


def check_source(source: KafkaSource) -> Iterator[Fault]:
    """Every fault of `source.kafka`."""
    yield from _servers((*_SOURCE, "bootstrap_servers"), source.bootstrap_servers)
    yield from topic_name((*_SOURCE, "topic"), source.topic)
    yield from _security((*_SOURCE, "security"), source.security)


def check_journal(journal: KafkaJournal) -> Iterator[Fault]:
    """Every fault of `journal.kafka`."""
    if journal.bootstrap_servers is not None:
        yield from _servers((*_JOURNAL, "bootstrap_servers"), journal.bootstrap_servers)
    yield from _security((*_JOURNAL, "security"), journal.security)
    least = journal.min_insync_replicas
    if least is not None and least > journal.replication:
        message = (
            f"journal.kafka.min_insync_replicas {least} is more than replication "
            f"{journal.replication}: nothing could be written; lower it, or raise replication"
        )
        yield Fault(path=(*_JOURNAL, "min_insync_replicas"), message=message)
    kept = journal.retention.frames
    if kept < _SHORTEST_LOG_US:
        message = (
            f"journal.kafka.retention.frames {format_duration(kept)} is shorter than 1h: a core "
            "that is away for so long would lose events; write 1d or more"
        )
        yield Fault(path=(*_JOURNAL, "retention", "frames"), message=message)
    for stream, settings in journal.topics:
        for name in settings:
            yield from _topic_setting((*_JOURNAL, "topics", stream, name), name)


def _topic_setting(path: Path, name: str) -> Iterator[Fault]:
    place = ".".join(str(part) for part in path[:-1])
    if name in _OF_ITS_OWN:
        yield Fault(path=path, message=f"{place}: {name!r}: {_OF_ITS_OWN[name]}", on_key=True)
    elif not _SETTING.fullmatch(name):
        message = f"{place}: {name!r} is not a setting of a topic, such as segment.bytes"
        yield Fault(path=path, message=message, on_key=True)


def topic_name(path: Path, name: str) -> Iterator[Fault]:
    """The fault of a name that no topic can have."""
    if not _TOPIC.fullmatch(name) or name in (".", ".."):
        dotted = ".".join(str(part) for part in path)
        message = f"{dotted} {name!r} is not a topic name: letters, digits, '.', '_', '-'"
        yield Fault(path=path, message=message)


def _servers(path: Path, text: str) -> Iterator[Fault]:
    place = ".".join(str(part) for part in path)
    for server in text.split(","):
        if not _SERVER.fullmatch(server.strip()):
            message = f"{place} {server.strip()!r} is not host:port, such as localhost:9092"
            yield Fault(path=path, message=message)


def _security(path: Path, security: KafkaSecurity | None) -> Iterator[Fault]:
    if security is not None:
        yield from _out_of_place(path, security)
        if security.protocol.startswith("SASL"):
            yield from _login(path, security)
        if security.protocol.endswith("SSL"):
            yield from _own_certificate(path, security)


def _out_of_place(path: Path, security: KafkaSecurity) -> Iterator[Fault]:
    """Keys that this protocol has no use for: whoever wrote them wants more than it gives."""
    protocol = security.protocol
    encrypts, asks = protocol.endswith("SSL"), protocol.startswith("SASL")
    for keys, used, wanted in (
        (_LOGIN, asks, "SASL_SSL" if encrypts else "SASL_PLAINTEXT or SASL_SSL"),
        (_TLS, encrypts, "SASL_SSL" if asks else "SSL"),
    ):
        for key in keys:
            if key in security.model_fields_set and not used:
                message = (
                    f"{_dotted(path)}.{key} has no use with protocol {protocol}; "
                    f"write protocol: {wanted}, or remove it"
                )
                yield Fault(path=(*path, key), message=message, on_key=True)


def _login(path: Path, security: KafkaSecurity) -> Iterator[Fault]:
    place, protocol = _dotted(path), security.protocol
    if security.mechanism is None:
        message = f"{place}: {protocol} needs mechanism: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"
        yield Fault(path=path, message=message)
    if security.username is None:
        yield Fault(path=path, message=f"{place}: {protocol} needs username")
    if (security.password_env is None) == (security.password_file is None):
        message = f"{place}: {protocol} needs one of password_env, password_file"
        yield Fault(path=path, message=message)


def _own_certificate(path: Path, security: KafkaSecurity) -> Iterator[Fault]:
    place = _dotted(path)
    passwords = [key for key in ("key_password_env", "key_password_file") if getattr(security, key)]
    if security.cert_file is None:
        for key in ["key_file"] * bool(security.key_file) + passwords:
            message = f"{place}.{key} has no use without cert_file; name that too, or remove it"
            yield Fault(path=(*path, key), message=message, on_key=True)
    elif len(passwords) > 1:
        message = f"{place} has {' and '.join(passwords)}; keep one"
        yield Fault(path=(*path, passwords[1]), message=message, on_key=True)


def _dotted(path: Path) -> str:
    return ".".join(str(part) for part in path)


def security_doubts(
    section: str, security: KafkaSecurity | None, environment: Mapping[str, str]
) -> Iterator[Fault]:
    """What is allowed, but hardly meant, of `source.kafka` or `journal.kafka`.

    Args:
        section: `source` or `journal`.
        security: what it says.
        environment: of the process that will run.
    """
    if security is None:
        return
    path: Path = (section, "kafka", "security")
    place = _dotted(path)
    if (security.protocol, security.mechanism) == ("SASL_PLAINTEXT", "PLAIN"):
        message = f"{place}: the password crosses the network as it is; use SASL_SSL"
        yield Fault(path=(*path, "protocol"), message=message)
    for key in ("password_env", "key_password_env"):
        name = getattr(security, key)
        if name is not None and not environment.get(name):
            message = f"{place}.{key}: the variable {name} is not set here"
            yield Fault(path=(*path, key), message=message)
    for key in ("password_file", "ca_file", "cert_file", "key_file", "key_password_file"):
        name = getattr(security, key)
        if name is not None and not FilePath(name).is_file():
            yield Fault(path=(*path, key), message=f"{place}.{key}: there is no file {name!r} here")

"""Checks of `monitor.yaml` that go beyond the type of a key."""

import ipaddress
import re
from collections.abc import Iterator, Mapping

from monitor.definitions.kafka_settings import (
    check_journal,
    check_source,
    security_doubts,
    topic_name,
)
from monitor.definitions.mistake import Fault
from monitor.settings import KafkaJournal, Settings, Source

STREAMS = ("frames", "snapshots", "buckets", "alerts", "releases", "verdicts", "dead_letters")
"""The streams of the journal, topics `{prefix}.{stream}`."""

_SOURCES = ("kafka", "files", "synthetic")
_PATH = re.compile(r"[^.]+(\.[^.]+)*")


def check_settings(settings: Settings) -> Iterator[Fault]:
    """Every fault of the settings; parts that were wrong already are None or their defaults."""
    source = settings.source
    if source is not None:
        yield from _source(source)
        yield from _journal(settings, source)
    yield from _api(settings)


def _source(source: Source) -> Iterator[Fault]:
    given = [name for name in _SOURCES if name in source.model_fields_set]
    if len(given) > 1:
        message = f"source has {' and '.join(given)}; keep one"
        yield Fault(path=("source", given[1]), message=message, on_key=True)
    if not given:
        yield Fault(path=("source",), message="source needs one of kafka, files, synthetic")
    if source.files is not None and not source.files:
        yield Fault(path=("source", "files"), message="source.files is an empty list")
    if source.kafka is not None:
        yield from check_source(source.kafka)
    if source.fields is not None:
        for name, path in source.fields.model_dump().items():
            if not _PATH.fullmatch(path):
                message = f"source.fields.{name} {path!r} is not a path such as user.id"
                yield Fault(path=("source", "fields", name), message=message)


def _journal(settings: Settings, source: Source) -> Iterator[Fault]:
    journal = settings.journal
    if journal.kafka is not None and journal.sqlite is not None:
        yield Fault(path=("journal",), message="journal has kafka and sqlite; keep one")
    elif source.kafka is not None and journal.sqlite is not None:
        message = (
            "journal.sqlite cannot follow source.kafka: offsets and results are kept in one "
            "transaction; write journal: {kafka: {prefix: monitor}}"
        )
        yield Fault(path=("journal", "sqlite"), message=message)
    if journal.kafka is not None:
        yield from check_journal(journal.kafka)
    prefix = (journal.kafka or KafkaJournal()).prefix
    yield from topic_name(("journal", "kafka", "prefix"), prefix)
    if source.kafka is not None and source.kafka.topic in [f"{prefix}.{s}" for s in STREAMS]:
        message = f"source.kafka.topic {source.kafka.topic!r} is a topic of the journal"
        yield Fault(path=("source", "kafka", "topic"), message=message)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _api(settings: Settings) -> Iterator[Fault]:
    host = settings.api.host
    if not settings.api.token_env and not settings.api.tokens and not is_loopback(host):
        message = (
            f"api.host {host!r} is reached from other machines, and writes need a token there; "
            "write token_env, or the host 127.0.0.1"
        )
        yield Fault(path=("api", "host"), message=message)
    names = [token.name for token in settings.api.tokens]
    for at, token in enumerate(settings.api.tokens):
        if (token.token_env is None) == (token.token_file is None):
            message = f"token {token.name!r} needs one of token_env, token_file"
            yield Fault(path=("api", "tokens", at), message=message)
        if not token.scopes:
            message = f"token {token.name!r} has no scopes; give some of annotate, read, admin"
            yield Fault(path=("api", "tokens", at, "scopes"), message=message)
        if token.name in names[:at]:
            message = f"there are two tokens named {token.name!r}; give each a name of its own"
            yield Fault(path=("api", "tokens", at, "name"), message=message)


def settings_doubts(
    settings: Settings, environment: Mapping[str, str], *, hashes: bool
) -> Iterator[Fault]:
    """What is allowed, but hardly meant.

    Args:
        settings: the settings.
        environment: of the process that will run.
        hashes: whether any metric keeps hashes of units.
    """
    key = settings.hash_key_env
    if hashes and not (key and environment.get(key)):
        remedy = f"set {key}" if key else "name a variable"
        message = f"hash_key_env: units are hashed with a key that everyone knows; {remedy}"
        yield Fault(path=("hash_key_env",), message=message)
    api = settings.api
    protected = api.tokens or (api.token_env and environment.get(api.token_env))
    if api.token_env and not protected and not is_loopback(api.host):
        message = (
            f"api.host {api.host!r}: without a token in ${api.token_env} the service will not start"
        )
        yield Fault(path=("api", "host"), message=message)
    if settings.source.kafka is not None:
        yield from security_doubts("source", settings.source.kafka.security, environment)
        journal = settings.journal.kafka or KafkaJournal()
        yield from security_doubts("journal", journal.security, environment)
    if settings.journal.kafka is not None and settings.source.kafka is None:
        message = (
            f"journal.kafka is not used: without source.kafka the journal is {settings.sqlite_path}"
        )
        yield Fault(path=("journal", "kafka"), message=message)

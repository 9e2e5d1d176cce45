"""Secrets are read from where they stand, and are shown nowhere; needs no broker."""

import ssl
from pathlib import Path

import pytest

from monitor.errors import ConfigError
from monitor.kafka.broker import Broker
from monitor.kafka.connections import journal_broker, source_broker
from monitor.kafka.security import OPEN, security_of
from monitor.settings import KafkaSecurity, Settings

SECRET = "s3cr3t"
SETTING = "source.kafka.security"


def scram(**more: object) -> KafkaSecurity:
    given = {"protocol": "SASL_PLAINTEXT", "mechanism": "SCRAM-SHA-256", "username": "u", **more}
    return KafkaSecurity.model_validate(given)


def test_without_settings_nothing_is_sent() -> None:
    assert security_of(None, {}, setting=SETTING) == OPEN
    assert OPEN.options == {"security_protocol": "PLAINTEXT", "ssl_context": None}


def test_a_password_from_the_environment() -> None:
    security = security_of(scram(password_env="PW"), {"PW": SECRET}, setting=SETTING)
    assert security.options == {
        "security_protocol": "SASL_PLAINTEXT",
        "ssl_context": None,
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "u",
        "sasl_plain_password": SECRET,
    }


def test_a_password_from_a_file_without_its_line_break(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f" {SECRET} \n")
    security = security_of(scram(password_file=str(file)), {}, setting=SETTING)
    assert security.password == f" {SECRET} "


def test_a_password_is_shown_nowhere() -> None:
    security = security_of(scram(password_env="PW"), {"PW": SECRET}, setting=SETTING)
    broker = Broker(address="k:9092", security=security)
    assert SECRET not in f"{security!r} {security} {broker!r}"


def test_what_is_not_there_is_told_with_its_place(tmp_path: Path) -> None:
    absent, empty = tmp_path / "absent", tmp_path / "empty"
    empty.write_text("\n")
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    cases = [
        (scram(password_env="PW"), "password_env: the variable PW is empty or not set; set it"),
        (scram(password_file=str(absent)), f"password_file: {absent} cannot be read (No such file"),
        (scram(password_file=str(empty)), f"password_file: {empty} is empty or not set"),
        (scram(password_file=str(binary)), f"password_file: {binary} is no text"),
        (KafkaSecurity(protocol="SSL", ca_file=str(absent)), f"ca_file: {absent} cannot be read"),
        (
            KafkaSecurity(protocol="SSL", ca_file=str(binary)),
            f"{binary} holds no certificate in PEM",
        ),
        (
            KafkaSecurity(protocol="SSL", cert_file=str(empty)),
            f"cert_file: {empty} and its own key are not usable",
        ),
    ]
    for settings, said in cases:
        with pytest.raises(ConfigError) as caught:
            security_of(settings, {}, setting=SETTING)
        assert f"{SETTING}." in str(caught.value)
        assert said in str(caught.value)


def test_certificates_are_always_verified() -> None:
    for checked in (True, False):
        settings = KafkaSecurity(protocol="SSL", check_hostname=checked)
        context = security_of(settings, {}, setting=SETTING).context
        assert context is not None
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname is checked


def settings(journal: dict[str, object]) -> Settings:
    security = {
        "protocol": "SASL_PLAINTEXT",
        "mechanism": "PLAIN",
        "username": "reader",
        "password_env": "PW",
    }
    source = {"bootstrap_servers": "a:1", "security": security}
    return Settings.model_validate({"source": {"kafka": source}, "journal": {"kafka": journal}})


def test_the_journal_takes_the_sources_broker_and_login() -> None:
    found = settings({"prefix": "x"})
    assert journal_broker(found, {"PW": SECRET}) == source_broker(found, {"PW": SECRET})


def test_the_journal_may_have_a_listener_of_its_own() -> None:
    broker = journal_broker(settings({"bootstrap_servers": "b:2"}), {"PW": SECRET})
    assert (broker.address, broker.security.username) == ("b:2", "reader")
    assert broker.setting == "journal.kafka"


def test_the_journal_may_have_a_login_of_its_own() -> None:
    broker = journal_broker(settings({"security": {"protocol": "PLAINTEXT"}}), {})
    assert (broker.address, broker.security.protocol) == ("a:1", "PLAINTEXT")
    assert broker.security.setting == "journal.kafka.security"

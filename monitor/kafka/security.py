"""How the broker is connected to: TLS and login, from the settings and the secrets that they name.

A secret is read from the environment or a file when the role starts, and stands in no message, log or `repr`.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from monitor.errors import ConfigError
from monitor.settings import KafkaSecurity


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """What a client needs to be let in.

    Attributes:
        protocol: Kafka's `security.protocol`.
        mechanism: Kafka's `sasl.mechanism`; None without a login.
        username, password: of the login.
        password_from: where the password stands, for messages.
        context: of TLS; None without it.
        setting: where all this is configured, for messages.
    """

    protocol: str = "PLAINTEXT"
    mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    password_from: str = ""
    context: ssl.SSLContext | None = field(default=None, repr=False, compare=False)
    setting: str = "source.kafka.security"

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of every aiokafka client."""
        login = {
            "sasl_mechanism": self.mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
        }
        return {
            "security_protocol": self.protocol,
            "ssl_context": self.context,
            **(login if self.mechanism else {}),
        }


OPEN = Security()
"""Neither TLS nor login."""


def security_of(
    settings: KafkaSecurity | None, variables: Mapping[str, str], *, setting: str
) -> Security:
    """What the settings say, with the secrets.

    Args:
        settings: None for neither TLS nor login.
        variables: the environment.
        setting: where the settings stand, such as `source.kafka.security`.

    Raises:
        ConfigError: a variable or a file that is named is not there, or holds something else.
    """
    if settings is None:
        return Security(setting=setting)
    secrets = _Secrets(settings, variables, setting)
    return Security(
        protocol=settings.protocol,
        mechanism=settings.mechanism,
        username=settings.username,
        password=secrets.read("password") if settings.mechanism else None,
        password_from=secrets.place("password"),
        context=_context(settings, secrets, setting) if settings.protocol.endswith("SSL") else None,
        setting=setting,
    )


class _Secrets:
    """Reads what `KEY_env` or `KEY_file` name."""

    def __init__(self, settings: KafkaSecurity, variables: Mapping[str, str], setting: str) -> None:
        self._settings = settings
        self._variables = variables
        self._setting = setting

    def place(self, key: str) -> str:
        """Where the secret stands; empty where it is nowhere."""
        if name := getattr(self._settings, f"{key}_env"):
            return f"${name}"
        return getattr(self._settings, f"{key}_file") or ""

    def read(self, key: str) -> str:
        if name := getattr(self._settings, f"{key}_env"):
            secret = self._variables.get(name, "")
            where, remedy = f"{key}_env: the variable {name}", "set it"
        else:
            path = getattr(self._settings, f"{key}_file")
            where, remedy = f"{key}_file: {path}", "write the secret into it"
            secret = _text(Path(path), f"{self._setting}.{key}_file").rstrip("\r\n")
        if not secret:
            message = f"{self._setting}.{where} is empty or not set; {remedy}"
            raise ConfigError(message)
        return secret


def _text(path: Path, setting: str) -> str:
    try:
        return _bytes(path, setting).decode()
    except UnicodeDecodeError:
        message = f"{setting}: {path} is no text; it must hold the secret and nothing else"
        raise ConfigError(message) from None


def _bytes(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        message = f"{setting}: {path} cannot be read ({error.strerror or error}); correct the path"
        raise ConfigError(message) from error


def _context(settings: KafkaSecurity, secrets: _Secrets, setting: str) -> ssl.SSLContext:
    if settings.ca_file is not None:
        _bytes(Path(settings.ca_file), f"{setting}.ca_file")
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except ssl.SSLError as error:
        message = (
            f"{setting}.ca_file: {settings.ca_file} holds no certificate in PEM format; give the "
            "certificate of the authority that signed the brokers' certificates"
        )
        raise ConfigError(message) from error
    context.check_hostname = settings.check_hostname
    if settings.cert_file is not None:
        _add_own(context, settings, secrets, setting)
    return context


def _add_own(
    context: ssl.SSLContext, settings: KafkaSecurity, secrets: _Secrets, setting: str
) -> None:
    cert, key = settings.cert_file or "", settings.key_file
    for name, path in (("cert_file", cert), ("key_file", key)):
        if path is not None:
            _bytes(Path(path), f"{setting}.{name}")

    def password() -> str:
        # Is asked for an encrypted key only; without this OpenSSL would ask the terminal.
        if not secrets.place("key_password"):
            message = f"{setting}: the key in {key or cert} is encrypted; set key_password_env"
            raise ConfigError(message)
        return secrets.read("key_password")

    try:
        context.load_cert_chain(cert, key, password)
    except ssl.SSLError as error:
        message = (
            f"{setting}.cert_file: {cert} and {key or 'its own key'} are not usable: both must "
            "be PEM, the key that of the certificate, and its password right"
        )
        raise ConfigError(message) from error

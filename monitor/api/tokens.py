"""Who may do what: bearer tokens with names and scopes.

Where no token is configured, the API listens on loopback only (`serving.check_bind`), and whoever reaches it
may write.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from aiohttp import web

from monitor.api.problem import ProblemError
from monitor.errors import ConfigError
from monitor.settings import Api, ApiToken

LOCAL = "local"
"""The name of whoever writes where no token is needed."""
_SCHEME = "bearer"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Scope(StrEnum):
    """What a token allows; `admin` allows everything."""

    ANNOTATE = "annotate"
    READ = "read"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token.

    Attributes:
        name: who has it; recorded with what it writes.
        secret: the token itself; never shown.
        scopes: what it allows.
    """

    name: str
    secret: bytes = field(repr=False)
    scopes: frozenset[Scope]

    def allows(self, scope: Scope) -> bool:
        """Whether it is good for this."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


@dataclass(frozen=True, slots=True)
class Tokens:
    """All tokens that are known."""

    known: Sequence[Token] = ()

    def __bool__(self) -> bool:
        return bool(self.known)

    @classmethod
    def of(cls, settings: Api, environment: Mapping[str, str]) -> "Tokens":
        """The tokens of a configuration.

        Raises:
            ConfigError: a variable or file that should hold one does not; with the remedy.
        """
        found = []
        if settings.token_env and (secret := environment.get(settings.token_env, "").strip()):
            found.append(_token(settings.token_env, secret, ["admin"]))
        found += [
            _token(one.name, _secret(one, environment), one.scopes) for one in settings.tokens
        ]
        secrets = [token.secret for token in found]
        if len(set(secrets)) < len(secrets):
            message = "api.tokens: two of the tokens are equal; give everyone one of their own"
            raise ConfigError(message)
        return cls(tuple(found))

    def owner(self, secret: bytes) -> Token | None:
        """Whose token this is; takes as long whichever it is."""
        found = None
        for token in self.known:
            if hmac.compare_digest(token.secret, secret):
                found = token
        return found


def _token(name: str, secret: str, scopes: Sequence[str]) -> Token:
    return Token(name=name, secret=secret.encode(), scopes=frozenset(Scope(s) for s in scopes))


def _secret(one: ApiToken, environment: Mapping[str, str]) -> str:
    name, path = one.name, one.token_file or ""
    if one.token_env:
        secret = environment.get(one.token_env, "").strip()
        if not secret:
            message = f"api.tokens: {name!r} needs the variable {one.token_env}, which is not set"
            raise ConfigError(message)
        return secret
    try:
        secret = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"api.tokens: {name!r}: {path} cannot be read ({error})"
        raise ConfigError(message) from error
    if not secret:
        message = f"api.tokens: {name!r}: {path} is empty; write the token into it"
        raise ConfigError(message)
    return secret


TOKENS = web.AppKey("tokens", Tokens)
_WHO = web.RequestKey("who", str)


def who(request: web.Request) -> str:
    """Name of the token that the request was let in by."""
    name: str = request.get(_WHO, LOCAL)
    return name


def needs(scope: Scope) -> Callable[[Handler], Handler]:
    """A handler that only a token with this scope reaches.

    Raises:
        ProblemError: 401 without a token that is known, 403 with one that does not allow it.
    """

    def wrap(handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.StreamResponse:
            _check(request, scope)
            return await handler(request)

        guarded.__doc__, guarded.__name__ = handler.__doc__, handler.__name__
        return guarded

    return wrap


def _check(request: web.Request, scope: Scope) -> None:
    tokens = request.app[TOKENS]
    if not tokens:
        return
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    token = tokens.owner(secret.strip().encode()) if scheme.lower() == _SCHEME else None
    if token is None:
        message = "this needs `Authorization: Bearer TOKEN`, with a token that the monitor knows"
        raise ProblemError(401, message)
    if not token.allows(scope):
        message = (
            f"the token {token.name!r} does not allow this; it needs the scope {scope.value!r}"
        )
        raise ProblemError(403, message)
    request[_WHO] = token.name

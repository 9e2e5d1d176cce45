"""Talking to a running service: what `annotate`, `release` and `gate` send, and what its answers mean."""

import json
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import click

from monitor.errors import InputError, UnreachableError
from monitor.settings import environment

DEFAULT_URL = "http://127.0.0.1:8321"
TIMEOUT_SECONDS = 20.0
_TOKEN = "MONITOR_TOKEN"  # noqa: S105 - the variable's name
_BAD_REQUEST, _SERVER_FAULT = 400, 500

_F = TypeVar("_F", bound=Callable[..., Any])


def url_option(command: _F) -> _F:
    """The service that a verb talks to."""
    return click.option(
        "--url",
        metavar="URL",
        help=f"Of the service [the variable MONITOR_URL, else {DEFAULT_URL}]. The variable "
        f"{_TOKEN} holds the token, if it needs one.",
    )(command)


class Service:
    """A service, by its address.

    Args:
        url: its base address; None takes MONITOR_URL, else the default.
        variables: the environment, by default that of the process.
    """

    def __init__(self, url: str | None, *, variables: Mapping[str, str] | None = None) -> None:
        known = environment() if variables is None else variables
        self.url = (url or known.get("MONITOR_URL") or DEFAULT_URL).rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            message = f"--url {self.url!r} is no address; give one such as {DEFAULT_URL}"
            raise InputError(message)
        self._token = known.get(_TOKEN, "").strip()
        # The address is that of this service: nobody's proxy stands between.
        self._opener = build_opener(ProxyHandler({}))

    def get(self, path: str) -> tuple[int, Any]:
        """Status and JSON of an answer; raises where there is none."""
        return self._call(path, None, {})

    def post(
        self, path: str, body: Any, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Send JSON; status and JSON of the answer.

        Raises:
            UnreachableError: nothing answers there, or the service cannot answer now.
            InputError: the token is missing or refused, or what answers is no service of ours.
        """
        return self._call(path, json.dumps(body).encode(), headers or {})

    def _call(self, path: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, Any]:
        sent = {"Accept": "application/json", **headers}
        if body is not None:
            sent["Content-Type"] = "application/json"
        if self._token:
            sent["Authorization"] = f"Bearer {self._token}"
        request = Request(self.url + path, data=body, headers=sent)  # noqa: S310 - http(s) only
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, self._refused(error)
        except ValueError as error:
            message = f"{self.url}: is no service of the monitor ({error}); correct --url"
            raise InputError(message) from error
        except (OSError, HTTPException) as error:
            why = getattr(error, "reason", None) or error
            message = f"{self.url}: does not answer ({why}); start `monitor run`, or correct --url"
            raise UnreachableError(message) from error

    def _refused(self, error: HTTPError) -> Any:
        try:
            body = json.load(error)
        except ValueError:
            body = {"detail": str(error.reason)}
        detail = body.get("detail", error.reason) if isinstance(body, dict) else error.reason
        if error.code in {401, 403}:
            message = f"{self.url}: {detail}; set {_TOKEN}"
            raise InputError(message)
        if error.code >= _SERVER_FAULT and error.headers.get_content_type() != "application/json":
            message = f"{self.url}: cannot answer now ({error.code} {detail})"
            raise UnreachableError(message)
        return body


def refuse(status: int, answer: Any) -> None:
    """Raise `InputError` with the service's own words where it did not take what was sent."""
    if status >= _BAD_REQUEST:
        detail = answer.get("detail", answer) if isinstance(answer, dict) else answer
        message = f"the service refuses ({status}): {detail}"
        raise InputError(message)

"""Listening: where the API may be reached from, and a clean start and stop."""

import errno
import ipaddress

import structlog
from aiohttp import web

from monitor.errors import ConfigError, MonitorError

_SHUTDOWN_SECONDS = 5.0
_log = structlog.get_logger()

_REMEDIES = {
    errno.EADDRINUSE: "another program listens there; stop it, or set api.port to a free port",
    errno.EADDRNOTAVAIL: "this machine has no such address; set api.host to one that it has",
    errno.EACCES: "this user may not listen there; set api.port to one above 1023",
}


def check_bind(host: str, *, protected: bool) -> None:
    """Refuse an address that others can reach while no token protects the writes.

    Raises:
        ConfigError: with the remedy.
    """
    if protected or is_loopback(host):
        return
    message = (
        f"api.host is {host!r}, which other machines can reach, and there is no token: set the "
        "variable that api.token_env names (MONITOR_TOKEN), or name some in api.tokens, or api.host "
        "to 127.0.0.1"
    )
    raise ConfigError(message)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it.

    >>> [is_loopback(h) for h in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "", "example.com")]
    [True, True, True, False, False, False]
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Running:
    """An application that listens.

    Attributes:
        host: the address it was asked to listen on.
        port: the port that it listens on.
    """

    def __init__(self, runner: web.AppRunner, host: str, port: int) -> None:
        self._runner = runner
        self.host = host
        self.port = port

    @property
    def url(self) -> str:
        """Its base address."""
        return f"http://{_bracketed(self.host)}:{self.port}"

    async def stop(self) -> None:
        """Stop listening; requests under way get a few seconds."""
        await self._runner.cleanup()
        _log.info("api.stopped", address=self.url)


async def serve(app: web.Application, host: str, port: int, *, protected: bool = False) -> Running:
    """Listen there until `stop`; port 0 takes a free one.

    Raises:
        ConfigError: the address needs a token, and there is none.
        MonitorError: nothing can listen there; with the address and the remedy.
    """
    check_bind(host, protected=protected)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except (OSError, OverflowError) as error:
        await runner.cleanup()
        number = getattr(error, "errno", None)
        remedy = _REMEDIES.get(number or 0, f"{error}; correct api.host and api.port")
        message = f"the API cannot listen on {_bracketed(host)}:{port}: {remedy}"
        raise MonitorError(message) from error
    running = Running(runner, host, int(runner.addresses[0][1]))
    _log.info("api.listening", address=running.url)
    return running


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host

import socket

import aiohttp
import pytest
from aiohttp import web

from monitor.api.serving import check_bind, serve
from monitor.errors import ConfigError, MonitorError


async def _hello(_: web.Request) -> web.Response:
    return web.Response(text="hello")


def app() -> web.Application:
    made = web.Application()
    made.router.add_get("/", _hello)
    return made


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_the_loopback_needs_no_token(host: str) -> None:
    check_bind(host, protected=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "monitor.example.com", ""])  # noqa: S104
def test_any_other_address_needs_one(host: str) -> None:
    with pytest.raises(ConfigError, match="MONITOR_TOKEN") as error:
        check_bind(host, protected=False)
    assert "\n" not in str(error.value)
    assert repr(host) in str(error.value)
    with pytest.raises(ConfigError):
        check_bind(host, protected=False)
    check_bind(host, protected=True)


async def test_it_listens_until_it_is_stopped() -> None:
    running = await serve(app(), "127.0.0.1", 0)
    assert running.port > 0
    async with aiohttp.ClientSession() as session, session.get(running.url) as answer:
        assert await answer.text() == "hello"
    await running.stop()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", running.port), 1)


async def test_a_port_in_use_is_told_with_the_address_and_the_setting() -> None:
    running = await serve(app(), "127.0.0.1", 0)
    with pytest.raises(MonitorError) as error:
        await serve(app(), "127.0.0.1", running.port)
    assert str(error.value) == (
        f"the API cannot listen on 127.0.0.1:{running.port}: another program listens there; "
        "stop it, or set api.port to a free port"
    )
    assert error.value.exit_code == 2
    await running.stop()


@pytest.mark.parametrize(
    ("host", "port", "told"),
    [
        ("192.0.2.7", 0, "192.0.2.7:0: this machine has no such address; set api.host"),
        ("no-such-host.invalid", 0, "correct api.host and api.port"),
        ("127.0.0.1", 99999, "correct api.host and api.port"),
    ],
)
async def test_an_address_that_cannot_be_had_is_told(host: str, port: int, told: str) -> None:
    with pytest.raises(MonitorError, match=told) as error:
        await serve(app(), host, port, protected=True)
    assert "\n" not in str(error.value)


async def test_the_rule_of_the_token_holds_for_serving_too() -> None:
    with pytest.raises(ConfigError, match="MONITOR_TOKEN"):
        await serve(app(), "0.0.0.0", 0)  # noqa: S104

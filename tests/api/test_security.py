"""Who may do what, what is told to whom may not, and what the log keeps of tokens."""

import asyncio
import hashlib
import hmac
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from monitor import telemetry
from monitor.api.tokens import Tokens
from monitor.errors import ConfigError
from monitor.settings import Api, ApiToken
from tests.api.test_annotations import Client, Scene, scene
from tests.release.told import body

__all__ = ["scene"]

SECRETS = {"ci": "c1-s3cret", "reader": "r3ader-s3cret", "boss": "b0ss-s3cret"}
WRONG = "wr0ng-s3cret"
HOOK = "h00k-s3cret"


def tokens(*, open_reads: bool = True) -> Tokens:
    scopes: dict[str, Any] = {"ci": ("annotate",), "reader": ("read",), "boss": ("admin",)}
    return Tokens.of(
        Api(
            open_reads=open_reads,
            tokens=tuple(
                ApiToken(name=name, token_env=name.upper(), scopes=scopes[name]) for name in scopes
            ),
        ),
        {name.upper(): secret for name, secret in SECRETS.items()},
    )


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {SECRETS.get(name, WRONG)}"} if name else {}


async def status(client: Client, method: str, path: str, name: str, told: Any = None) -> int:
    async with client.request(method, path, json=told, headers=bearer(name)) as answer:
        assert "s3cret" not in await answer.text()
        if answer.status >= 400:
            assert answer.content_type == "application/problem+json"
            assert (answer.status == 401) == ("WWW-Authenticate" in answer.headers)
        return answer.status


RELEASE = ("POST", "/api/v1/releases", body())
NOTE = ("POST", "/api/annotations", {"text": "a"})
GATE = ("POST", "/api/v1/gates/evaluate", {"service": "shop", "environment": "prod"})
ALERTS = ("GET", "/api/v1/alerts", None)


@pytest.mark.parametrize(
    ("asked", "open_reads", "expected"),
    [
        # by whom:          nobody wrong  ci  reader boss
        (RELEASE, True, (401, 401, 201, 403, 201)),
        (NOTE, True, (401, 401, 200, 403, 200)),
        (GATE, True, (200, 200, 200, 200, 200)),
        (ALERTS, True, (200, 200, 200, 200, 200)),
        (RELEASE, False, (401, 401, 201, 403, 201)),
        (GATE, False, (401, 401, 200, 200, 200)),
        (ALERTS, False, (401, 401, 403, 200, 200)),
    ],
)
async def test_a_route_asks_for_its_scope(
    scene: Scene,
    asked: tuple[str, str, Any],
    expected: tuple[int, ...],
    *,
    open_reads: bool,
) -> None:
    client = await scene.open(tokens=tokens(open_reads=open_reads), open_reads=open_reads)
    method, path, told = asked
    for who, wanted in zip(("", "wrong", "ci", "reader", "boss"), expected, strict=True):
        changed = {**told, "version": who} if asked is RELEASE else told
        if asked is RELEASE and wanted == 401:
            changed = told
        assert await status(client, method, path, who, changed) == wanted, who


async def test_whose_token_it_was_is_recorded(scene: Scene) -> None:
    client = await scene.open(tokens=tokens())
    for who in ("ci", "boss"):
        await status(client, *NOTE[:2], who, NOTE[2])
        await status(client, *RELEASE[:2], who, {**body(), "version": who})
    async with client.get("/api/annotations") as answer:
        assert {one["login"] for one in await answer.json()} == {"ci", "boss"}
    async with client.get("/api/v1/releases") as answer:
        told = (await answer.json())["releases"]
    assert {one["version"]: one["by"] for one in told} == {"ci": "ci", "boss": "boss"}


async def test_closed_reads_leave_the_probes_open_and_nothing_else(scene: Scene) -> None:
    client = await scene.open(tokens=tokens(), open_reads=False)
    reads = {
        route.resource.canonical
        for route in client.app.router.routes()
        if route.method == "GET" and route.resource is not None
    }
    for path in sorted(reads):
        at = path.replace("{id}", "1").replace("{name}", "orders")
        expected = 200 if path in ("/healthz", "/readyz") else 401
        assert await status(client, "GET", at, "") == expected, path
        if expected == 401:
            assert await status(client, "HEAD", at, "") == 401
    assert await status(client, "GET", "/nothing", "") == 401, "not even what there is"
    assert await status(client, "GET", "/metrics", "reader") == 200


def test_closed_reads_need_a_token_to_ask_for() -> None:
    with pytest.raises(ConfigError, match="open_reads is false, but there is no token"):
        Tokens.of(Api(open_reads=False), {})


async def test_what_no_one_could_have_meant_is_401_and_no_fault(scene: Scene) -> None:
    client = await scene.open(tokens=tokens(), github_secret=HOOK)
    url = client.server.make_url("/")
    for header in (b"Bearer \xff\xfe", b"Bearer", b"", b"Basic YTpi", b"Bearer a b"):
        assert await raw(url.port, b"/api/v1/releases", b"Authorization: " + header) == 401
    for header in (b"sha256=\xff", b"", b"sha1=00"):
        assert await raw(url.port, b"/api/v1/github", b"X-Hub-Signature-256: " + header) == 401
    secret = f"Authorization: Bearer {SECRETS['ci']}".encode()
    key = b"Idempotency-Key: \xff"
    assert await raw(url.port, b"/api/annotations", secret + b"\r\n" + key, b'{"text":"a"}') == 422
    packed = b"Content-Encoding: gzip"
    assert await raw(url.port, b"/api/annotations", secret + b"\r\n" + packed, b"abc") == 400


async def test_without_tokens_a_page_of_another_name_cannot_write(scene: Scene) -> None:
    client = await scene.open()
    for host, expected in (
        ("localhost", 200),
        ("localhost:8321", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8321", 200),
        ("rebound.example.com", 403),
        ("rebound.example.com:8321", 403),
        ("10.0.0.7", 403),
        ("[", 403),
    ):
        answer = await client.post("/api/annotations", json={"text": "a"}, headers={"Host": host})
        assert answer.status == expected, host
        answer = await client.get("/api/v1/alerts", headers={"Host": host})
        assert answer.status == 200


async def raw(port: int | None, path: bytes, headers: bytes, told: bytes = b"{}") -> int:
    """The status that these very bytes get."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [
        b"POST " + path + b" HTTP/1.1",
        b"Host: x",
        b"Connection: close",
        b"Content-Type: application/json",
        b"Content-Length: %d" % len(told),
        headers,
        b"",
        told,
    ]
    writer.write(b"\r\n".join(lines))
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    return int(answer.split()[1])


@pytest.fixture(params=[True, False], ids=["json", "console"])
def log(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What the service logs, at its most talkative."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    telemetry.configure(json=request.param, level="debug", stream=stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


async def test_no_token_is_ever_logged(
    scene: Scene, log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await scene.open(tokens=tokens(), github_secret=HOOK)
    for who in ("", "wrong", *SECRETS):
        for method, path, told in (RELEASE, NOTE, GATE, ALERTS):
            await status(client, method, path, who, told)
    async with client.post("/api/v1/releases?token=x", data=b"{", headers=bearer("ci")) as answer:
        assert answer.status == 415
    payload = json.dumps({"zen": "x"}).encode()
    signature = hmac.new(HOOK.encode(), payload, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "ping",
        "X-Hub-Signature-256": f"sha256={signature}",
    }
    async with client.post("/api/v1/github", data=payload, headers=headers) as answer:
        assert answer.status == 200

    def fails(_: Tokens, sent: bytes) -> None:
        message = f"a fault of the program, with {len(sent)} bytes at hand"
        raise RuntimeError(message)

    monkeypatch.setattr(Tokens, "owner", fails)
    for who in SECRETS:
        assert await status(client, *RELEASE[:2], who, RELEASE[2]) == 500
    text = log.getvalue()
    assert "a fault of the program" in text, "faults are logged, with where they were"
    for secret in (*SECRETS.values(), WRONG, HOOK, signature):
        assert secret not in text

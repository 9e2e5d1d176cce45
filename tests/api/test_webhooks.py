import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request
from prometheus_client import CollectorRegistry

from monitor.api.app import create_app
from monitor.api.tokens import Tokens
from monitor.journal.store import Store
from monitor.settings import Api
from tests.journal.examples import T0, plan
from tests.release.test_cd_events import event
from tests.release.test_github import payload

Client = TestClient[Request, Application]
SECRET = "hook-secret"


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    with Store(tmp_path / "monitor.db") as store:
        app = create_app(
            store,
            plan(),
            clock=lambda: T0,
            registry=CollectorRegistry(),
            tokens=Tokens.of(Api(), {"MONITOR_TOKEN": "t"}),
            github_secret=SECRET,
        )
        made = TestClient(TestServer(app))
        await made.start_server()
        yield made
        await made.close()


async def post_event(client: Client, body: Any, **headers: str) -> tuple[int, Any]:
    names = {"Authorization": "Bearer t", **headers}
    answer = await client.post("/api/v1/cdevents", json=body, headers=names)
    return answer.status, await answer.json()


async def statuses(client: Client) -> dict[str, str]:
    answer = await client.get("/api/v1/releases")
    return {one["version"]: one["status"] for one in (await answer.json())["releases"]}


async def test_a_binary_and_a_structured_cloud_event_are_the_same_release(client: Client) -> None:
    bare = event()
    binary = {
        "ce-specversion": "1.0",
        "ce-type": bare["context"]["type"],
        "ce-id": "1",
        "ce-source": "/x",
    }
    assert (await post_event(client, bare, **binary))[0] == 201
    structured = {"specversion": "1.0", "type": "t", "id": "1", "source": "/x", "data": bare}
    answer = await client.post(
        "/api/v1/cdevents",
        data=json.dumps(structured).encode(),
        headers={"Authorization": "Bearer t", "Content-Type": "application/cloudevents+json"},
    )
    assert answer.status == 200
    assert (await answer.json())["told"] == "replay"
    assert await statuses(client) == {"8.3.0": "succeeded"}


async def test_a_roll_back_takes_back_the_newest_release_of_another_version(client: Client) -> None:
    first, second = event(), event()
    first["context"]["timestamp"] = "2026-03-20T12:00:00Z"
    second["context"]["timestamp"] = "2026-03-20T13:00:00Z"
    second["subject"]["content"]["artifactId"] = "8.4.0"
    await post_event(client, first)
    await post_event(client, second)
    back = event("rolledback")
    assert (await post_event(client, back))[0] == 200
    assert await statuses(client) == {"8.3.0": "succeeded", "8.4.0": "rolled_back"}


async def test_an_event_that_is_no_release_is_refused_with_every_reason(client: Client) -> None:
    status, answer = await post_event(client, event(environment={}, artifactId=7))
    assert status == 422
    assert len(answer["mistakes"]) == 2
    assert (await client.post("/api/v1/cdevents", json=event())).status == 401


async def post_github(
    client: Client, body: Any, *, secret: str = SECRET, kind: str = "deployment_status"
) -> tuple[int, Any]:
    raw = json.dumps(body).encode()
    signature = "sha256=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    answer = await client.post(
        "/api/v1/github",
        data=raw,
        headers={
            "Content-Type": "application/json",
            "X-GitHub-Event": kind,
            "X-Hub-Signature-256": signature,
        },
    )
    return answer.status, await answer.json()


async def test_github_tells_start_and_end_of_one_release(client: Client) -> None:
    assert (await post_github(client, {"zen": "x"}, kind="ping"))[1] == {"message": "pong"}
    assert (await post_github(client, payload("queued")))[0] == 202
    assert (await post_github(client, payload("in_progress")))[0] == 201
    status, answer = await post_github(client, payload("success"))
    assert (status, answer["told"]) == (200, "update")
    assert await statuses(client) == {"v8.3.0": "succeeded"}
    assert (await post_github(client, {}, kind="push"))[0] == 202


async def test_only_githubs_signature_is_let_in(client: Client) -> None:
    assert (await post_github(client, payload("success"), secret="other"))[0] == 401
    unsigned = await client.post("/api/v1/github", json=payload("success"))
    assert unsigned.status == 401
    assert await statuses(client) == {}


async def test_without_a_secret_githubs_webhook_is_closed(tmp_path: Path) -> None:
    with Store(tmp_path / "monitor.db") as store:
        app = create_app(store, plan(), clock=lambda: T0, registry=CollectorRegistry())
        async with TestClient(TestServer(app)) as client:
            status, answer = await post_github(client, payload("success"))
    assert status == 403
    assert "github_secret_env" in answer["detail"]

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request
from prometheus_client import CollectorRegistry

from monitor.api.app import create_app
from monitor.api.tokens import Tokens
from monitor.errors import UnreachableError
from monitor.journal.store import Store
from monitor.model.record import Record
from monitor.model.time import SECOND
from monitor.settings import Api, ApiToken
from tests.journal.examples import T0, plan

Client = TestClient[Request, Application]
MS = T0 // 1000


class Scene:
    def __init__(self, path: Path) -> None:
        self.store = Store(path)
        self.now_us = T0
        self.clients: list[Client] = []

    async def open(self, **changes: Any) -> Client:
        app = create_app(
            self.store,
            plan(),
            clock=lambda: self.now_us,
            registry=CollectorRegistry(),
            **changes,
        )
        client = TestClient(TestServer(app))
        await client.start_server()
        self.clients.append(client)
        return client


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(tmp_path / "monitor.db")
    yield made
    for client in made.clients:
        await client.close()
    made.store.close()


async def post(client: Client, body: Any, path: str = "", **headers: str) -> tuple[int, Any]:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await client.post(f"/api/annotations{path}", json=body, headers=names)
    return answer.status, await answer.json()


async def listed(client: Client, query: str = "") -> list[dict[str, Any]]:
    answer = await client.get(f"/api/annotations{query}")
    assert answer.status == 200
    found: list[dict[str, Any]] = await answer.json()
    return found


REGION = {
    "dashboardUID": "jcIIG-07z",
    "panelId": 2,
    "time": MS,
    "timeEnd": MS + 60_000,
    "tags": ["deploy", "web"],
    "text": "8.3.0 to production",
}


async def test_a_region_is_given_back_as_grafana_gives_it(scene: Scene) -> None:
    client = await scene.open()
    status, answer = await post(client, REGION)
    assert (status, answer["message"]) == (200, "Annotation added")
    (one,) = await listed(client)
    assert {name: one[name] for name in REGION} == REGION
    assert one["id"] == answer["id"]
    assert one["userName"] == "local"
    single = await client.get(f"/api/annotations/{answer['id']}")
    assert await single.json() == one


async def test_a_moment_without_time_is_now(scene: Scene) -> None:
    client = await scene.open()
    await post(client, {"text": "now", "time": 0})
    (one,) = await listed(client)
    assert (one["time"], one["timeEnd"], one["tags"]) == (MS, MS, [])


async def test_graphite_events_are_annotations_too(scene: Scene) -> None:
    client = await scene.open()
    old = {"what": "deploy", "tags": "ci main", "when": MS // 1000, "data": "by hand"}
    status, answer = await post(client, old, "/graphite")
    assert (status, answer["message"]) == (200, "Graphite annotation added")
    await post(client, {"what": "later", "tags": ["ci"]}, "/graphite")
    first = next(one for one in await listed(client) if one["id"] == answer["id"])
    assert first["text"] == "deploy\nby hand"
    assert first["tags"] == ["ci", "main"]
    assert first["time"] == MS // 1000 * 1000


async def test_they_are_found_by_time_tags_and_place(scene: Scene) -> None:
    client = await scene.open()
    for minute, tags in enumerate((["a"], ["a", "b"], ["c"])):
        await post(client, {"text": str(minute), "time": MS + minute * 60_000, "tags": tags})
    await post(client, REGION)

    async def texts(query: str) -> list[str]:
        return [one["text"] for one in await listed(client, query)]

    assert await texts("?tags=a") == ["1", "0"]
    assert await texts("?tags=a&tags=b") == ["1"]
    assert await texts("?tags=b&tags=c&matchAny=true") == ["2", "1"]
    assert await texts(f"?from={MS + 70_000}&to={MS + 130_000}") == ["2"]
    assert await texts(f"?from={MS + 50_000}&to={MS + 59_000}") == ["8.3.0 to production"]
    assert await texts("?limit=1") == ["2"]
    assert await texts("?dashboardUID=jcIIG-07z&panelId=2") == ["8.3.0 to production"]
    assert await texts("?type=alert") == []
    answer = await client.get("/api/annotations/tags?tag=e")
    assert (await answer.json())["result"]["tags"] == [
        {"tag": "deploy", "count": 1},
        {"tag": "web", "count": 1},
    ]


async def test_they_can_be_changed_and_taken_away(scene: Scene) -> None:
    client = await scene.open()
    _, answer = await post(client, REGION)
    path = f"/api/annotations/{answer['id']}"
    patched = await client.patch(path, json={"timeEnd": MS + 90_000, "tags": ["late"]})
    assert await patched.json() == {"message": "Annotation patched"}
    (one,) = await listed(client)
    assert (one["text"], one["timeEnd"], one["tags"]) == (REGION["text"], MS + 90_000, ["late"])
    put = await client.put(path, json={"text": "new", "time": MS + 1000})
    assert await put.json() == {"message": "Annotation updated"}
    (one,) = await listed(client)
    assert (one["text"], one["time"], one["timeEnd"], one["tags"]) == (
        "new",
        MS + 1000,
        MS + 1000,
        [],
    )
    gone = await client.delete(path)
    assert await gone.json() == {"message": "Annotation deleted"}
    assert await listed(client) == []
    assert (await client.delete(path)).status == 404


async def test_a_repeated_request_adds_nothing_and_another_body_conflicts(scene: Scene) -> None:
    client = await scene.open()
    first = await post(client, REGION, Idempotency_Key="build-7")
    again = await post(client, REGION, Idempotency_Key="build-7")
    assert first == again
    assert len(await listed(client)) == 1
    status, answer = await post(client, {"text": "other"}, Idempotency_Key="build-7")
    assert status == 409
    assert "new key" in answer["detail"]
    other = await scene.open()  # after a restart
    assert await post(other, REGION, Idempotency_Key="build-7") == first
    assert (await post(other, {"text": "x"}, Idempotency_Key="build-7"))[0] == 409


async def test_what_is_not_in_the_view_yet_is_repeated_all_the_same(scene: Scene) -> None:
    appended: list[Record] = []

    async def append(records: Sequence[Record]) -> None:
        await asyncio.sleep(0)
        appended.extend(records)

    client = await scene.open(append=append)
    first = await post(client, REGION, Idempotency_Key="build-7")
    assert await post(client, REGION, Idempotency_Key="build-7") == first
    assert len(appended) == 1


async def test_a_journal_that_cannot_be_reached_is_told_and_nothing_is_forgotten(
    scene: Scene,
) -> None:
    refusals = [UnreachableError("the Kafka broker at b:9092 did not take it; send it again")]
    kept: list[Record] = []

    async def append(records: Sequence[Record]) -> None:
        if refusals:
            raise refusals.pop()
        kept.extend(records)

    client = await scene.open(append=append)
    status, answer = await post(client, REGION, Idempotency_Key="build-7")
    assert status == 503
    assert "send it again" in answer["detail"]
    assert (await post(client, REGION, Idempotency_Key="build-7"))[0] == 200
    assert len(kept) == 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "text"),
        ({"text": ""}, "text"),
        ({"text": 5}, "text"),
        ({"text": "x", "time": "now"}, "time"),
        ({"text": "x", "time": -1}, "time"),
        ({"text": "x", "tags": "deploy"}, "tags"),
        ([], "object"),
    ],
)
async def test_a_body_of_another_shape_is_refused_by_name(
    scene: Scene, body: Any, told: str
) -> None:
    client = await scene.open()
    status, answer = await post(client, body)
    assert status == 422
    assert told in answer["detail"]
    assert await listed(client) == []


async def test_only_json_of_a_modest_size_is_read(scene: Scene) -> None:
    client = await scene.open()
    plain = await client.post("/api/annotations", data=b'{"text": "x"}')
    assert plain.status == 415
    form = await client.post("/api/annotations", data={"text": "x"})
    assert form.status == 415
    broken = await client.post(
        "/api/annotations", data=b'{"text":', headers={"Content-Type": "application/json"}
    )
    assert broken.status == 422
    large = await client.post(
        "/api/annotations",
        data=io.BytesIO(b'{"text": "' + b"x" * 1_100_000 + b'"}'),
        headers={"Content-Type": "application/json"},
    )
    assert large.status == 413
    assert large.content_type == "application/problem+json"


async def test_writes_need_a_token_with_the_scope_and_its_name_is_kept(scene: Scene) -> None:
    api = Api(
        tokens=(
            ApiToken(name="ci", token_env="CI"),
            ApiToken(name="board", token_env="BOARD", scopes=("read",)),
        )
    )
    client = await scene.open(tokens=Tokens.of(api, {"CI": "c-1", "BOARD": "b-1"}))
    none = await client.post("/api/annotations", json=REGION)
    assert none.status == 401
    assert none.headers["WWW-Authenticate"].startswith("Bearer")
    assert (await post(client, REGION, Authorization="Bearer nobody"))[0] == 401
    assert (await post(client, REGION, Authorization="Basic c-1"))[0] == 401
    assert (await post(client, REGION, Authorization="Bearer b-1"))[0] == 403
    assert (await post(client, REGION, Authorization="Bearer c-1"))[0] == 200
    (one,) = await listed(client)
    assert one["userName"] == "ci"


async def test_ids_are_told_apart_within_a_microsecond(scene: Scene) -> None:
    client = await scene.open()
    ids = {(await post(client, REGION))[1]["id"] for _ in range(20)}
    scene.now_us += SECOND
    assert len(ids) == 20
    assert len(await listed(client)) == 20

"""Grafana's side is played by our own `/api/annotations`, which keeps to Grafana's bodies and answers."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry

from monitor.api.app import create_app
from monitor.api.tokens import Tokens
from monitor.export.grafana import GIVEN, GrafanaError, GrafanaKeeper, tag_of
from monitor.journal.store import Store
from monitor.model.annotation import Annotation, deletion_of, record_of
from monitor.model.record import Record, Stream
from monitor.model.release import Release, Status, to_body
from monitor.model.time import MINUTE, SECOND
from monitor.settings import Api
from tests.journal.examples import T0, plan


def noted(text: str = "campaign", number: int = 1) -> Annotation:
    return Annotation(
        id=number,
        time_us=T0,
        time_end_us=T0 + MINUTE,
        text=text,
        tags=("marketing",),
        created_us=T0,
        updated_us=T0,
    )


def released(status: Status, finished_us: int | None) -> Record:
    release = Release(
        id="r1",
        service="shop",
        environment="production",
        version="8.3.0",
        status=status,
        started_us=T0,
        finished_us=finished_us,
        url="https://ci.example.com/7",
    )
    return Record(
        stream=Stream.RELEASES, key="release|r1", value=msgspec.json.encode(to_body(release))
    )


class Scene:
    """A monitor's journal, and a Grafana that counts what it is asked."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder / "monitor.db")
        self.grafana = Store(folder / "grafana.db")
        self.calls: list[tuple[str, str]] = []
        self.answers: list[int] = []
        self.url = ""
        self.keepers: list[GrafanaKeeper] = []

    async def append(self, records: Sequence[Record]) -> None:
        self.store.commit(records)

    def keeper(self, token: str = "g-token", **changes: Any) -> GrafanaKeeper:
        made = GrafanaKeeper(
            changes.get("url", self.url),
            token,
            self.store,
            changes.get("append", self.append),
        )
        self.keepers.append(made)
        return made

    def shown(self) -> list[dict[str, Any]]:
        found = self.grafana.documents(Stream.RELEASES).values()
        return [msgspec.json.decode(value) for value in found]

    def methods(self) -> list[str]:
        return [method for method, _ in self.calls]


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(tmp_path)

    @web.middleware
    async def counted(request: web.Request, handler: Any) -> web.StreamResponse:
        made.calls.append((request.method, request.path))
        if made.answers:
            return web.Response(status=made.answers.pop(0), text="no")
        response: web.StreamResponse = await handler(request)
        return response

    app = create_app(
        made.grafana,
        plan(),
        clock=lambda: T0 + SECOND,
        registry=CollectorRegistry(),
        tokens=Tokens.of(Api(), {"MONITOR_TOKEN": "g-token"}),
    )
    app.middlewares.append(counted)
    server = TestServer(app)
    await server.start_server()
    made.url = str(server.make_url("/"))
    yield made
    for keeper in made.keepers:
        await keeper.close()
    await server.close()
    made.store.close()
    made.grafana.close()


async def test_what_is_noted_stands_in_grafana_once(scene: Scene) -> None:
    scene.store.commit([record_of(noted()), released(Status.STARTED, None)])
    keeper = scene.keeper()
    assert await keeper.step() == 2
    assert await keeper.step() == 0
    assert await scene.keeper().step() == 0  # after a restart
    texts = {one["text"] for one in scene.shown()}
    assert texts == {
        "campaign",
        "shop 8.3.0: started (production)\nhttps://ci.example.com/7",
    }
    assert scene.methods().count("POST") == 2


async def test_a_change_is_patched_under_the_id_that_was_given(scene: Scene) -> None:
    scene.store.commit([released(Status.STARTED, None)])
    keeper = scene.keeper()
    await keeper.step()
    (before,) = scene.shown()
    scene.store.commit([released(Status.SUCCEEDED, T0 + 5 * MINUTE)])
    assert await keeper.step() == 1
    (after,) = scene.shown()
    assert after["id"] == before["id"]
    assert "succeeded" in after["text"]
    assert after["time_end_us"] == T0 + 5 * MINUTE
    assert scene.methods()[-1] == "PATCH"


async def test_what_is_deleted_here_is_deleted_there(scene: Scene) -> None:
    scene.store.commit([record_of(noted())])
    keeper = scene.keeper()
    await keeper.step()
    scene.store.commit([deletion_of(1)])
    assert await keeper.step() == 1
    assert scene.shown() == []
    assert await keeper.step() == 0


async def test_an_id_that_was_lost_is_found_again_by_its_tag(scene: Scene) -> None:
    scene.store.commit([record_of(noted())])

    async def dies(_: Sequence[Record]) -> None:
        message = "died"
        raise OSError(message)

    with pytest.raises(OSError, match="died"):
        await scene.keeper(append=dies).step()
    assert await scene.keeper().step() == 1
    assert len(scene.shown()) == 1
    assert tag_of("annotation|1") in scene.shown()[0]["tags"]
    assert f"{GIVEN}annotation|1" in scene.store.documents(Stream.RELEASES)


async def test_what_somebody_deleted_in_grafana_comes_back_when_it_changes(scene: Scene) -> None:
    scene.store.commit([record_of(noted())])
    keeper = scene.keeper()
    await keeper.step()
    scene.grafana.commit([deletion_of(scene.shown()[0]["id"])])
    assert await keeper.step() == 0
    scene.store.commit([record_of(noted("campaign, longer"))])
    assert await keeper.step() == 1
    assert [one["text"] for one in scene.shown()] == ["campaign, longer"]


@pytest.mark.parametrize("status", [500, 502, 429, 401])
async def test_what_fails_is_tried_again(scene: Scene, status: int) -> None:
    scene.store.commit([record_of(noted())])
    keeper = scene.keeper()
    scene.answers = [status]
    with pytest.raises(GrafanaError) as error:
        await keeper.step()
    assert str(status) in str(error.value)
    assert await keeper.step() == 1


async def test_what_grafana_refuses_does_not_hold_up_the_rest(scene: Scene) -> None:
    scene.store.commit([record_of(noted("one", 1)), record_of(noted("two", 2))])
    keeper = scene.keeper()
    scene.answers = [400]
    assert await keeper.step() == 1
    assert await keeper.step() == 0
    assert len(scene.shown()) == 1
    scene.store.commit([record_of(noted("one, changed", 1))])
    assert await keeper.step() == 1


async def test_a_grafana_that_is_away_or_is_none_is_told(scene: Scene) -> None:
    scene.store.commit([record_of(noted())])
    with pytest.raises(GrafanaError, match=r"127\.0\.0\.1:9"):
        await scene.keeper(url="http://127.0.0.1:9").step()
    with pytest.raises(GrafanaError):
        await scene.keeper(url=f"{scene.url}nowhere").step()

"""What pipelines tell and ask over HTTP."""

from pathlib import Path
from typing import Any

import pytest

from monitor.api.tokens import Tokens
from monitor.errors import UnreachableError
from monitor.journal.releases import PREFIX
from monitor.model.record import Record, Stream
from monitor.model.release import Release
from monitor.model.time import HOUR, MINUTE, to_rfc3339
from monitor.settings import Api, ApiToken
from tests.api.test_annotations import Client, Scene, scene
from tests.journal.examples import T0
from tests.release.judged import emit
from tests.release.told import body

__all__ = ["scene"]

START = {"started_at": to_rfc3339(T0)}


async def tell(client: Client, **changes: Any) -> tuple[int, Any]:
    answer = await client.post("/api/v1/releases", json=body(**changes))
    return answer.status, await answer.json()


async def get(client: Client, path: str) -> tuple[int, Any]:
    answer = await client.get(f"/api/v1{path}")
    return answer.status, await answer.json()


async def ask(client: Client, **asked: Any) -> tuple[int, Any]:
    told = {"service": "shop", "environment": "prod", **asked}
    answer = await client.post("/api/v1/gates/evaluate", json=told)
    return answer.status, await answer.json()


async def test_new_is_201_a_replay_200_another_body_409(scene: Scene) -> None:
    client = await scene.open()
    status, first = await tell(client, **START, commit="a")
    assert (status, first["told"], first["started_at"]) == (201, "new", to_rfc3339(T0))
    status, again = await tell(client, **START, commit="a")
    assert (status, again["told"], again["id"]) == (200, "replay", first["id"])
    status, problem = await tell(client, **START, commit="b")
    assert (status, problem["id"]) == (409, first["id"])
    assert "has other commit; what was told before stays" in problem["detail"]


async def test_its_end_is_told_later_and_all_of_it_is_listed(scene: Scene) -> None:
    client = await scene.open()
    _, first = await tell(client, **START)
    scene.now_us = T0 + 5 * MINUTE
    status, ended = await tell(client, status="succeeded")
    assert (status, ended["id"], ended["told"]) == (200, first["id"], "update")
    assert ended["finished_at"] == to_rfc3339(T0 + 5 * MINUTE)
    await tell(client, service="search", started_at=to_rfc3339(T0 + HOUR))
    _, listed = await get(client, "/releases")
    assert [r["service"] for r in listed["releases"]] == ["search", "shop"]
    for query, found in (
        ("?service=shop", ["shop"]),
        ("?environment=test", []),
        ("?limit=1", ["search"]),
        (f"?since={to_rfc3339(T0 + MINUTE)}", ["search"]),
        (f"?until={to_rfc3339(T0 + MINUTE)}", ["shop"]),
    ):
        _, listed = await get(client, f"/releases{query}")
        assert [r["service"] for r in listed["releases"]] == found
    _, one = await get(client, f"/releases/{first['id']}")
    assert one["status"] == "succeeded"


async def test_what_is_told_of_the_far_future_is_refused(scene: Scene) -> None:
    client = await scene.open()
    status, problem = await tell(client, started_at="9999-12-31T23:59:59Z")
    assert (status, "more than a day ahead" in problem["detail"]) == (422, True)
    assert (await tell(client, started_at=to_rfc3339(T0 + HOUR)))[0] == 201


async def test_every_mistake_is_told_at_once(scene: Scene) -> None:
    client = await scene.open()
    status, problem = await tell(client, status="done", service=7)
    assert (status, len(problem["mistakes"])) == (422, 2)
    answer = await client.post("/api/v1/releases", data=b"{", headers={"Content-Type": "text/x"})
    assert answer.status == 415
    answer = await client.post("/api/v1/releases", data=b"[", headers={"Content-Type": "a/b+json"})
    assert answer.status == 422
    for path, expected in (
        ("/releases?limit=x", 400),
        ("/releases?limit=0", 400),
        ("/releases/nothing", 404),
        ("/releases/nothing/verdict", 404),
        ("/verdict", 400),
        ("/verdict?service=a&environment=b", 404),
    ):
        assert (await get(client, path))[0] == expected


async def test_the_core_is_told_before_the_answer_and_a_failure_keeps_nothing(scene: Scene) -> None:
    told: list[Release] = []

    async def tells(release: Release, record: Record) -> None:
        if not told:
            told.append(release)
            message = "send it again"
            raise UnreachableError(message)
        scene.store.commit([record])
        told.append(release)

    client = await scene.open(tell=tells)
    status, problem = await tell(client, **START)
    assert (status, "send it again" in problem["detail"]) == (503, True)
    status, made = await tell(client, **START)
    assert (status, made["told"]) == (201, "new")
    assert told[0] == told[1]
    assert set(scene.store.documents(Stream.RELEASES)) == {PREFIX + made["id"]}


async def test_what_was_told_a_moment_ago_is_known_before_the_view_has_it(scene: Scene) -> None:
    kept: list[Record] = []

    async def slowly(_: Release, record: Record) -> None:
        kept.append(record)

    client = await scene.open(tell=slowly)
    _, first = await tell(client, **START)
    assert (await tell(client, **START))[1]["told"] == "replay"
    assert (await get(client, f"/releases/{first['id']}"))[0] == 200
    scene.store.commit(kept)
    assert (await tell(client, **START))[1]["told"] == "replay"
    assert len(kept) == 1


@pytest.mark.parametrize(
    ("changes", "verdict", "gate"),
    [
        ({"up": 9.0}, "regressed", "fail"),
        ({}, "no_effect_within_mde", "pass"),
        ({"mde": 0.5}, "inconclusive", "inconclusive"),
    ],
)
async def test_the_gate_follows_the_verdict(
    scene: Scene, changes: dict[str, Any], verdict: str, gate: str
) -> None:
    client = await scene.open()
    _, one = await tell(client, status="succeeded", **START)
    emit(scene.store, one["id"], **changes)
    status, found = await get(client, f"/releases/{one['id']}/verdict")
    assert (status, found["verdict"], found["randomised"]) == (200, verdict, False)
    assert {line["metric"] for line in found["metrics"]} == {"errors", "orders"}
    _, newest = await get(client, "/verdict?service=shop&environment=prod")
    assert newest == found
    status, answer = await ask(client)
    assert (status, answer["gate_status"]) == (200, gate)
    assert answer["verdict"] == found
    flagger = {"name": "shop", "phase": "Progressing", "metadata": {"service": "shop"}}
    flagger["metadata"] = {"service": "shop", "environment": "prod"}
    posted = await client.post("/api/v1/gates/flagger", json=flagger)
    assert posted.status == (200 if gate == "pass" else 412)


async def test_a_gate_without_data_is_inconclusive_and_passes_only_where_it_was_said(
    scene: Scene,
) -> None:
    client = await scene.open()
    _, unknown = await ask(client, version="9")
    assert (unknown["gate_status"], unknown["verdict"]) == ("inconclusive", None)
    assert "no release of shop 9 in prod is known" in unknown["reason"]
    await tell(client, status="succeeded", **START)
    assert (await ask(client))[1]["gate_status"] == "inconclusive"
    _, opened = await ask(client, fail_open=True)
    assert opened["gate_status"] == "pass"
    assert "fail_open was asked for" in opened["reason"]
    answer = await client.post("/api/v1/gates/flagger", json={"metadata": {"service": "shop"}})
    assert answer.status == 422


async def test_another_release_of_that_time_is_named(scene: Scene) -> None:
    client = await scene.open()
    _, one = await tell(client, status="succeeded", **START)
    await tell(client, service="search", started_at=to_rfc3339(T0 + MINUTE))
    emit(scene.store, one["id"])
    _, found = await get(client, f"/releases/{one['id']}/verdict")
    assert [other["service"] for other in found["other_releases"]] == ["search"]


async def test_who_told_it_is_recorded_and_without_a_token_nobody_does(
    scene: Scene, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_text("s3cret\n")
    one = ApiToken(name="ci", token_file=str(path))
    client = await scene.open(tokens=Tokens.of(Api(tokens=(one,)), {}))
    assert (await tell(client, **START))[0] == 401
    assert (await ask(client))[0] == 200, "a gate only reads"
    headers = {"Authorization": "Bearer s3cret"}
    answer = await client.post("/api/v1/releases", json=body(**START), headers=headers)
    assert (answer.status, (await answer.json())["by"]) == (201, "ci")

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from monitor.api.app import create_app
from monitor.errors import StateError
from monitor.journal.records import alert_line, records
from monitor.journal.store import Store
from monitor.model.incident import IncidentState
from monitor.model.time import HOUR, MINUTE, SECOND, to_rfc3339
from monitor.telemetry import Counters
from tests.journal.examples import (
    T0,
    bucket_lines,
    changed,
    closed,
    incident,
    plan,
    resolved,
    restated,
)

Client = TestClient[Request, Application]


class Scene:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.store = Store(path)
        for minute in range(3):
            self.store.commit(records(closed(T0 + minute * MINUTE)))
        self.registry = CollectorRegistry()
        self.counters = Counters(self.registry)
        self.reasons: list[str] = []
        self.client: Client | None = None

    async def open(self, **changes: Any) -> Client:
        app = create_app(
            self.store,
            plan(),
            clock=lambda: T0 + HOUR,
            registry=self.registry,
            ready=lambda: self.reasons,
            **changes,
        )
        self.client = TestClient(TestServer(app))
        await self.client.start_server()
        return self.client


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    made = Scene(tmp_path / "monitor.db")
    yield made
    if made.client is not None:
        await made.client.close()
    made.store.close()


async def get(client: Client, path: str) -> Any:
    async with client.get(path) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "application/json"
        return await answer.json()


async def refused(client: Client, path: str, *, method: str = "GET", **more: Any) -> dict[str, Any]:
    async with client.request(method, path, **more) as answer:
        assert answer.content_type == "application/problem+json"
        body: dict[str, Any] = await answer.json()
        assert body["status"] == answer.status
        assert {"type", "title", "detail"} <= set(body)
        return body


async def test_alerts_are_the_newest_state_of_each(scene: Scene) -> None:
    client = await scene.open()
    assert await get(client, "/api/v1/alerts") == {"alerts": []}
    for state in (incident("a1"), incident("a2"), resolved("a1")):
        scene.store.commit(records(changed(state)))
    expected = [alert_line(resolved("a1")), alert_line(incident("a2"))]
    assert await get(client, "/api/v1/alerts") == {"alerts": json.loads(json.dumps(expected))}
    firing = await get(client, "/api/v1/alerts?state=firing")
    assert [a["alert_id"] for a in firing["alerts"]] == ["a2"]


async def test_metrics_are_definitions_with_their_current_buckets(scene: Scene) -> None:
    client = await scene.open()
    errors, orders = (await get(client, "/api/v1/metrics"))["metrics"]
    assert (errors["name"], errors["kind"], errors["role"]) == ("errors", "ratio", "leading")
    assert orders["of"] == {"event": "order"}
    lines = bucket_lines(closed(T0 + 2 * MINUTE))
    assert errors["series"] == [line for line in lines if line["metric"] == "errors"]
    assert orders["series"] == [line for line in lines if line["metric"] == "orders"]


async def test_buckets_are_the_lines_of_the_file_last_revision_each(scene: Scene) -> None:
    client = await scene.open()
    scene.store.commit(records(restated()))
    found = (await get(client, "/api/v1/metrics/errors/buckets"))["buckets"]
    assert [(b["start"][14:16], b["revision"], b["segment"]) for b in found] == [
        ("00", 1, "all"),
        ("01", 0, "all"),
        ("02", 0, "all"),
    ]
    assert (found[0]["n"], found[0]["expected"]) == (120, 0.125)
    assert list(found[0]) == list(bucket_lines(closed())[0])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["00", "01", "02"]),
        ("since=2026-11-21T10:01:00Z", ["01", "02"]),
        ("until=2026-11-21T10:01:00Z", ["00"]),
        ("since=2026-11-21T11:01:00%2B01:00&until=2026-11-21T10:02:00Z", ["01"]),
        ("since=2026-11-21T11:01:00+01:00", ["01", "02"]),
        (f"since={T0 // SECOND + 60}", ["01", "02"]),
        (f"since={T0 / SECOND + 60.5}", ["02"]),
        (f"since={T0 // 1000 + 60_000}", ["01", "02"]),
        ("dimension=&segment=&since=&until=", ["00", "01", "02"]),
        ("since=2027-01-01T00:00:00Z", []),
        ("segment=DE", []),
    ],
)
async def test_buckets_between_two_times(scene: Scene, query: str, expected: list[str]) -> None:
    client = await scene.open()
    found = await get(client, f"/api/v1/metrics/orders/buckets?{query}")
    assert [b["start"][14:16] for b in found["buckets"]] == expected


async def test_a_dimension_gives_all_its_segments_or_the_one_asked_for(scene: Scene) -> None:
    client = await scene.open()
    path = "/api/v1/metrics/errors/buckets?dimension=country"
    assert [b["segment"] for b in (await get(client, path))["buckets"]] == ["DE", "US"] * 3
    found = await get(client, f"{path}&segment=US")
    assert [b["segment"] for b in found["buckets"]] == ["US"] * 3


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("since=yesterday", "since"),
        ("since=2026-11-21T10:00:00", "since"),
        ("until=2026-11-21", "until"),
        ("until=nan", "until"),
        ("until=1e300", "until"),
        ("since=2026-13-21T10:00:00Z", "since"),
        ("since=200&until=100", "since"),
    ],
)
async def test_a_wrong_time_is_named_with_the_remedy(
    scene: Scene, query: str, parameter: str
) -> None:
    client = await scene.open()
    body = await refused(client, f"/api/v1/metrics/orders/buckets?{query}")
    assert (body["status"], body["parameter"]) == (400, parameter)
    assert "give RFC 3339" in body["detail"] or "swap them" in body["detail"]


async def test_a_wrong_state_is_named(scene: Scene) -> None:
    body = await refused(await scene.open(), "/api/v1/alerts?state=fireing")
    assert (body["status"], body["parameter"]) == (400, "state")
    assert "pending, firing, resolved (did you mean 'firing'?)" in body["detail"]


async def test_names_that_do_not_exist_are_answered_with_the_nearest(scene: Scene) -> None:
    client = await scene.open()
    body = await refused(client, "/api/v1/metrics/error/buckets")
    assert body["status"] == 404
    assert "there is no metric 'error' (did you mean 'errors'?)" in body["detail"]
    body = await refused(client, "/api/v1/metrics/errors/buckets?dimension=conutry")
    assert body["status"] == 404
    assert "did you mean 'country'?); it has all, country" in body["detail"]


async def test_routes_that_do_not_exist_and_methods_that_are_not_possible(scene: Scene) -> None:
    client = await scene.open()
    assert (await refused(client, "/api/v1/nothing", method="POST"))["status"] == 404
    assert (await refused(client, "/favicon.ico"))["status"] == 404
    assert (await refused(client, "/api/v1/alerts", method="DELETE"))["status"] == 405
    async with client.post("/api/v1/alerts") as answer:
        assert answer.headers["Allow"] == "GET,HEAD"


async def test_a_body_over_a_mebibyte_is_refused(scene: Scene) -> None:
    client = await scene.open()
    large = io.BytesIO(b"x" * (1024 * 1024 + 1))
    body = await refused(client, "/api/v1/alerts", method="POST", data=large)
    assert body["status"] == 413


async def test_health_and_readiness(scene: Scene) -> None:
    client = await scene.open()
    scene.reasons.append("the view is 12 records behind")
    assert await get(client, "/healthz") == {"status": "ok"}
    body = await refused(client, "/readyz")
    assert body["status"] == 503
    assert body["reasons"] == ["the view is 12 records behind"]
    scene.reasons.clear()
    body = await get(client, "/readyz")
    assert body.pop("means").startswith("ready: all that the journal held")
    assert body == {
        "status": "ready",
        "judged_until": to_rfc3339(T0 + 3 * MINUTE),
        "behind_seconds": (HOUR - 3 * MINUTE) / SECOND,
        "source_lag_events": None,
    }


async def test_readiness_says_how_far_behind_the_answers_are(scene: Scene) -> None:
    scene.counters.lag.labels("0").set(40)
    scene.counters.lag.labels("1").set(2)
    client = await scene.open()
    assert (await get(client, "/readyz"))["source_lag_events"] == 42


async def test_readiness_before_the_first_bucket(tmp_path: Path) -> None:
    app = create_app(tmp_path / "new.db", plan(), clock=lambda: T0, registry=CollectorRegistry())
    async with TestClient(TestServer(app)) as client:
        body = await get(client, "/readyz")
    assert (body["judged_until"], body["behind_seconds"]) == (None, None)


async def test_prometheus_gets_buckets_and_service_counters(scene: Scene) -> None:
    scene.counters.events.labels("accepted").inc(7)
    client = await scene.open(segments="none")
    async with client.get("/metrics") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        text = await answer.text()
    families = {f.name: f for f in text_string_to_metric_families(text)}
    assert {s.labels["metric"] for s in families["monitor_value"].samples} == {"errors", "orders"}
    accepted = [s for s in families["monitor_events"].samples if s.labels["outcome"] == "accepted"]
    assert accepted[0].value == 7
    async with client.get("/metrics", headers={"Accept": "application/openmetrics-text"}) as answer:
        assert (await answer.text()).endswith("# EOF\n")


async def test_counters_of_all_roles_are_read_from_their_files(
    scene: Scene, tmp_path: Path
) -> None:
    folder = tmp_path / "counters"
    folder.mkdir()
    code = (
        "from prometheus_client import CollectorRegistry\n"
        "from monitor.telemetry import Counters\n"
        "Counters(CollectorRegistry()).events.labels('accepted').inc(5)\n"
    )
    for _ in range(2):
        await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", code],
            env={"PROMETHEUS_MULTIPROC_DIR": str(folder), "PYTHONPATH": ":".join(sys.path)},
            check=True,
        )
    client = await scene.open(multiprocess_dir=folder)
    async with client.get("/metrics") as answer:
        text = await answer.text()
    assert 'monitor_events_total{outcome="accepted"} 10.0' in text
    assert 'monitor_units{dimension="all",metric="orders",segment="all"} 12.0' in text


async def test_state_that_cannot_be_read_is_told_as_such(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await scene.open()

    def fails(*_: object) -> None:
        message = "var/monitor.db: the state file is damaged; move it away"
        raise StateError(message)

    monkeypatch.setattr(scene.store, "latest_buckets", fails)
    for path in ("/api/v1/metrics", "/metrics", "/"):
        body = await refused(client, path)
        assert body["status"] == 503
        assert "is damaged; move it away" in body["detail"]


async def test_a_fault_of_the_program_is_no_traceback_to_the_client(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await scene.open()
    monkeypatch.setattr(scene.store, "alerts", lambda state: 1 / 0)
    body = await refused(client, "/api/v1/alerts")
    assert body["status"] == 500
    assert "division" not in json.dumps(body)


async def test_the_application_opens_and_closes_a_store_of_its_own(scene: Scene) -> None:
    scene.store.commit(records(changed(incident(state=IncidentState.FIRING))))
    app = create_app(
        scene.path, plan(), clock=lambda: T0, registry=CollectorRegistry(), multiprocess_dir=None
    )
    client: Client = TestClient(TestServer(app))
    await client.start_server()
    assert len((await get(client, "/api/v1/alerts"))["alerts"]) == 1
    assert (await get(client, "/readyz"))["status"] == "ready"
    await client.close()


async def test_answers_come_while_the_journal_is_written(scene: Scene) -> None:
    client = await scene.open()

    def write() -> None:
        for minute in range(3, 60):
            scene.store.commit(records(closed(T0 + minute * MINUTE)))

    writing = asyncio.create_task(asyncio.to_thread(write))
    counts = []
    while not writing.done():
        found = await get(client, "/api/v1/metrics/orders/buckets")
        counts.append(len(found["buckets"]))
    await writing
    assert counts == sorted(counts)
    found = await get(client, "/api/v1/metrics/orders/buckets")
    assert len(found["buckets"]) == 60

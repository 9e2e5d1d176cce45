"""The past reads the same wherever it is kept."""

import asyncio
import json
import math
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from aiohttp import web
from prometheus_client import CollectorRegistry

from monitor.api.app import create_app
from monitor.api.serving import serve
from monitor.core.effects import ClosedBucket, Effect
from monitor.errors import InputError, MonitorError, UnreachableError
from monitor.journal.history import History, open_history
from monitor.journal.history_service import ServiceHistory
from monitor.journal.lines import Judged, bucket_ndjson, bucket_rows
from monitor.journal.records import alert_line, records
from monitor.journal.search import first_after
from monitor.journal.store import Store
from monitor.model.bucket import BucketLine
from monitor.model.incident import IncidentChanged
from monitor.model.time import DAY, HOUR, MINUTE, to_rfc3339
from tests.journal.examples import NAN, T0, changed, closed, incident, plan, resolved, restated

EFFECTS: list[Effect] = [
    *(closed(T0 + minute * MINUTE) for minute in range(5)),
    changed(incident("aaaa1111")),
    changed(incident("bbbb2222", metric="orders")),
    restated(T0 + MINUTE),
    closed(T0 + 5 * MINUTE),
    changed(resolved("aaaa1111")),
]


def write_folder(folder: Path, effects: list[Effect]) -> Path:
    """As a replay writes it."""
    folder.mkdir(exist_ok=True)
    memory = Judged(2 * DAY)
    with (folder / "buckets.ndjson").open("wb") as buckets:
        for effect in effects:
            buckets.write(bucket_ndjson(effect, memory=memory))
    with (folder / "alerts.ndjson").open("wb") as alerts:
        for effect in effects:
            if isinstance(effect, IncidentChanged) and effect.transition:
                alerts.write(msgspec.json.encode(alert_line(effect.incident)) + b"\n")
    return folder


def write_state(path: Path, effects: list[Effect]) -> Path:
    with Store(path) as store:
        for effect in effects:
            store.commit(records(effect))
    return path


@pytest.fixture(params=["folder", "state", "service"])
async def history(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[History]:
    state = write_state(tmp_path / "monitor.db", EFFECTS)
    if request.param == "folder":
        yield open_history(str(write_folder(tmp_path / "out", EFFECTS)), token=None)
        return
    if request.param == "state":
        found = open_history(str(state), token=None)
        yield found
        found.close()
        return
    app = create_app(state, plan(), clock=lambda: T0, registry=CollectorRegistry())
    running = await serve(app, "127.0.0.1", 0)
    yield open_history(f"{running.url}/", token="secret")
    await running.stop()


async def test_alerts_are_the_newest_state_of_each_newest_change_first(history: History) -> None:
    alerts = await asyncio.to_thread(history.alerts)
    assert [(a["alert_id"], a["state"]) for a in alerts] == [
        ("aaaa1111", "resolved"),
        ("bbbb2222", "firing"),
    ]
    assert alerts[0] == alert_line(resolved("aaaa1111"))


async def test_a_series_has_its_buckets_of_the_span_in_the_last_revision(history: History) -> None:
    past = await asyncio.to_thread(
        history.series, "errors", "all", "all", since_us=T0 + MINUTE, until_us=T0 + 4 * MINUTE
    )
    assert [row.start for row in past.rows] == [to_rfc3339(T0 + m * MINUTE) for m in (1, 2, 3)]
    assert [row.revision for row in past.rows] == [1, 0, 0]
    assert past.rows[0].value == 0.25
    assert past.rows[0].n == 120
    assert past.rows[0].expected == 0.125
    assert (past.first_us, past.last_us) == (T0 + MINUTE, T0 + 6 * MINUTE)


async def test_a_segment_is_a_series_of_its_own(history: History) -> None:
    past = await asyncio.to_thread(
        history.series, "errors", "country", "DE", since_us=T0, until_us=None
    )
    assert len(past.rows) == 6
    assert {(row.dimension, row.segment) for row in past.rows} == {("country", "DE")}


async def test_a_span_before_the_first_bucket_tells_where_it_begins(history: History) -> None:
    past = await asyncio.to_thread(
        history.series, "errors", "all", "all", since_us=T0 - 3 * DAY, until_us=T0 - 2 * DAY
    )
    assert (past.rows, past.first_us, past.last_us) == ((), T0, T0 + 6 * MINUTE)


async def test_a_span_after_the_last_bucket_tells_where_it_ended(history: History) -> None:
    past = await asyncio.to_thread(
        history.series, "errors", "all", "all", since_us=T0 + DAY, until_us=T0 + 2 * DAY
    )
    assert (past.rows, past.first_us, past.last_us) == ((), None, T0 + 6 * MINUTE)


async def test_a_series_that_never_was_has_nothing(history: History) -> None:
    past = await asyncio.to_thread(
        history.series, "errors", "country", "XX", since_us=T0, until_us=None
    )
    assert (past.rows, past.first_us, past.last_us) == ((), None, None)


async def test_the_segments_of_a_dimension_are_known(history: History) -> None:
    found = await asyncio.to_thread(history.segments, "errors", "country")
    assert {"DE", "US"} <= set(found)
    assert found == sorted(found)
    assert await asyncio.to_thread(history.segments, "errors", "platform") == []


def learning(start_us: int, seconds: float) -> ClosedBucket:
    return closed(start_us, learning_seconds=np.array([NAN, seconds, NAN, NAN]))


def test_a_state_file_tells_until_when_a_series_learns(tmp_path: Path) -> None:
    path = write_state(tmp_path / "monitor.db", [learning(T0, 7200.0)])
    with Store(path):
        history = open_history(str(path), token=None)
        orders = history.series("orders", "all", "all", since_us=T0, until_us=None)
        errors = history.series("errors", "all", "all", since_us=T0, until_us=None)
        history.close()
    assert orders.judged_from_us == T0 + MINUTE + 2 * HOUR
    assert errors.judged_from_us is None


def test_a_folder_tells_since_when_a_series_is_judged(tmp_path: Path) -> None:
    us = 3  # its row of `closed` learns
    calm = closed(T0 + 2 * MINUTE).state.copy()
    calm[us] = closed().state[1]
    effects: list[Effect] = [closed(T0), closed(T0 + MINUTE), closed(T0 + 2 * MINUTE, state=calm)]
    history = open_history(str(write_folder(tmp_path, effects)), token=None)
    past = history.series("errors", "country", "US", since_us=T0, until_us=None)
    assert past.judged_from_us == T0 + 2 * MINUTE
    never = history.series("errors", "country", "DE", since_us=T0, until_us=None)
    assert never.judged_from_us is None


def test_lines_are_read_however_they_are_written(tmp_path: Path) -> None:
    write_folder(tmp_path, EFFECTS)
    path = tmp_path / "buckets.ndjson"
    spaced = [json.dumps(json.loads(line)) for line in path.read_bytes().splitlines()]
    path.write_text("\n\n".join(spaced) + "\n \n")
    history = open_history(str(tmp_path), token=None)
    assert len(history.series("errors", "all", "all", since_us=T0, until_us=None).rows) == 6


@pytest.mark.parametrize("bad", [b'{"metric":"errors"}', b'{"metric":"errors",', b'"errors"\xff'])
def test_a_line_that_no_replay_writes_is_told_with_its_place(tmp_path: Path, bad: bytes) -> None:
    write_folder(tmp_path, EFFECTS[:1])
    path = tmp_path / "buckets.ndjson"
    path.write_bytes(bad + b"\n" + path.read_bytes())
    history = open_history(str(tmp_path), token=None)
    with pytest.raises(InputError, match=r"buckets\.ndjson:1: is no line that a replay writes"):
        history.series("errors", "all", "all", since_us=T0, until_us=None)


@pytest.mark.parametrize("bad", [b"[]", b"{}", b'{"alert_id":3}', b"x"])
def test_an_alert_that_no_replay_writes_is_told_with_its_place(tmp_path: Path, bad: bytes) -> None:
    (tmp_path / "alerts.ndjson").write_bytes(b"\n" + bad)
    with pytest.raises(InputError, match=r"alerts\.ndjson:2: "):
        open_history(str(tmp_path), token=None).alerts()


def test_a_place_that_is_none_is_told_with_what_it_could_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        open_history(str(tmp_path / "absent"), token=None)
    with pytest.raises(InputError, match="names no server"):
        open_history("http://", token=None)
    (tmp_path / "buckets.ndjson").write_bytes(b"{}")
    with pytest.raises(InputError, match=f"name its folder, {tmp_path}"):
        open_history(str(tmp_path / "buckets.ndjson"), token=None)
    (tmp_path / "empty.db").write_bytes(b"")
    with pytest.raises(InputError, match="is no state file"):
        open_history(str(tmp_path / "empty.db"), token=None)
    assert (tmp_path / "empty.db").read_bytes() == b""
    with pytest.raises(InputError, match=r"alerts\.ndjson: No such file"):
        open_history(str(tmp_path), token=None).alerts()


async def answering(handler: Any) -> Any:
    app = web.Application()
    app.router.add_get("/{tail:.*}", handler)
    return await serve(app, "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("status", "kind", "told"),
    [
        (401, InputError, "MONITOR_TOKEN"),
        (404, InputError, "other definitions"),
        (503, UnreachableError, "cannot answer now"),
    ],
)
async def test_a_service_that_refuses_is_told_with_its_words(
    status: int, kind: type[MonitorError], told: str
) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({"detail": "its own words"}, status=status)

    running = await answering(refuse)
    history = ServiceHistory(running.url, token=None)
    with pytest.raises(kind, match=told) as error:
        await asyncio.to_thread(history.alerts)
    assert "its own words" in str(error.value)
    await running.stop()


async def test_the_token_goes_with_every_question() -> None:
    seen = []

    async def note(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.json_response({"alerts": []})

    running = await answering(note)
    await asyncio.to_thread(ServiceHistory(running.url, token="secret").alerts)
    await asyncio.to_thread(ServiceHistory(running.url, token=None).alerts)
    assert seen == ["Bearer secret", None]
    await running.stop()


@pytest.mark.parametrize("body", ["<html>hello</html>", '{"other": 1}', "[]"])
async def test_a_server_of_something_else_is_told(body: str) -> None:
    async def other(request: web.Request) -> web.Response:
        return web.Response(text=body)

    running = await answering(other)
    with pytest.raises(InputError, match="is no service of the monitor"):
        await asyncio.to_thread(ServiceHistory(running.url, token=None).alerts)
    await running.stop()


def test_nobody_there_is_told_with_the_remedy() -> None:
    with socket.socket() as held:  # bound, but not listening
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    history = ServiceHistory(f"http://127.0.0.1:{port}", token=None)
    with pytest.raises(UnreachableError, match="--from FOLDER") as error:
        history.alerts()
    assert error.value.exit_code == 4


def test_where_a_series_begins_is_found_in_few_questions() -> None:
    asked = []

    def read(since_us: int, until_us: int) -> list[BucketLine]:
        asked.append(until_us - since_us)
        at = T0 + 300 * DAY
        return bucket_rows(closed(at)) if since_us <= at < until_us else []

    assert first_after(read, T0, T0 + 400 * DAY) == T0 + 300 * DAY
    assert len(asked) <= math.log2(300 * 24) + 2
    assert first_after(read, T0 + 301 * DAY, T0 + 400 * DAY) is None
    assert first_after(read, T0, None) is None

"""Every expression of the dashboards, asked of a real Prometheus that scrapes a filled journal."""

import asyncio
import json
import re
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp.test_utils import TestServer
from prometheus_client import CollectorRegistry

from monitor.api.app import create_app
from monitor.clock import wall_clock
from monitor.core.effects import ClosedBucket, Group
from monitor.definitions import compile_plan, load
from monitor.definitions.plan import MetricPlan, Plan
from monitor.journal.records import records
from monitor.journal.releases import release_record
from monitor.journal.store import Store
from monitor.model.release import Release, Status
from monitor.model.tick import State
from monitor.model.time import MINUTE, SECOND
from monitor.telemetry import Counters
from tests.export.dashboards.boards import NAMES, ROOT, board, targets
from tests.journal.examples import changed, incident
from tests.system import servers

pytestmark = pytest.mark.system

VARIABLES = {"job": ".+", "instance": ".+", "metric": "error_rate", "__rate_interval": "10s"}
_SEGMENTS = {"country": ("DE", "US"), "platform": ("ios", "web")}


def groups(metric: MetricPlan, first: int) -> list[Group]:
    made: list[Group] = []
    for grouping in metric.groupings:
        segments = ("all",) if not grouping else _SEGMENTS.get(",".join(grouping), ("DE,ios",))
        rows = np.arange(first, first + len(segments))
        first += len(segments)
        dimension = ",".join(grouping) or "all"
        made.append(
            Group(
                metric=metric.name,
                dimension=dimension,
                segments=segments,
                rows=rows,
                measures=("events",),
            )
        )
    return made


def bucket(plan: Plan, start_us: int) -> ClosedBucket:
    """A closed minute of every metric and segment."""
    made: list[Group] = []
    size = 0
    for metric in plan.known:
        made += groups(metric, size)
        size = int(made[-1].rows[-1]) + 1
    ones = np.ones(size)
    return ClosedBucket(
        start_us=start_us,
        end_us=start_us + MINUTE,
        groups=tuple(made),
        state=np.full(size, State.SUSPECTED, np.int8),
        value=ones * 0.6,
        n=ones * 100,
        expected=ones * 0.5,
        lower=ones * 0.4,
        upper=ones * 0.7,
        window_value=ones * 0.5,
        evidence=np.linspace(0.1, 3, size),
        log_threshold=ones * 4,
        learning_seconds=ones * np.nan,
        measures=np.ones((size, 1)),
    )


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[TestServer]:
    """What a demo would show: `monitor demo` in place of a journal that is filled by hand."""
    plan = compile_plan(load(ROOT / "config", environment={}))
    now = wall_clock()
    registry = CollectorRegistry()
    counters = Counters(registry)
    counters.events.labels("accepted").inc(10)
    counters.watermark.labels("0").set(now / SECOND - 30)
    counters.lag.labels("0").set(5)
    counters.restarts.labels("core").inc()
    with Store(tmp_path / "monitor.db") as store:
        store.commit(records(bucket(plan, now - 2 * MINUTE)))
        store.commit(
            records(changed(incident(metric="error_rate", dimension="country", segment="DE")))
        )
        store.commit([release_record(released(now))])
        app = create_app(store, plan, clock=wall_clock, registry=registry)
        server = TestServer(app)
        await server.start_server()
        try:
            yield server
        finally:
            await server.close()


def released(now_us: int) -> Release:
    return Release(
        id="r1",
        service="shop",
        environment="production",
        version="8.3.0",
        status=Status.SUCCEEDED,
        started_us=now_us - MINUTE,
    )


def ask(address: str, path: str, **parameters: Any) -> Any:
    query = urllib.parse.urlencode(parameters, doseq=True)
    url = f"http://{address}/api/v1/{path}?{query}"
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)["data"]


def filled(text: str, **more: str) -> str:
    for name, value in (VARIABLES | more).items():
        text = re.sub(rf"\${name}\b", value, text)
    assert "$" not in text, text
    return text


def lines(address: str, expression: str) -> list[dict[str, Any]]:
    end = wall_clock() / SECOND
    asked = {"query": expression, "start": end - 4, "end": end, "step": 1}
    found: list[dict[str, Any]] = ask(address, "query_range", **asked)["result"]
    return found


async def scraped(address: str) -> None:
    """Wait until a rate has enough samples."""
    asked = "count_over_time(monitor_lost_events_total[10s]) >= 5"
    for _ in range(60):
        if await asyncio.to_thread(lines, address, asked):
            return
        await asyncio.sleep(0.5)
    pytest.fail("Prometheus did not scrape the monitor")


async def test_every_expression_has_an_answer(
    served: TestServer, prometheus: Callable[[list[str]], servers.Server]
) -> None:
    address = (await asyncio.to_thread(prometheus, [f"{served.host}:{served.port}"])).address
    await scraped(address)
    empty = []
    asked = 0
    for name in NAMES:
        everything = [target["expr"] for _, target in targets(name)]
        everything += [note["expr"] for note in board(name)["annotations"]["list"]]
        for place in (
            {"dimension": "all", "segment": "all"},
            {"dimension": "country", "segment": "DE"},
        ):
            for text in everything:
                expression = filled(text, **place)
                found = await asyncio.to_thread(lines, address, expression)
                asked += 1
                if not found:
                    empty.append(expression)
    assert empty == []
    assert asked > 80


async def test_every_variable_has_values(
    served: TestServer, prometheus: Callable[[list[str]], servers.Server]
) -> None:
    address = (await asyncio.to_thread(prometheus, [f"{served.host}:{served.port}"])).address
    await scraped(address)
    values = {}
    for variable in board("metric")["templating"]["list"]:
        if variable["type"] == "query":
            query = filled(variable["query"]["query"], dimension="country")
            series, label = re.fullmatch(r"label_values\((.*), (\w+)\)", query).groups()  # type: ignore[union-attr]
            path = f"label/{label}/values"
            values[variable["name"]] = await asyncio.to_thread(
                ask, address, path, **{"match[]": series}
            )
    assert values["job"] == ["monitor"]
    assert "error_rate" in values["metric"]
    assert values["dimension"] == ["all", "country", "platform"]
    assert values["segment"] == ["DE", "US"]

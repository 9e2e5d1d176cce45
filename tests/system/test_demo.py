"""`monitor demo` as a newcomer types it: found, shown, asked by its own dashboards, and ended.

One demo serves all; it learns for half a minute.
"""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import execute
from monitor.cli.demo import CONFIG
from monitor.clock import wall_clock
from monitor.model.time import SECOND
from tests.system import servers
from tests.system.test_dashboards import ask, filled

NOT_IN_THE_DEMO = (
    "alertmanager_posts_total",
    "data_quality_delay",
    "monitor_release_timestamp_seconds",
)
"""Asked, but nothing need answer: it tells no Alertmanager, is told no release, and its events arrive at once."""
SCRAPED_SECONDS = 15.0
SLOW = 3
"""A build machine that does other things besides; alone it takes half a minute."""


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A demo that has paged: what it printed, and after how long."""

    process: subprocess.Popen[bytes]
    address: str
    alert: dict[str, Any]
    seconds: float

    def get(self, route: str) -> bytes:
        with urllib.request.urlopen(f"http://{self.address}{route}", timeout=10) as answer:
            return bytes(answer.read())


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    address = f"127.0.0.1:{servers.free_port()}"
    command = [sys.executable, "-c", "from monitor.cli import main; main()", "demo", "--json"]
    command += ["--port", address.rpartition(":")[2]]
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout is not None
        alert = json.loads(process.stdout.readline())
        seconds = time.monotonic() - began
        yield Demo(process=process, address=address, alert=alert, seconds=seconds)
    finally:
        process.kill()
        process.communicate()


def test_an_incident_is_found_within_a_minute_and_all_routes_answer(demo: Demo) -> None:
    routes = ("/", "/metrics", "/healthz", "/api/v1/alerts", "/api/v1/metrics")
    bodies = {route: demo.get(route) for route in routes}
    buckets = json.loads(demo.get("/api/v1/metrics/latency_p95/buckets"))["buckets"]
    alert = demo.alert
    assert (alert["metric"], alert["state"], alert["severity"]) == ("orders", "firing", "page")
    assert alert["segment"] in ("DE", "all") or alert["segment"].startswith("DE,")
    assert demo.seconds < 60 * SLOW
    assert b"orders" in bodies["/"]
    assert b"monitor_alert_active{" in bodies["/metrics"]
    assert buckets[-1]["state"] == "ok"
    named = {m["name"] for m in json.loads(bodies["/api/v1/metrics"])["metrics"]}
    assert {"active_users", "revenue_per_user", "latency_p95"} <= named


def expressions(folder: Path) -> list[str]:
    """Of the panels of the demo's own dashboards, with its own segments in place of variables."""
    assert execute(["dashboards", "export", "--config", str(CONFIG), "--out", str(folder)]) == 0
    boards = [
        json.loads((folder / "grafana" / f"{n}.json").read_text()) for n in ("overview", "metric")
    ]
    return [
        filled(target["expr"], dimension="country", segment="US", metric="orders")
        for board in boards
        for panel in board["panels"]
        if panel["type"] != "row"
        for target in panel.get("targets", ())
    ]


@pytest.mark.system
def test_every_expression_has_an_answer(
    demo: Demo, prometheus: Callable[[list[str]], servers.Server], tmp_path: Path
) -> None:
    asked = expressions(tmp_path / "dashboards")
    assert len(asked) > 30
    address = prometheus([demo.address]).address
    began = wall_clock() / SECOND

    def found(expression: str) -> list[Any]:
        span = {"start": began, "end": wall_clock() / SECOND, "step": 1}
        return list(ask(address, "query_range", query=expression, **span)["result"])

    empty = [e for e in asked if not any(name in e for name in NOT_IN_THE_DEMO)]
    while empty and wall_clock() / SECOND < began + SCRAPED_SECONDS:
        time.sleep(0.5)
        empty = [expression for expression in empty if not found(expression)]
    assert empty == []


def test_ctrl_c_ends_it_gracefully(demo: Demo) -> None:
    demo.process.send_signal(signal.SIGINT)
    _, errors = demo.process.communicate(timeout=15)
    assert demo.process.returncode == 0, errors
    assert errors == b""

"""The demo's own dashboards, every expression asked of a real Prometheus that scraped the demo."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monitor.cli import execute
from monitor.cli.demo import CONFIG
from monitor.clock import wall_clock
from monitor.model.time import SECOND
from tests.system import servers
from tests.system.test_dashboards import NOT_THERE_YET, ask, filled

pytestmark = pytest.mark.system

NOT_IN_ONE_PROCESS = ("alertmanager_posts_total",)
"""Asked, but nothing need answer: the demo tells no Alertmanager."""
SCRAPED_SECONDS = 15.0


@pytest.fixture
def demo() -> Iterator[str]:
    """The address of a demo that has just paged."""
    port = servers.free_port()
    command = (sys.executable, "-c", "from monitor.cli import main; main()", "demo", "--json")
    process = subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        alert = json.loads(process.stdout.readline())
        assert alert["state"] == "firing"
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate()


def test_every_expression_has_an_answer(
    demo: str, prometheus: Callable[[list[str]], servers.Server], tmp_path: Path
) -> None:
    folder = tmp_path / "dashboards"
    assert execute(["dashboards", "export", "--config", str(CONFIG), "--out", str(folder)]) == 0
    address = prometheus([demo]).address
    time.sleep(SCRAPED_SECONDS)
    empty, asked = [], 0
    for name in ("overview", "metric"):
        board = json.loads((folder / "grafana" / f"{name}.json").read_text())
        panels = [panel for panel in board["panels"] if panel["type"] != "row"]
        for expression in [
            filled(target["expr"], dimension="country", segment="US", metric="orders")
            for panel in panels
            for target in panel.get("targets", ())
        ]:
            end = wall_clock() / SECOND
            span = {"start": end - SCRAPED_SECONDS, "end": end, "step": 1}
            found = ask(address, "query_range", query=expression, **span)["result"]
            asked += 1
            may_be_empty = (*NOT_THERE_YET, *NOT_IN_ONE_PROCESS)
            if not found and not any(series in expression for series in may_be_empty):
                empty.append(expression)
    assert empty == []
    assert asked > 30

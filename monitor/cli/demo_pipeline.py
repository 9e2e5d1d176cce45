"""What a release pipeline does in the demo: it tells of a roll-out, asks the gate, and tells of the roll-back."""

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from monitor.cli.calling import Service, refuse
from monitor.clock import Clock
from monitor.embedded.story import Story
from monitor.errors import MonitorError
from monitor.ingest.synthetic import BadRelease
from monitor.model.time import to_rfc3339

SERVICE, ENVIRONMENT = "shop", "production"
_ASK_SECONDS = 0.25
_log = structlog.get_logger(__name__)


async def run_pipelines(
    story: Story, url: str, clock: Clock, answered: Callable[[dict[str, Any]], None]
) -> None:
    """Play the pipelines of the story's bad releases over HTTP, as any other would.

    Args:
        story: what goes wrong, and when.
        url: of the service.
        clock: of the shop.
        answered: told of each gate's answer once it is `fail`.
    """
    releases = [fault for fault in story.faults if isinstance(fault, BadRelease)]
    ahead = [fault for fault in releases if fault.started_us >= story.compressed_us]
    try:
        await asyncio.gather(*(_pipeline(fault, Service(url), clock, answered) for fault in ahead))
    except MonitorError as error:
        _log.warning("demo.pipeline_stopped", error=str(error))


async def _pipeline(
    fault: BadRelease, service: Service, clock: Clock, answered: Callable[[dict[str, Any]], None]
) -> None:
    named = {"service": SERVICE, "environment": ENVIRONMENT, "version": fault.version}
    told = {"scope": {"segments": {"platform": [fault.platform]}}}
    await _until(fault.started_us, clock)
    began = {"status": "started", "started_at": to_rfc3339(fault.started_us), **told}
    await _post(service, "/api/v1/releases", named | began)
    while clock() < fault.ended_us:
        answer = await _post(service, "/api/v1/gates/evaluate", named)
        if answer["gate_status"] == "fail":
            answered(answer)
            break
        await asyncio.sleep(_ASK_SECONDS)
    await _until(fault.ended_us, clock)
    ended = {"status": "rolled_back", "finished_at": to_rfc3339(fault.ended_us)}
    await _post(service, "/api/v1/releases", named | ended)


async def _until(time_us: int, clock: Clock) -> None:
    while clock() < time_us:  # noqa: ASYNC110 - nothing but the shop's clock tells of it
        await asyncio.sleep(_ASK_SECONDS)


async def _post(service: Service, route: str, body: dict[str, Any]) -> dict[str, Any]:
    status, answer = await asyncio.to_thread(service.post, route, body)
    refuse(status, answer)
    return dict(answer)

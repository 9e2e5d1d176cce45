"""Releases as other tools tell them: CDEvents, and GitHub's `deployment_status`."""

from dataclasses import replace
from typing import Any

import structlog
from aiohttp import web

from monitor.api import body, releases
from monitor.api.answer import json_answer
from monitor.api.problem import ProblemError
from monitor.api.tokens import Scope, needs
from monitor.model.release import Status, to_body
from monitor.release import cd_events, github
from monitor.release.posting import Posted, read_release
from monitor.release.resolving import Told

GITHUB_SECRET = web.AppKey("github_secret", bytes)
"""Keys the signatures of GitHub's webhook; empty where none is configured."""
_log = structlog.get_logger()


@needs(Scope.ANNOTATE)
async def post_cd_event(request: web.Request) -> web.Response:
    """A CDEvent of a service, as a structured or a binary CloudEvent."""
    posted = _read(cd_events.release_body(body.decode(await body.raw(request), Any)))
    if posted.status is Status.ROLLED_BACK:
        posted = await _taken_back(request, posted)
    return await _tell(request, posted)


async def _taken_back(request: web.Request, posted: Posted) -> Posted:
    """The event names the version that came back: taken back was the newest release of another one."""
    known = await releases.known(request)
    for release in reversed(known):
        if release.place == (posted.service, posted.environment):
            if release.version == posted.version:
                break
            if release.status is not Status.ROLLED_BACK:
                return replace(posted, version=release.version)
    return posted


async def post_github(request: web.Request) -> web.Response:
    """GitHub's webhook; its signature stands in for a token."""
    secret = request.app[GITHUB_SECRET]
    if not secret:
        message = "no secret is configured; set the variable that api.github_secret_env names"
        raise ProblemError(403, message)
    raw = await body.raw(request)
    if not github.is_signed(raw, request.headers.get(github.SIGNATURE_HEADER), secret):
        message = f"{github.SIGNATURE_HEADER} does not fit; set the webhook's secret to this one's"
        raise ProblemError(401, message)
    event = request.headers.get(github.EVENT_HEADER)
    if event == "ping":
        return json_answer({"message": "pong"})
    if event != "deployment_status":
        return json_answer(
            {"message": f"{event} is no news of a release; send deployment_status"}, 202
        )
    found = github.release_body(body.decode(raw, Any))
    if found is None:
        return json_answer({"message": "this state is no news of a release"}, 202)
    return await _tell(request, _read(found))


def _read(found: dict[str, Any] | list[str]) -> Posted:
    posted = read_release(found) if isinstance(found, dict) else found
    if isinstance(posted, list):
        raise ProblemError(422, "; ".join(posted), mistakes=posted)
    return posted


async def _tell(request: web.Request, posted: Posted) -> web.Response:
    found = await releases.tell(request, posted)
    if found.told is Told.CONFLICT:
        # A tool that repeats what it told cannot mend it: said, and not asked for again.
        _log.warning("release.conflict", release=found.release.id, reason=found.detail)
        raise ProblemError(409, f"{found.detail}; what was told before stays")
    status = 201 if found.told is Told.NEW else 200
    return json_answer({**to_body(found.release), "told": found.told.value}, status)


ROUTES = [
    web.post("/api/v1/cdevents", post_cd_event),
    web.post("/api/v1/github", post_github),
]

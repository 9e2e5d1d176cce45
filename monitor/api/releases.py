"""Releases over HTTP: what pipelines tell, what is known of them, and the gates that they ask."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import web

from monitor.api import body, query
from monitor.api.answer import json_answer
from monitor.api.app_keys import CLOCK, METRICS, STORE, TELL
from monitor.api.problem import ProblemError, problem
from monitor.api.tokens import Scope, asks, needs, who
from monitor.journal.releases import kept_release, kept_releases, kept_verdict, release_record
from monitor.model.release import Release, to_body
from monitor.model.time import DAY, to_rfc3339
from monitor.release.gate import Answer, Gate, gate
from monitor.release.posting import Posted, read_release
from monitor.release.resolving import Resolved, Told, resolve
from monitor.release.verdict import Verdict

_LISTED = 100
_MOST_LISTED = 1_000
_TURN: web.AppKey[asyncio.Lock] = web.AppKey("releases_turn", asyncio.Lock)
_RECENT: web.AppKey[dict[str, Release]] = web.AppKey("recent_releases", dict)
_HALTED = 412


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /api/v1/gates/evaluate`."""

    service: str
    environment: str
    version: str | None = None
    fail_open: bool = False


class Flagger(msgspec.Struct):
    """What Flagger posts to a webhook; the rest of it is not needed."""

    metadata: dict[str, str] | None = None


@needs(Scope.ANNOTATE)
async def post(request: web.Request) -> web.Response:
    """Tell the start or the end of a release."""
    posted = read_release(body.decode(await body.raw(request), Any))
    if isinstance(posted, list):
        raise ProblemError(422, "; ".join(posted), mistakes=posted)
    found = await tell(request, posted)
    if found.told is Told.CONFLICT:
        detail = f"{found.detail}; what was told before stays"
        raise ProblemError(409, detail, id=found.release.id)
    status = 201 if found.told is Told.NEW else 200
    return json_answer({**to_body(found.release), "told": found.told.value}, status)


async def tell(request: web.Request, posted: Posted) -> Resolved:
    """Keep what was told of a release, and let the shards know; returns once both is done.

    Raises:
        ProblemError: 422; it is told to begin or end later than tomorrow, and would be the newest until then.
    """
    app = request.app
    told = [time for time in (posted.started_us, posted.finished_us) if time is not None]
    if max(told, default=0) > app[CLOCK]() + DAY:
        message = (
            f"{to_rfc3339(max(told))} is more than a day ahead; correct started_at, finished_at"
        )
        raise ProblemError(422, message)
    async with app[_TURN]:
        found = resolve(posted, await known(request), app[CLOCK](), by=who(request))
        if found.told in {Told.NEW, Told.UPDATE}:
            await app[TELL](found.release, release_record(found.release))
            app[_RECENT][found.release.id] = found.release
    return found


async def get(request: web.Request) -> web.Response:
    """The releases, newest first; `service`, `environment`, `since`, `until` and `limit` pick some."""
    asked = request.query
    since, until = query.span(asked)
    limit = query.whole(asked, "limit", _LISTED, among=range(1, _MOST_LISTED + 1))
    found = [
        to_body(release)
        for release in reversed(await known(request))
        if asked.get("service", release.service) == release.service
        and asked.get("environment", release.environment) == release.environment
        and (since is None or release.started_us >= since)
        and (until is None or release.started_us < until)
    ]
    return json_answer({"releases": found[:limit]})


async def get_one(request: web.Request) -> web.Response:
    """One release."""
    return json_answer(to_body(await _find(request)))


async def get_verdict(request: web.Request) -> web.Response:
    """The verdict of a release, late evidence included."""
    return json_answer(await _verdict(request, await _find(request)))


async def get_newest_verdict(request: web.Request) -> web.Response:
    """The verdict of the newest release of `service` and `environment` (and `version`)."""
    asked = request.query
    for name in ("service", "environment"):
        if not asked.get(name):
            message = f"{name} is missing; give service and environment"
            raise ProblemError(400, message, parameter=name)
    found = _newest(
        await known(request), asked["service"], asked["environment"], asked.get("version")
    )
    if found is None:
        message = f"no release of {asked['service']} in {asked['environment']} is known"
        raise ProblemError(404, message)
    return json_answer(await _verdict(request, found))


@asks
async def post_gate(request: web.Request) -> web.Response:
    """Whether a pipeline may go on: `gate_status` is pass, fail or inconclusive."""
    return json_answer(await _evaluate(request, await body.read(request, Asked)))


@asks
async def post_flagger(request: web.Request) -> web.Response:
    """The same for Flagger's webhooks: 200 lets it advance, anything else halts it.

    To a webhook of the type `rollback` a 200 says: take it back. It names itself so in its metadata
    (`hook: rollback`) and gets one only where the gate says fail.
    """
    metadata = (await body.read(request, Flagger)).metadata or {}
    missing = [name for name in ("service", "environment") if not metadata.get(name)]
    if missing:
        message = f"metadata.{missing[0]} is missing; set it in the webhook of the canary"
        raise ProblemError(422, message)
    hook = metadata.get("hook", "advance")
    if hook not in {"advance", "rollback"}:
        message = f"metadata.hook is {hook!r}; use rollback, or leave it out"
        raise ProblemError(422, message)
    asked = Asked(
        service=metadata["service"],
        environment=metadata["environment"],
        version=metadata.get("version"),
        fail_open=metadata.get("fail_open", "").lower() == "true",
    )
    answer = await _evaluate(request, asked)
    wanted = Gate.FAIL if hook == "rollback" else Gate.PASS
    if answer.gate_status is wanted:
        return json_answer(answer)
    return problem(_HALTED, answer.reason, gate_status=answer.gate_status.value)


async def _evaluate(request: web.Request, asked: Asked) -> Answer:
    found = _newest(await known(request), asked.service, asked.environment, asked.version)
    verdict = None if found is None else await _verdict(request, found, at_gate=True)
    version = "" if asked.version is None else f" {asked.version}"
    words = f"{asked.service}{version} in {asked.environment}"
    return gate(verdict, words, fail_open=asked.fail_open)


async def known(request: web.Request) -> list[Release]:
    """All releases, those too that were told a moment ago and may not be in the view yet."""
    kept = await asyncio.to_thread(kept_releases, request.app[STORE])
    recent = request.app[_RECENT]
    for release in kept:
        told = recent.get(release.id)
        if told is not None and (told == release or told.status.rank < release.status.rank):
            del recent[release.id]
    by_id = {release.id: release for release in kept} | recent
    return sorted(by_id.values(), key=lambda release: (release.started_us, release.id))


def _newest(
    among: Sequence[Release], service: str, environment: str, version: str | None
) -> Release | None:
    """The newest release of this name, if there is one."""
    return next(
        (
            release
            for release in reversed(among)
            if release.place == (service, environment) and version in {None, release.version}
        ),
        None,
    )


async def _find(request: web.Request) -> Release:
    release_id = request.match_info["id"]
    found = request.app[_RECENT].get(release_id)
    if found is None:
        found = await asyncio.to_thread(kept_release, request.app[STORE], release_id)
    if found is None:
        message = f"there is no release {release_id!r}; GET /api/v1/releases lists them"
        raise ProblemError(404, message)
    return found


async def _verdict(request: web.Request, release: Release, *, at_gate: bool = False) -> Verdict:
    app, others = request.app, await known(request)
    return await asyncio.to_thread(
        kept_verdict, app[STORE], release, app[METRICS], known=others, gate=at_gate
    )


ROUTES = [
    web.post("/api/v1/releases", post),
    web.get("/api/v1/releases", get),
    web.get("/api/v1/releases/{id}", get_one),
    web.get("/api/v1/releases/{id}/verdict", get_verdict),
    web.get("/api/v1/verdict", get_newest_verdict),
    web.post("/api/v1/gates/evaluate", post_gate),
    web.post("/api/v1/gates/flagger", post_flagger),
]


def prepare(app: web.Application) -> None:
    """Give an application what these handlers remember."""
    app[_TURN], app[_RECENT] = asyncio.Lock(), {}
    app.add_routes(ROUTES)

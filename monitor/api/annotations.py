"""Annotations as Grafana's HTTP API takes and gives them, so that its clients work here unchanged.

Times are milliseconds since the epoch, as there; the Graphite form has seconds. Beyond Grafana's: the header
`Idempotency-Key` (a repeat gets the first answer, another body a 409) and the member `scope`.
"""

import asyncio
import itertools
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import msgspec
import xxhash
from aiohttp import web

from monitor.api import body, query
from monitor.api.answer import json_answer
from monitor.api.app_keys import APPEND, CLOCK, RECENT, STORE
from monitor.api.problem import ProblemError
from monitor.api.tokens import Scope, needs, who
from monitor.model.annotation import (
    LARGEST_ID,
    PREFIX,
    Annotation,
    decode,
    deletion_of,
    id_of,
    record_of,
)
from monitor.model.record import Stream
from monitor.model.time import SECOND

_MILLISECOND = SECOND // 1000
_LATEST_MS = 253_402_300_799_999
"""The end of the year 9999."""
_LISTED = 100
"""How many are listed where no limit is given, as in Grafana."""
_MOST_LISTED = 10_000
_LONGEST_KEY = 255

Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=_LATEST_MS)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=_LATEST_MS // 1000)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=100_000)]
Tags = Annotated[list[str], msgspec.Meta(max_length=1_000)]


class Posted(msgspec.Struct):
    """The body of `POST /api/annotations`; members of newer Grafanas are ignored."""

    text: Text
    time: Milliseconds | None = None
    timeEnd: Milliseconds | None = None  # noqa: N815 - Grafana's name
    tags: Tags | None = None
    dashboardUID: str | None = None  # noqa: N815
    panelId: int | None = None  # noqa: N815
    data: dict[str, Any] | None = None
    scope: dict[str, Any] | None = None


class Graphite(msgspec.Struct):
    """The body of `POST /api/annotations/graphite`."""

    what: Text
    when: Seconds | None = None
    tags: Tags | str | None = None
    data: str | None = None
    scope: dict[str, Any] | None = None


class Patched(msgspec.Struct):
    """The body of `PATCH /api/annotations/{id}`."""

    text: Text | None = None
    time: Milliseconds | None = None
    timeEnd: Milliseconds | None = None  # noqa: N815
    tags: Tags | None = None


_ids = itertools.count()


@needs(Scope.ANNOTATE)
async def post(request: web.Request) -> web.Response:
    """Add an annotation."""
    raw = await body.raw(request)
    posted = body.decode(raw, Posted)
    now_us = request.app[CLOCK]()
    start_us, end_us = _span(posted.time, posted.timeEnd, now_us)
    made = Annotation(
        id=0,
        time_us=start_us,
        time_end_us=end_us,
        text=posted.text,
        tags=tuple(posted.tags or ()),
        dashboard_uid=posted.dashboardUID or None,
        panel_id=posted.panelId or None,
        data=posted.data or {},
        scope=posted.scope,
        by=who(request),
        created_us=now_us,
        updated_us=now_us,
    )
    return await _add(request, raw, made, "Annotation added")


@needs(Scope.ANNOTATE)
async def post_graphite(request: web.Request) -> web.Response:
    """Add an annotation in the form of Graphite's events."""
    raw = await body.raw(request)
    posted = body.decode(raw, Graphite)
    now_us = request.app[CLOCK]()
    time_us = now_us if posted.when is None else posted.when * SECOND
    tags = posted.tags.split() if isinstance(posted.tags, str) else posted.tags or ()
    made = Annotation(
        id=0,
        time_us=time_us,
        time_end_us=time_us,
        text=f"{posted.what}\n{posted.data}" if posted.data else posted.what,
        tags=tuple(tags),
        scope=posted.scope,
        by=who(request),
        created_us=now_us,
        updated_us=now_us,
    )
    return await _add(request, raw, made, "Graphite annotation added")


@needs(Scope.ANNOTATE)
async def put(request: web.Request) -> web.Response:
    """Replace text, tags and times of an annotation."""
    held = await _find(request)
    posted = await body.read(request, Posted)
    now_us = request.app[CLOCK]()
    start_us, end_us = _span(posted.time, posted.timeEnd, held.time_us)
    changed = msgspec.structs.replace(
        held,
        text=posted.text,
        tags=tuple(posted.tags or ()),
        time_us=start_us,
        time_end_us=end_us,
        updated_us=now_us,
    )
    await request.app[APPEND]([record_of(changed)])
    return json_answer({"message": "Annotation updated"})


@needs(Scope.ANNOTATE)
async def patch(request: web.Request) -> web.Response:
    """Change some of an annotation."""
    held = await _find(request)
    posted = await body.read(request, Patched)
    start_us = held.time_us if posted.time is None else posted.time * _MILLISECOND
    end_us = held.time_end_us if posted.timeEnd is None else posted.timeEnd * _MILLISECOND
    if posted.timeEnd is None and held.time_us == held.time_end_us:
        end_us = start_us
    changed = msgspec.structs.replace(
        held,
        text=held.text if posted.text is None else posted.text,
        tags=held.tags if posted.tags is None else tuple(posted.tags),
        time_us=min(start_us, end_us),
        time_end_us=max(start_us, end_us),
        updated_us=request.app[CLOCK](),
    )
    await request.app[APPEND]([record_of(changed)])
    return json_answer({"message": "Annotation patched"})


@needs(Scope.ANNOTATE)
async def delete(request: web.Request) -> web.Response:
    """Take an annotation away."""
    held = await _find(request)
    await request.app[APPEND]([deletion_of(held.id)])
    return json_answer({"message": "Annotation deleted"})


async def get_one(request: web.Request) -> web.Response:
    """One annotation."""
    return json_answer(shown(await _find(request)))


async def get(request: web.Request) -> web.Response:
    """Annotations that touch [from, to], with all of `tags` (any, with `matchAny`), newest first."""
    asked = request.query
    first_us = _milliseconds(asked, "from", 0)
    last_us = _milliseconds(asked, "to", _LATEST_MS)
    limit = query.whole(asked, "limit", _LISTED) or _LISTED
    tags = set(asked.getall("tags", []))
    some = asked.get("matchAny", "").lower() in {"1", "true"}
    if asked.get("type") == "alert":
        return json_answer([])
    uid, panel = asked.get("dashboardUID"), query.whole(asked, "panelId", 0)
    found = [
        one
        for one in await _all(request)
        if one.time_us <= last_us
        and one.time_end_us >= first_us
        and (not tags or (bool(tags & set(one.tags)) if some else tags <= set(one.tags)))
        and (not uid or one.dashboard_uid == uid)
        and (not panel or one.panel_id == panel)
    ]
    found.sort(key=lambda one: (one.time_us, one.id), reverse=True)
    return json_answer([shown(one) for one in found[: min(limit, _MOST_LISTED)]])


async def get_tags(request: web.Request) -> web.Response:
    """The tags in use, with how often, most used first."""
    asked = request.query
    part, limit = asked.get("tag", ""), query.whole(asked, "limit", _LISTED)
    counts: dict[str, int] = {}
    for one in await _all(request):
        for tag in one.tags:
            if part in tag:
                counts[tag] = counts.get(tag, 0) + 1
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[: limit or _LISTED]
    return json_answer(
        {"result": {"tags": [{"tag": tag, "count": count} for tag, count in ranked]}}
    )


def shown(one: Annotation) -> dict[str, Any]:
    """An annotation as Grafana shows it."""
    return {
        "id": one.id,
        "alertId": 0,
        "alertName": "",
        "dashboardId": 0,
        "dashboardUID": one.dashboard_uid or "",
        "panelId": one.panel_id or 0,
        "userId": 0,
        "userName": one.by,
        "newState": "",
        "prevState": "",
        "created": one.created_us // _MILLISECOND,
        "updated": one.updated_us // _MILLISECOND,
        "time": one.time_us // _MILLISECOND,
        "timeEnd": one.time_end_us // _MILLISECOND,
        "text": one.text,
        "metric": "",
        "tags": list(one.tags),
        "login": one.by,
        "email": "",
        "avatarUrl": "",
        "data": one.data,
        **({} if one.scope is None else {"scope": one.scope}),
    }


async def _add(
    request: web.Request, raw: bytes, annotation: Annotation, message: str
) -> web.Response:
    key = request.headers.get("Idempotency-Key")
    if key is None:
        number = (annotation.created_us + next(_ids)) & LARGEST_ID
        await request.app[APPEND]([record_of(msgspec.structs.replace(annotation, id=number))])
        return json_answer({"message": message, "id": number})
    if not (0 < len(key) <= _LONGEST_KEY and key.isprintable()):
        detail = f"Idempotency-Key {key[:20]!r}...: give 1 to {_LONGEST_KEY} printable characters"
        raise ProblemError(422, detail)
    number = id_of(f"{who(request)}|{key}")
    digest = xxhash.xxh3_64_hexdigest(request.path.encode() + b"|" + raw)
    recent = request.app[RECENT]  # what was appended a moment ago may not be in the view yet
    known = await _known(request, number)
    before = recent.get(number) if known is None else known.request
    if before is None:
        made = msgspec.structs.replace(annotation, id=number, request=digest)
        await request.app[APPEND]([record_of(made)])
        recent.put(number, digest)
    elif before != digest:
        detail = f"Idempotency-Key {key!r} was used with another body; give a new key"
        raise ProblemError(409, detail, id=number)
    return json_answer({"message": message, "id": number})


async def _find(request: web.Request) -> Annotation:
    text = request.match_info["id"]
    known = await _known(request, int(text)) if len(text) < 20 else None  # noqa: PLR2004
    if known is None:
        message = f"there is no annotation {text}; GET /api/annotations lists them"
        raise ProblemError(404, message)
    return known


async def _known(request: web.Request, number: int) -> Annotation | None:
    store = request.app[STORE]
    found = await asyncio.to_thread(store.document, Stream.RELEASES, f"{PREFIX}{number}")
    return None if found is None else decode(found)


async def _all(request: web.Request) -> Iterable[Annotation]:
    held = await asyncio.to_thread(request.app[STORE].documents, Stream.RELEASES)
    return [decode(value) for key, value in held.items() if key.startswith(PREFIX)]


def _span(start_ms: int | None, end_ms: int | None, now_us: int) -> tuple[int, int]:
    """As Grafana reads times: 0 is absent, and the wrong way round is swapped."""
    start_us = start_ms * _MILLISECOND if start_ms else now_us
    end_us = end_ms * _MILLISECOND if end_ms else start_us
    return min(start_us, end_us), max(start_us, end_us)


def _milliseconds(asked: Mapping[str, str], name: str, default: int) -> int:
    return query.whole(asked, name, default) * _MILLISECOND


ROUTES = [
    web.post("/api/annotations", post),
    web.post("/api/annotations/graphite", post_graphite),
    web.get("/api/annotations", get),
    web.get("/api/annotations/tags", get_tags),
    web.get("/api/annotations/{id:[0-9]+}", get_one),
    web.put("/api/annotations/{id:[0-9]+}", put),
    web.patch("/api/annotations/{id:[0-9]+}", patch),
    web.delete("/api/annotations/{id:[0-9]+}", delete),
]

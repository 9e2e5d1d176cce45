"""The OpenAPI 3.1 document of all routes, at `/api/openapi.json`.

What bodies and answers look like stands in `shapes.py`; what an operation does is the first sentence of its
handler's docstring.
"""

import inspect
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec
from aiohttp import web

from monitor.api.shapes import (
    ADDED,
    FLAGGER,
    MESSAGE,
    METRIC,
    NUMBER,
    QUERY,
    TEXT,
    Schema,
    components,
    list_of,
    object_of,
    ref,
)
from monitor.api.tokens import OPEN_READS, PROBES, TOKENS

PATH = "/api/openapi.json"

_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A repeat with the same key and body adds nothing.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}
_TITLES = {
    400: "A parameter, or the form of the request, is wrong",
    401: "A token is needed that the monitor knows",
    403: "The token does not allow it, or the route is not set up",
    404: "There is no such thing",
    409: "It was told before, otherwise",
    412: "Not now: the canary halts",
    413: "The body is over 1 MiB",
    415: "The body does not say that it is JSON",
    422: "The body cannot be used; every mistake is named",
    503: "The service cannot do it now; ask again",
}


@dataclass(frozen=True, kw_only=True)
class _Does:
    """An operation: what it takes beside its path, and what it answers."""

    answer: Schema | str
    """A JSON schema, or a media type."""
    status: tuple[int, ...] = (200,)
    query: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    id: Schema = field(default_factory=lambda: TEXT)
    body: Schema | None = None
    media: tuple[str, ...] = ("application/json",)
    keyed: bool = False
    problems: tuple[int, ...] = ()
    security: list[dict[str, list[str]]] | None = None
    """Where it is not a matter of the method."""


_ASKS: list[dict[str, list[str]]] = [{}]
_SPAN = ("since", "until")

_DOES: dict[tuple[str, str], _Does] = {
    ("get", "/"): _Does(answer="text/html"),
    ("get", "/metrics"): _Does(answer="text/plain"),
    ("get", "/healthz"): _Does(answer=object_of({"status": {"const": "ok"}})),
    ("get", "/readyz"): _Does(
        answer=object_of(
            {
                "status": {"const": "ready"},
                "judged_until": {"type": ["string", "null"]},
                "behind_seconds": {"type": ["number", "null"]},
                "source_lag_events": {"type": ["integer", "null"]},
                "means": TEXT,
            }
        )
    ),
    ("get", PATH): _Does(answer=object_of({"openapi": TEXT, "paths": {"type": "object"}})),
    ("get", "/api/v1/alerts"): _Does(
        answer=object_of({"alerts": list_of(ref("Incident"))}), query=("state",), problems=(400,)
    ),
    ("get", "/api/v1/metrics"): _Does(answer=object_of({"metrics": list_of(METRIC)})),
    ("get", "/api/v1/metrics/{name}/buckets"): _Does(
        answer=object_of({"buckets": list_of(ref("BucketLine"))}),
        query=("dimension", "segment", *_SPAN),
        problems=(400, 404),
    ),
    ("get", "/api/annotations"): _Does(
        answer=list_of(ref("Annotation")),
        query=("from", "to", "limit", "tags", "matchAny", "type", "dashboardUID", "panelId"),
        problems=(400,),
    ),
    ("get", "/api/annotations/tags"): _Does(
        answer=object_of({"result": object_of({"tags": list_of({"type": "object"})})}),
        query=("tag", "limit"),
        problems=(400,),
    ),
    ("get", "/api/annotations/{id}"): _Does(id=NUMBER, answer=ref("Annotation"), problems=(404,)),
    ("post", "/api/annotations"): _Does(
        answer=ADDED, body=ref("Posted"), keyed=True, problems=(409,)
    ),
    ("post", "/api/annotations/graphite"): _Does(
        answer=ADDED, body=ref("Graphite"), keyed=True, problems=(409,)
    ),
    ("put", "/api/annotations/{id}"): _Does(
        id=NUMBER, answer=MESSAGE, body=ref("Posted"), problems=(404,)
    ),
    ("patch", "/api/annotations/{id}"): _Does(
        id=NUMBER, answer=MESSAGE, body=ref("Patched"), problems=(404,)
    ),
    ("delete", "/api/annotations/{id}"): _Does(id=NUMBER, answer=MESSAGE, problems=(404,)),
    ("get", "/api/v1/releases"): _Does(
        answer=object_of({"releases": list_of(ref("Release"))}),
        query=("service", "environment", *_SPAN, "limit"),
        problems=(400,),
    ),
    ("post", "/api/v1/releases"): _Does(
        answer=ref("Release"), status=(200, 201), body=ref("ReleasePosted"), problems=(409,)
    ),
    ("get", "/api/v1/releases/{id}"): _Does(answer=ref("Release"), problems=(404,)),
    ("get", "/api/v1/releases/{id}/verdict"): _Does(answer=ref("Verdict"), problems=(404,)),
    ("get", "/api/v1/verdict"): _Does(
        answer=ref("Verdict"),
        query=("service", "environment", "version"),
        needed=("service", "environment"),
        problems=(400, 404),
    ),
    ("post", "/api/v1/gates/evaluate"): _Does(
        answer=ref("Answer"), body=ref("Asked"), security=_ASKS
    ),
    ("post", "/api/v1/gates/flagger"): _Does(
        answer=ref("Answer"), body=FLAGGER, problems=(412,), security=_ASKS
    ),
    ("post", "/api/v1/cdevents"): _Does(
        answer=ref("Release"),
        status=(200, 201),
        body={"type": "object"},
        media=("application/json", "application/cloudevents+json"),
        problems=(409,),
    ),
    ("post", "/api/v1/github"): _Does(
        answer={"type": "object"},
        status=(200, 201, 202),
        body={"type": "object"},
        problems=(409,),
        security=[{"signature": []}],
    ),
}


def document(app: web.Application) -> dict[str, Any]:
    """The document of an application's routes.

    Raises:
        KeyError: a route is not described here.
    """
    paths: dict[str, dict[str, Any]] = {}
    for method, path, handler in routes(app):
        does = _DOES[method, path]
        made = _operation(method, path, handler, does)
        open_now = not app[TOKENS] or (
            app[OPEN_READS] and (method == "get" or does.security == _ASKS)
        )
        if path not in PROBES and (does.security is None or does.security == _ASKS):
            made["security"] = [] if open_now else [{"token": []}]
        paths.setdefault(path, {})[method] = made
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "metric-monitor",
            "version": _version(),
            "description": "Metrics, alerts, annotations, releases and gates of one monitor.",
        },
        "paths": paths,
        "components": {"schemas": components(), "securitySchemes": _SECURITY},
    }


def routes(app: web.Application) -> Iterable[tuple[str, str, Any]]:
    """Method, path and handler of every route; HEAD comes with GET."""
    for route in app.router.routes():
        resource = route.resource
        if resource is not None and route.method != "HEAD":
            yield route.method.lower(), resource.canonical, route.handler


def _version() -> str:
    try:
        return version("metric-monitor")
    except PackageNotFoundError:  # run from a tree that is not installed
        return "0"


_SECURITY = {
    "token": {"type": "http", "scheme": "bearer"},
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Hub-Signature-256",
        "description": "HMAC-SHA256 of the body with the webhook's secret.",
    },
}


def _operation(method: str, path: str, handler: Any, does: _Does) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": part[1:-1], "in": "path", "required": True, "schema": does.id}
        for part in path.split("/")
        if part.startswith("{")
    ]
    parameters += [
        {
            "name": name,
            "in": "query",
            "required": name in does.needed,
            "schema": QUERY[name] | ({"minLength": 1} if name in does.needed else {}),
        }
        for name in does.query
    ]
    if does.keyed:
        parameters.append(_IDEMPOTENCY_KEY)
    made: dict[str, Any] = {
        "operationId": f"{method}{path}".replace("/", "_").replace("{", "").replace("}", ""),
        "summary": (inspect.getdoc(handler) or "").partition("\n")[0],
        "parameters": parameters,
        "responses": _responses(does, probe=path in PROBES),
    }
    if does.body is not None:
        content = {media: {"schema": does.body} for media in does.media}
        made["requestBody"] = {"required": True, "content": content}
    return made


def _responses(does: _Does, *, probe: bool) -> dict[str, Any]:
    media = does.answer if isinstance(does.answer, str) else "application/json"
    schema = TEXT if isinstance(does.answer, str) else does.answer
    answered = {
        str(status): {"description": "Fine", "content": {media: {"schema": schema}}}
        for status in does.status
    }
    usual = (503,) if probe else (401, 403, 413, 503)
    of_body = () if does.body is None else (400, 415, 422)
    problems = {
        str(status): {
            "description": _TITLES[status],
            "content": {"application/problem+json": {"schema": ref("Problem")}},
        }
        for status in sorted({*usual, *of_body, *does.problems})
    }
    return answered | problems


async def get(request: web.Request) -> web.Response:
    """This document."""
    body = msgspec.json.encode(document(request.app))
    return web.Response(body=body, content_type="application/json")


ROUTES = [web.get(PATH, get)]

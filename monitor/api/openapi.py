"""The OpenAPI 3.1 document of all routes, at `/api/openapi.json`.

Bodies that are read into structs, and answers that are written from them, are described from these; the rest
by hand. What an operation does is the first sentence of its handler's docstring.
"""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import msgspec
from aiohttp import web

from monitor.api.annotations import Graphite, Patched, Posted
from monitor.api.releases import Asked
from monitor.api.tokens import OPEN_READS, PROBES, TOKENS
from monitor.model.bucket import BucketLine
from monitor.model.incident import Incident, IncidentState
from monitor.model.release import Arms, Scope, Status
from monitor.release.gate import Answer
from monitor.release.posting import LONGEST
from monitor.release.verdict import Verdict

PATH = "/api/openapi.json"

_STRUCTS = (
    *(Posted, Graphite, Patched, Asked),
    *(Answer, Verdict, Incident, BucketLine, Arms, Scope),
)
_NO_PART = ("updated_at", "labels")
"""Members of an incident that are not in its line."""

Schema = dict[str, Any]


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: Mapping[str, Schema], **more: Schema) -> Schema:
    return {"type": "object", "required": list(required), "properties": {**required, **more}}


def _list(item: Schema) -> Schema:
    return {"type": "array", "items": item}


_TEXT: Schema = {"type": "string"}
_WORDS: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": r"\S"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_WHOLE: Schema = {"type": "integer"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_TIME: Schema = {"type": "string", "format": "date-time"}
_TIME_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
_STATUS: Schema = {"type": "string", "enum": [status.value for status in Status]}

_RELEASE_POSTED = {
    **_object(
        {"service": _WORDS, "environment": _WORDS, "version": _WORDS, "status": _STATUS},
        started_at=_TIME_OR_NULL,
        finished_at=_TIME_OR_NULL,
        url={"anyOf": [_WORDS, {"type": "null"}]},
        commit={"anyOf": [_WORDS, {"type": "null"}]},
        scope={
            "anyOf": [
                _object(
                    {},
                    metrics={"type": ["array", "null"], "items": _TEXT},
                    segments={
                        "type": ["object", "null"],
                        "additionalProperties": {"anyOf": [_TEXT, _list(_TEXT)]},
                    },
                )
                | {"additionalProperties": False},
                _list(_TEXT),
                {"type": "null"},
            ]
        },
        arms={"anyOf": [_ref("Arms"), {"type": "null"}]},
    ),
    "additionalProperties": False,
    "description": "`arms` names a canary: two values of a dimension. Times default to now.",
}
_RELEASE = _object(
    {
        **dict.fromkeys(("id", "service", "environment", "version", "by"), _TEXT),
        "status": _STATUS,
        "started_at": _TIME,
        "finished_at": _TIME_OR_NULL,
        "rolled_back_at": _TIME_OR_NULL,
        "start_known": {"type": "boolean"},
        "url": _TEXT_OR_NULL,
        "commit": _TEXT_OR_NULL,
        "scope": {"anyOf": [_ref("Scope"), {"type": "null"}]},
        "arms": {"anyOf": [_ref("Arms"), {"type": "null"}]},
    },
    told={"type": "string", "enum": ["new", "update", "replay"]},
)
_ANNOTATION = _object(
    {
        **dict.fromkeys(("id", "time", "timeEnd", "created", "updated", "panelId"), _WHOLE),
        **dict.fromkeys(("text", "dashboardUID", "userName", "login"), _TEXT),
        "tags": _list(_TEXT),
        "data": {"type": "object"},
    },
    scope={"type": "object"},
)
_METRIC = _object(
    {"name": _TEXT, "kind": _TEXT, "better": _TEXT, "series": _list(_ref("BucketLine"))}
)
_PROBLEM = _object(
    {"type": _TEXT, "title": _TEXT, "status": _WHOLE, "detail": _TEXT},
    mistakes=_list(_TEXT),
    parameter=_TEXT,
    reasons=_list(_TEXT),
    gate_status=_ref("Gate"),
)

_QUERY: dict[str, Schema] = {
    "service": _TEXT,
    "environment": _TEXT,
    "version": _TEXT,
    "since": {**_TEXT, "description": "RFC 3339 with its offset, or a number since the epoch"},
    "until": {**_TEXT, "description": "as `since`; excluded"},
    "limit": _COUNT,
    "state": {"type": "string", "enum": [*IncidentState, ""]},
    "dimension": {**_TEXT, "description": "of the metric's segments; `all`"},
    "segment": _TEXT,
    "from": {**_COUNT, "maximum": 10**15 - 1, "description": "milliseconds"},
    "to": {**_COUNT, "maximum": 10**15 - 1, "description": "milliseconds"},
    "tags": _list(_TEXT),
    "matchAny": {**_TEXT, "description": "`true`: any of the tags"},
    "type": {**_TEXT, "description": "`alert` finds nothing: alerts are no annotations here"},
    "dashboardUID": _TEXT,
    "panelId": {**_COUNT, "maximum": 10**15 - 1},
    "tag": _TEXT,
}
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
    id: Schema = field(default_factory=lambda: _TEXT)
    body: Schema | None = None
    media: tuple[str, ...] = ("application/json",)
    keyed: bool = False
    problems: tuple[int, ...] = ()
    security: list[dict[str, list[str]]] | None = None
    """Where it is not a matter of the method."""


_NUMBER: Schema = {"type": "string", "pattern": "^[0-9]+$"}
_NAME: Schema = {"type": "string", "minLength": 1}
_METADATA = _object(
    {"service": _NAME, "environment": _NAME},
    version=_TEXT,
    fail_open={**_TEXT, "description": "`true`: what is inconclusive passes"},
    hook={"type": "string", "enum": ["advance", "rollback"]},
)
_FLAGGER = _object({"metadata": _METADATA | {"additionalProperties": _TEXT}})
_ADDED = _object({"message": _TEXT, "id": _WHOLE})
_MESSAGE = _object({"message": _TEXT})
_ASKS: list[dict[str, list[str]]] = [{}]
_SPAN = ("since", "until")

_DOES: dict[tuple[str, str], _Does] = {
    ("get", "/"): _Does(answer="text/html"),
    ("get", "/metrics"): _Does(answer="text/plain"),
    ("get", "/healthz"): _Does(answer=_object({"status": {"const": "ok"}})),
    ("get", "/readyz"): _Does(
        answer=_object(
            {
                "status": {"const": "ready"},
                "judged_until": {"type": ["string", "null"]},
                "behind_seconds": {"type": ["number", "null"]},
                "source_lag_events": {"type": ["integer", "null"]},
                "means": _TEXT,
            }
        )
    ),
    ("get", PATH): _Does(answer=_object({"openapi": _TEXT, "paths": {"type": "object"}})),
    ("get", "/api/v1/alerts"): _Does(
        answer=_object({"alerts": _list(_ref("Incident"))}), query=("state",), problems=(400,)
    ),
    ("get", "/api/v1/metrics"): _Does(answer=_object({"metrics": _list(_METRIC)})),
    ("get", "/api/v1/metrics/{name}/buckets"): _Does(
        answer=_object({"buckets": _list(_ref("BucketLine"))}),
        query=("dimension", "segment", *_SPAN),
        problems=(400, 404),
    ),
    ("get", "/api/annotations"): _Does(
        answer=_list(_ref("Annotation")),
        query=("from", "to", "limit", "tags", "matchAny", "type", "dashboardUID", "panelId"),
        problems=(400,),
    ),
    ("get", "/api/annotations/tags"): _Does(
        answer=_object({"result": _object({"tags": _list({"type": "object"})})}),
        query=("tag", "limit"),
        problems=(400,),
    ),
    ("get", "/api/annotations/{id}"): _Does(id=_NUMBER, answer=_ref("Annotation"), problems=(404,)),
    ("post", "/api/annotations"): _Does(
        answer=_ADDED, body=_ref("Posted"), keyed=True, problems=(409,)
    ),
    ("post", "/api/annotations/graphite"): _Does(
        answer=_ADDED, body=_ref("Graphite"), keyed=True, problems=(409,)
    ),
    ("put", "/api/annotations/{id}"): _Does(
        id=_NUMBER, answer=_MESSAGE, body=_ref("Posted"), problems=(404,)
    ),
    ("patch", "/api/annotations/{id}"): _Does(
        id=_NUMBER, answer=_MESSAGE, body=_ref("Patched"), problems=(404,)
    ),
    ("delete", "/api/annotations/{id}"): _Does(id=_NUMBER, answer=_MESSAGE, problems=(404,)),
    ("get", "/api/v1/releases"): _Does(
        answer=_object({"releases": _list(_ref("Release"))}),
        query=("service", "environment", *_SPAN, "limit"),
        problems=(400,),
    ),
    ("post", "/api/v1/releases"): _Does(
        answer=_ref("Release"), status=(200, 201), body=_ref("ReleasePosted"), problems=(409,)
    ),
    ("get", "/api/v1/releases/{id}"): _Does(answer=_ref("Release"), problems=(404,)),
    ("get", "/api/v1/releases/{id}/verdict"): _Does(answer=_ref("Verdict"), problems=(404,)),
    ("get", "/api/v1/verdict"): _Does(
        answer=_ref("Verdict"),
        query=("service", "environment", "version"),
        needed=("service", "environment"),
        problems=(400, 404),
    ),
    ("post", "/api/v1/gates/evaluate"): _Does(
        answer=_ref("Answer"), body=_ref("Asked"), security=_ASKS
    ),
    ("post", "/api/v1/gates/flagger"): _Does(
        answer=_ref("Answer"), body=_FLAGGER, problems=(412,), security=_ASKS
    ),
    ("post", "/api/v1/cdevents"): _Does(
        answer=_ref("Release"),
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
        "components": {"schemas": _schemas(), "securitySchemes": _SECURITY},
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


def _schemas() -> dict[str, Schema]:
    _, found = msgspec.json.schema_components(_STRUCTS, ref_template="#/components/schemas/{name}")
    schemas = {name: _short(schema) for name, schema in found.items()}
    incident = schemas["Incident"]
    for name in _NO_PART:
        del incident["properties"][name]
        incident["required"].remove(name)
    return schemas | {
        "ReleasePosted": _RELEASE_POSTED,
        "Release": _RELEASE,
        "Annotation": _ANNOTATION,
        "Problem": _PROBLEM,
    }


def _short(schema: Schema) -> Schema:
    """Descriptions without the docstrings' list of attributes."""
    text = schema.get("description", "").partition("\n\n")[0]
    return {**schema, "description": " ".join(text.split())} if text else schema


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
            "schema": _QUERY[name] | ({"minLength": 1} if name in does.needed else {}),
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
    schema = _TEXT if isinstance(does.answer, str) else does.answer
    answered = {
        str(status): {"description": "Fine", "content": {media: {"schema": schema}}}
        for status in does.status
    }
    usual = (503,) if probe else (401, 403, 413, 503)
    of_body = () if does.body is None else (400, 415, 422)
    problems = {
        str(status): {
            "description": _TITLES[status],
            "content": {"application/problem+json": {"schema": _ref("Problem")}},
        }
        for status in sorted({*usual, *of_body, *does.problems})
    }
    return answered | problems


async def get(request: web.Request) -> web.Response:
    """This document."""
    body = msgspec.json.encode(document(request.app))
    return web.Response(body=body, content_type="application/json")


ROUTES = [web.get(PATH, get)]

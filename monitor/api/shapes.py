"""The JSON Schemas of what routes read and answer: of structs as these say, of the rest by hand."""

from collections.abc import Mapping
from typing import Any

import msgspec

from monitor.api.annotations import Graphite, Patched, Posted
from monitor.api.releases import Asked
from monitor.model.bucket import BucketLine
from monitor.model.incident import Incident, IncidentState
from monitor.model.release import Arms, Scope, Status
from monitor.release.gate import Answer
from monitor.release.posting import LONGEST
from monitor.release.verdict import Verdict

_STRUCTS = (
    *(Posted, Graphite, Patched, Asked),
    *(Answer, Verdict, Incident, BucketLine, Arms, Scope),
)
_NO_PART = ("updated_at", "labels")
"""Members of an incident that are not in its line."""

Schema = dict[str, Any]


def ref(name: str) -> Schema:
    """A shape of the document, by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def object_of(required: Mapping[str, Schema], **more: Schema) -> Schema:
    """An object with these members; `more` may be absent."""
    return {"type": "object", "required": list(required), "properties": {**required, **more}}


def list_of(item: Schema) -> Schema:
    """A list of such items."""
    return {"type": "array", "items": item}


TEXT: Schema = {"type": "string"}
_WORDS: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": r"\S"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_WHOLE: Schema = {"type": "integer"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_TIME: Schema = {"type": "string", "format": "date-time"}
_TIME_OR_NULL: Schema = {"type": ["string", "null"], "format": "date-time"}
_STATUS: Schema = {"type": "string", "enum": [status.value for status in Status]}

_RELEASE_POSTED = {
    **object_of(
        {"service": _WORDS, "environment": _WORDS, "version": _WORDS, "status": _STATUS},
        started_at=_TIME_OR_NULL,
        finished_at=_TIME_OR_NULL,
        url={"anyOf": [_WORDS, {"type": "null"}]},
        commit={"anyOf": [_WORDS, {"type": "null"}]},
        scope={
            "anyOf": [
                object_of(
                    {},
                    metrics={"type": ["array", "null"], "items": TEXT},
                    segments={
                        "type": ["object", "null"],
                        "additionalProperties": {"anyOf": [TEXT, list_of(TEXT)]},
                    },
                )
                | {"additionalProperties": False},
                list_of(TEXT),
                {"type": "null"},
            ]
        },
        arms={"anyOf": [ref("Arms"), {"type": "null"}]},
    ),
    "additionalProperties": False,
    "description": "`arms` names a canary: two values of a dimension. Times default to now.",
}
_RELEASE = object_of(
    {
        **dict.fromkeys(("id", "service", "environment", "version", "by"), TEXT),
        "status": _STATUS,
        "started_at": _TIME,
        "finished_at": _TIME_OR_NULL,
        "rolled_back_at": _TIME_OR_NULL,
        "start_known": {"type": "boolean"},
        "url": _TEXT_OR_NULL,
        "commit": _TEXT_OR_NULL,
        "scope": {"anyOf": [ref("Scope"), {"type": "null"}]},
        "arms": {"anyOf": [ref("Arms"), {"type": "null"}]},
    },
    told={"type": "string", "enum": ["new", "update", "replay"]},
)
_ANNOTATION = object_of(
    {
        **dict.fromkeys(("id", "time", "timeEnd", "created", "updated", "panelId"), _WHOLE),
        **dict.fromkeys(("text", "dashboardUID", "userName", "login"), TEXT),
        "tags": list_of(TEXT),
        "data": {"type": "object"},
    },
    scope={"type": "object"},
)
METRIC = object_of(
    {"name": TEXT, "kind": TEXT, "better": TEXT, "series": list_of(ref("BucketLine"))}
)
_PROBLEM = object_of(
    {"type": TEXT, "title": TEXT, "status": _WHOLE, "detail": TEXT},
    mistakes=list_of(TEXT),
    parameter=TEXT,
    reasons=list_of(TEXT),
    gate_status=ref("Gate"),
)

QUERY: dict[str, Schema] = {
    "service": TEXT,
    "environment": TEXT,
    "version": TEXT,
    "since": {**TEXT, "description": "RFC 3339 with its offset, or a number since the epoch"},
    "until": {**TEXT, "description": "as `since`; excluded"},
    "limit": _COUNT,
    "state": {"type": "string", "enum": [*IncidentState, ""]},
    "dimension": {**TEXT, "description": "of the metric's segments; `all`"},
    "segment": TEXT,
    "from": {**_COUNT, "maximum": 10**15 - 1, "description": "milliseconds"},
    "to": {**_COUNT, "maximum": 10**15 - 1, "description": "milliseconds"},
    "tags": list_of(TEXT),
    "matchAny": {**TEXT, "description": "`true`: any of the tags"},
    "type": {**TEXT, "description": "`alert` finds nothing: alerts are no annotations here"},
    "dashboardUID": TEXT,
    "panelId": {**_COUNT, "maximum": 10**15 - 1},
    "tag": TEXT,
}
NUMBER: Schema = {"type": "string", "pattern": "^[0-9]+$"}
_NAME: Schema = {"type": "string", "minLength": 1}
_METADATA = object_of(
    {"service": _NAME, "environment": _NAME},
    version=TEXT,
    fail_open={**TEXT, "description": "`true`: what is inconclusive passes"},
    hook={"type": "string", "enum": ["advance", "rollback"]},
)
FLAGGER = object_of({"metadata": _METADATA | {"additionalProperties": TEXT}})
ADDED = object_of({"message": TEXT, "id": _WHOLE})
MESSAGE = object_of({"message": TEXT})


def components() -> dict[str, Schema]:
    """The shapes that the document names."""
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

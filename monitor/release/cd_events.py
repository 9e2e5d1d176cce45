"""CDEvents of a running service (`service.deployed`, `upgraded`, `rolledback`), as bodies of releases.

The event comes as a CloudEvent: structured (all of it is the body, the CDEvent stands in `data`) or binary (the body
is the CDEvent, the rest stands in headers). Source: CDEvents 0.4 and 0.5, continuous deployment events
and the CloudEvents binding.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

from monitor.model.release import Status

MEDIA_TYPE = "application/cloudevents+json"
"""Of a structured CloudEvent."""
_PREFIX = "dev.cdevents.service."
_STATUS = {
    "deployed": Status.SUCCEEDED,
    "upgraded": Status.SUCCEEDED,
    "rolledback": Status.ROLLED_BACK,
}
PREDICATES = tuple(_STATUS)
"""What of a service is told as a release."""


def release_body(message: object) -> dict[str, Any] | list[str]:
    """The body of `POST /api/v1/releases` that an event is worth, or what is wrong with it.

    A service that was rolled back is told with the version that it runs now: which release was taken back
    is not in the event, so `version` is then that of the artefact which came back.

    Args:
        message: parsed JSON: a CDEvent, or a structured CloudEvent that holds one.
    """
    if not isinstance(message, Mapping):
        return ["the body must be a JSON object: a CDEvent, or a CloudEvent with one in `data`"]
    event = (
        message.get("data") if "specversion" in message and "context" not in message else message
    )
    if not isinstance(event, Mapping):
        return ["data is missing: a structured CloudEvent has the CDEvent in it"]
    context, subject = _object(event, "context"), _object(event, "subject")
    kind = context.get("type")
    if not isinstance(kind, str) or not kind.startswith(_PREFIX):
        return [f"context.type is {kind!r}: send {_PREFIX}{{{','.join(_STATUS)}}}.X.Y.Z"]
    predicate = kind[len(_PREFIX) :].split(".")[0]
    if predicate not in _STATUS:
        return [f"context.type is {kind!r}: of a service, {', '.join(_STATUS)} are releases"]
    content = _object(subject, "content")
    found = {
        "service": (subject.get("id"), "subject.id"),
        "environment": (
            _object(content, "environment").get("id"),
            "subject.content.environment.id",
        ),
        "version": (_version(content.get("artifactId")), "subject.content.artifactId"),
        "finished_at": (context.get("timestamp"), "context.timestamp"),
    }
    mistakes = [
        f"{path} is {value!r}: a text that is not empty"
        for value, path in found.values()
        if not isinstance(value, str) or not value
    ]
    if mistakes:
        return mistakes
    body = {name: value for name, (value, _) in found.items()}
    status = _STATUS[predicate]
    custom = _object(_object(event, "customData"), "monitor")
    return {**body, "status": status.value, **_more(custom)}


def _more(custom: Mapping[str, Any]) -> dict[str, Any]:
    """What `customData.monitor` adds: the scope, the arms of a canary, links for people."""
    return {name: custom[name] for name in ("scope", "arms", "url", "commit") if name in custom}


def _object(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = of.get(name)
    return value if isinstance(value, Mapping) else {}


def _version(artifact: Any) -> Any:
    """The version in a package URL: its `tag`, else what stands behind `@`; other text as it is.

    >>> _version("pkg:oci/myapp@sha256%3A0b31b1c0?tag=8.3.0"), _version("pkg:golang/mygit.com/app@8.3.0")
    ('8.3.0', '8.3.0')
    >>> _version("pkg:oci/myapp@sha256%3A0b31b1c0"), _version("8.3.0")
    ('sha256:0b31b1c0', '8.3.0')
    """
    if not isinstance(artifact, str) or not artifact.startswith("pkg:"):
        return artifact
    path, _, rest = artifact.partition("?")
    tags = parse_qs(rest.partition("#")[0]).get("tag")
    return tags[0] if tags else unquote(path.partition("@")[2].partition("#")[0])

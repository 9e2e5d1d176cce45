"""GitHub's webhook `deployment_status` as a release body, and the signature that says who sent it.

Source: GitHub's webhook events and payloads; securing webhooks (HMAC-SHA256 of the body in
`X-Hub-Signature-256`).
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

from monitor.model.release import Status

EVENT_HEADER = "X-GitHub-Event"
SIGNATURE_HEADER = "X-Hub-Signature-256"
_STATUS = {
    "in_progress": Status.STARTED,
    "success": Status.SUCCEEDED,
    "failure": Status.FAILED,
    "error": Status.FAILED,
}
_NO_NEWS = ("pending", "queued", "waiting", "inactive")
_VERSION = re.compile(r"v?\d+(\.\d+)*([-+.].*)?")
_SHORT = 12


def is_signed(body: bytes, signature: str | None, secret: bytes) -> bool:
    """Whether whoever knows the secret sent these bytes; compared in constant time.

    >>> is_signed(b"{}", "sha256=" + hmac.new(b"k", b"{}", hashlib.sha256).hexdigest(), b"k")
    True
    >>> is_signed(b"{}", None, b"k"), is_signed(b"{}", "sha256=00", b"k")
    (False, False)
    """
    expected = "sha256=" + hmac.new(secret, body, hashlib.sha256).hexdigest()
    sent = (signature or "").encode(errors="surrogateescape")  # whatever bytes the header holds
    return hmac.compare_digest(expected.encode(), sent)


def release_body(payload: object) -> dict[str, Any] | list[str] | None:
    """The body of `POST /api/v1/releases` that a status is worth, or what is wrong with it.

    `service`, `version`, `scope` and `arms` may be given in the deployment's own `payload`; by default the service is
    the repository, the version its tag, else branch and commit.

    Returns:
        None for a status that is no news of a release (queued, inactive ...).
    """
    if not isinstance(payload, Mapping):
        return ["the body must be a JSON object: GitHub's deployment_status"]
    status, deployment = _object(payload, "deployment_status"), _object(payload, "deployment")
    state = status.get("state")
    if state in _NO_NEWS:
        return None
    if not isinstance(state, str) or state not in _STATUS:
        return [f"deployment_status.state is {state!r}: one of {', '.join((*_STATUS, *_NO_NEWS))}"]
    own = _object(deployment, "payload")
    body: dict[str, Any] = {
        "service": own.get("service") or _object(payload, "repository").get("name"),
        "environment": deployment.get("environment") or status.get("environment"),
        "version": own.get("version") or _version(deployment.get("ref"), deployment.get("sha")),
        "status": _STATUS[state].value,
        "started_at" if state == "in_progress" else "finished_at": status.get("created_at"),
        "url": status.get("log_url") or status.get("target_url") or status.get("environment_url"),
        "commit": deployment.get("sha"),
        "scope": own.get("scope"),
        "arms": own.get("arms"),
    }
    return {name: value for name, value in body.items() if value not in (None, "")}


def _object(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = of.get(name)
    return value if isinstance(value, Mapping) else {}


def _version(ref: Any, sha: Any) -> Any:
    """A tag that reads as a version, else branch and commit.

    >>> _version("v8.3.0", "0b31b1c02ff458ad"), _version("main", "0b31b1c02ff458ad")
    ('v8.3.0', 'main@0b31b1c02ff4')
    >>> _version("0b31b1c02ff458ad", "0b31b1c02ff458ad"), _version("main", None)
    ('0b31b1c02ff4', 'main')
    """
    if not isinstance(ref, str) or not isinstance(sha, str) or _VERSION.fullmatch(ref):
        return ref
    return sha[:_SHORT] if ref == sha else f"{ref}@{sha[:_SHORT]}"

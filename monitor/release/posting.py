"""What is told of a release, as JSON: read with every mistake by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from monitor.model.release import Arms, Scope, Status
from monitor.model.time import from_rfc3339

LONGEST = 256
"""Characters of a text at most."""
_TEXTS = ("service", "environment", "version")
_FIELDS = (*_TEXTS, "status", "started_at", "finished_at", "url", "commit", "scope", "arms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A body that was read. Times are None where they were not told."""

    service: str
    environment: str
    version: str
    status: Status
    started_us: int | None = None
    finished_us: int | None = None
    url: str | None = None
    commit: str | None = None
    scope: Scope | None = None
    arms: Arms | None = None


def read_release(body: object) -> Posted | list[str]:
    """A release body of parsed JSON, or every mistake in it: the field, the value, the remedy."""
    if not isinstance(body, Mapping):
        return ["the body must be a JSON object with service, environment, version and status"]
    reading = _Reading(body)
    texts = {name: reading.text(name, required=True) for name in _TEXTS}
    status = reading.status()
    started, finished = reading.time("started_at"), reading.time("finished_at")
    if started is not None and finished is not None and finished < started:
        reading.mistakes.append(
            f"finished_at {body['finished_at']!r} is before started_at {body['started_at']!r}: "
            "exchange them"
        )
    if status is Status.STARTED and finished is not None:
        reading.mistakes.append(
            "finished_at is given, but status is 'started': use succeeded, failed or rolled_back"
        )
    url, commit = reading.text("url"), reading.text("commit")
    scope, arms = reading.scope(), reading.arms()
    if reading.mistakes:
        return reading.mistakes
    return Posted(
        **{name: text or "" for name, text in texts.items()},
        status=status or Status.STARTED,
        started_us=started,
        finished_us=finished,
        url=url,
        commit=commit,
        scope=scope,
        arms=arms,
    )


class _Reading:
    """Reads the fields of a body, and notes what is wrong with them."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body
        self.mistakes = [
            f"{name!r} is not a field of a release: use {', '.join(_FIELDS)}"
            for name in body
            if name not in _FIELDS
        ]

    def text(self, name: str, *, required: bool = False) -> str | None:
        value = self._body.get(name)
        if value is None and not required:
            return None
        if not isinstance(value, str) or not value.strip() or len(value) > LONGEST:
            told = "is missing" if value is None else f"is {_short(value)}"
            self.mistakes.append(f"{name} {told}: a text of 1 to {LONGEST} characters")
            return None
        return value

    def status(self) -> Status | None:
        value: Any = self._body.get("status")
        try:
            return Status(value)
        except ValueError:
            told = "is missing" if value is None else f"is {_short(value)}"
            self.mistakes.append(f"status {told}: one of {', '.join(Status)}")
            return None

    def time(self, name: str) -> int | None:
        value = self._body.get(name)
        if value is None:
            return None
        try:
            return from_rfc3339(value)
        except (TypeError, ValueError, OverflowError):
            self.mistakes.append(
                f"{name} is {_short(value)}: RFC 3339 with its offset, such as 2026-11-21T10:00:00Z"
            )
            return None

    def scope(self) -> Scope | None:
        """Metric names as a list, or an object of `metrics` and `segments`."""
        value = self._body.get("scope")
        if isinstance(value, list):
            value = {"metrics": value}
        if value is None:
            return None
        try:
            if not isinstance(value, Mapping) or value.keys() - {"metrics", "segments"}:
                raise msgspec.ValidationError
            segments = {} if value.get("segments") is None else value["segments"]
            if not isinstance(segments, Mapping):
                raise msgspec.ValidationError
            listed = {k: [v] if isinstance(v, str) else v for k, v in segments.items()}
            metrics = [] if value.get("metrics") is None else value["metrics"]
            return msgspec.convert({"metrics": metrics, "segments": listed}, Scope)
        except (msgspec.ValidationError, TypeError, ValueError):
            self.mistakes.append(
                f"scope is {_short(value)}: such as "
                '{"metrics": ["orders"], "segments": {"platform": ["android"]}}'
            )
            return None

    def arms(self) -> Arms | None:
        value = self._body.get("arms")
        if value is None:
            return None
        try:
            arms = msgspec.convert(value, Arms, strict=True)
        except msgspec.ValidationError:
            self.mistakes.append(
                f"arms is {_short(value)}: such as "
                '{"dimension": "variant", "control": "stable", "treatment": "canary"}'
            )
            return None
        if arms.control == arms.treatment:
            self.mistakes.append(f"arms: control and treatment are both {_short(arms.control)}")
        return arms


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."  # noqa: PLR2004 - one line of a terminal

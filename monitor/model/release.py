"""A release: what a pipeline says that it changed, where and when."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import msgspec
import xxhash

from monitor.model.time import HOUR, SECOND, from_rfc3339, to_rfc3339

RELEASES = -1
"""The source of a frame that only brings releases: it is in no chain and holds no watermark back."""

NAMED_WITHIN_US = 6 * HOUR
"""A release that began longer than this before a shift is not named beside it (INTERFACES.md)."""


class Status(StrEnum):
    """How far a release has come, as it was last told."""

    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"

    @property
    def rank(self) -> int:
        """What comes later in the life of a release is higher; success and failure are equal."""
        return {Status.STARTED: 0, Status.ROLLED_BACK: 2}.get(self, 1)


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What a release can have changed; empty is everything.

    Attributes:
        metrics: names.
        segments: values by dimension; a series is in scope where it has one of the values of every
            dimension that it has.
    """

    metrics: tuple[str, ...] = ()
    segments: dict[str, tuple[str, ...]] = {}

    def holds_metric(self, name: str) -> bool:
        """Whether the metric is in scope."""
        return not self.metrics or name in self.metrics


class Arms(msgspec.Struct, frozen=True, kw_only=True):
    """A canary: two values of a dimension whose traffic was divided by chance."""

    dimension: str
    control: str
    treatment: str


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One release, as far as it has been told.

    Attributes:
        id: of service, environment, version and the first time that was told; it never changes.
        started_us: when it began; where only its end was told, that.
        start_known: whether its beginning was told.
        finished_us: when it was everywhere (or failed); None while that has not been told.
        rolled_back_us: when it was taken back; None where it was not.
        url, commit: for people.
        scope: what it can have changed.
        arms: its canary; None where everyone gets it.
        by: name of the token that told it first.
    """

    id: str
    service: str
    environment: str
    version: str
    status: Status
    started_us: int
    start_known: bool = True
    finished_us: int | None = None
    rolled_back_us: int | None = None
    url: str | None = None
    commit: str | None = None
    scope: Scope = Scope()
    arms: Arms | None = None
    by: str = ""

    @property
    def begin_us(self) -> int:
        """From when on its effect is measured: its end; of a canary, and until that is told, its start."""
        if self.arms is not None or self.finished_us is None:
            return self.started_us
        return self.finished_us

    @property
    def place(self) -> tuple[str, str]:
        """Service and environment: the next release there ends the time of this one."""
        return self.service, self.environment


def release_id(service: str, environment: str, version: str, time_us: int) -> str:
    """The id of the release of which this time was told first."""
    name = "|".join((service, environment, version, str(time_us)))
    return xxhash.xxh3_64_hexdigest(name.encode())


def to_body(release: Release) -> dict[str, Any]:
    """The release as JSON leaves the program: times are RFC 3339."""
    scope = msgspec.to_builtins(release.scope)
    return {
        "id": release.id,
        "service": release.service,
        "environment": release.environment,
        "version": release.version,
        "status": release.status.value,
        "started_at": to_rfc3339(release.started_us),
        "finished_at": _text(release.finished_us),
        "rolled_back_at": _text(release.rolled_back_us),
        "start_known": release.start_known,
        "url": release.url,
        "commit": release.commit,
        "scope": {name: value for name, value in scope.items() if value} or None,
        "by": release.by,
        "arms": None if release.arms is None else msgspec.to_builtins(release.arms),
    }


def from_body(body: dict[str, Any]) -> Release:
    """The release that `to_body` wrote; raises `msgspec.ValidationError` or `ValueError` otherwise."""
    times = {"started_at": "started_us", "finished_at": "finished_us"}
    times["rolled_back_at"] = "rolled_back_us"
    fields = {times.get(name, name): value for name, value in body.items() if value is not None}
    for name in times.values():
        if name in fields:
            fields[name] = from_rfc3339(fields[name])
    return msgspec.convert(fields, Release)


def nearest_before(
    releases: Iterable[Release], metric: str, at_us: int, *, slack_us: int
) -> dict[str, Any] | None:
    """The newest release that began before a shift of a metric did, for the alert.

    Args:
        releases: those that are known.
        metric: releases that cannot have touched it are passed over.
        at_us: the estimated start of the shift.
        slack_us: how much later than that a release may have begun: the start of a shift is told to
            a bucket, and is estimated.

    Returns:
        Its identity and `seconds_before`; None where none began in the last 6 h.
    """
    near = [
        release
        for release in releases
        if at_us - NAMED_WITHIN_US <= release.started_us < at_us + slack_us
        and release.scope.holds_metric(metric)
    ]
    if not near:
        return None
    newest = max(near, key=lambda release: (release.started_us, release.id))
    names = ("id", "service", "environment", "version", "status", "started_at", "finished_at")
    body = to_body(newest)
    values = [value for values in newest.scope.segments.values() for value in values]
    return {
        **{name: body[name] for name in names},
        "on": ", ".join(values) or newest.service,
        "seconds_before": max(0, at_us - newest.started_us) // SECOND,
    }


def _text(time_us: int | None) -> str | None:
    return None if time_us is None else to_rfc3339(time_us)

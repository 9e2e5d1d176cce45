"""Releases for tests."""

from typing import Any

from monitor.model.release import Release, Status, release_id
from monitor.model.time import DAY, HOUR

T0 = 20_400 * DAY


def release(version: str = "1", start_us: int = T0, **changes: Any) -> Release:
    """A release of the shop that succeeded at once, unless changed."""
    fields: dict[str, Any] = {
        "id": release_id("shop", "prod", version, start_us),
        "service": "shop",
        "environment": "prod",
        "version": version,
        "status": Status.SUCCEEDED,
        "started_us": start_us,
        "finished_us": start_us,
        **changes,
    }
    return Release(**fields)


def started(version: str = "1", start_us: int = T0, **changes: Any) -> Release:
    """One whose end was not told."""
    return release(version, start_us, **{"status": Status.STARTED, "finished_us": None, **changes})


def body(**changes: Any) -> dict[str, Any]:
    """A posting of the start of one."""
    fields = {
        "service": "shop",
        "environment": "prod",
        "version": "1",
        "status": "started",
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


__all__ = ["HOUR", "T0", "body", "release", "started"]

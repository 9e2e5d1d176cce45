"""Incidents as alerts of Alertmanager's API v2: what is posted, and the client that posts it.

Alertmanager drops an alert that ends in the past, keeps the earliest start of two posts that overlap,
and takes an alert for over once its `endsAt` has passed. A firing one therefore always ends a few
resend intervals from now: if the monitor dies, its alerts end by themselves, but not at once.
"""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from monitor.model.incident import Incident
from monitor.model.quantity import percent
from monitor.model.time import SECOND, from_datetime, to_rfc3339

Alert = dict[str, Any]

SEGMENTS_TOLD = 5
"""Blamed segments that are listed in an annotation; the API has them all."""

_TIMEOUT_SECONDS = 10.0
_PATH = "/api/v2/alerts"
_ANSWER_CHARACTERS = 300
_LATER_SENTENCES = re.compile(r"(?<=\.) (?=[A-Z]\w*: )|\n")
"""An incident's text: the first sentence is the headline, the others begin with what they tell."""


class RejectedError(Exception):
    """Alertmanager answered, but does not take what was posted: to repeat it is of no use."""


class FailedError(Exception):
    """Alertmanager could not be reached, or has a fault of its own: to be tried again."""


def firing_alert(
    incident: Incident, *, now_us: int, ends_us: int, base_url: str | None = None
) -> Alert:
    """The alert of an incident that goes on until `ends_us`, unless it is posted again.

    Args:
        incident: its newest state; only its figures are used, not its state.
        now_us: the wall clock.
        ends_us: when Alertmanager may take it for over.
        base_url: address of the API, for the link back.
    """
    return _alert(incident, now_us=now_us, ends_us=ends_us, base_url=base_url)


def resolved_alert(incident: Incident, *, ended_us: int, base_url: str | None = None) -> Alert:
    """The alert of an incident that was found to be over at `ended_us` of the wall clock."""
    return _alert(incident, now_us=ended_us, ends_us=ended_us, base_url=base_url)


def annotations(incident: Incident) -> dict[str, str]:
    """Everything about an incident that is no label, as text; what is not known is left out."""
    quality = incident.data_quality
    told = {
        "summary": _LATER_SENTENCES.split(incident.summary, maxsplit=1)[0],
        "description": incident.summary,
        "runbook_url": incident.runbook_url,
        "alert_id": incident.alert_id,
        "reason": incident.reason,
        "value": incident.value,
        "expected": incident.expected,
        "relative_shift": incident.relative_shift,
        "interval": incident.interval,
        "n": incident.n,
        "evidence": incident.evidence,
        "threshold": incident.threshold,
        "started_at": incident.started_at,
        "detected_at": incident.detected_at,
        "resolved_at": incident.resolved_at,
        "segments": "; ".join(map(_segment, incident.segments[:SEGMENTS_TOLD])),
        "release": _release(incident.release),
        "data_quality": "; ".join(quality.reasons) if quality.suspect else None,
    }
    return {name: _text(value) for name, value in told.items() if value not in (None, "")}


class Client:
    """Posts to one Alertmanager.

    Args:
        url: its address, with a path where it has a prefix; `user:password@` is sent as basic
            authentication and never logged.
        timeout_seconds: of a whole post.
    """

    def __init__(self, url: str, *, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        self._url = URL(url.rstrip("/") + _PATH)
        self.address = str(URL(url).with_user(None).with_password(None))
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, alerts: Sequence[Alert]) -> None:
        """Post alerts.

        Raises:
            RejectedError: 4xx: the alerts are not valid, or the address is wrong.
            FailedError: no answer, or 5xx.
        """
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        try:
            async with self._session.post(self._url, json=list(alerts)) as answer:
                if answer.status < 300:  # noqa: PLR2004
                    return
                text = (await answer.text(errors="replace"))[:_ANSWER_CHARACTERS].strip()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            message = f"{self.address}: {str(error) or type(error).__name__}"
            raise FailedError(message) from error
        message = f"{self.address}: {answer.status} {answer.reason}: {text}"
        if 400 <= answer.status < 500:  # noqa: PLR2004
            raise RejectedError(message)
        raise FailedError(message)

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def _alert(incident: Incident, *, now_us: int, ends_us: int, base_url: str | None) -> Alert:
    started_us = from_datetime(datetime.fromisoformat(incident.started_at))
    # Event time may be ahead of this clock; an alert must start before it ends.
    starts_us = min(started_us, now_us - SECOND, ends_us - SECOND)
    alert: Alert = {
        "labels": {name: value for name, value in incident.labels.items() if value},
        "annotations": annotations(incident),
        "startsAt": to_rfc3339(starts_us),
        "endsAt": to_rfc3339(ends_us),
    }
    if base_url:
        alert["generatorURL"] = f"{base_url.rstrip('/')}/#{quote(incident.alert_id)}"
    return alert


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.12g}"
    return value if isinstance(value, str) else json.dumps(value)


def _segment(segment: dict[str, Any]) -> str:
    where = f"{segment.get('dimension')}={segment.get('segment')}"
    shift = segment.get("relative_shift")
    return where if shift is None else f"{where} {percent(shift)}"


def _release(release: dict[str, Any] | None) -> str | None:
    if not release:
        return None
    names = ("service", "version", "environment")
    return " ".join(str(release[name]) for name in names if release.get(name))

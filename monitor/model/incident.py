"""One incident through its life: what `alerts.ndjson`, the journal and Alertmanager are given."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec


class IncidentState(StrEnum):
    """Where an incident stands. A pending one that fades ends without a word."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class DataQuality(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of the measurement itself since the incident started.

    Attributes:
        suspect: whether the measurement is in doubt.
        reasons: why, for a person.
        duplicates, late: shares of the metric's own event lines; None where not measured.
        silent: `{"dimension", "segment"}` of series that fell silent; the whole is `all`, `all`.
        missing, malformed: as `duplicates`: lines that lack a field that the metric needs, and lines
            that could not be read.
    """

    suspect: bool = False
    reasons: list[str] = []
    duplicates: float | None = None
    late: float | None = None
    silent: list[dict[str, str]] = []
    missing: float | None = None
    malformed: float | None = None


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """The newest state of an incident; fields in the order of `alerts.ndjson`.

    Attributes:
        alert_id: deterministic: the same events give the same id.
        dimension, segment: `all`, `all` for the whole.
        direction: `up` or `down`.
        started_at: estimated start of the shift. Times are RFC 3339.
        detected_at: end of the bucket that fired (that made it pending, before).
        value, expected: of the whole incident so far: per bucket for totals, else the quotient.
        relative_shift: value / expected - 1, over the incident so far.
        interval: 95 % interval of `relative_shift`.
        n: units or events in the incident so far.
        evidence, threshold: log10 of M, at its highest since it fired, and of A.
        reason: a `Reason` label.
        segments: `{"dimension","segment","relative_shift","value","expected","n","evidence","share",
            "confidence"}`, most blamed first; `share` is its part of the change.
        mix: of a rate, `{"dimension","rate_effect","mix_effect","simpson"}`, relative to expected, with the
            chance error of `rate_effect` and the `segment` whose `share` moved most.
        summary: the whole alert in words, for whoever is woken by it.
        updated_at: end of the bucket that this state stands at.
        labels: the Alertmanager labels, which never change during an incident.
    """

    alert_id: str
    metric: str
    dimension: str
    segment: str
    direction: str
    state: IncidentState
    started_at: str
    detected_at: str
    resolved_at: str | None = None
    value: float | None
    expected: float | None
    relative_shift: float | None
    interval: list[float] | None
    n: float
    evidence: float
    threshold: float
    reason: str
    severity: str
    owner: str | None = None
    segments: list[dict[str, Any]] = []
    mix: dict[str, Any] | None = None
    release: dict[str, Any] | None = None
    data_quality: DataQuality = DataQuality()
    summary: str
    runbook_url: str | None = None
    updated_at: str
    labels: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentChanged:
    """An incident began, changed its state, or (firing) has new figures.

    Attributes:
        incident: as it is now.
        transition: whether its state changed: only these are lines of `alerts.ndjson`.
    """

    incident: Incident
    transition: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentFaded:
    """A pending incident ended without a word: whoever keeps it forgets it."""

    alert_id: str

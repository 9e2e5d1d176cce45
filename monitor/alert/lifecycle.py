"""The life of incidents: pending, firing, resolved; one at most a series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import xxhash

from monitor.alert import text
from monitor.alert.figures import figures
from monitor.alert.where import where_sentence
from monitor.definitions.plan import MetricPlan
from monitor.model.incident import (
    DataQuality,
    Incident,
    IncidentChanged,
    IncidentFaded,
    IncidentState,
)
from monitor.model.tick import Decision, Expectation, Reason, Traits
from monitor.model.time import to_rfc3339

Change = IncidentChanged | IncidentFaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which series a row is."""

    plan: MetricPlan
    dimension: str
    segment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One judged bucket of a panel, as the incidents need it.

    Attributes:
        end_us, width_us: end and length of the bucket.
        known_us: when it could be judged: its end; of a cohort, once its units have had their time.
        traits, expectation, decision: what was known, expected and decided.
    """

    end_us: int
    width_us: int
    known_us: int
    traits: Traits
    expectation: Expectation
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What diagnosis adds to a row's incident.

    Attributes:
        segments: of a whole, its segments, most blamed first.
        silent: the series of the metric that fell silent.
        mix: of a rate, what its rates did and what its mix did.
    """

    segments: Sequence[dict[str, Any]] = ()
    silent: Sequence[dict[str, str]] = ()
    mix: dict[str, Any] | None = None


_NO_CONTEXT = Context()


class _Open(msgspec.Struct):
    """An incident that has not ended: its newest form, and since when."""

    incident: Incident
    started_us: int
    detected_us: int
    updated_us: int
    reason: int


class Incidents:
    """The open incidents of a panel, by row."""

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}

    def update(
        self,
        judged: Judged,
        identities: Mapping[int, Identity],
        contexts: Mapping[int, Context],
    ) -> list[Change]:
        """Take in one bucket's decisions.

        Args:
            judged: the bucket.
            identities: which series each row of `rows_of_interest` is.
            contexts: by row, what diagnosis found.

        Returns:
            What changed, by row.
        """
        changes: list[Change] = []
        decision = judged.decision
        for row in self.rows_of_interest(decision):
            known = self._open.get(row)
            if decision.closed[row]:
                reason = Reason(int(decision.reason[row]))
                changes += self._resolve(row, judged.known_us, reason)
            elif decision.open[row] or decision.pending[row]:
                context = contexts.get(row, _NO_CONTEXT)
                changes += self._go_on(row, judged, identities[row], context)
            elif known is not None:
                del self._open[row]
                changes.append(IncidentFaded(alert_id=known.incident.alert_id))
        return changes

    def rows_of_interest(self, decision: Decision) -> list[int]:
        """Rows that have an incident, or had one before this bucket, ascending."""
        marked = np.flatnonzero(decision.pending | decision.open | decision.closed).tolist()
        return sorted({*marked, *self._open})

    def _go_on(
        self, row: int, judged: Judged, identity: Identity, context: Context
    ) -> list[Change]:
        known = self._open.get(row)
        direction = "down" if judged.decision.direction[row] < 0 else "up"
        firing = bool(judged.decision.open[row])
        was_firing = known is not None and known.incident.state == IncidentState.FIRING
        changes: list[Change] = []
        if known is not None and not was_firing and known.incident.direction != direction:
            changes.append(IncidentFaded(alert_id=known.incident.alert_id))
            known = None
        if known is not None and not firing:
            return changes  # still pending: nothing to say
        held = _describe(row, judged, identity, known if was_firing else None, context)
        if known is not None:
            held.incident = msgspec.structs.replace(held.incident, alert_id=known.incident.alert_id)
        self._open[row] = held
        changes.append(IncidentChanged(incident=held.incident, transition=not was_firing))
        return changes

    def drop(self, rows: Sequence[int], now_us: int | None, reason: Reason) -> list[Change]:
        """End the incidents of rows whose series is no more.

        Args:
            rows: which.
            now_us: when; None takes the time at which each was last updated.
            reason: why.
        """
        held = [(row, self._open[row]) for row in sorted(rows) if row in self._open]
        return [
            change
            for row, one in held
            for change in self._resolve(row, one.updated_us if now_us is None else now_us, reason)
        ]

    def _resolve(self, row: int, now_us: int, reason: Reason) -> list[Change]:
        held = self._open.pop(row, None)
        if held is None:
            return []
        incident = held.incident
        if incident.state != IncidentState.FIRING:
            return [IncidentFaded(alert_id=incident.alert_id)]
        ended = text.resolved_sentence(
            incident, reason, lasted_us=now_us - held.started_us, ended_us=now_us
        )
        resolved = msgspec.structs.replace(
            incident,
            state=IncidentState.RESOLVED,
            resolved_at=to_rfc3339(now_us),
            updated_at=to_rfc3339(now_us),
            reason=reason.label,
            summary=f"{ended} Before: {incident.summary}",
        )
        return [IncidentChanged(incident=resolved, transition=True)]

    def rows(self) -> list[int]:
        """Rows that have an incident."""
        return sorted(self._open)

    def dump(self) -> list[list[Any]]:
        """The open incidents as plain values."""
        return [[row, msgspec.to_builtins(held)] for row, held in sorted(self._open.items())]

    def load(self, state: list[list[Any]]) -> None:
        """Take over what `dump` gave."""
        self._open = {row: msgspec.convert(held, _Open) for row, held in state}


def _describe(
    row: int, judged: Judged, identity: Identity, firing: _Open | None, context: Context
) -> _Open:
    """The incident of a row as this bucket leaves it; what it is called stays once it fires."""
    plan, decision = identity.plan, judged.decision
    if firing is not None:
        direction, reason = firing.incident.direction, Reason(firing.reason)
        started_us, detected_us = firing.started_us, firing.detected_us
    else:
        direction = "down" if decision.direction[row] < 0 else "up"
        reason = Reason(int(decision.reason[row]))
        started_us, detected_us = int(decision.start_us[row]), judged.known_us
    numbers = figures(
        row,
        decision=decision,
        expectation=judged.expectation,
        log_threshold=float(judged.traits.log_threshold[row]),
        total=bool(judged.traits.total[row]),
        buckets=max(1.0, (judged.end_us - started_us) / judged.width_us),
        absent=reason == Reason.NO_DATA,
    )
    # while an incident ends, evidence for it fades: what it was found by stays with it
    before = 0.0 if firing is None else firing.incident.evidence
    incident = Incident(
        alert_id=_alert_id(identity, direction, judged),
        metric=plan.name,
        dimension=identity.dimension,
        segment=identity.segment,
        direction=direction,
        state=IncidentState.FIRING if decision.open[row] else IncidentState.PENDING,
        started_at=to_rfc3339(started_us),
        detected_at=to_rfc3339(detected_us),
        value=numbers.value,
        expected=numbers.expected,
        relative_shift=numbers.shift,
        interval=numbers.interval,
        n=numbers.n,
        evidence=max(numbers.evidence, before),
        threshold=numbers.threshold,
        reason=reason.label,
        severity=plan.severity,
        owner=plan.owner,
        segments=list(context.segments),
        mix=context.mix,
        data_quality=DataQuality(silent=list(context.silent)),
        summary="",
        runbook_url=plan.runbook_url,
        updated_at=to_rfc3339(judged.known_us),
        labels=_labels(identity, reason, direction),
    )
    held = _Open(
        incident=incident,
        started_us=started_us,
        detected_us=detected_us,
        updated_us=judged.known_us,
        reason=int(reason),
    )
    held.incident = msgspec.structs.replace(
        incident,
        summary=text.summary(
            plan,
            incident,
            started_us=started_us,
            detected_us=detected_us,
            where=where_sentence(plan, incident),
        ),
    )
    return held


def _alert_id(identity: Identity, direction: str, judged: Judged) -> str:
    name = "|".join(
        (identity.plan.name, identity.dimension, identity.segment, direction, str(judged.end_us))
    )
    return xxhash.xxh3_64_hexdigest(name.encode())


def _labels(identity: Identity, reason: Reason, direction: str) -> dict[str, str]:
    silent = reason in (Reason.SILENT, Reason.NO_DATA)
    return {
        "alertname": "MetricSilent" if silent else "MetricShift",
        "metric": identity.plan.name,
        "dimension": identity.dimension,
        "segment": identity.segment,
        "direction": direction,
        "severity": identity.plan.severity,
        "owner": identity.plan.owner or "",
    }

"""The life of incidents: pending, firing, resolved; one at most a series."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import xxhash

from monitor.alert import text
from monitor.alert.figures import Figures, figures
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
        traits, expectation, decision: what was known, expected and decided.
    """

    end_us: int
    width_us: int
    traits: Traits
    expectation: Expectation
    decision: Decision


class _Open(msgspec.Struct):
    """An incident that has not ended: its newest form, and since when."""

    incident: Incident
    started_us: int
    detected_us: int
    reason: int


class Incidents:
    """The open incidents of a panel, by row."""

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}

    def update(
        self,
        judged: Judged,
        identities: Mapping[int, Identity],
        blamed: Mapping[int, Sequence[dict[str, Any]]],
        silent: Mapping[int, Sequence[dict[str, str]]],
    ) -> list[Change]:
        """Take in one bucket's decisions.

        Args:
            judged: the bucket.
            identities: which series each row of `rows_of_interest` is.
            blamed: by row of a whole with an incident, its segments, most blamed first.
            silent: by row, the series of its metric that fell silent.

        Returns:
            What changed, by row.
        """
        changes: list[Change] = []
        decision = judged.decision
        for row in self.rows_of_interest(decision):
            known = self._open.get(row)
            if decision.closed[row]:
                changes += self._resolve(
                    row, judged.end_us, Reason(int(decision.reason[row])), identities[row].plan
                )
            elif decision.open[row] or decision.pending[row]:
                identity = identities[row]
                segments = list(blamed.get(row, ()))
                changes += self._go_on(row, judged, identity, segments, list(silent.get(row, ())))
            elif known is not None:
                del self._open[row]
                changes.append(IncidentFaded(alert_id=known.incident.alert_id))
        return changes

    def rows_of_interest(self, decision: Decision) -> list[int]:
        """Rows that have an incident, or had one before this bucket, ascending."""
        marked = np.flatnonzero(decision.pending | decision.open | decision.closed).tolist()
        return sorted({*marked, *self._open})

    def _go_on(
        self,
        row: int,
        judged: Judged,
        identity: Identity,
        segments: list[dict[str, Any]],
        silent: list[dict[str, str]],
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
        state = IncidentState.FIRING if firing else IncidentState.PENDING
        incident, held = self._incident(row, judged, identity, state, known, segments, silent)
        self._open[row] = held
        changes.append(IncidentChanged(incident=incident, transition=not was_firing))
        return changes

    def _incident(
        self,
        row: int,
        judged: Judged,
        identity: Identity,
        state: IncidentState,
        known: _Open | None,
        segments: list[dict[str, Any]],
        silent: list[dict[str, str]],
    ) -> tuple[Incident, _Open]:
        plan, decision = identity.plan, judged.decision
        was_firing = known is not None and known.incident.state == IncidentState.FIRING
        if known is not None and was_firing:
            direction, reason = known.incident.direction, Reason(known.reason)
            started_us, detected_us = known.started_us, known.detected_us
        else:
            direction = "down" if decision.direction[row] < 0 else "up"
            reason = Reason(int(decision.reason[row]))
            started_us, detected_us = int(decision.start_us[row]), judged.end_us
        numbers = figures(
            row,
            decision=decision,
            expectation=judged.expectation,
            log_threshold=float(judged.traits.log_threshold[row]),
            total=bool(judged.traits.total[row]),
            buckets=max(1.0, (judged.end_us - started_us) / judged.width_us),
        )
        incident = Incident(
            alert_id=known.incident.alert_id if known else _alert_id(identity, direction, judged),
            metric=plan.name,
            dimension=identity.dimension,
            segment=identity.segment,
            direction=direction,
            state=state,
            started_at=to_rfc3339(started_us),
            detected_at=to_rfc3339(detected_us),
            value=numbers.value,
            expected=numbers.expected,
            relative_shift=numbers.shift,
            interval=numbers.interval,
            n=numbers.n,
            evidence=numbers.evidence,
            threshold=numbers.threshold,
            reason=reason.label,
            severity=plan.severity,
            owner=plan.owner,
            segments=segments,
            data_quality=DataQuality(silent=silent),
            summary=_summary(identity, reason, numbers, segments, started_us, detected_us),
            runbook_url=plan.runbook_url,
            updated_at=to_rfc3339(judged.end_us),
            labels=_labels(identity, reason, direction),
        )
        return incident, _Open(
            incident=incident, started_us=started_us, detected_us=detected_us, reason=int(reason)
        )

    def _resolve(self, row: int, now_us: int, reason: Reason, plan: MetricPlan) -> list[Change]:
        held = self._open.pop(row, None)
        if held is None:
            return []
        incident = held.incident
        if incident.state != IncidentState.FIRING:
            return [IncidentFaded(alert_id=incident.alert_id)]
        ended = text.resolved_sentence(
            plan,
            dimension=incident.dimension,
            segment=incident.segment,
            reason=reason,
            lasted_us=now_us - held.started_us,
            ended_us=now_us,
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

    def drop(
        self, rows: Sequence[int], now_us: int, reason: Reason, identities: Mapping[int, Identity]
    ) -> list[Change]:
        """End the incidents of rows whose series is no more."""
        changes: list[Change] = []
        for row in sorted(rows):
            if row in self._open:
                changes += self._resolve(row, now_us, reason, identities[row].plan)
        return changes

    def dump(self) -> list[list[Any]]:
        """The open incidents as plain values."""
        return [[row, msgspec.to_builtins(held)] for row, held in sorted(self._open.items())]

    def load(self, state: list[list[Any]]) -> None:
        """Take over what `dump` gave."""
        self._open = {row: msgspec.convert(held, _Open) for row, held in state}


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


def _summary(
    identity: Identity,
    reason: Reason,
    numbers: Figures,
    segments: list[dict[str, Any]],
    started_us: int,
    detected_us: int,
) -> str:
    plan = identity.plan
    sentences = [
        text.headline(
            plan,
            dimension=identity.dimension,
            segment=identity.segment,
            reason=reason,
            value=numbers.value,
            expected=numbers.expected,
            shift=numbers.shift,
            interval=numbers.interval,
            n=numbers.n,
            started_us=started_us,
        ),
        text.evidence_sentence(numbers.evidence, numbers.threshold, plan.severity, detected_us),
        text.where_sentence(plan, identity.dimension, segments),
        text.contact_sentence(plan),
    ]
    return " ".join(sentence for sentence in sentences if sentence)

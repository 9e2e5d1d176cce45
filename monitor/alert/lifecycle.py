"""The life of incidents: pending, firing, resolved; one at most a series."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import xxhash

from monitor.alert import measured, silence, text
from monitor.alert.ended import OVER, Earlier, Ended
from monitor.alert.figures import figures
from monitor.alert.measured import data_quality
from monitor.alert.silence import NOTHING_KNOWN, Others, Part
from monitor.alert.where import where_sentence
from monitor.definitions.plan import MetricPlan
from monitor.model.incident import (
    Incident,
    IncidentChanged,
    IncidentFaded,
    IncidentState,
)
from monitor.model.quality import Account, Seen
from monitor.model.release import Release, nearest_before
from monitor.model.tick import Decision, Expectation, Reason, Traits
from monitor.model.time import to_rfc3339

TICKET = "ticket"
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
        releases: those that were told.
    """

    end_us: int
    width_us: int
    known_us: int
    traits: Traits
    expectation: Expectation
    decision: Decision
    releases: Sequence[Release] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What diagnosis adds to a row's incident.

    Attributes:
        segments: of a whole, its segments, most blamed first.
        silent: the series of the metric that fell silent.
        seen: what was seen of the metric's lines since the incident started.
        account: how much of the shift that accounts for; None where nothing.
        moved: whether that is so much that it is the measurement that moved.
        going_on: of a silent series, what else arrives.
        expected: of a silent series, how many units were expected since it fell silent.
        quiet_us: of a silent series, from when on none of its events came; None where not known.
        part: of a whole that is not silent, the segment whose silence makes most of the shift.
        mix: of a rate, what its rates did and what its mix did.
    """

    segments: Sequence[dict[str, Any]] = ()
    silent: Sequence[dict[str, str]] = ()
    seen: Mapping[str, Seen] = field(default_factory=dict)
    account: Account | None = None
    moved: bool = False
    going_on: Others = NOTHING_KNOWN
    expected: float = math.nan
    quiet_us: int | None = None
    part: Part | None = None
    mix: dict[str, Any] | None = None


_NO_CONTEXT = Context()


class _Open(msgspec.Struct):
    """An incident that has not ended: its newest form, and since when; `earlier` if it fired before.

    `faded`: of a segment of which little is left, how much.
    """

    incident: Incident
    started_us: int
    detected_us: int
    updated_us: int
    reason: int
    account: Account | None = None
    earlier: Earlier | None = None
    faded: float | None = None

    @property
    def began_us(self) -> int:
        """When it began first."""
        return self.started_us if self.earlier is None else self.earlier.started_us

    @property
    def is_measured(self) -> bool:
        """Whether it fires because the measurement moved."""
        return self.reason == Reason.MEASUREMENT_MOVED


class Incidents:
    """The open incidents of a panel, by row."""

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}
        self._ended = Ended()

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
        self._ended.expire(judged.known_us, judged.width_us)
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
        earlier = self._ended.take(row, held.incident.labels) if firing and not was_firing else None
        if earlier is not None:
            if known is not None:  # was pending under an id of its own
                changes.append(IncidentFaded(alert_id=known.incident.alert_id))
            held = _describe(row, judged, identity, None, context, earlier=earlier)
        elif known is not None:
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
        self._ended.forget(rows)
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
        if reason in OVER:
            earlier = Earlier(
                alert_id=incident.alert_id,
                labels=incident.labels,
                started_us=held.began_us,
                ended_us=now_us,
                times=1 if held.earlier is None else held.earlier.times + 1,
            )
            self._ended.remember(row, earlier)
        ended = text.resolved_sentence(
            incident, reason, lasted_us=now_us - held.began_us, ended_us=now_us
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

    def measured(self) -> list[int]:
        """Rows with a firing incident whose measurement moved."""
        return [row for row, held in sorted(self._open.items()) if held.is_measured]

    def since(self, row: int) -> int | None:
        """Since when the firing incident of a row is estimated to last; None where there is none."""
        held = self._open.get(row)
        return held.started_us if held and held.incident.state == IncidentState.FIRING else None

    def dump(self) -> dict[str, list[list[Any]]]:
        """The incidents that are open, and those that have just resolved, as plain values."""
        held = [[row, msgspec.to_builtins(held)] for row, held in sorted(self._open.items())]
        return {"open": held, "ended": self._ended.dump()}

    def load(self, state: dict[str, list[list[Any]]]) -> None:
        """Take over what `dump` gave."""
        self._open = {row: msgspec.convert(held, _Open) for row, held in state["open"]}
        self._ended.load(state["ended"])


def _describe(
    row: int,
    judged: Judged,
    identity: Identity,
    firing: _Open | None,
    context: Context,
    *,
    earlier: Earlier | None = None,
) -> _Open:
    """The incident of a row as this bucket leaves it; what it is called stays once it fires.

    Figures are of what goes on now; where the incident fired before, its id and start are those of then.
    """
    plan, decision = identity.plan, judged.decision
    earlier = earlier if firing is None else firing.earlier
    if firing is not None:
        direction, reason = firing.incident.direction, Reason(firing.reason)
        started_us, detected_us = firing.started_us, firing.detected_us
    else:
        direction = "down" if decision.direction[row] < 0 else "up"
        reason = _reason(row, judged, context)
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
    severity = plan.severity if firing is None else firing.incident.severity
    account = context.account if reason == Reason.MEASUREMENT_MOVED else None
    faded = _faded(row, plan, decision) if firing is None else firing.faded
    if faded is not None:
        severity = TICKET
    if reason == Reason.MEASUREMENT_MOVED:
        severity = TICKET
        account = account or (None if firing is None else firing.account)
    began_us = started_us if earlier is None else earlier.started_us
    new_id = _alert_id(identity, direction, judged)
    incident = Incident(
        alert_id=new_id if earlier is None else earlier.alert_id,
        metric=plan.name,
        dimension=identity.dimension,
        segment=identity.segment,
        direction=direction,
        state=IncidentState.FIRING if decision.open[row] else IncidentState.PENDING,
        started_at=to_rfc3339(began_us),
        detected_at=to_rfc3339(detected_us),
        value=numbers.value,
        expected=numbers.expected,
        relative_shift=numbers.shift,
        interval=numbers.interval,
        n=numbers.n,
        evidence=max(numbers.evidence, before),
        threshold=numbers.threshold,
        reason=reason.label,
        severity=severity,
        owner=plan.owner,
        segments=list(context.segments),
        mix=context.mix,
        data_quality=data_quality(context.seen, context.silent),
        release=nearest_before(judged.releases, plan.name, began_us, slack_us=judged.width_us),
        summary="",
        runbook_url=plan.runbook_url,
        updated_at=to_rfc3339(judged.known_us),
        labels=_labels(identity, reason, direction, severity),
    )
    held = _Open(
        incident=incident,
        started_us=started_us,
        detected_us=detected_us,
        updated_us=judged.known_us,
        reason=int(reason),
        account=account,
        earlier=earlier,
        faded=faded,
    )
    held.incident = msgspec.structs.replace(
        incident,
        summary=text.summary(
            plan,
            incident,
            headline=_headline(plan, held, context),
            detected_us=detected_us,
            where=where_sentence(plan, incident),
            account=account,
            again=None if earlier is None else text.again_sentence(earlier),
            faded=faded,
        ),
    )
    return held


def _faded(row: int, plan: MetricPlan, decision: Decision) -> float | None:
    """Of a segment that is not paged any more as little is left of it, how much; None of others."""
    if decision.faded is None or plan.severity == TICKET or np.isnan(decision.faded[row]):
        return None
    return float(decision.faded[row])


def _reason(row: int, judged: Judged, context: Context) -> Reason:
    """Why an incident begins."""
    decision = judged.decision
    reason = Reason(int(decision.reason[row]))
    if reason != Reason.SHIFT or not decision.open[row]:
        return reason
    if judged.traits.total[row] and decision.sum_x[row] == 0:
        return Reason.SILENT
    return Reason.MEASUREMENT_MOVED if context.moved else reason


def _headline(plan: MetricPlan, held: _Open, context: Context) -> str:
    """The first sentence of an incident."""
    incident = held.incident
    if held.reason in (Reason.SILENT, Reason.NO_DATA):
        return silence.headline(
            plan,
            incident,
            held.started_us if context.quiet_us is None else context.quiet_us,
            none_came=context.quiet_us is not None,
            expected=context.expected,
            going_on=context.going_on,
            seen=measured.listed(context.account.causes) if context.account else "",
        )
    if held.account is not None:
        return measured.headline(plan, incident, held.started_us, held.account)
    why = "" if context.part is None else silence.because_of(plan, context.part)
    return text.headline(plan, incident, held.started_us, why)


def _alert_id(identity: Identity, direction: str, judged: Judged) -> str:
    name = "|".join(
        (identity.plan.name, identity.dimension, identity.segment, direction, str(judged.end_us))
    )
    return xxhash.xxh3_64_hexdigest(name.encode())


_ALERTNAMES = {
    Reason.SILENT: "MetricSilent",
    Reason.NO_DATA: "MetricSilent",
    Reason.MEASUREMENT_MOVED: "MeasurementMoved",
}


def _labels(identity: Identity, reason: Reason, direction: str, severity: str) -> dict[str, str]:
    return {
        "alertname": _ALERTNAMES.get(reason, "MetricShift"),
        "metric": identity.plan.name,
        "dimension": identity.dimension,
        "segment": identity.segment,
        "direction": direction,
        "severity": severity,
        "owner": identity.plan.owner or "",
    }

"""An open incident as a judged bucket leaves it."""

import msgspec
import numpy as np

from monitor.alert import measured, silence, text
from monitor.alert.ended import Earlier
from monitor.alert.figures import figures
from monitor.alert.identity import TICKET, Identity, alert_id, labels
from monitor.alert.judged import Context, Judged
from monitor.alert.measured import data_quality
from monitor.alert.where import where_sentence
from monitor.definitions.plan import MetricPlan
from monitor.model.incident import Incident, IncidentState
from monitor.model.quality import Account
from monitor.model.release import nearest_before
from monitor.model.tick import Decision, Reason
from monitor.model.time import to_rfc3339


class Open(msgspec.Struct):
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


def describe(
    row: int,
    judged: Judged,
    identity: Identity,
    firing: Open | None,
    context: Context,
    *,
    earlier: Earlier | None = None,
) -> Open:
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
    new_id = alert_id(
        plan.name, identity.dimension, identity.segment, direction, str(judged.end_us)
    )
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
        labels=labels(identity, reason, direction, severity),
    )
    held = Open(
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


def _headline(plan: MetricPlan, held: Open, context: Context) -> str:
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

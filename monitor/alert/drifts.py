"""Tickets of slow drifts: at most one a series, beside whatever its buckets are alarmed for."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from monitor.alert import text
from monitor.alert.figures import LN10, Z95
from monitor.alert.identity import TICKET, Identity, alert_id, labels
from monitor.alert.lifecycle import Change
from monitor.alert.resolving import resolved
from monitor.definitions.plan import MetricPlan
from monitor.model.drift import Drifting, Weeks
from monitor.model.incident import Incident, IncidentChanged, IncidentState
from monitor.model.quantity import percent
from monitor.model.tick import Reason
from monitor.model.time import from_rfc3339, to_rfc3339
from monitor.stats.exact import round_one


class Drifts:
    """The open tickets of a panel, by row."""

    def __init__(self) -> None:
        self._open: dict[int, Incident] = {}

    def update(
        self,
        weeks: Weeks,
        found: Drifting,
        identity: Callable[[int], Identity],
        now_us: int,
    ) -> list[Change]:
        """Take in a day's decisions.

        Args:
            weeks: what was compared.
            found: what was decided of it.
            identity: which series a row is.
            now_us: end of the bucket with which the day ended.

        Returns:
            What changed, by row.
        """
        changes: list[Change] = []
        for i, row in enumerate(weeks.rows.tolist()):
            if found.closed[i]:
                changes += self.drop([row], now_us, Reason.DRIFT_ENDED)
            elif found.open[i] and not math.isnan(found.moved[i]):
                known = self._open.get(row)
                told = _describe(
                    i, weeks, found, identity=identity(row), now_us=now_us, known=known
                )
                self._open[row] = told
                changes.append(IncidentChanged(incident=told, transition=known is None))
        return changes

    def drop(self, rows: Sequence[int], now_us: int | None, reason: Reason) -> list[Change]:
        """End the tickets of these rows; `now_us` None takes the time at which each was last looked at."""
        changes: list[Change] = []
        for row in rows:
            incident = self._open.pop(row, None)
            if incident is not None:
                began_us = from_rfc3339(incident.started_at)
                ended_us = from_rfc3339(incident.updated_at) if now_us is None else now_us
                changes.append(resolved(incident, reason, began_us=began_us, ended_us=ended_us))
        return changes

    def rows(self) -> list[int]:
        """Rows that have a ticket."""
        return sorted(self._open)

    def dump(self) -> list[list[Any]]:
        """The tickets as plain values."""
        return [[row, msgspec.to_builtins(one)] for row, one in sorted(self._open.items())]

    def load(self, state: list[list[Any]]) -> None:
        """Take over what `dump` gave."""
        self._open = {row: msgspec.convert(one, Incident) for row, one in state}


def _describe(
    i: int,
    weeks: Weeks,
    found: Drifting,
    *,
    identity: Identity,
    now_us: int,
    known: Incident | None,
) -> Incident:
    """The ticket of one series as this day leaves it."""
    plan = identity.plan
    moved, sd = float(found.moved[i]), float(found.sd[i])
    direction = ("down" if moved < 0 else "up") if known is None else known.direction
    interval = [round_one(math.expm1(moved + side * Z95 * sd)) for side in (-1, 1)]
    evidence = round_one(float(found.surprise[i]) / LN10)
    named = labels(identity, Reason.DRIFT, direction, TICKET)
    new_id = alert_id(
        *(named[name] for name in ("alertname", "metric", "dimension", "segment", "direction")),
        str(now_us),
    )
    incident = Incident(
        alert_id=new_id if known is None else known.alert_id,
        metric=plan.name,
        dimension=identity.dimension,
        segment=identity.segment,
        direction=direction,
        state=IncidentState.FIRING,
        started_at=to_rfc3339(weeks.start_us) if known is None else known.started_at,
        detected_at=to_rfc3339(now_us) if known is None else known.detected_at,
        value=round_one(float(weeks.value[i])),
        expected=round_one(float(weeks.before[i]) * math.exp(float(found.trend[i]))),
        relative_shift=round_one(math.expm1(moved)),
        interval=interval if all(map(math.isfinite, interval)) else None,
        n=round_one(float(weeks.n[i])),
        evidence=evidence if known is None else max(evidence, known.evidence),
        threshold=round_one(plan.drift_log_threshold / LN10),
        reason=Reason.DRIFT.label,
        severity=TICKET,
        owner=plan.owner,
        summary="",
        runbook_url=plan.runbook_url,
        updated_at=to_rfc3339(now_us),
        labels=named,
    )
    summary = _summary(plan, incident, float(found.trend[i]))
    return msgspec.structs.replace(incident, summary=summary)


def _summary(plan: MetricPlan, incident: Incident, trend: float) -> str:
    """What moved and how surely; that no moment is told, as none was looked for."""
    what = plan.name + text.place(incident.dimension, incident.segment)
    unit = "" if plan.unit_name in (None, "share") else f" {plan.unit_name}"
    side = "below" if (incident.relative_shift or 0.0) < 0 else "above"
    between = ""
    if incident.interval is not None:
        low, high = (percent(edge) for edge in incident.interval)
        between = f"95 % interval {low} to {high}, "
    grew = f", beyond {percent(math.expm1(trend))} a week as before" if trend else ""
    found = text.moment(from_rfc3339(incident.detected_at))
    return (
        f"{what} drifts {incident.direction}: its last 7 days lie {percent(incident.relative_shift)[1:]} "
        f"{side} the 7 before: {text.number(incident.value)}{unit} against "
        f"{text.number(incident.expected)}{unit} ({between}n = {text.number(incident.n)}){grew}. "
        f"Evidence: {text.odds(incident.evidence)} against a level that only wanders, as far as its "
        f"past weeks did (a drift needs {text.odds(incident.threshold)}); found at {found}. "
        "A drift is judged once a day, week against week; it has no moment of its own. "
        f"{text.contact_sentence(plan)}"
    )

"""What an incident is called: its id, and the labels by which Alertmanager tells it from others."""

from dataclasses import dataclass
from typing import Final

import xxhash

from monitor.definitions.plan import MetricPlan
from monitor.model.tick import Reason

TICKET: Final = "ticket"
DRIFT_ALERT: Final = "MetricDrift"
"""The label `alertname` of a drift."""
_ALERTNAMES: Final = {
    Reason.SILENT: "MetricSilent",
    Reason.NO_DATA: "MetricSilent",
    Reason.MEASUREMENT_MOVED: "MeasurementMoved",
    Reason.DRIFT: DRIFT_ALERT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which series a row is."""

    plan: MetricPlan
    dimension: str
    segment: str


def labels(identity: Identity, reason: Reason, direction: str, severity: str) -> dict[str, str]:
    """The labels of an incident."""
    return {
        "alertname": _ALERTNAMES.get(reason, "MetricShift"),
        "metric": identity.plan.name,
        "dimension": identity.dimension,
        "segment": identity.segment,
        "direction": direction,
        "severity": severity,
        "owner": identity.plan.owner or "",
    }


def alert_id(*parts: str) -> str:
    """The id of what these parts name, as hexadecimal digits."""
    return xxhash.xxh3_64_hexdigest("|".join(parts).encode())

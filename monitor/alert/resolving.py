"""How an incident ends."""

import msgspec

from monitor.alert import text
from monitor.model.incident import Incident, IncidentChanged, IncidentState
from monitor.model.tick import Reason
from monitor.model.time import to_rfc3339


def resolved(
    incident: Incident, reason: Reason, *, began_us: int, ended_us: int
) -> IncidentChanged:
    """A firing incident as resolved; `began_us` is when it began first."""
    ended = text.resolved_sentence(
        incident, reason, lasted_us=ended_us - began_us, ended_us=ended_us
    )
    over = msgspec.structs.replace(
        incident,
        state=IncidentState.RESOLVED,
        resolved_at=to_rfc3339(ended_us),
        updated_at=to_rfc3339(ended_us),
        reason=reason.label,
        summary=f"{ended} Before: {incident.summary}",
    )
    return IncidentChanged(incident=over, transition=True)

"""The life of incidents: pending, firing, resolved; one at most a series."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from monitor.alert.describing import Open, describe
from monitor.alert.ended import OVER, Earlier, Ended
from monitor.alert.identity import Identity
from monitor.alert.judged import Context, Judged
from monitor.alert.resolving import resolved
from monitor.model.incident import IncidentChanged, IncidentFaded, IncidentState
from monitor.model.tick import Decision, Reason

Change = IncidentChanged | IncidentFaded

_NO_CONTEXT = Context()


class Incidents:
    """The open incidents of a panel, by row."""

    def __init__(self) -> None:
        self._open: dict[int, Open] = {}
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
        held = describe(row, judged, identity, known if was_firing else None, context)
        earlier = self._ended.take(row, held.incident.labels) if firing and not was_firing else None
        if earlier is not None:
            if known is not None:  # was pending under an id of its own
                changes.append(IncidentFaded(alert_id=known.incident.alert_id))
            held = describe(row, judged, identity, None, context, earlier=earlier)
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
        return [resolved(incident, reason, began_us=held.began_us, ended_us=now_us)]

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
        self._open = {row: msgspec.convert(held, Open) for row, held in state["open"]}
        self._ended.load(state["ended"])

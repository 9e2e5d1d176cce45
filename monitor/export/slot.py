"""What one set of Alertmanager labels is to be told, and when: pure decisions over a clock's times."""

from dataclasses import dataclass
from datetime import datetime

from monitor.model.incident import Incident, IncidentState

RESOLVED_POSTS = 3
"""How often the end of an incident is posted, one interval apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a firing incident is posted again, and how long it is shown at least."""

    interval_us: int
    hold_us: int


@dataclass(slots=True)
class Slot:
    """The newest incident under one set of labels, and what Alertmanager knows of it.

    Attributes:
        incident: its newest state.
        due_us: when to post next.
        shown_us: when it was first posted as firing; None: not yet.
        ended_us: when its end was first posted, which stays its `endsAt`.
        ends_told: how often its end was posted.
    """

    incident: Incident
    due_us: int
    shown_us: int | None = None
    ended_us: int | None = None
    ends_told: int = 0

    @property
    def is_over(self) -> bool:
        """Whether the incident itself has ended."""
        return self.incident.state is IncidentState.RESOLVED

    @property
    def is_told(self) -> bool:
        """Whether Alertmanager knows how the incident stands."""
        return self.shown_us is not None and (not self.is_over or self.ends_told > 0)

    @property
    def is_done(self) -> bool:
        """Whether there is nothing left to tell."""
        return self.ends_told >= RESOLVED_POSTS

    def update(self, incident: Incident, now_us: int, pace: Pace) -> None:
        """A newer state of the same incident: a transition is due at once, new figures are not.

        An end is due when the incident was shown for long enough.
        """
        if incident.state is not self.incident.state:
            shown_us = now_us if self.shown_us is None else self.shown_us
            over = incident.state is IncidentState.RESOLVED and self.shown_us is not None
            self.due_us = max(now_us, shown_us + pace.hold_us) if over else now_us
            self.ended_us, self.ends_told = None, 0
        self.incident = incident

    def ends(self, now_us: int, pace: Pace) -> bool:
        """Whether a post of now says that it is over, or still shows it as firing."""
        if not self.is_over or self.shown_us is None:
            return False
        return now_us >= self.shown_us + pace.hold_us

    def told(self, now_us: int, pace: Pace) -> None:
        """A post that `ends` of the same time described has arrived."""
        self.due_us = now_us + pace.interval_us
        if self.ends(now_us, pace):
            self.ends_told += 1
            return
        if self.shown_us is None:
            self.shown_us = now_us
        if self.is_over:
            self.due_us = min(self.due_us, self.shown_us + pace.hold_us)

    def set_back(self, back_us: int) -> None:
        """The clock was set back by so much."""
        self.due_us -= back_us
        if self.shown_us is not None:
            self.shown_us -= back_us

    def yields_to(self, other: Incident) -> bool:
        """Whether another incident with the same labels takes its place.

        The end of an earlier one does not: what is shown is about the later one.
        """
        over = other.state is IncidentState.RESOLVED
        return not over or _detected(other) >= _detected(self.incident)


def _detected(incident: Incident) -> datetime:
    return datetime.fromisoformat(incident.detected_at)

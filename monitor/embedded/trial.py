"""One injection on its own machine: would it have been found, and after how long.

The machine of the trial parts from the replay's before the first frame that the injection changes: until then
both know the same. Its alerts are compared with the replay's, which is the control.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import msgspec
import numpy as np
import xxhash

from monitor.alert.figures import LN10
from monitor.alert.identity import DRIFT_ALERT
from monitor.alert.text import duration
from monitor.core.effects import ClosedBucket, Effect, Group, IncidentChanged
from monitor.core.machine import Machine
from monitor.definitions.plan import Plan
from monitor.embedded.inject import Injection
from monitor.embedded.shift import Shifter
from monitor.model.frame import Frame
from monitor.model.incident import Incident, IncidentState
from monitor.model.segment import parse_segment
from monitor.model.tick import State
from monitor.model.time import SECOND, from_rfc3339, to_rfc3339

WHOLE = "all"


class Outcome(StrEnum):
    """What became of an injection."""

    FOUND = "found"
    NOT_FOUND = "not_found"
    ALREADY_ALERTING = "already_alerting"
    STILL_LEARNING = "still_learning"
    NO_EVENTS = "no_events"
    OUTSIDE_HISTORY = "outside_history"


@dataclass(slots=True)
class _Seen:
    """What the trial's machine said of the shifted series.

    Attributes:
        buckets: of the shifted series, since the shift.
        learning: whether they were still learnt in its first bucket.
        few: buckets in which too few units were expected of them.
        peak: the highest evidence below its threshold, as a share of it, and whose it was: more than
            that is an alert, of this shift or of the history.
    """

    buckets: int = 0
    learning: bool = False
    few: int = 0
    peak: tuple[float, str, str] | None = None


class Trial:
    """Follows a replay with one shift injected.

    Args:
        plan: of the replay.
        injection: what to shift.
        until_us: when to stop following it; None follows to the end of the history.
        control: the alerts of the replay by id, where several trials share them.
    """

    def __init__(
        self,
        plan: Plan,
        injection: Injection,
        *,
        until_us: int | None = None,
        control: dict[str, Incident] | None = None,
    ) -> None:
        self.injection = injection
        self._until_us = until_us
        self._is_over = False
        self._plan = replace(plan, metrics=(injection.metric,), quality=())
        seed = xxhash.xxh64_intdigest(injection.text.encode())
        self._shifter = Shifter(injection, np.random.default_rng(seed))
        self._machine: Machine | None = None
        self._control: dict[str, Incident] = {} if control is None else control
        self._found: list[Incident] = []
        self._seen = _Seen()
        self._is_first = True

    def take(self, frame: Frame, machine: Machine) -> None:
        """Take a frame, before the replay's machine applies it."""
        if self._is_over:
            return
        name = self.injection.metric.name
        mine = [d for d in frame.deltas if d.metric == name]
        if self._machine is None:
            if not any((d.bucket >= self.injection.start_us).any() for d in mine):
                return
            self._machine, _ = Machine.restore(self._plan, 0, machine.snapshot())
        shifted = [self._shifter.apply(d) for d in mine]
        watermark = frame.watermark_us
        if self._until_us is not None:  # what comes later is not judged, and need not be
            watermark = min(watermark, self._until_us)
        changed = msgspec.structs.replace(frame, deltas=shifted, watermark_us=watermark)
        self._look(self._machine.apply(changed))
        if self._until_us is not None:
            ended = self._machine.watermark_us >= self._until_us
            if ended or self._first() is not None:
                self._is_over, self._machine = True, None

    @property
    def is_over(self) -> bool:
        """Whether it need not be followed any longer."""
        return self._is_over

    def control(self, effects: Sequence[Effect]) -> None:
        """Take what the replay's machine decided."""
        for effect in effects:
            if isinstance(effect, IncidentChanged):
                note_control(self._control, effect, self.injection.metric.name)

    def _look(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, ClosedBucket) and effect.start_us >= self.injection.start_us:
                for group in effect.groups:
                    self._look_at(effect, group)
                self._is_first = False
            elif isinstance(effect, IncidentChanged) and effect.transition:
                incident = effect.incident
                firing = incident.state is IncidentState.FIRING
                firing = firing and incident.labels.get("alertname") != DRIFT_ALERT
                if firing and incident.direction == self.injection.direction:
                    self._found.append(incident)

    def _look_at(self, effect: ClosedBucket, group: Group) -> None:
        dimensions = () if group.dimension == WHOLE else tuple(parse_segment(group.dimension))
        places = list(zip(group.rows.tolist(), group.segments, strict=True))
        own = [place for place in places if self._shifter.is_target(dimensions, place[1])]
        seen = self._seen
        if own and dimensions == self._shifter.named:
            states = effect.state[[row for row, _ in own]]
            seen.buckets += 1
            seen.few += bool((states == State.TOO_FEW_UNITS).all())
            seen.learning |= self._is_first and bool((states == State.LEARNING).all())
        for row, name in own if dimensions else places:
            share = float(effect.evidence[row] * LN10 / effect.log_threshold[row])
            if 1 > share > (seen.peak[0] if seen.peak else 0.0):
                seen.peak = share, group.dimension, name

    def result(self, span_us: tuple[int, int] | None) -> dict[str, Any]:
        """An entry of `injections` in `summary.json`.

        Args:
            span_us: earliest and newest event of the history.
        """
        injection = self.injection
        alert = self._first()
        body: dict[str, Any] = {
            "inject": injection.text,
            "metric": injection.metric.name,
            "dimension": injection.dimension or WHOLE,
            "segment": WHOLE if injection.value is None else injection.value,
            "shift": injection.shift,
            "at": to_rfc3339(injection.at_us),
            "severity": injection.metric.severity,
            "outcome": self._outcome(alert, span_us).value,
            "paged": alert is not None and alert.severity == "page",
            "delay_seconds": None,
            "alert": None,
            "peak_evidence_share": self._peak(alert),
            "notes": self._notes(span_us),
        }
        if alert is not None:
            delay_us = from_rfc3339(alert.detected_at) - injection.at_us
            body["delay_seconds"] = round(delay_us / SECOND)
            names = ("alert_id", "dimension", "segment", "detected_at", "evidence", "threshold")
            body["alert"] = {name: getattr(alert, name) for name in (*names, "summary")}
        return body

    def _peak(self, alert: Incident | None) -> float | None:
        """The highest evidence as a share of its threshold; 1 or more where an alert was found."""
        if alert is not None:
            return round(alert.evidence / alert.threshold, 4)
        return None if self._seen.peak is None else round(self._seen.peak[0], 4)

    def _first(self) -> Incident | None:
        """The first alert of the right direction that the control does not have."""
        for incident in self._found:
            later = from_rfc3339(incident.detected_at) > self.injection.at_us
            if later and not self._is_known(incident):
                return incident
        return None

    def _is_known(self, incident: Incident) -> bool:
        """Whether the same series has an alert in the control, without the shift, of that time.

        That one may be found later there, by the evidence that the shift adds here: what began no
        sooner than it tells of the history, not of the shift.
        """
        when, since = from_rfc3339(incident.detected_at), from_rfc3339(incident.started_at)
        return any(
            (other.dimension, other.segment, other.direction)
            == (incident.dimension, incident.segment, incident.direction)
            and (from_rfc3339(other.detected_at) <= when or from_rfc3339(other.started_at) <= since)
            and (other.resolved_at is None or from_rfc3339(other.resolved_at) >= when)
            for other in self._control.values()
        )

    def _open_at_start(self) -> Incident | None:
        """An alert of the series, or of the whole, that was open when the shift began."""
        injection = self.injection
        for other in self._control.values():
            began = from_rfc3339(other.detected_at) <= injection.at_us
            ended = other.resolved_at is not None and (
                from_rfc3339(other.resolved_at) <= injection.at_us
            )
            if began and not ended and self._is_here(other):
                return other
        return None

    def _open_later(self) -> Incident | None:
        """The first alert of the series, or of the whole, after the shift: the control has it too."""
        at = self.injection.at_us
        later = (one for one in self._found if from_rfc3339(one.detected_at) > at)
        return next(filter(self._is_here, later), None)

    def _is_here(self, incident: Incident) -> bool:
        """Whether it is one of the named series, or of the whole."""
        injection = self.injection
        series = (injection.dimension or WHOLE, injection.value or WHOLE)
        return (incident.dimension, incident.segment) in (series, (WHOLE, WHOLE))

    def _outcome(self, alert: Incident | None, span_us: tuple[int, int] | None) -> Outcome:
        at = self.injection.at_us
        if span_us is None or not span_us[0] <= at <= span_us[1]:
            return Outcome.OUTSIDE_HISTORY
        if alert is not None:
            return Outcome.FOUND
        if not self._seen.buckets:
            return Outcome.NO_EVENTS
        if self._seen.learning:
            return Outcome.STILL_LEARNING
        anyway = self._open_at_start() or self._open_later()
        return Outcome.ALREADY_ALERTING if anyway else Outcome.NOT_FOUND

    def _notes(self, span_us: tuple[int, int] | None) -> list[str]:
        """What a reader must know to take the outcome for what it is."""
        injection, seen, notes = self.injection, self._seen, []
        if span_us is not None and span_us[0] <= injection.at_us:
            left = span_us[1] - injection.at_us
            notes.append(f"{duration(left)} of history follow" if left >= 0 else "")
        own = None if self._first() or self._open_at_start() else self._open_later()
        if own is not None and from_rfc3339(own.started_at) > injection.at_us:
            quiet = duration(from_rfc3339(own.started_at) - injection.at_us)
            notes.append(f"nothing was found in the {quiet} until the shift of that alert began")
        if seen.few:
            notes.append(f"too few units to judge in {seen.few:,} of {seen.buckets:,} buckets")
        if injection.dimension:
            notes += [
                f"segments by {','.join(g)} stay as they were: no configured combination tells how "
                f"{injection.dimension}={injection.value} spreads over them"
                for g in self._shifter.unmoved
            ]
        if self._shifter.crowded:
            notes.append(
                "coarser series stay as they were in buckets of more units than are kept "
                f"({self._shifter.crowded:,} times)"
            )
        return [note for note in notes if note]


def note_control(known: dict[str, Incident], change: IncidentChanged, metric: str) -> None:
    """Keep an alert of a metric as it fired first, with the time of its end; drifts are apart."""
    incident = change.incident
    if incident.labels.get("alertname") == DRIFT_ALERT:
        return
    fired = change.transition and incident.state is not IncidentState.PENDING
    if fired and incident.metric == metric:
        first = known.get(incident.alert_id, incident)
        known[incident.alert_id] = msgspec.structs.replace(first, resolved_at=incident.resolved_at)

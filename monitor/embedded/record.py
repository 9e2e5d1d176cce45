"""The buckets around every alert, kept for a report: a ring of the newest ones, and what follows."""

from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from monitor.core.effects import ClosedBucket, Effect, Group, IncidentChanged
from monitor.core.lane_key import LaneKey
from monitor.core.quality_lane import quality_key
from monitor.definitions.plan import Plan
from monitor.model.incident import Incident, IncidentState
from monitor.model.tick import State
from monitor.model.time import from_rfc3339
from monitor.report.chart import COLUMNS, Chart, thinned
from monitor.report.page import Card

BEFORE = 240
"""Buckets kept of every series, so that an alert can show what came before it."""
SHOWN_BEFORE = 90
"""Buckets shown before an alert began; more where it took longer to find."""
AFTER = 30
"""Buckets shown after it was over."""
LONGEST = 3000
"""Buckets kept of an alert that is open: what follows in a longer one is not drawn."""
DRAWN = 480
"""Points of a chart; where there were more buckets, each stands for several."""
MOST = 200
"""Alerts kept, the most evident ones."""

Series = tuple[str, str, str]
"""(metric, dimension, segment)."""


@dataclass(slots=True)
class _Recording:
    """One alert, and its series since some time before.

    Attributes:
        incident: as it last fired, with the time of its end.
        points: the columns of a chart, bucket by bucket.
        left: buckets that are still to come after its end; None while it lasts.
        over: how it ended.
    """

    incident: Incident
    points: "array[float]"
    left: int | None = None
    over: str = ""


@dataclass(slots=True)
class _LaneRecord:
    """The newest buckets of one lane, and the alerts that are being recorded."""

    ring: deque[ClosedBucket] = field(default_factory=lambda: deque(maxlen=BEFORE))
    open: dict[str, _Recording] = field(default_factory=dict)
    layout: tuple[Group, ...] = ()
    rows: dict[Series, int] = field(default_factory=dict)

    def row(self, bucket: ClosedBucket, series: Series) -> int | None:
        """The row of a series; the layout is the same object from bucket to bucket."""
        if bucket.groups is not self.layout:
            self.layout = bucket.groups
            self.rows = {
                (group.metric, group.dimension, segment): row
                for group in bucket.groups
                for segment, row in zip(group.segments, group.rows.tolist(), strict=True)
            }
        return self.rows.get(series)

    def past(self, series: Series) -> "array[float]":
        """What the ring holds of a series."""
        points: array[float] = array("d")
        for bucket in self.ring:
            row = self.row(bucket, series)
            if row is not None:
                points.extend(_point(bucket, row))
        return points


class Recorder:
    """Follows a replay's effects and keeps a card for each of its most evident alerts.

    Memory is bounded: the ring of every lane, the alerts that are open, and `MOST` that are over.

    Args:
        plan: of the replay.
    """

    def __init__(self, plan: Plan) -> None:
        self._lane_of = {m.name: LaneKey.of(m) for m in plan.metrics}
        self._lane_of.update({m.name: quality_key(plan) for m in plan.quality})
        self._units = {m.name: m.unit_name for m in plan.known}
        self._lanes = {key: _LaneRecord() for key in self._lane_of.values()}
        self._kept: list[_Recording] = []
        self.left_out = 0

    def effects(self, effects: Sequence[Effect]) -> None:
        """Take what the core decided, in order."""
        for effect in effects:
            if isinstance(effect, ClosedBucket):
                if effect.groups:
                    self._closed(self._lanes[self._lane_of[effect.groups[0].metric]], effect)
            elif isinstance(effect, IncidentChanged):
                self._changed(effect.incident)

    def _closed(self, lane: _LaneRecord, bucket: ClosedBucket) -> None:
        if np.isin(bucket.state, (State.PARTIAL, State.IMMATURE)).all():
            return
        lane.ring.append(bucket)
        for alert_id, recording in list(lane.open.items()):
            row = lane.row(bucket, _series(recording.incident))
            if row is not None and len(recording.points) < LONGEST * len(COLUMNS):
                recording.points.extend(_point(bucket, row))
            if recording.left is not None:
                recording.left -= 1
                if recording.left <= 0:
                    self._keep(lane.open.pop(alert_id))

    def _changed(self, incident: Incident) -> None:
        lane = self._lanes[self._lane_of[incident.metric]]
        recording = lane.open.get(incident.alert_id)
        if recording is None:
            if incident.state is not IncidentState.FIRING:
                return
            # one that fired before is drawn anew: what is remembered of its series reaches back to it
            self._kept = [one for one in self._kept if one.incident.alert_id != incident.alert_id]
            points = lane.past(_series(incident))
            recording = lane.open[incident.alert_id] = _Recording(incident, points)
        if incident.state is IncidentState.FIRING:
            recording.incident, recording.left = incident, None
        elif recording.left is None:
            recording.left = AFTER
            before = recording.incident
            recording.over = incident.summary.removesuffix(f" Before: {before.summary}")
            recording.incident = msgspec.structs.replace(
                before, state=incident.state, resolved_at=incident.resolved_at
            )

    def _keep(self, recording: _Recording) -> None:
        self._kept.append(recording)
        if len(self._kept) > MOST:
            least = min(range(len(self._kept)), key=lambda i: self._kept[i].incident.evidence)
            del self._kept[least]
            self.left_out += 1

    def cards(self) -> list[Card]:
        """A card an alert, the most evident first; the replay is over."""
        for lane in self._lanes.values():
            for recording in lane.open.values():
                self._keep(recording)
            lane.open.clear()
        order = sorted(self._kept, key=lambda r: (-r.incident.evidence, r.incident.started_at))
        return [self._card(recording) for recording in order]

    def _card(self, recording: _Recording) -> Card:
        incident = recording.incident
        points = np.array(recording.points).reshape(-1, len(COLUMNS))
        began = int(np.searchsorted(points[:, 1], from_rfc3339(incident.started_at), "right"))
        shown, run = thinned(points[max(0, began - SHOWN_BEFORE) :], DRAWN)
        return Card(
            incident=incident,
            over=recording.over,
            run=run,
            chart=Chart(
                points=shown,
                threshold=incident.threshold,
                started_at=incident.started_at,
                detected_at=incident.detected_at,
                resolved_at=incident.resolved_at,
                unit=self._units[incident.metric],
                release=incident.release,
            ),
        )


def _series(incident: Incident) -> Series:
    return incident.metric, incident.dimension, incident.segment


def _point(bucket: ClosedBucket, row: int) -> list[float]:
    """The columns of a chart."""
    columns = (bucket.value, bucket.expected, bucket.lower, bucket.upper, bucket.evidence)
    return [bucket.start_us, bucket.end_us, *(float(column[row]) for column in columns)]

"""One shift at many times of a history: how often it is found, how fast, and what volume it takes.

The history is learnt once, by the replay's own machine. Each start parts from it and follows the shifted
continuation for a bounded time, or until it is found. Starts lie 11 h 25 min apart, which meets every hour of the
day and every weekday; where they become too many, every second one is given up.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from monitor.core.effects import ClosedBucket, Effect, IncidentChanged
from monitor.core.machine import Machine
from monitor.definitions.calendar import bucket_start
from monitor.definitions.plan import Plan
from monitor.embedded.detectable import needed_volume
from monitor.embedded.inject import TimelessInjection
from monitor.embedded.trial import Outcome, Trial, note_control
from monitor.model.frame import Frame
from monitor.model.incident import Incident
from monitor.model.tick import State
from monitor.model.time import DAY, HOUR, MINUTE, SECOND

MOST_STARTS = 40
STEP_US = 11 * HOUR + 25 * MINUTE
HORIZON_US = DAY
HORIZON_BUCKETS = 14
"""How long a shift is followed: a day, or so many buckets if that is longer."""
FRAME_US = 6 * HOUR
BLOCK_LINES = 50
"""A frame spans no more than about this while a survey runs: each start is followed from the beginning of the
frame in which it lies."""
_TOLD = (Outcome.FOUND, Outcome.NOT_FOUND)


class Survey:
    """Follows a replay with one shift injected at many times, each by itself.

    Args:
        plan: of the replay.
        injection: what to shift.
    """

    def __init__(self, plan: Plan, injection: TimelessInjection) -> None:
        self.injection = injection
        self._plan = plan
        calendar = injection.metric.calendar
        self._horizon_us = max(HORIZON_US, HORIZON_BUCKETS * calendar.width_us)
        self._step_us = max(STEP_US, calendar.width_us)
        self._first_us: int | None = None
        self._begun = 0
        self._stride = 1
        self._seen_us = 0
        self._trials: dict[int, Trial] = {}
        self._control: dict[str, Incident] = {}

    def take(self, frame: Frame, machine: Machine) -> None:
        """Take a frame, before the replay's machine applies it."""
        name = self.injection.metric.name
        newest = max(
            (int(d.bucket.max()) for d in frame.deltas if d.metric == name and len(d.bucket)),
            default=self._seen_us,
        )
        if self._first_us is not None:
            self._begin(newest)
        for trial in self._trials.values():
            trial.take(frame, machine)
        self._seen_us = max(self._seen_us, newest)

    def _begin(self, newest_us: int) -> None:
        """Open the trials that start within the frame; those before it would miss some of their events."""
        while (at_us := self._at(self._begun)) <= newest_us:
            if not self._begun and self._first_us is not None and at_us <= self._seen_us:
                self._first_us += self._step_us  # the first that is followed is always kept
                continue
            if self._begun % self._stride == 0 and at_us > self._seen_us:
                self._trials[self._begun] = Trial(
                    self._plan,
                    self.injection.at(at_us),
                    until_us=at_us + self._horizon_us,
                    control=self._control,
                )
            self._begun += 1
            if len(self._trials) > MOST_STARTS:
                self._stride *= 2
                self._trials = {i: t for i, t in self._trials.items() if i % self._stride == 0}

    def _at(self, index: int) -> int:
        at_us = (self._first_us or 0) + index * self._step_us
        calendar = self.injection.metric.calendar
        start_us = bucket_start(calendar, at_us)
        return start_us if start_us == at_us else bucket_start(calendar, at_us + calendar.width_us)

    def control(self, effects: Sequence[Effect]) -> None:
        """Take what the replay's machine decided."""
        name = self.injection.metric.name
        for effect in effects:
            if isinstance(effect, IncidentChanged):
                note_control(self._control, effect, name)
            elif self._first_us is None and isinstance(effect, ClosedBucket):
                self._look_for_readiness(effect)

    def _look_for_readiness(self, effect: ClosedBucket) -> None:
        injection = self.injection
        place = injection.metric.name, injection.dimension or "all"
        for group in effect.groups:
            if (group.metric, group.dimension) != place:
                continue
            for row, segment in zip(group.rows.tolist(), group.segments, strict=True):
                if segment == (injection.value or "all") and (
                    effect.state[row] not in (State.LEARNING, State.PARTIAL, State.IMMATURE)
                ):
                    self._first_us = effect.end_us

    def result(self, span_us: tuple[int, int] | None, machine: Machine) -> dict[str, Any]:
        """An entry of `surveys` in `summary.json`.

        Args:
            span_us: earliest and newest event of the history.
            machine: of the replay, at its end.
        """
        injection = self.injection
        newest = span_us[1] if span_us else 0
        trials = [t for _, t in sorted(self._trials.items())]
        whole = [t for t in trials if t.injection.at_us + self._horizon_us <= newest]
        results = [t.result(span_us) for t in whole]
        told = [one for one in results if one["outcome"] in _TOLD]
        delays = [one["delay_seconds"] for one in told if one["outcome"] == Outcome.FOUND]
        late = [*sorted(delays), *[np.inf] * (len(told) - len(delays))]
        return {
            "inject": injection.text,
            "metric": injection.metric.name,
            "dimension": injection.dimension or "all",
            "segment": injection.value or "all",
            "shift": injection.shift,
            "severity": injection.metric.severity,
            "horizon_seconds": self._horizon_us / SECOND,
            "starts": len(results),
            "judged": len(told),
            "share_paged": len(delays) / len(told) if told else None,
            "delay_seconds": {"median": _quantile(late, 0.5), "p90": _quantile(late, 0.9)},
            "volume": needed_volume(machine, injection, newest) if span_us else None,
            "trials": [
                {name: one[name] for name in ("at", "outcome", "delay_seconds")} for one in results
            ],
            "notes": self._notes(results, trials),
        }

    def _notes(self, results: list[dict[str, Any]], trials: list[Trial]) -> list[str]:
        """What a reader must know to take the shares for what they are."""
        notes = []
        if self._first_us is None:
            notes.append(
                "the series still learns at the end of the history: nothing could be tried"
            )
        elif not results:
            notes.append(f"less than {self._horizon_us / HOUR:g} h of history follow its learning")
        anyway = sum(one["outcome"] == Outcome.ALREADY_ALERTING for one in results)
        if anyway:
            notes.append(f"{anyway} more starts cannot be told apart from alerts of the history")
        if trials:
            notes += [
                note for note in trials[0].result(None)["notes"] if note.startswith("segments by")
            ]
        return notes


def _quantile(values: list[float], share: float) -> float | None:
    """The delay within which this share is found; None where fewer are."""
    if not values:
        return None
    value = values[max(int(np.ceil(share * len(values))) - 1, 0)]
    return None if np.isinf(value) else value

"""A lane of cohorts: a bucket is shown when it ends, and judged once its units have had their time.

Judged buckets go through the stages as any other, by the time of their cohort. What an incident says of
itself is by the time at which it could be known (`Judged.known_us`): it starts with a cohort, and is
detected when that cohort was mature.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from monitor.aggregate.cohort_panel import CohortPanel
from monitor.aggregate.derived_panel import DerivedPanel
from monitor.aggregate.horizon import Horizon, Longest
from monitor.aggregate.ledger_past import LedgerPast
from monitor.aggregate.panel import Panel, Tick
from monitor.core.effects import ClosedBucket, Effect, RestatedBucket, RunningBucket
from monitor.core.lane import Lane
from monitor.core.lane_key import LaneKey
from monitor.definitions.plan import MetricPlan, Plan
from monitor.model.tick import Floats, State

_NOTHING: Floats = np.empty(0)


class CohortLane(Lane):
    """Everything that is kept and decided for the cohorts of one calendar and horizon."""

    cohorts: CohortPanel
    _evidence: Floats = _NOTHING

    def _open_panel(
        self,
        key: LaneKey,
        metrics: list[MetricPlan],
        plan: Plan,
        state: dict[str, Any] | None,
    ) -> Panel:
        derived = isinstance(key.horizon, Longest)
        self.cohorts = (DerivedPanel if derived else CohortPanel)(
            key.calendar,
            metrics,
            key.horizon or Horizon(),
            cardinality=plan.cardinality,
            restatement_us=plan.restatement_window_us,
            state=state,
        )
        return self.cohorts

    def close(self, until_us: int) -> list[Effect]:
        """Show the next bucket whose events are there; judge those whose units have had their time."""
        start_us, end_us = self.cohorts.gather(until_us)
        judged = self._mature(end_us, until_us)
        if not self.shows_running:
            return judged
        return [*map(self._running, self.cohorts.running(start_us, end_us)), *judged]

    def finish(self, watermark_us: int) -> list[Effect]:
        """The end of a replay: what is mature by now is judged, the rest stays `immature`.

        What came late for the rest restates it, as it does what was judged.
        """
        self.cohorts.end_input()
        effects = [*self._mature(watermark_us, watermark_us), *self.restate()]
        for tick in self.cohorts.partials():
            ended = self.cohorts.is_ended(tick)
            effects.append(self._partial(tick, State.IMMATURE if ended else State.PARTIAL))
            if self.panel.is_late_due():
                effects += self._restate_unjudged(watermark_us)
        return effects + self._restate_unjudged(watermark_us)

    def _restate_unjudged(self, watermark_us: int) -> list[Effect]:
        """Apply the late events so far; cohorts that are not mature by then were not judged."""
        return [
            replace(effect, unjudged=State.IMMATURE)
            if isinstance(effect, RestatedBucket)
            and self.cohorts.horizon.mature_us(effect.end_us) > watermark_us
            else effect
            for effect in self.restate()
        ]

    def _mature(self, limit_us: int, until_us: int) -> list[Effect]:
        effects: list[Effect] = []
        while (known_us := self.cohorts.mature_us(limit_us)) is not None:
            if self.panel.is_late_due():
                effects += self.restate()
            effects += self._judge(self.panel.close(until_us), known_us)
        return effects

    def _judge(self, tick: Tick, known_us: int) -> list[Effect]:
        effects = super()._judge(tick, known_us)
        for effect in effects:
            if isinstance(effect, ClosedBucket):
                given_away = self.panel.series.table["metric"][: len(effect.evidence)] < 0
                self._evidence = np.where(given_away, np.nan, effect.evidence)
        return effects

    def _running(self, tick: Tick) -> RunningBucket:
        """A bucket that nobody judges: with what is expected, and the evidence so far."""
        bucket = self._partial(tick, State.IMMATURE)
        evidence = np.full(len(tick.value), np.nan)
        evidence[: len(self._evidence)] = self._evidence
        return RunningBucket(bucket=replace(bucket, evidence=evidence))

    def dump(self) -> dict[str, Any]:
        """The state as plain values and arrays."""
        return {**super().dump(), "evidence": self._evidence}

    def _load(self, state: dict[str, Any]) -> None:
        super()._load(state)
        self._evidence = state["evidence"].copy()
        gone = self.panel.gone
        self._evidence[gone[gone < len(self._evidence)]] = np.nan  # younger rows have none yet


def open_lane(
    key: LaneKey,
    metrics: list[MetricPlan],
    plan: Plan,
    past: LedgerPast,
    state: dict[str, Any] | None,
) -> Lane:
    """The lane of a key."""
    kind = Lane if key.horizon is None else CohortLane
    return kind(key, metrics, plan, past, state)

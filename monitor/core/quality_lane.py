"""The lane of the measurement: its panel is fed from the ledgers of frames, the same in every shard.

Every shard keeps and judges it, so that each knows what fell silent; only the shard of a metric's name
says so (`Plan.shard_of`).
"""

from collections.abc import Sequence, Set
from dataclasses import replace
from typing import Any

import numpy as np

from monitor.aggregate.ledger_past import LedgerPast
from monitor.aggregate.ledger_series import LedgerSeries
from monitor.aggregate.panel import Panel, Tick
from monitor.aggregate.series import ALL
from monitor.core.effects import ClosedBucket, Effect, RestatedBucket
from monitor.core.lane import Lane
from monitor.core.lane_key import LaneKey
from monitor.core.measurement import Qualities
from monitor.definitions.plan import MetricPlan, Plan
from monitor.definitions.quality import VOLUME, needed_fields
from monitor.model.frame import Frame
from monitor.model.incident import IncidentChanged, IncidentFaded
from monitor.model.segment import parse_segment
from monitor.model.tick import Decision, Expectation, Observation, State


class QualityLane(Lane):
    """Everything that is kept and decided of the measurement itself.

    Attributes:
        silent: dimensions and segments of volumes that have fallen silent, or are about to be found so.
    """

    def _open_panel(
        self, key: LaneKey, metrics: list[MetricPlan], plan: Plan, state: dict[str, Any] | None
    ) -> Panel:
        fields = needed_fields(plan.metrics)
        self._series = LedgerSeries(metrics, fields)
        self.silent: list[tuple[str, str]] = []
        return Panel(
            key.calendar,
            metrics,
            cardinality=max(plan.cardinality, *map(len, (fields, *fields.values()))),
            restatement_us=plan.restatement_window_us,
            state=state,
        )

    def take(self, frame: Frame) -> None:
        """Take in what a frame says of the measurement."""
        for deltas in self._series.deltas(frame):
            self.panel.merge(deltas)

    def of(self, events: Set[str]) -> list[dict[str, str]]:
        """Dimensions and segments of events of these names that fell silent."""
        return [
            {"dimension": dimension, "segment": segment}
            for dimension, segment in self.silent
            if parse_segment(segment)[0] in events
        ]

    def _judge(self, tick: Tick, known_us: int) -> list[Effect]:
        effects = super()._judge(tick, known_us)
        self.silent = []
        for row in self.incidents.rows():
            identity = self.contexts.identity(row)
            if identity.plan.name == VOLUME and identity.dimension != ALL:
                self.silent.append((identity.dimension, identity.segment))
        return effects

    def dump(self) -> dict[str, Any]:
        """The state as plain values and arrays."""
        return {**super().dump(), "silent": [list(one) for one in self.silent]}

    def _load(self, state: dict[str, Any]) -> None:
        super()._load(state)
        self.silent = [(dimension, segment) for dimension, segment in state["silent"]]

    def _closed_bucket(
        self,
        tick: Tick,
        expectation: Expectation,
        decision: Decision | None,
        unjudged: State = State.PARTIAL,
    ) -> ClosedBucket:
        if self.shows_running:
            return super()._closed_bucket(tick, expectation, decision, unjudged)
        return _unsaid(tick)

    def _quality(self, seen: Observation) -> Qualities:  # noqa: ARG002 - as every lane's
        return {}

    def _as_judged(self, seen: Observation) -> Observation:
        """Volume is judged for silence only: an empty bucket of it says nothing else."""
        index = next(i for i, m in enumerate(self.panel.metrics) if m.name == VOLUME)
        volume = self.panel.series.table["metric"][: len(seen.x)] == index
        return replace(seen, observed=seen.observed & ~(volume & (seen.x <= 0)))


def _unsaid(tick: Tick) -> ClosedBucket:
    """A bucket that nobody reads."""
    seen = tick.observation
    nothing = np.empty(0)
    return ClosedBucket(
        start_us=seen.start_us,
        end_us=seen.end_us,
        groups=(),
        state=np.empty(0, dtype=np.int8),
        value=nothing,
        n=nothing,
        expected=nothing,
        lower=nothing,
        upper=nothing,
        window_value=nothing,
        evidence=nothing,
        log_threshold=nothing,
        measures=nothing,
        learning_seconds=nothing,
    )


class Voice:
    """Lets pass what a shard is to say of the measurement.

    Args:
        plan: the compiled definitions.
        shard: whose it is.
    """

    def __init__(self, plan: Plan, shard: int) -> None:
        self._own = {m.name for m in plan.quality if plan.shard_of(m.name) == shard}

    def of(self, effects: Sequence[Effect]) -> list[Effect]:
        """The effects of the lane that are this shard's to say."""
        return [one for effect in effects if (one := self._part(effect)) is not None]

    def _part(self, effect: Effect) -> Effect | None:
        if isinstance(effect, ClosedBucket | RestatedBucket):
            groups = tuple(group for group in effect.groups if group.metric in self._own)
            return replace(effect, groups=groups) if groups else None
        if isinstance(effect, IncidentChanged):
            return effect if effect.incident.metric in self._own else None
        return effect if isinstance(effect, IncidentFaded) else None


def quality_key(plan: Plan) -> LaneKey:
    """The key of the lane of a plan's metrics of the measurement."""
    return LaneKey(calendar=plan.quality[0].calendar, quality=True)


def open_quality_lane(plan: Plan, past: LedgerPast, state: dict[str, Any] | None) -> QualityLane:
    """The lane of a plan's metrics of the measurement."""
    return QualityLane(quality_key(plan), list(plan.quality), plan, past, state)

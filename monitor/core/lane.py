"""One panel with its baseline, guard and incidents: a closed bucket goes through the stages here.

aggregate -> baseline -> guard -> diagnose -> alert
"""

from dataclasses import replace
from typing import Any

import numpy as np

from monitor.aggregate.late import Restatement
from monitor.aggregate.ledger_past import LedgerPast
from monitor.aggregate.panel import Panel, Tick
from monitor.aggregate.series import ALL
from monitor.alert.judged import Judged
from monitor.alert.lifecycle import Change, Incidents
from monitor.baseline import Baseline
from monitor.core.contexts import Contexts
from monitor.core.drifts import LaneDrifts
from monitor.core.effects import ClosedBucket, Effect, Group, RestatedBucket
from monitor.core.lane_key import LaneKey
from monitor.core.measured import MeasuredTickets
from monitor.core.measurement import Measurement, Qualities
from monitor.core.releases import LaneReleases
from monitor.definitions.plan import MetricPlan, Plan
from monitor.guard import Guard, band_edges
from monitor.model.segment import format_segment
from monitor.model.tick import (
    Bools,
    Decision,
    Expectation,
    Ints,
    Observation,
    Reason,
    State,
    Traits,
)
from monitor.model.time import FOREVER, HOUR, SECOND
from monitor.stats.exact import round_significant

LN10 = float(np.log(10))
LAYOUTS_KEPT = 2
"""Of cohorts two buckets are written in turn, which may differ in their series."""


class Lane:
    """Everything that is kept and decided for the metrics of one calendar.

    Args:
        key: what its metrics have in common.
        past: what was seen of the measurement.
        state: what `dump` gave, perhaps under other definitions.

    Attributes:
        key: as given.
        shows_running: whether what is not a decision of the definitions' metrics is told: cohorts before they
            can be judged, buckets of the measurement. Decisions are the same.
        panel: series and buckets.
        changes: incidents that ended because `state` does not fit the definitions any more.
    """

    def __init__(
        self,
        key: LaneKey,
        metrics: list[MetricPlan],
        plan: Plan,
        past: LedgerPast,
        state: dict[str, Any] | None = None,
    ) -> None:
        self.key = key
        self.panel = self._open_panel(key, metrics, plan, None if state is None else state["panel"])
        width = key.calendar.width_us
        self.baseline = Baseline(
            bucket_us=width, timezones=self.panel.series.timezones, holidays=plan.holidays
        )
        self.guard = Guard(bucket_us=width)
        self.incidents = Incidents()
        self.measurement = Measurement(past, metrics)
        self.contexts = Contexts(self.panel, self.measurement)
        self.tickets = MeasuredTickets()
        self.releases = LaneReleases(plan, self.panel, self.baseline)
        self.drifts = LaneDrifts(self.panel, self.baseline, self.contexts)
        self.changes: list[Change] = []
        self.shows_running = True
        self._groups: dict[tuple[int, int], tuple[Group, ...]] = {}
        if state is not None:
            self._load(state)

    def _open_panel(
        self,
        key: LaneKey,
        metrics: list[MetricPlan],
        plan: Plan,
        state: dict[str, Any] | None,
    ) -> Panel:
        return Panel(
            key.calendar,
            metrics,
            cardinality=plan.cardinality,
            restatement_us=plan.restatement_window_us,
            state=state,
        )

    def close(self, until_us: int) -> list[Effect]:
        """Close the panel's next bucket, judge it, learn from it."""
        late = self.restate() if self.panel.is_late_due() else []
        tick = self.panel.close(until_us)
        return [*late, *self._judge(tick, tick.observation.end_us)]

    def _judge(self, tick: Tick, known_us: int) -> list[Effect]:
        """Judge a closed bucket, known since then, and learn from it."""
        seen = tick.observation
        self._grow()
        traits = self.panel.series.traits()
        expectation = self.baseline.expect(seen.start_us, seen.end_us, traits)
        if tick.partial:
            return [self._closed_bucket(tick, expectation, None)]
        if expectation.tail is not None:  # some rows are quantiles, judged by ranks
            seen = replace(seen, above=self.panel.above(tick, band_edges(expectation, traits)))
        decision = self.guard.step(self._as_judged(seen), expectation, traits)
        judged = Judged(
            end_us=seen.end_us,
            width_us=self.panel.calendar.width_us,
            known_us=known_us,
            traits=traits,
            expectation=expectation,
            decision=decision,
            releases=self.releases.known,
        )
        changes = self._update_incidents(judged)
        measured = self.incidents.measured()
        released = self.releases.step(tick, expectation, traits, decision, suspect=measured)
        changes += self._end_unaccounted(measured, judged)
        hold, incident_start = _held(decision, traits)
        accepted = decision.closed & (decision.reason == Reason.NEW_NORMAL)
        self.baseline.learn(
            seen,
            expectation,
            traits,
            hold=hold,
            incident_start_us=incident_start,
            accepted=accepted,
        )
        changes += self.drifts.step(seen.end_us, known_us, traits, accepted)
        bucket = self._closed_bucket(tick, expectation, decision)
        _mark_measured(bucket, measured)
        retired = self._retire(seen.start_us, seen.end_us, known_us)
        return [bucket, *changes, *released, *retired]

    def _as_judged(self, seen: Observation) -> Observation:
        """What the guard is given of a bucket."""
        return seen

    def restate(self) -> list[Effect]:
        """Apply the late events so far to closed buckets."""
        return [self._restated(r) for r in self.panel.restatements()]

    def finish(self, watermark_us: int) -> list[Effect]:  # noqa: ARG002 - cohorts need it
        """The end of a replay: late events that still wait, and the buckets that never ended."""
        return [*self.restate(), *map(self._partial, self.panel.partials())]

    def _partial(self, tick: Tick, state: State = State.PARTIAL) -> ClosedBucket:
        self._grow()
        traits = self.panel.series.traits()
        seen = tick.observation
        expectation = self.baseline.expect(seen.start_us, seen.end_us, traits)
        return self._closed_bucket(tick, expectation, None, state)

    def end_history(self) -> list[Effect]:
        """Close what is open, without recovery, and keep only what was learnt."""
        late = self.restate()
        ended = self.incidents.drop(self.incidents.rows(), None, Reason.HISTORY_ENDED)
        ended += self.drifts.end_history()
        self.guard.clear(np.arange(self.guard.size))
        self.panel.end_history()
        return [*late, *ended]

    def _update_incidents(self, judged: Judged) -> list[Change]:
        rows = self.incidents.rows_of_interest(judged.decision)
        if not rows:
            return []
        look = self.contexts
        identities = {row: look.identity(row) for row in rows}
        known = set(self.incidents.rows())
        contexts = {
            row: look.context(row, judged) if judged.decision.open[row] else look.seen(row, judged)
            for row in rows
            if judged.decision.open[row] or row not in known
        }
        return self.incidents.update(judged, identities, contexts)

    def _end_unaccounted(self, measured: list[int], judged: Judged) -> list[Change]:
        """End the tickets of a measurement that no longer accounts for what is left of the shift."""
        rows = self.tickets.unaccounted(measured, judged, self.contexts)
        if not rows:
            return []
        self.guard.end(np.array(rows), judged.traits)
        return self.incidents.drop(rows, judged.known_us, Reason.MEASUREMENT_RETURNED)

    def _retire(self, start_us: int, end_us: int, known_us: int) -> list[Change]:
        if start_us // HOUR == end_us // HOUR:
            return []  # once an hour is often enough
        rows = self.panel.retire(end_us)
        if not len(rows):
            return []
        self.baseline.clear(rows)
        self.guard.clear(rows)
        self.releases.clear(rows)
        gone = self.drifts.clear(rows, known_us, Reason.SERIES_RETIRED)
        return [*self.incidents.drop(rows.tolist(), known_us, Reason.SERIES_RETIRED), *gone]

    def _grow(self) -> None:
        more = self.panel.series.size - self.guard.size
        if more > 0:
            self.baseline.append(more)
            self.guard.append(more)
            self.drifts.append(more)

    def _closed_bucket(
        self,
        tick: Tick,
        expectation: Expectation,
        decision: Decision | None,
        unjudged: State = State.PARTIAL,
    ) -> ClosedBucket:
        seen = tick.observation
        size = len(seen.x)
        undefined = np.full(size, np.nan)
        log_threshold = self.panel.series.table["log_threshold"]
        state = np.full(size, unjudged, dtype=np.int8) if decision is None else decision.state
        evidence = undefined
        if decision is not None:
            evidence = np.where(np.isfinite(decision.log_m), decision.log_m / LN10, np.nan)
        return ClosedBucket(
            start_us=seen.start_us,
            end_us=seen.end_us,
            groups=self._layout(tick.alive),
            state=state,
            value=round_significant(tick.value),
            n=round_significant(seen.n),
            expected=round_significant(expectation.level),
            lower=undefined if decision is None else round_significant(decision.lower),
            upper=undefined if decision is None else round_significant(decision.upper),
            window_value=round_significant(tick.window_value),
            evidence=round_significant(evidence),
            log_threshold=log_threshold.copy(),
            measures=round_significant(tick.measures),
            learning_seconds=np.where(
                expectation.ready, np.nan, np.ceil(expectation.learning_us / SECOND)
            ),
            quality=self._quality(seen),
        )

    def _quality(self, seen: Observation) -> Qualities:
        """What was seen of the measurement in a bucket."""
        return self.measurement.of_bucket(seen.start_us, seen.end_us)

    def _restated(self, change: Restatement) -> RestatedBucket:
        table = self.panel.series.table
        metric, group = table["metric"][change.rows], table["group"][change.rows]
        groups = tuple(
            self._group(m, g, np.flatnonzero((metric == m) & (group == g)), change.rows)
            for m, g in sorted(set(zip(metric.tolist(), group.tolist(), strict=True)))
        )
        return RestatedBucket(
            start_us=change.start_us,
            end_us=change.end_us,
            groups=groups,
            revision=change.revision,
            value=round_significant(change.value),
            n=round_significant(change.n),
            window_value=round_significant(change.window_value),
            measures=round_significant(change.measures),
        )

    def _layout(self, alive: Bools) -> tuple[Group, ...]:
        """Rows of each metric and grouping, kept until a series comes or goes."""
        key = (self.panel.series.version, int(alive.sum()))
        if key not in self._groups:
            if len(self._groups) >= LAYOUTS_KEPT:
                del self._groups[next(iter(self._groups))]
            table = self.panel.series.table
            used = np.flatnonzero(alive & (table["metric"] >= 0))
            found = table["metric"][used], table["group"][used]
            pairs = sorted(set(zip(*(column.tolist() for column in found), strict=True)))
            self._groups[key] = tuple(
                self._group(m, g, used[(found[0] == m) & (found[1] == g)]) for m, g in pairs
            )
        return self._groups[key]

    def _group(self, metric: int, group: int, at: Ints, rows: Ints | None = None) -> Group:
        """A group whose `rows` are `at`, sorted by segment; `rows` maps them to panel rows."""
        plan = self.panel.metrics[metric]
        names = self.panel.series.segments
        panel_rows = at if rows is None else rows[at]
        order = sorted(range(len(at)), key=lambda i: names[panel_rows[i]])
        dimensions = plan.groupings[group]
        return Group(
            metric=plan.name,
            dimension=format_segment(dimensions) if dimensions else ALL,
            segments=tuple(names[panel_rows[i]] for i in order),
            rows=at[order],
            measures=tuple(m.name for m in plan.measures),
        )

    def dump(self) -> dict[str, Any]:
        """The state as plain values and arrays."""
        return {
            "key": self.key.dump(),
            "panel": self.panel.dump(),
            "baseline": self.baseline.dump(),
            "guard": self.guard.dump(),
            "incidents": self.incidents.dump(),
            "tickets": self.tickets.dump(),
            "releases": self.releases.dump(),
            "drifts": self.drifts.dump(),
        }

    def _load(self, state: dict[str, Any]) -> None:
        self.baseline.load(state["baseline"])
        self.guard.load(state["guard"])
        self.incidents.load(state["incidents"])
        self.tickets.load(state.get("tickets", []))
        self.changes = self.incidents.drop(
            self.panel.gone.tolist(), None, Reason.DEFINITION_CHANGED
        )
        self.drifts.load(state["drifts"])
        self._grow()  # first: the panel may hold rows of buckets that were not judged yet
        if len(self.panel.gone):
            self.baseline.clear(self.panel.gone)
            self.guard.clear(self.panel.gone)
            self.changes += self.drifts.clear(self.panel.gone, None, Reason.DEFINITION_CHANGED)
        if "releases" in state:
            self.releases.load(state["releases"])
            self.releases.clear(self.panel.gone)


def _mark_measured(bucket: ClosedBucket, rows: list[int]) -> None:
    """Say of alerting rows that it is their measurement that moved."""
    at = np.array(rows, dtype=np.int64)
    bucket.state[at[bucket.state[at] == State.ALERTING]] = State.MEASUREMENT_MOVED


def _held(decision: Decision, traits: Traits) -> tuple[Bools, Ints]:
    """Rows that must not learn their level, and since when their hours are not to be trusted."""
    hold = decision.open | decision.pending
    start = np.where(decision.open, decision.start_us, FOREVER)
    return hold | traits.under(hold), traits.least_above(start)

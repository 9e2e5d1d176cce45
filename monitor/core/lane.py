"""One panel with its baseline, guard and incidents: a closed bucket goes through the stages here.

aggregate -> baseline -> guard -> diagnose -> alert
"""

from dataclasses import replace
from typing import Any

import numpy as np

from monitor.aggregate.late import Restatement
from monitor.aggregate.panel import Panel, Tick
from monitor.aggregate.series import ALL
from monitor.alert.lifecycle import Change, Context, Identity, Incidents, Judged
from monitor.baseline import Baseline
from monitor.core.effects import ClosedBucket, Effect, Group, RestatedBucket
from monitor.core.lane_key import LaneKey
from monitor.definitions.plan import MetricPlan, Plan
from monitor.diagnose import blamed_segments
from monitor.guard import Guard, band_edges
from monitor.model.segment import format_segment
from monitor.model.tick import Bools, Decision, Expectation, Ints, Reason, State, Traits
from monitor.model.time import FOREVER, HOUR, SECOND
from monitor.stats.exact import round_one, round_significant

LN10 = float(np.log(10))
LAYOUTS_KEPT = 2
"""Of cohorts two buckets are written in turn, which may differ in their series."""


class Lane:
    """Everything that is kept and decided for the metrics of one calendar.

    Args:
        key: what its metrics have in common.
        state: what `dump` gave, perhaps under other definitions.

    Attributes:
        key: as given.
        shows_running: whether cohorts are shown before they can be judged; decisions are the same.
        panel: series and buckets.
        changes: incidents that ended because `state` does not fit the definitions any more.
    """

    def __init__(
        self,
        key: LaneKey,
        metrics: list[MetricPlan],
        plan: Plan,
        state: dict[str, Any] | None = None,
    ) -> None:
        self.key = key
        self.panel = self._open_panel(key, metrics, plan, None if state is None else state["panel"])
        width = key.calendar.width_us
        self.baseline = Baseline(bucket_us=width, timezones=self.panel.series.timezones)
        self.guard = Guard(bucket_us=width)
        self.incidents = Incidents()
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
        decision = self.guard.step(seen, expectation, traits)
        judged = Judged(
            end_us=seen.end_us,
            width_us=self.panel.calendar.width_us,
            known_us=known_us,
            traits=traits,
            expectation=expectation,
            decision=decision,
        )
        changes = self._update_incidents(judged)
        hold, incident_start = _held(decision, traits)
        self.baseline.learn(
            seen,
            expectation,
            traits,
            hold=hold,
            incident_start_us=incident_start,
            accepted=decision.closed & (decision.reason == Reason.NEW_NORMAL),
        )
        bucket = self._closed_bucket(tick, expectation, decision)
        return [bucket, *changes, *self._retire(seen.start_us, seen.end_us, known_us)]

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
        self.guard.clear(np.arange(self.guard.size))
        self.panel.end_history()
        return [*late, *ended]

    def _update_incidents(self, judged: Judged) -> list[Change]:
        rows = self.incidents.rows_of_interest(judged.decision)
        if not rows:
            return []
        identities = {row: self._identity(row) for row in rows}
        contexts = {row: self._context(row, judged) for row in rows if judged.decision.open[row]}
        return self.incidents.update(judged, identities, contexts)

    def _identity(self, row: int) -> Identity:
        table = self.panel.series.table
        metric = self.panel.metrics[int(table["metric"][row])]
        dimensions = metric.groupings[int(table["group"][row])]
        return Identity(
            plan=metric,
            dimension=format_segment(dimensions) if dimensions else ALL,
            segment=self.panel.series.segments[row],
        )

    def _context(self, row: int, judged: Judged) -> Context:
        decision, parent = judged.decision, judged.traits.parent
        family = np.flatnonzero((parent == row) | (np.arange(len(parent)) == row))
        quiet = (decision.reason[family] == Reason.SILENT) | (
            decision.state[family] == State.NO_DATA
        )
        silent = [self._place(r) for r in family[quiet].tolist()]
        blamed = blamed_segments(row, decision, judged.expectation, judged.traits)
        segments = [{**self._place(r), **_rounded(figures)} for r, figures in blamed]
        return Context(segments=segments, silent=silent)

    def _place(self, row: int) -> dict[str, str]:
        identity = self._identity(row)
        return {"dimension": identity.dimension, "segment": identity.segment}

    def _retire(self, start_us: int, end_us: int, known_us: int) -> list[Change]:
        if start_us // HOUR == end_us // HOUR:
            return []  # once an hour is often enough
        rows = self.panel.retire(end_us)
        if not len(rows):
            return []
        self.baseline.clear(rows)
        self.guard.clear(rows)
        return self.incidents.drop(rows.tolist(), known_us, Reason.SERIES_RETIRED)

    def _grow(self) -> None:
        more = self.panel.series.size - self.guard.size
        if more > 0:
            self.baseline.append(more)
            self.guard.append(more)

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
        )

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
        }

    def _load(self, state: dict[str, Any]) -> None:
        self.baseline.load(state["baseline"])
        self.guard.load(state["guard"])
        self.incidents.load(state["incidents"])
        self.changes = self.incidents.drop(
            self.panel.gone.tolist(), None, Reason.DEFINITION_CHANGED
        )
        self._grow()  # first: the panel may hold rows of buckets that were not judged yet
        if len(self.panel.gone):
            self.baseline.clear(self.panel.gone)
            self.guard.clear(self.panel.gone)


def _rounded(figures: dict[str, float | None]) -> dict[str, float | None]:
    return {name: None if v is None else round_one(v) for name, v in figures.items()}


def _held(decision: Decision, traits: Traits) -> tuple[Bools, Ints]:
    """Rows that must not learn their level, and since when their hours are not to be trusted."""
    hold = decision.open | decision.pending
    start = np.where(decision.open, decision.start_us, FOREVER)
    return hold | traits.under(hold), traits.least_above(start)

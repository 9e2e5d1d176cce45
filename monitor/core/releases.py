"""The releases that a lane watches: each closed bucket is bet on against the level of before.

A release that is told late, or whose end is, is judged from the closed buckets that the panel keeps.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from monitor.aggregate.panel import Panel, Tick
from monitor.baseline import Baseline
from monitor.core.canary import Canary
from monitor.core.frozen import frozen_bucket, subset_traits, unpredicted
from monitor.core.past_levels import PastLevels
from monitor.definitions.plan import MetricPlan, Plan
from monitor.guard.bets import BAND_SDS, UP, WEIGHTS, Bets
from monitor.model.release import Release
from monitor.model.table import Column, Table
from monitor.model.tick import Bools, Decision, Expectation, Ints, Observation, State, Traits
from monitor.model.time import NEVER
from monitor.release.book import Window
from monitor.release.evidence import Note, ReleaseJudged
from monitor.release.scope import Place, is_in_scope, metrics_in_scope, shares
from monitor.release.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One bucket of the panel, as the releases need it.

    Attributes:
        tick, observation: the bucket.
        expectation, levels: of it, at the level of now.
        traits: of the rows.
        suspect: rows whose data is in doubt.
    """

    tick: Tick
    observation: Observation
    expectation: Expectation
    levels: Any
    traits: Traits
    suspect: Bools


class LaneReleases:
    """Everything that a lane keeps of releases.

    Args:
        plan: all metrics, of whatever lane and shard: they share alpha.
        panel, baseline: of the lane.

    Attributes:
        known: all releases that were told, for the alerts.
    """

    def __init__(self, plan: Plan, panel: Panel, baseline: Baseline) -> None:
        self.known: tuple[Release, ...] = ()
        self._plan, self._panel, self._baseline = plan, panel, baseline
        self._bets = Bets()
        self._past = PastLevels()
        self._fired = Table(
            {"from_us": Column(dtype="i8", fill=NEVER), "until_us": Column(dtype="i8", fill=NEVER)}
        )
        self._windows: dict[str, Window] = {}
        self._watches: dict[str, Watch] = {}
        self._canaries: dict[str, Canary] = {}
        self._done: set[str] = set()
        self._places: tuple[int, list[Place | None]] = (-1, [])

    def tell(self, windows: Sequence[Window]) -> list[ReleaseJudged]:
        """Take over the windows of all releases; those that have begun are judged from what is kept."""
        self.known = tuple(window.release for window in windows)
        self._done &= {release.id for release in self.known}
        effects = []
        for window in windows:
            name = window.release.id
            if name in self._done:
                continue
            watch = self._watches.get(name)
            self._windows[name] = window
            if watch is None or watch.begin_us != window.begin_us:
                if watch is not None:
                    self._restart(name, watch, window)
                effects += self._catch_up(window)
        return effects

    def _restart(self, name: str, watch: Watch, window: Window) -> None:
        watch.restart(window.begin_us)
        if name in self._canaries:
            self._canaries[name].restart()

    def _catch_up(self, window: Window) -> list[ReleaseJudged]:
        """Judge a release by the buckets of its time that have closed already."""
        newest_us, kept_us = self._panel.closed_until_us, self._panel.closed_from_us
        if kept_us is None or newest_us <= window.begin_us or window.end_us <= kept_us:
            return []
        traits = self._panel.series.traits()
        count = 0
        for tick in self._panel.closed_ticks(window.begin_us, window.end_us):
            seen = tick.observation
            expectation = self._baseline.expect(seen.start_us, seen.end_us, traits)
            nothing = np.zeros(len(seen.x), dtype=np.bool_)
            known = unpredicted(expectation, traits)
            self._take(window, self._seen(tick, known, traits, nothing))
            count += 1
        if not count:
            return []
        watch = self._watches[window.release.id]
        watch.told_late = count
        watch.gone |= kept_us > window.begin_us + self._width_us
        return [self._judged(window, watch)]

    def step(
        self,
        tick: Tick,
        expectation: Expectation,
        traits: Traits,
        decision: Decision,
        *,
        suspect: Sequence[int] = (),
    ) -> list[ReleaseJudged]:
        """Take in a bucket that has just been judged, before the baseline learns it.

        Args:
            tick: the bucket.
            expectation: of it, at the level of now.
            traits: of the rows.
            decision: of the guard.
            suspect: rows whose data is in doubt: nothing is bet on them, and the verdict says so.
        """
        seen = tick.observation
        self._past.note(seen.start_us, self._baseline.levels, expectation)
        effects = []
        if self._windows:
            doubted = decision.state == State.MEASUREMENT_MOVED
            doubted[list(suspect)] = True
            known = self._seen(tick, expectation, traits, doubted)
            for window in list(self._windows.values()):
                if seen.end_us > window.end_us:
                    self._end(window.release.id)
                elif seen.start_us >= window.begin_us:
                    effects.append(self._judged(window, self._take(window, known)))
        self._note_incidents(seen, decision)
        return effects

    def _end(self, name: str) -> None:
        self._done.add(name)
        for kept in (self._windows, self._watches, self._canaries):
            kept.pop(name, None)

    def _note_incidents(self, seen: Observation, decision: Decision) -> None:
        t = self._fired
        if t.size < len(decision.open):
            t.append(len(decision.open) - t.size)
        t["from_us"] = np.where(decision.opened, seen.end_us, t["from_us"])
        t["until_us"] = np.where(decision.open, seen.end_us, t["until_us"])

    def _had_incident(self, time_us: int, size: int, traits: Traits) -> Bools:
        """Rows that had an incident, of their own or of what holds them, that had fired by then."""
        t, flags = self._fired, np.zeros(size, dtype=np.bool_)
        flags[: t.size] = (t["from_us"] <= time_us) & (t["until_us"] + self._width_us > time_us)
        return flags | traits.under(flags)

    @property
    def _width_us(self) -> int:
        return self._panel.calendar.width_us

    def _seen(self, tick: Tick, expectation: Expectation, traits: Traits, suspect: Bools) -> Seen:
        return Seen(
            tick=tick,
            observation=tick.observation,
            expectation=expectation,
            levels=self._baseline.levels,
            traits=traits,
            suspect=suspect,
        )

    def _take(self, window: Window, seen: Seen) -> Watch:
        """Bet on a bucket that lies in the time of a release."""
        release = window.release
        watch = self._watches.get(release.id)
        if watch is None:
            watch = self._open(window, seen)
        if release.arms is not None:
            canary = self._canaries[release.id]
            canary.admit(watch, self.places())
            bucket = canary.bucket(
                watch, seen.observation, seen.expectation, seen.traits, seen.suspect
            )
        else:
            bucket = frozen_bucket(watch, seen, self._panel, self._bets)
        watch.take(bucket, self._width_us)
        return watch

    def _open(self, window: Window, seen: Seen) -> Watch:
        release = window.release
        halved = release.arms is None and release.finished_us is None
        watch = Watch(UP, begin_us=window.begin_us, halved=halved, weights=WEIGHTS)
        self._watches[release.id] = watch
        if release.arms is not None:
            self._canaries[release.id] = Canary(release.arms, self._scoped(release), self._bets)
        else:
            self._freeze(watch, release, seen.traits)
        return watch

    def _freeze(self, watch: Watch, release: Release, traits: Traits) -> None:
        """Take the rows in scope, with the level and the state that they had when it began."""
        names = {metric.name for metric in self._scoped(release)}
        found = [
            (row, place)
            for row, place in enumerate(self.places())
            if place is not None and place.metric.name in names and is_in_scope(place, release)
        ]
        rows = np.array([row for row, _ in found], dtype=np.int64)
        level, sd = self._past.at(release.started_us, rows)
        watch.gone = self._past.is_forgotten(release.started_us)
        ready = np.isfinite(level) & np.isfinite(sd) & (level > 0)
        incident = self._had_incident(release.started_us, len(traits.law), traits)[rows]
        mine = subset_traits(traits, rows)
        watch.add(
            row=rows,
            share=shares([place for _, place in found], ready, release, len(names)),
            base=level,
            sd=sd,
            eps=np.maximum(mine.min_relative_shift, BAND_SDS * sd),
            ready=ready,
            incident=incident,
        )

    def _scoped(self, release: Release) -> list[MetricPlan]:
        return metrics_in_scope(release, self._plan.metrics)

    def places(self) -> list[Place | None]:
        """Which series each row of the panel is; None for a row that waits for one."""
        series = self._panel.series
        if self._places[0] != series.version:
            found: list[Place | None] = [None] * series.size
            for (metric, group, segment), row in series.items():
                plan = self._panel.metrics[metric]
                found[row] = Place(metric=plan, dimensions=plan.groupings[group], segment=segment)
            self._places = series.version, found
        return self._places[1]

    def _judged(self, window: Window, watch: Watch) -> ReleaseJudged:
        places = self.places()
        kept = np.flatnonzero(watch.rows >= 0)
        canary = self._canaries.get(window.release.id)
        blocked: dict[str, tuple[str, Note]] = {}
        if canary is not None:
            blocked = canary.blocked(self._panel.metrics, watch, places)
        named = [places[row] for row in watch.rows[kept].tolist()]
        return ReleaseJudged.of(
            window.release,
            watch,
            rows=kept,
            places=tuple(place for place in named if place is not None),
            blocked=blocked,
        )

    def clear(self, rows: Ints) -> None:
        """Forget rows that are given to other series."""
        self._past.clear(rows)
        self._fired.clear(rows[rows < self._fired.size])
        for watch in self._watches.values():
            watch.release_rows(rows)
        for canary in self._canaries.values():
            canary.release_rows(rows)

    def dump(self) -> dict[str, Any]:
        """The state as plain values and arrays."""
        return {
            "past": self._past.dump(),
            "fired": self._fired.dump(),
            "watches": [[name, watch.dump()] for name, watch in self._watches.items()],
            "canaries": [[name, canary.dump()] for name, canary in self._canaries.items()],
            "windows": [msgspec.to_builtins(window) for window in self._windows.values()],
            "known": msgspec.to_builtins(self.known),
            "done": sorted(self._done),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `dump` gave."""
        self._past.load(state["past"])
        self._fired.load(state["fired"])
        self.known = msgspec.convert(state["known"], tuple[Release, ...])
        windows: Iterable[Window] = msgspec.convert(state["windows"], list[Window])
        self._windows = {window.release.id: window for window in windows}
        self._watches = {name: Watch.load(UP, watch, WEIGHTS) for name, watch in state["watches"]}
        self._done = set(state["done"])
        for name, canary in state["canaries"]:
            release = self._windows[name].release
            if release.arms is not None:
                self._canaries[name] = Canary(release.arms, self._scoped(release), self._bets)
                self._canaries[name].load(canary)

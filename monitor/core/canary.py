"""A canary in a lane: finds the rows of its arms, and bets the treatment against the control."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from monitor.core.frozen import bet, subset_traits
from monitor.definitions.plan import MetricPlan
from monitor.guard.bets import Bets
from monitor.model.release import Arms
from monitor.model.tick import Bools, Expectation, Ints, Observation, Traits
from monitor.release import arms
from monitor.release.evidence import Note
from monitor.release.scope import Place, compares_arms
from monitor.release.watch import Bucket, Watch
from monitor.stats import laws


class Canary:
    """The arms of one release in one lane.

    Args:
        named: the dimension and its two values.
        metrics: in scope, of all shards: they share alpha.
        bets: of the guard.
    """

    def __init__(self, named: Arms, metrics: Sequence[MetricPlan], bets: Bets) -> None:
        self._named, self._bets = named, bets
        self._share = 1.0 / max(1, sum(_why_not(metric, named) is None for metric in metrics))
        self._metrics = {m.name for m in metrics}
        self._arms = arms.Arms()
        self._looked_at: Sequence[Place | None] | None = None

    def admit(self, watch: Watch, places: Sequence[Place | None]) -> None:
        """Take the metrics into the watch of which both arms have been seen by now."""
        if places is self._looked_at:
            return
        self._looked_at = places
        found: dict[str, dict[str, int]] = {}
        for row, place in enumerate(places):
            if place is not None and self._is_arm(place):
                found.setdefault(place.metric.name, {})[place.segment] = row
        have = set(watch.rows.tolist())
        pairs = [
            (rows[self._named.treatment], rows[self._named.control])
            for rows in found.values()
            if {self._named.treatment, self._named.control} <= set(rows)
        ]
        pairs = [pair for pair in pairs if pair[0] not in have]
        if not pairs:
            return
        treatments, controls = (list(part) for part in zip(*pairs, strict=True))
        size = len(pairs)
        watch.add(
            row=np.array(treatments, dtype=np.int64),
            share=np.full(size, self._share),
            sd=np.zeros(size),
            eps=np.full(size, arms.EPS),
            ready=np.ones(size, dtype=np.bool_),
        )
        self._arms.add(controls)

    def _is_arm(self, place: Place) -> bool:
        """Whether it is a segment of the arms' dimension alone, of a metric that can be compared."""
        of_arms = place.dimensions == (self._named.dimension,)
        comparable = _why_not(place.metric, self._named) is None
        return of_arms and comparable and place.metric.name in self._metrics

    def bucket(
        self,
        watch: Watch,
        seen: Observation,
        expectation: Expectation,
        traits: Traits,
        suspect: Bools,
    ) -> Bucket:
        """What a bucket says of the treatments."""
        controls = self._arms.controls
        there = (watch.rows >= 0) & (controls >= 0)
        rows, against = np.where(there, watch.rows, 0), np.where(there, controls, 0)
        mine = subset_traits(traits, rows)
        law = np.where(mine.law == laws.QUANTILE, laws.NORMAL_MEAN, mine.law).astype(np.int8)
        min_units = mine.min_units
        compared = self._arms.compare(
            treatment=_side(seen, rows),
            control=_side(seen, against),
            law=law,
            phi=expectation.phi[against],
            min_units=min_units,
        )
        size = len(rows)
        small = replace(
            mine,
            law=law,
            min_relative_shift=np.full(size, arms.EPS),
            min_units=np.zeros(size),
        )
        expected = Expectation(
            level=compared.level,
            units=compared.n,
            phi=compared.phi,
            sd_level=np.zeros(size),
            ready=np.ones(size, dtype=np.bool_),
            learning_us=np.zeros(size, np.int64),
        )
        observation = Observation(
            start_us=seen.start_us,
            end_us=seen.end_us,
            x=compared.x,
            n=compared.n,
            observed=there & compared.usable,
        )
        bets = bet(observation, expected, small, self._bets, usable=there, suspect=suspect[rows])
        waiting = watch.table["few"]  # what was put together with this bucket is bet on now
        watch.table["few"] = np.where(compared.usable, 0, waiting)
        heard = there & seen.observed[rows] & seen.observed[against]
        return replace(bets, observed=heard, few=heard & ~compared.usable)

    def blocked(
        self,
        metrics: Sequence[MetricPlan],
        watch: Watch,
        places: Sequence[Place | None],
    ) -> dict[str, tuple[str, Note]]:
        """The lane's metrics in scope that cannot be compared, with `better` and why."""
        rows = [places[row] for row in watch.rows.tolist() if row >= 0]
        have = {place.metric.name for place in rows if place is not None}
        return {
            metric.name: (metric.better, _why_not(metric, self._named) or Note.NO_DATA)
            for metric in metrics
            if metric.name in self._metrics and metric.name not in have
        }

    def restart(self) -> None:
        """Count from another time on."""
        self._arms.restart()

    def release_rows(self, rows: Ints) -> None:
        """Let go of rows that are given to other series."""
        self._arms.release_rows(rows)

    def dump(self) -> dict[str, Any]:
        """The state as plain values and arrays."""
        return self._arms.table.dump()

    def load(self, state: dict[str, Any]) -> None:
        """Take over what `dump` gave."""
        self._arms.table.load(state)


def _side(seen: Observation, rows: Ints) -> tuple[Any, Any]:
    heard = seen.observed[rows]
    return np.where(heard, seen.x[rows], 0.0), np.where(heard, seen.n[rows], 0.0)


def _why_not(metric: MetricPlan, named: Arms) -> Note | None:
    """Why a metric cannot be compared between arms; None where it can."""
    if not compares_arms(metric, named):
        return Note.ARMS_NOT_A_SEGMENT
    return Note.ARMS_NEED_A_RATE if metric.is_total else None

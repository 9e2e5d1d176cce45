"""What diagnosis and the measurement add to the incident of a row."""

import math
from collections.abc import Set
from typing import Any, Protocol

import numpy as np

from monitor.aggregate.panel import Panel
from monitor.aggregate.series import ALL
from monitor.alert.identity import Identity
from monitor.alert.judged import Context, Judged
from monitor.alert.silence import Others, Part
from monitor.core.measurement import Measurement
from monitor.definitions.needs import line_fields
from monitor.definitions.plan import MetricPlan
from monitor.definitions.quality import APP_VERSION, EVENT, is_quality
from monitor.diagnose import Diagnosis, account, diagnose, is_moved, scope_of
from monitor.model.quality import Account
from monitor.model.segment import format_segment, parse_segment
from monitor.model.tick import Bools, Ints, Reason, State
from monitor.stats.exact import round_one

MOST = 0.5
"""From this part of a whole's fall on, a silent segment stands in its first sentence."""
SILENT_EXPECTED = 20.0
"""A total is silent where it is 0 since its shift began, and more units than these were expected."""
_UNITS = ("count", "uniques")


class Silences(Protocol):
    """Knows which emitters of events fell silent."""

    def of(self, events: Set[str]) -> list[dict[str, str]]:
        """Dimensions and segments of events of these names that fell silent."""
        ...


class Contexts:
    """Looks at the rows of a panel.

    Args:
        panel: the rows.
        measurement: what was seen of the lines of its metrics.

    Attributes:
        silences: what fell silent by event name and emitter; None where nobody looks.
    """

    def __init__(self, panel: Panel, measurement: Measurement) -> None:
        self._panel = panel
        self.silences: Silences | None = None
        self._measurement = measurement

    def identity(self, row: int) -> Identity:
        """Which series a row is."""
        table = self._panel.series.table
        metric = self._panel.metrics[int(table["metric"][row])]
        dimensions = metric.groupings[int(table["group"][row])]
        return Identity(
            plan=metric,
            dimension=format_segment(dimensions) if dimensions else ALL,
            segment=self._panel.series.segments[row],
        )

    def context(self, row: int, judged: Judged) -> Context:
        """Of a row whose incident is open after this bucket."""
        decision, parent = judged.decision, judged.traits.parent
        since_us = int(decision.start_us[row])
        family = np.flatnonzero((parent == row) | (np.arange(len(parent)) == row))
        quiet = family[(_is_silent(judged) | self._is_silent_elsewhere(row))[family]]
        metric = self.identity(row).plan
        where = self._diagnosis(row, metric, judged)
        found = self.account(row, judged, _shift(row, judged), since_us)
        seen = (
            {}
            if is_quality(metric.name)
            else self._measurement.seen(metric, since_us, judged.known_us)
        )
        since = self._quiet_since(row, since_us, judged.known_us) if row in quiet else None
        return Context(
            segments=[{**self._place(r), **_rounded(figures)} for r, figures in where.segments],
            mix=self._mix(metric, where),
            silent=[*map(self._place, quiet.tolist()), *self._silent_elsewhere(metric)],
            seen=seen,
            account=found,
            moved=is_moved(found),
            going_on=(
                self._going_on(row, since or since_us, judged.known_us)
                if row in quiet
                else Others()
            ),
            expected=self._expected(row, judged, since or since_us),
            quiet_us=since,
            part=self._silent_part(row, quiet, judged),
        )

    def _diagnosis(self, row: int, metric: MetricPlan, judged: Judged) -> Diagnosis:
        return diagnose(
            scope_of(
                row,
                plan=metric,
                group=self._panel.series.table["group"],
                decision=judged.decision,
                expectation=judged.expectation,
                traits=judged.traits,
                bucket=(judged.end_us, judged.width_us),
            )
        )

    def _mix(self, metric: MetricPlan, found: Diagnosis) -> dict[str, Any] | None:
        mix = found.mix
        if mix is None:
            return None
        moved = None if found.mix_row is None else self._panel.series.segments[found.mix_row]
        return {
            "dimension": format_segment(metric.groupings[mix.group]),
            "rate_effect": round_one(mix.rate_effect),
            "mix_effect": round_one(mix.mix_effect),
            "simpson": mix.simpson,
            "rate_effect_sd": round_one(mix.rate_sd),
            "segment": moved,
            "share": None if mix.share is None else round_one(mix.share),
            "expected_share": None if mix.expected_share is None else round_one(mix.expected_share),
        }

    def seen(self, row: int, judged: Judged) -> Context:
        """Of a row whose incident is no more than pending."""
        since_us = int(judged.decision.start_us[row])
        metric = self.identity(row).plan
        if is_quality(metric.name):
            return Context()
        return Context(seen=self._measurement.seen(metric, since_us, judged.known_us))

    def account(self, row: int, judged: Judged, shift: float, since_us: int) -> Account | None:
        """How much of a shift since some time the measurement accounts for."""
        identity = self.identity(row)
        if is_quality(identity.plan.name):
            return None
        seen = self._measurement.seen(identity.plan, since_us, judged.known_us)
        return account(
            identity.plan,
            _dimensions(identity),
            identity.segment,
            shift,
            seen,
            part=_part_of_whole(row, judged),
        )

    def _emitter(self, row: int) -> tuple[set[str], str | None]:
        """The event names that a series rests on, and the app version that it is of."""
        identity = self.identity(row)
        values = dict(zip(_dimensions(identity), parse_segment(identity.segment), strict=False))
        own = set(line_fields(identity.plan))
        if is_quality(identity.plan.name):
            own = {values[EVENT]} if EVENT in values else self._measurement.events()
        return own, values.get(APP_VERSION)

    def _going_on(self, row: int, since_us: int, until_us: int) -> Others:
        own, version = self._emitter(row)
        return self._measurement.going_on(own, since_us, until_us, version=version)

    def _quiet_since(self, row: int, since_us: int, until_us: int) -> int | None:
        """From when on nothing came that a silent series rests on; None where that is not known."""
        own, version = self._emitter(row)
        return self._measurement.quiet_since(own, since_us, until_us, version=version)

    def _expected(self, row: int, judged: Judged, since_us: int) -> float:
        """Units that were expected since a time, which is not before the shift began."""
        counts = self.identity(row).plan.kind in _UNITS
        if counts and since_us <= judged.decision.start_us[row]:
            return float(judged.decision.sum_expected[row])
        units = float(judged.expectation.units[row])
        return round(units * max(1.0, (judged.end_us - since_us) / judged.width_us))

    def _silent_elsewhere(self, metric: MetricPlan) -> list[dict[str, str]]:
        """What the lane of the measurement found silent of a metric's own events."""
        if self.silences is None or is_quality(metric.name):
            return []
        return self.silences.of(line_fields(metric).keys())

    def _is_silent_elsewhere(self, row: int) -> Bools:
        """Rows of the app versions from which the one event of a metric no longer comes.

        The volume of an event is judged by its own patience, which finds a small segment sooner.
        """
        table, names = self._panel.series.table, self._panel.series.segments
        out = np.zeros(len(names), dtype=np.bool_)
        plan = self.identity(row).plan
        by_version = [
            g for g, dimensions in enumerate(plan.groupings) if dimensions == (APP_VERSION,)
        ]
        if not by_version or len(line_fields(plan)) != 1:
            return out
        versions = {
            format_segment(parse_segment(one["segment"])[1:])
            for one in self._silent_elsewhere(plan)
            if one["dimension"] == f"{EVENT},{APP_VERSION}"
        }
        mine = (table["metric"] == table["metric"][row]) & (table["group"] == by_version[0])
        for at in np.flatnonzero(mine).tolist():
            out[at] = names[at] in versions
        return out

    def _silent_part(self, row: int, quiet: Ints, judged: Judged) -> Part | None:
        """The silent segment that most of a whole's shift comes from; None where there is none."""
        decision, table = judged.decision, self._panel.series.table
        if row in quiet or table["parent"][row] >= 0 or decision.direction[row] > 0:
            return None
        if not quiet.size or not judged.traits.total[row]:
            return None
        missing = (decision.sum_expected - decision.sum_x)[quiet]
        few = ~(judged.expectation.units >= judged.traits.min_units)[quiet]
        since_us = int(decision.start_us[row])
        buckets = max(1.0, (judged.end_us - since_us) / judged.width_us)
        # what is too small to be judged has no sums
        missing = np.where(few, judged.expectation.level[quiet] * buckets, missing)
        most = int(np.argmax(missing))
        silent = int(quiet[most])
        if not missing[most] >= MOST * (decision.sum_expected[row] - decision.sum_x[row]):
            return None
        since_us = since_us if few[most] else int(decision.start_us[silent])
        units = float(judged.expectation.units[silent]) * buckets
        place = self._place(silent)
        return Part(
            dimension=place["dimension"],
            segment=place["segment"],
            expected=round(units) if few[most] else self._expected(silent, judged, since_us),
            going_on=self._going_on(silent, since_us, judged.known_us),
        )

    def _place(self, row: int) -> dict[str, str]:
        identity = self.identity(row)
        return {"dimension": identity.dimension, "segment": identity.segment}


def _is_silent(judged: Judged) -> Bools:
    """Rows that fell silent: totals that are 0, and others without any units."""
    decision = judged.decision
    silent: Bools = (decision.reason == Reason.SILENT) | (decision.state == State.NO_DATA)
    buckets = (judged.end_us - decision.start_us) / judged.width_us
    nothing = judged.traits.total & (decision.sum_x == 0) & (decision.direction < 0)
    silent |= nothing & (judged.expectation.units * buckets > SILENT_EXPECTED)
    return silent if decision.silent is None else silent | decision.silent


def _dimensions(identity: Identity) -> list[str]:
    return [] if identity.dimension == ALL else parse_segment(identity.dimension)


def _part_of_whole(row: int, judged: Judged) -> float:
    """What is expected of a segment, as a share of what is expected of its whole; 1 of a whole."""
    parent, level = int(judged.traits.parent[row]), judged.expectation.level
    known = parent >= 0 and level[row] > 0 and level[parent] > 0
    return float(level[row] / level[parent]) if known else 1.0


def _shift(row: int, judged: Judged) -> float:
    """How far what was observed since the start lies from what was expected; NaN where undefined."""
    expected = float(judged.decision.sum_expected[row])
    known = math.isfinite(expected) and expected != 0
    return float(judged.decision.sum_x[row]) / expected - 1.0 if known else math.nan


def _rounded(figures: dict[str, Any]) -> dict[str, Any]:
    return {n: round_one(v) if isinstance(v, float) else v for n, v in figures.items()}

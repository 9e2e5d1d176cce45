"""What a replay has read and found: counts, and the body of `summary.json`."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monitor.core.effects import ClosedBucket, Effect, Group, IncidentChanged
from monitor.definitions.plan import Plan
from monitor.definitions.quality import is_quality
from monitor.embedded.detectable import Detectable
from monitor.ingest.source import Flush
from monitor.model.incident import Incident, IncidentState
from monitor.model.tick import State
from monitor.model.time import SECOND, to_rfc3339

SHOWN = 5
"""Alerts that a person is shown on the terminal; all of them stand in `alerts.ndjson`."""

WHOLE = "all"


@dataclass(slots=True)
class MetricTotals:
    """What was found of one metric.

    Attributes:
        buckets: judged buckets of its whole.
        alerts: how often any of its series fired.
        learning_until_us: end of its learning, as last known; None where it never learnt.
        learning: whether it still learns.
    """

    buckets: int = 0
    alerts: int = 0
    learning_until_us: int | None = None
    learning: bool = True


@dataclass(slots=True)
class Totals:
    """What a replay has read and found; `summary` is `summary.json`.

    Attributes:
        events: lines by what became of them.
        reasons: dead letters by reason.
        alerts: changes of incidents by the state they changed to.
        severities: incidents that fired, by severity.
        buckets: judged buckets of all series.
        series: every (metric, dimension, segment).
        metrics: by name.
        fired: the first alerts in words.
        span_us: earliest and newest event time.
    """

    events: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    alerts: Counter[str] = field(default_factory=Counter)
    severities: Counter[str] = field(default_factory=Counter)
    buckets: int = 0
    series: set[tuple[str, str, str]] = field(default_factory=set)
    metrics: dict[str, MetricTotals] = field(default_factory=dict)
    fired: list[str] = field(default_factory=list)
    span_us: tuple[int, int] | None = None

    @classmethod
    def of(cls, plan: Plan) -> "Totals":
        """Nothing yet, of every metric."""
        return cls(metrics={metric.name: MetricTotals() for metric in plan.metrics})

    def flushed(self, flush: Flush) -> None:
        """Count a flush."""
        self.events.update(flush.counts)
        self.reasons.update(letter.reason.value for letter in flush.dead_letters)
        if flush.first_us is not None and flush.last_us is not None:
            first, last = self.span_us or (flush.first_us, flush.last_us)
            self.span_us = min(first, flush.first_us), max(last, flush.last_us)

    def decided(self, effects: Sequence[Effect]) -> None:
        """Count what the core decided."""
        for effect in effects:
            if isinstance(effect, ClosedBucket):
                for group in effect.groups:
                    if is_quality(group.metric):
                        continue
                    self.buckets += len(group.rows)
                    self.series.update((group.metric, group.dimension, s) for s in group.segments)
                    if group.dimension == WHOLE:
                        self._whole(effect, group)
            elif isinstance(effect, IncidentChanged) and effect.transition:
                self._changed(effect.incident)

    def _whole(self, effect: ClosedBucket, group: Group) -> None:
        row, totals = group.rows[0], self.metrics[group.metric]
        if effect.state[row] in (State.PARTIAL, State.IMMATURE):
            return
        totals.buckets += 1
        left = float(effect.learning_seconds[row])
        totals.learning = not math.isnan(left)
        if totals.learning:
            totals.learning_until_us = effect.end_us + round(left * SECOND)

    def _changed(self, incident: Incident) -> None:
        self.alerts[incident.state] += 1
        if incident.state == IncidentState.FIRING:
            self.severities[incident.severity] += 1
            if incident.metric in self.metrics:
                self.metrics[incident.metric].alerts += 1
            if len(self.fired) < SHOWN:
                self.fired.append(incident.summary)

    def summary(
        self,
        seconds: float,
        folded: int,
        *,
        detectable: Mapping[str, Detectable],
        injections: Sequence[Mapping[str, Any]],
        surveys: Sequence[Mapping[str, Any]] = (),
    ) -> dict[str, Any]:
        """The body of `summary.json`.

        Args:
            seconds: that the replay took.
            folded: events that went to `other`.
            detectable: by metric, what it can see.
            injections: what became of each.
            surveys: how often shifts were found that were tried at many times.
        """
        read = self.events["read"]
        first, last = map(to_rfc3339, self.span_us) if self.span_us else (None, None)
        return {
            "events": {
                "read": read,
                "accepted": self.events["accepted"],
                "late": self.events["late"],
                "dead_lettered": self.events["dead_lettered"],
                "folded": folded,
                "duplicates": self.events["duplicates"],
            },
            "dead_letters": dict(sorted(self.reasons.items())),
            "buckets": self.buckets,
            "series": len(self.series),
            "alerts": {
                "fired": self.alerts[IncidentState.FIRING],
                "resolved": self.alerts[IncidentState.RESOLVED],
            },
            "span": {"first": first, "last": last},
            "seconds": round(seconds, 3),
            "events_per_second": round(read / seconds) if seconds > 0 else 0,
            "metrics": [
                {
                    "metric": name,
                    "buckets": one.buckets,
                    "learning": one.learning,
                    "learning_until": None
                    if one.learning_until_us is None
                    else to_rfc3339(one.learning_until_us),
                    "alerts": one.alerts,
                    "minimum_detectable_shift": dict(detectable[name].falls),
                    "minimum_detectable_rise": dict(detectable[name].rises),
                    "problem": detectable[name].problem,
                }
                for name, one in self.metrics.items()
            ],
            "injections": [dict(one) for one in injections],
            "surveys": [dict(one) for one in surveys],
        }

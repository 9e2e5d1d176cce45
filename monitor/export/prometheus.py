"""`/metrics`: the newest bucket of every series, the firing incidents and the definitions.

Read from the journal's view at every scrape, so that nothing can go stale in between. No sample
carries a timestamp: those get no staleness marker (a bucket's age is a series of its own).
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from monitor.definitions.plan import Plan
from monitor.model.bucket import BucketColumns, Number
from monitor.model.incident import Incident, IncidentState

MAX_SERIES = 10_000
"""Default of `prometheus.max_series`."""

SERIES = ("metric", "dimension", "segment")
_WHOLE = "all"
_Key = tuple[str, str, str]


class Segments(StrEnum):
    """Which series beside the wholes are exported."""

    ALL = "all"
    FIRING = "firing"
    NONE = "none"


class View(Protocol):
    """What the collector reads: the store is one."""

    def latest_buckets(self) -> list[BucketColumns]:
        """The newest whole bucket of each metric and dimension."""
        ...

    def alerts(self, state: str | None = None) -> list[Incident]:
        """Incidents in that state."""
        ...


class BucketCollector(Collector):
    """A collector for a registry: `registry.register(BucketCollector(view, plan))`.

    Args:
        view: the journal.
        plan: the metrics; what the journal still holds of others is not exported.
        segments: `all`, `firing` (those with a firing incident) or `none` beside the wholes.
        max_series: series of buckets (metric, dimension, segment) that are exported at most: wholes
            first, then firing ones, then the others by name.
    """

    def __init__(
        self, view: View, plan: Plan, *, segments: str = Segments.ALL, max_series: int = MAX_SERIES
    ) -> None:
        self._view = view
        self._plan = plan
        self._segments = Segments(segments)
        self._max_series = max_series
        self._dimensions = {
            metric.name: {",".join(grouping) or _WHOLE for grouping in metric.groupings}
            for metric in plan.known
        }

    def describe(self) -> Iterable[Metric]:
        """Nothing: to be registered must not need the journal."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All families of one scrape."""
        firing = self._view.alerts(IncidentState.FIRING)
        series = self._chosen({(a.metric, a.dimension, a.segment) for a in firing})
        families = _Families()
        for columns, row in series[: self._max_series]:
            families.add(columns, row)
        yield from families.all()
        yield _active(firing)
        yield self._info()
        left_out = GaugeMetricFamily(
            "monitor_series_left_out", "Series not exported because of prometheus.max_series."
        )
        left_out.add_metric([], max(0, len(series) - self._max_series))
        yield left_out

    def _chosen(self, firing: set[_Key]) -> list[tuple[BucketColumns, int]]:
        """Buckets and rows in the order of their importance."""
        ranked: list[tuple[int, _Key, BucketColumns, int]] = []
        for columns in self._view.latest_buckets():
            if columns.dimension not in self._dimensions.get(columns.metric, ()):
                continue
            for row, segment in enumerate(columns.segments):
                key = (columns.metric, columns.dimension, segment)
                rank = self._rank(key, key in firing)
                if rank is not None:
                    ranked.append((rank, key, columns, row))
        ranked.sort(key=lambda item: item[:2])
        return [(columns, row) for _, _, columns, row in ranked]

    def _rank(self, key: _Key, firing: bool) -> int | None:
        """0 before 1 before 2; None where the series is not exported."""
        if key[1] == _WHOLE:
            return 0
        if firing:
            return None if self._segments is Segments.NONE else 1
        return 2 if self._segments is Segments.ALL else None

    def _info(self) -> Metric:
        names = ("owner", "tier", "role", "kind", "unit_name", "better", "severity")
        family = GaugeMetricFamily(
            "monitor_metric_info", "The definitions; always 1.", labels=(*SERIES, *names)
        )
        for metric in self._plan.known:
            values = [getattr(metric, name) or "" for name in names]
            family.add_metric([metric.name, _WHOLE, _WHOLE, *values], 1)
        return family


class _Families:
    """The gauges by series."""

    def __init__(self) -> None:
        def gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
            return GaugeMetricFamily(f"monitor_{name}", text, labels=(*SERIES, *labels))

        self.value = gauge("value", "Rolling value over the metric's window.")
        self.bucket_value = gauge("bucket_value", "Value of the newest bucket alone.")
        self.expected = gauge("expected", "Value that was expected of the newest bucket.")
        self.lower = gauge("lower", "Below it the bucket's value is not noise.")
        self.upper = gauge("upper", "Above it the bucket's value is not noise.")
        self.units = gauge("units", "Units or events of the newest bucket (n).")
        self.evidence = gauge("evidence_ratio", "log M / log A of the guard: 1 fires.")
        self.state = gauge("state_info", "State of the newest bucket; always 1.", "state")
        self.learning = gauge(
            "learning_seconds", "How long the series still learns, then is judged."
        )
        self.end = gauge("bucket_end_timestamp_seconds", "End of the newest closed bucket.")

    def add(self, columns: BucketColumns, row: int) -> None:
        """The figures of one series; undefined ones are left out."""
        labels = [columns.metric, columns.dimension, columns.segments[row]]
        figures: tuple[tuple[GaugeMetricFamily, Number], ...] = (
            (self.value, columns.window_value[row]),
            (self.bucket_value, columns.value[row]),
            (self.expected, columns.expected[row]),
            (self.lower, columns.lower[row]),
            (self.upper, columns.upper[row]),
            (self.units, columns.n[row]),
            (self.evidence, columns.evidence_ratio[row]),
            (self.learning, columns.learning_seconds[row] if columns.learning_seconds else None),
            (self.end, datetime.fromisoformat(columns.end).timestamp()),
        )
        for family, value in figures:
            if value is not None:
                family.add_metric(labels, value)
        self.state.add_metric([*labels, columns.state[row]], 1)

    def all(self) -> Iterator[Metric]:
        """Every family, in the order of the documentation."""
        yield from (self.value, self.bucket_value, self.expected, self.lower, self.upper)
        yield from (self.units, self.evidence, self.state, self.learning, self.end)


def _active(firing: list[Incident]) -> Metric:
    family = GaugeMetricFamily(
        "monitor_alert_active",
        "1 for every firing incident.",
        labels=(*SERIES, "severity", "direction"),
    )
    # Silence and a fall of one series are two incidents, but one and the same label set.
    keys = {(a.metric, a.dimension, a.segment, a.severity, a.direction) for a in firing}
    for key in sorted(keys):
        family.add_metric(list(key), 1)
    return family

"""`monitor_release_timestamp_seconds`: when the newest releases were, for marks in dashboards."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from monitor.model.release import Release
from monitor.model.time import SECOND

MOST = 100
"""Releases that are exported, the newest: every version is a label value of its own."""


class ReleaseCollector(Collector):
    """A collector for a registry.

    Args:
        releases: those that are known, in the order of their starts; called at every scrape.
    """

    def __init__(self, releases: Callable[[], Sequence[Release]]) -> None:
        self._releases = releases

    def describe(self) -> Iterable[Metric]:
        """Nothing: to be registered must not need the journal."""
        return []

    def collect(self) -> Iterator[Metric]:
        """When each took effect: its end, or its start where that was not told."""
        family = GaugeMetricFamily(
            "monitor_release_timestamp_seconds",
            "When a release took effect.",
            labels=("service", "environment", "version"),
        )
        newest = {(r.service, r.environment, r.version): r for r in self._releases()}
        chosen = sorted(newest.items(), key=lambda item: item[1].started_us)[-MOST:]
        for labels, release in chosen:
            family.add_metric(labels, release.begin_us / SECOND)
        yield family

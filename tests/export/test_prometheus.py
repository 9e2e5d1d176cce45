from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from monitor.export.prometheus import BucketCollector
from monitor.journal.records import records
from monitor.journal.store import Store
from monitor.model.bucket import BucketColumns
from monitor.model.incident import Incident
from tests.journal.examples import T0, changed, closed, incident, plan, resolved

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Memory:
    """A view of what it is given."""

    def __init__(self, buckets: list[BucketColumns], alerts: list[Incident]) -> None:
        self.buckets = buckets
        self.firing = alerts

    def latest_buckets(self) -> list[BucketColumns]:
        return self.buckets

    def alerts(self, state: str | None = None) -> list[Incident]:
        assert state == "firing"
        return self.firing


def scrape(collector: BucketCollector) -> Samples:
    registry = CollectorRegistry()
    registry.register(collector)
    found: Samples = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            assert sample.timestamp is None
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


def labels(**values: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(values.items()))


def whole(metric: str, **more: str) -> tuple[tuple[str, str], ...]:
    return labels(metric=metric, dimension="all", segment="all", **more)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "monitor.db")
    store.commit(records(closed()))
    store.commit(records(changed(incident())) + records(changed(resolved("a2"))))
    return store


def test_the_documented_series_with_their_labels(store: Store) -> None:
    found = scrape(BucketCollector(store, plan()))
    assert found[("monitor_value", whole("errors"))] == 0.22  # the rolling value
    assert found[("monitor_bucket_value", whole("errors"))] == 0.25
    assert found[("monitor_expected", whole("errors"))] == 0.125
    assert found[("monitor_lower", whole("errors"))] == 0.05
    assert found[("monitor_upper", whole("errors"))] == 0.2
    assert found[("monitor_units", whole("errors"))] == 100
    assert found[("monitor_evidence_ratio", whole("errors"))] == 2
    assert found[("monitor_state_info", whole("errors", state="alerting"))] == 1
    assert found[("monitor_bucket_end_timestamp_seconds", whole("errors"))] == T0 / 1e6 + 60
    assert found[("monitor_alert_active", whole("errors", severity="page", direction="up"))] == 1
    german = labels(metric="errors", dimension="country", segment="DE")
    assert found[("monitor_value", german)] == 0.35
    assert found[("monitor_series_left_out", ())] == 0


def test_only_firing_incidents_are_active(store: Store) -> None:
    names = [name for name, _ in scrape(BucketCollector(store, plan()))]
    assert names.count("monitor_alert_active") == 1
    store.commit(records(changed(resolved())))
    names = [name for name, _ in scrape(BucketCollector(store, plan()))]
    assert names.count("monitor_alert_active") == 0


def test_undefined_values_are_left_out_and_their_state_is_not(store: Store) -> None:
    found = scrape(BucketCollector(store, plan()))
    american = labels(metric="errors", dimension="country", segment="US")
    assert ("monitor_value", american) not in found
    assert ("monitor_evidence_ratio", american) not in found
    assert found[("monitor_units", american)] == 0
    assert found[("monitor_state_info", tuple(sorted((*american, ("state", "learning")))))] == 1


def test_the_definitions_are_there_before_any_bucket() -> None:
    found = scrape(BucketCollector(Memory([], []), plan()))
    info = {key[1]: value for key, value in found.items() if key[0] == "monitor_metric_info"}
    errors = whole(
        "errors",
        owner="growth@example.com",
        tier="health",
        role="leading",
        kind="ratio",
        unit_name="share",
        better="down",
        severity="page",
    )
    assert info[errors] == 1
    assert len(info) == 2


@pytest.mark.parametrize(
    ("segments", "expected"),
    [("all", {"all", "DE", "US"}), ("firing", {"all", "US"}), ("none", {"all"})],
)
def test_which_segments_are_exported(store: Store, segments: str, expected: set[str]) -> None:
    store.commit(records(changed(incident("a3", dimension="country", segment="US"))))
    found = scrape(BucketCollector(store, plan(), segments=segments))
    units = {dict(key)["segment"] for name, key in found if name == "monitor_units"}
    assert units == expected


def test_the_cap_keeps_wholes_then_firing_ones_then_the_others(store: Store) -> None:
    store.commit(records(changed(incident("a3", dimension="country", segment="US"))))
    for cap, expected in (
        (4, ["all", "DE", "US", "all"]),
        (3, ["all", "US", "all"]),
        (2, ["all", "all"]),
        (1, ["all"]),
    ):
        found = scrape(BucketCollector(store, plan(), max_series=cap))
        units = [key for name, key in found if name == "monitor_units"]
        assert sorted(dict(key)["segment"] for key in units) == sorted(expected)
        assert found[("monitor_series_left_out", ())] == 4 - cap


def test_metrics_and_dimensions_that_are_no_longer_defined_are_not_exported(store: Store) -> None:
    errors, orders = plan().metrics
    now = replace(plan(), metrics=(replace(errors, groupings=((),)),))
    found = scrape(BucketCollector(store, now))
    assert [k for n, k in found if n == "monitor_units"] == [whole("errors")]
    now = replace(plan(), metrics=(orders,))
    found = scrape(BucketCollector(store, now))
    assert [k for n, k in found if n == "monitor_units"] == [whole("orders")]


def test_two_incidents_of_one_label_set_are_one_sample() -> None:
    alerts = [incident("a1"), incident("a2", reason="silent")]
    found = scrape(BucketCollector(Memory([], alerts), plan()))
    assert found[("monitor_alert_active", whole("errors", severity="page", direction="up"))] == 1


def test_labels_are_escaped() -> None:
    odd = 'a "b"\\\nc'
    alerts = [incident("a1", dimension="country", segment=odd)]
    found = scrape(BucketCollector(Memory([], alerts), plan()))
    (key,) = [k for n, k in found if n == "monitor_alert_active"]
    assert dict(key)["segment"] == odd

"""The alert budget is divided, never multiplied: shares of all series add up to it at most."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.definitions import load
from monitor.definitions.budget import (
    SMALLEST_THRESHOLD,
    TICKET_FACTOR,
    drift_log_threshold,
    log_thresholds,
    series_bounds,
)
from monitor.definitions.schema import Metric
from monitor.settings import AlertBudget

CAP = 50
KINDS = """
metrics:
  - {name: plain, kind: count, of: {event: e}}
  - {name: heavy, kind: count, of: {event: e}, detect: {weight: 3}, segments: [a, b, [a, b]]}
  - {name: rate, kind: derived, formula: plain / heavy}
  - {name: way, kind: funnel, steps: [{event: e}, {event: f}], within: 1h, segments: [a]}
  - {name: daily, kind: count, of: {event: e}, bucket: 1d, segments: [a]}
  - {name: quiet, kind: count, of: {event: e}, alert: {severity: ticket}, segments: [a]}
  - {name: calm, kind: count, of: {event: e}, alert: {severity: ticket}, detect: {weight: 0.25}}
"""


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> list[Metric]:
    folder = tmp_path_factory.mktemp("budget")
    (folder / "metrics").mkdir()
    (folder / "monitor.yaml").write_text("source: {synthetic: }\n")
    (folder / "metrics" / "all.yaml").write_text(KINDS)
    return list(load(folder, environment={}).metrics)


def budget_of(pages: float, days: int) -> AlertBudget:
    return AlertBudget.model_validate({"pages": pages, "per": f"{days}d"})


def per_period(metric: Metric, metrics: list[Metric], budget: AlertBudget) -> list[float]:
    """False alarms of every grouping in the period, were there as many series as there can be."""
    bounds = series_bounds(metric, CAP)
    logs = log_thresholds(metric, metrics, budget, CAP)
    buckets = budget.per / metric.bucket
    return [b * buckets / math.exp(log) for b, log in zip(bounds, logs, strict=True)]


@given(pages=st.floats(0.01, 50), days=st.integers(1, 365))
def test_false_pages_and_tickets_of_all_series_are_within_the_budget(
    metrics: list[Metric], pages: float, days: int
) -> None:
    budget = budget_of(pages, days)
    for severity, factor in (("page", 1.0), ("ticket", TICKET_FACTOR)):
        of = [m for m in metrics if m.alert.severity == severity]
        total = sum(sum(per_period(m, metrics, budget)) for m in of)
        assert total <= factor * pages * (1 + 1e-9)


@given(pages=st.floats(0.01, 1.0), days=st.integers(1, 365))
def test_false_drifts_of_all_metrics_are_within_as_large_a_budget(
    metrics: list[Metric], pages: float, days: int
) -> None:
    budget = budget_of(pages, days)
    chances = [math.exp(-drift_log_threshold(m, metrics, budget)) for m in metrics]
    assert days * sum(chances) <= pages * (1 + 1e-9)


def test_shares_follow_weights_and_halves(metrics: list[Metric]) -> None:
    budget = budget_of(1.0, 30)
    by_name = {m.name: per_period(m, metrics, budget) for m in metrics}
    # Pages: plain, heavy, rate, way, daily with weights 1, 3, 1, 1, 1.
    assert by_name["plain"] == [pytest.approx(1 / 7)], "without segments the whole share"
    assert by_name["rate"] == [pytest.approx(1 / 7)], "a derived metric has a share of its own"
    assert by_name["heavy"][0] == pytest.approx(3 / 14)
    assert sum(by_name["heavy"][1:]) == pytest.approx(3 / 14)
    assert sum(by_name["way"][1:]) == pytest.approx(1 / 14), "segments and steps"
    assert by_name["calm"] == [pytest.approx(10 * 0.2)]
    assert by_name["quiet"][0] == pytest.approx(10 * 0.4)


def test_a_series_of_few_buckets_keeps_the_smallest_threshold(metrics: list[Metric]) -> None:
    budget = budget_of(50.0, 1)
    daily = next(m for m in metrics if m.name == "daily")
    assert log_thresholds(daily, metrics, budget, CAP)[0] == math.log(SMALLEST_THRESHOLD)

"""The overview: the few metrics that matter, what fires, what to do, and whether the data can be trusted."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders.dashboard import Dashboard, Row

from monitor.definitions.plan import MetricPlan, Plan
from monitor.export.dashboards import frame, links, look, panels, series
from monitor.export.dashboards.promql import SERIES, WHOLE, gauge, quoted, selector
from monitor.export.dashboards.quality import add_quality
from monitor.export.dashboards.query import HEIGHT
from monitor.export.dashboards.steps import next_steps

_SHOWN = 6
"""Metrics of a tier that are shown; the others are on the metric dashboard, one click away."""

_TIERS = (
    ("north_star", "North Star"),
    ("health", "Health"),
    ("input", "Inputs"),
    (None, "Others that page"),
)


def dashboard(plan: Plan, *, status_url: str) -> Dashboard:
    """The dashboard of these definitions.

    Args:
        plan: the metrics; without any of a tier, that tier has no row.
        status_url: address of the monitor's status page, without a slash at the end.
    """
    tiers = [(title, _of_tier(plan, tier)) for tier, title in _TIERS]
    board = frame.board(
        "Monitor: overview",
        links.OVERVIEW_UID,
        "The few metrics that matter, each in the band of what is expected; what fires, and what to "
        "do about it; and whether the data can be trusted.",
    )
    _add_now(board, plan, [m for _, metrics in tiers for m in metrics[:_SHOWN]], status_url)
    for title, metrics in tiers:
        if metrics:
            _add_tier(board, title, metrics)
    return add_quality(board)


def _of_tier(plan: Plan, tier: str | None) -> list[MetricPlan]:
    """Those that page before those that make tickets; without a tier, only those that page."""
    chosen = [m for m in plan.metrics if m.tier == tier and (tier or m.severity == "page")]
    return sorted(chosen, key=lambda m: (m.severity != "page", m.name))


def _add_now(
    board: Dashboard, plan: Plan, shown: Sequence[MetricPlan], status_url: str
) -> Dashboard:
    firing = selector("alert_active")
    board.with_row(Row("Now"))
    board.with_panel(
        panels.rows(
            "Firing",
            "Incidents that fire now, wholes and segments. Click a metric to look into it.",
            f"max by ({SERIES}, direction, severity) ({firing})",
            ("metric", "dimension", "segment", "direction", "severity"),
            linked="metric",
        )
    )
    board.with_panel(
        panels.words(
            "Next steps", "What to do about an alert, in this order.", next_steps(plan, status_url)
        )
    )
    board.with_panel(
        panels.ranking(
            "Closest to firing",
            "The ten series with the most evidence now, wholes and segments.",
            "{{metric}} {{dimension}}={{segment}}",
            f"topk(10, {gauge('evidence_ratio')})",
        )
    )
    names = "|".join(metric.name for metric in shown)
    if names:
        ratios = gauge("evidence_ratio", f"metric=~{quoted(names)}", WHOLE)
        board.with_panel(series.evidence("Evidence ratio", [("{{metric}}", ratios)]))
    return board


def _add_tier(board: Dashboard, title: str, metrics: Sequence[MetricPlan]) -> Dashboard:
    shown = metrics[:_SHOWN]
    left_out = len(metrics) - len(shown)
    note = f" ({len(shown)} of {len(metrics)})" if left_out else ""
    board.with_row(Row(f"{title}{note}"))
    for metric in shown:
        link = links.to_metric(metric.name)
        of_it = (f"metric={quoted(metric.name)}", WHOLE)
        board.with_panel(
            series.band(
                metric.name,
                *of_it,
                unit=look.unit(metric),
                axis=look.axis_label(metric),
                about=metric.description or "",
                link=link,
            ).span(9)
        )
        board.with_panel(
            panels.state(f"{metric.name} is", *of_it, link=link).span(3).height(HEIGHT)
        )
    return board

"""Panels of figures over time."""

from grafana_foundation_sdk.builders import (
    common,
    timeseries,
)
from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.models.common import (
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    TooltipDisplayMode,
    VisibilityMode,
)

from monitor.export.dashboards import look
from monitor.export.dashboards.promql import gauge
from monitor.export.dashboards.query import HEIGHT, Figures, query, setting
from monitor.export.dashboards.variables import DATASOURCE

_BAND = (
    "A bucket's value against what was expected of it. Inside the band it is noise; outside it is "
    "evidence, which fires when the evidence ratio reaches 1."
)


def band(
    title: str,
    *matchers: str,
    unit: str,
    about: str = "",
    axis: str = "",
    link: DashboardLink | None = None,
) -> timeseries.Panel:
    """The value of a bucket within what is expected of it; outside the band it is no noise."""
    figures = [
        (legend, gauge(name, *matchers))
        for legend, name in (
            ("upper", "upper"),
            ("lower", "lower"),
            ("expected", "expected"),
            ("value", "bucket_value"),
        )
    ]
    panel = _hidden_edges(
        lines(
            title,
            f"{about} {_BAND}".strip(),
            figures,
            unit=unit,
        )
    )
    panel.axis_label(axis).override_by_name(
        "value", [setting("color", look.fixed("blue").build()), setting("custom.lineWidth", 2)]
    ).override_by_name(
        "expected",
        [
            setting("color", look.fixed(look.MUTED).build()),
            setting("custom.lineStyle", {"fill": "dash", "dash": [6, 6]}),
        ],
    )
    return panel.data_links([link]) if link else panel


def _hidden_edges(panel: timeseries.Panel) -> timeseries.Panel:
    edge = [
        setting("color", look.fixed(look.CALM).build()),
        setting("custom.lineWidth", 0),
        setting("custom.hideFrom", {"legend": True, "tooltip": False, "viz": False}),
    ]
    filled = [setting("custom.fillBelowTo", "lower"), setting("custom.fillOpacity", 15)]
    return panel.override_by_name("upper", [*edge, *filled]).override_by_name("lower", edge)


def lines(title: str, description: str, figures: Figures, *, unit: str) -> timeseries.Panel:
    """Figures over time."""
    panel = timeseries.Panel().title(title).description(description).datasource(DATASOURCE)
    for place, (legend, expression) in enumerate(figures):
        panel.with_target(query(place, legend, expression))
    legend_box = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST)
    return (
        panel.unit(unit)
        .height(HEIGHT)
        .span(12)
        .line_width(1)
        .fill_opacity(0)
        .show_points(VisibilityMode.NEVER)
        .legend(legend_box.placement(LegendPlacement.BOTTOM).show_legend(True))
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    )


def evidence(title: str, figures: Figures) -> timeseries.Panel:
    """Evidence ratios over time with the line at which they fire."""
    panel = lines(
        title,
        "log M / log A: the evidence against `nothing changed`, relative to the threshold that the "
        "alert budget sets. From 0.5 on an incident is pending, at 1 it fires.",
        figures,
        unit="short",
    )
    style = common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
    panel.thresholds(look.thresholds(look.EVIDENCE)).thresholds_style(style)
    return panel.min(0).axis_soft_max(1.2)

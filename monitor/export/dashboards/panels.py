"""Panels of figures, words and states: each with a title, a sentence on how to read it, a unit."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    stat,
    statetimeline,
    table,
    text,
)
from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    LegendPlacement,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

from monitor.export.dashboards import links, look
from monitor.export.dashboards.promql import state_codes
from monitor.export.dashboards.query import HEIGHT, query, setting
from monitor.export.dashboards.variables import DATASOURCE


def number(
    title: str, description: str, expression: str, *, unit: str, steps: look.Steps = look.PLAIN
) -> stat.Panel:
    """One figure, as it stands now."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_target(query(0, title, expression, instant=True))
        .unit(unit)
        .height(4)
        .span(4)
        .thresholds(look.thresholds(steps))
        .color_scheme(look.by_thresholds())
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def state(title: str, *matchers: str, link: DashboardLink | None = None) -> stat.Panel:
    """The state of one series in a word and a colour."""
    panel = number(
        title,
        "What the newest closed bucket is: learning, ok, suspected, alerting, no data ...",
        state_codes(*matchers),
        unit="none",
    )
    panel.mappings(look.state_mappings()).color_mode(BigValueColorMode.BACKGROUND)
    return panel.data_links([link]) if link else panel


def states(title: str, legend: str, expression: str) -> statetimeline.Panel:
    """The states of series over time."""
    return (
        statetimeline.Panel()
        .title(title)
        .description("The state of every closed bucket; alerting lasts as long as its incident.")
        .datasource(DATASOURCE)
        .with_target(query(0, legend, expression))
        .unit("none")
        .height(HEIGHT)
        .span(24)
        .mappings(look.state_mappings())
        .color_scheme(look.by_thresholds())
        .merge_values(True)
        .show_value(VisibilityMode.NEVER)
        .fill_opacity(80)
        .line_width(0)
        .legend(common.VizLegendOptions().show_legend(True).placement(LegendPlacement.BOTTOM))
        .data_links([links.to_series()])
    )


def ranking(title: str, description: str, legend: str, expression: str) -> bargauge.Panel:
    """Evidence ratios now, the highest first."""
    return (
        bargauge.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_target(query(0, legend, expression, instant=True))
        .unit("short")
        .decimals(2)
        .min(0)
        .height(HEIGHT)
        .span(12)
        .thresholds(look.thresholds(look.EVIDENCE))
        .color_scheme(look.by_thresholds())
        .orientation(VizOrientation.HORIZONTAL)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .data_links([links.to_series()])
    )


def rows(
    title: str, description: str, expression: str, columns: Sequence[str], *, linked: str = ""
) -> table.Panel:
    """The labels of series as a table; the values in the column `linked` lead to their metric."""
    everything = {name: place for place, name in enumerate(columns)}
    order = {
        "excludeByName": {"Time": True, "Value": True},
        "includeByName": {},
        "indexByName": everything,
        "renameByName": {},
    }
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .with_target(query(0, "", expression, instant=True).format(PromQueryFormat.TABLE))
        .unit("none")
        .height(HEIGHT)
        .span(12)
        .no_value("none")
        .with_transformation(DataTransformerConfig(id_val="organize", options=order))
    )
    if linked:
        panel.override_by_name(linked, [setting("links", [links.from_row()])])
    return panel


def words(title: str, description: str, markdown: str) -> text.Panel:
    """A text."""
    panel = text.Panel().title(title).description(description).mode(TextMode.MARKDOWN)
    return panel.content(markdown).datasource(DATASOURCE).height(HEIGHT).span(12)

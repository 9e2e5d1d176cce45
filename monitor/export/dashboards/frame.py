"""What the dashboards share: variables, time range, annotations, links to each other."""

from grafana_foundation_sdk.builders.dashboard import (
    AnnotationQuery,
    Dashboard,
    DashboardLink,
    TimePicker,
)
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DashboardLinkType

from monitor.export.dashboards import variables
from monitor.export.dashboards.promql import selector

_TAG = "metric-monitor"


def board(title: str, uid: str, description: str) -> Dashboard:
    """An empty dashboard that selects a data source, jobs and instances."""
    return (
        Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([_TAG])
        .timezone("browser")
        .readonly()
        .time("now-6h", "now")
        .refresh("30s")
        .timepicker(TimePicker().refresh_intervals(["10s", "30s", "1m", "5m", "15m"]))
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(_siblings())
        .with_variable(variables.datasource())
        .with_variable(variables.job())
        .with_variable(variables.instance())
        .annotation(_releases())
    )


def incidents(*matchers: str) -> AnnotationQuery:
    """The time in which an incident fires."""
    expression = (
        f"max by (dimension, segment, direction, severity) ({selector('alert_active', *matchers)})"
    )
    return (
        _annotation("Incidents", "red", expression)
        .title_format("{{severity}}: {{direction}}")
        .text_format("{{dimension}}={{segment}}")
        .tag_keys("severity,direction")
    )


def _releases() -> AnnotationQuery:
    """When a release began. Without the series, without a mark and without an error."""
    labels = "service, environment, version"
    expression = f"max by ({labels}) ({selector('release_timestamp_seconds')}) * 1000"
    return (
        _annotation("Releases", "blue", expression)
        .title_format("{{service}} {{version}}")
        .text_format("{{environment}}")
        .tag_keys("service,environment")
        .use_value_for_time(True)
    )


def _annotation(name: str, color: str, expression: str) -> AnnotationQuery:
    query = AnnotationQuery().name(name).icon_color(color).enable(True).expr(expression)
    return query.datasource(variables.DATASOURCE).step("60s")


def _siblings() -> DashboardLink:
    link = DashboardLink("Monitor").type(DashboardLinkType.DASHBOARDS).tags([_TAG])
    return link.include_vars(True).keep_time(True).as_dropdown(False)

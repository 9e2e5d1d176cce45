"""The variables of the dashboards: where the data is, and which monitor."""

from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, QueryVariable
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.dashboard import (
    VariableHide,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from monitor.export.dashboards.promql import SCRAPED

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")
"""What every panel and variable asks."""

_INFO = "monitor_metric_info"


def datasource() -> DatasourceVariable:
    """Any Prometheus."""
    return DatasourceVariable("datasource").label("Data source").type("prometheus")


def job() -> QueryVariable:
    """The scrape job; all of them by default."""
    return _any("job", "Job", f"label_values({_INFO}, job)")


def instance() -> QueryVariable:
    """The instance of a job; all of them by default."""
    return _any("instance", "Instance", f'label_values({_INFO}{{job=~"$job"}}, instance)')


def metric() -> QueryVariable:
    """One metric."""
    return _one("metric", "Metric", f"label_values({_INFO}{{{SCRAPED}}}, metric)")


def dimension() -> QueryVariable:
    """One of the metric's dimensions; `all` is the whole."""
    query = f'label_values(monitor_state_info{{{SCRAPED}, metric="$metric"}}, dimension)'
    return _one("dimension", "Dimension", query).current(_option("all"))


def segment() -> QueryVariable:
    """One segment of the dimension."""
    within = f'{SCRAPED}, metric="$metric", dimension="$dimension"'
    query = f"label_values(monitor_state_info{{{within}}}, segment)"
    return _one("segment", "Segment", query).current(_option("all"))


def _any(name: str, label: str, query: str) -> QueryVariable:
    everything = VariableOption(selected=True, text=["All"], value=["$__all"])
    return (
        _one(name, label, query).multi(True).include_all(True).all_value(".+").current(everything)
    )


def _one(name: str, label: str, query: str) -> QueryVariable:
    return (
        QueryVariable(name)
        .label(label)
        .hide(VariableHide.DONT_HIDE)
        .datasource(DATASOURCE)
        .query({"query": query, "refId": f"{name}-values"})
        .definition(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
    )


def _option(value: str) -> VariableOption:
    return VariableOption(selected=True, text=value, value=value)

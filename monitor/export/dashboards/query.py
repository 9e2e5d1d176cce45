"""What the kinds of panels share."""

from collections.abc import Sequence

from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

from monitor.export.dashboards.variables import DATASOURCE

Figures = Sequence[tuple[str, str]]
"""Legends and expressions."""

HEIGHT = 8
"""Cells of a panel; a cell is 30 pixels high, and a dashboard 24 cells wide."""

_REFS = "ABCDEFGHIJ"


def query(
    place: int, legend: str, expression: str, *, instant: bool = False
) -> prometheus.Dataquery:
    """A query, the `place`th of its panel; an instant one has a value instead of a line."""
    asked = prometheus.Dataquery().ref_id(_REFS[place]).datasource(DATASOURCE).expr(expression)
    if legend:
        asked.legend_format(legend)
    return asked.instant() if instant else asked.range()


def setting(name: str, value: object) -> DynamicConfigValue:
    """A property of an override."""
    return DynamicConfigValue(id_val=name, value=value)

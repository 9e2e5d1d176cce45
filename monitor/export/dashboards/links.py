"""Where a click leads: from anything that shows a metric to the dashboard of that metric."""

from urllib.parse import quote

from grafana_foundation_sdk.builders.dashboard import DashboardLink
from grafana_foundation_sdk.models.dashboard import DashboardLinkType

METRIC_UID = "monitor-metric"
OVERVIEW_UID = "monitor-overview"

_KEPT = "${datasource:queryparam}&${job:queryparam}&${instance:queryparam}&${__url_time_range}"
_LABELS = "${__field.labels.%s:percentencode}"
_FIELDS = "${__data.fields.%s:percentencode}"


def to_metric(name: str) -> DashboardLink:
    """To one metric as a whole."""
    return _link(f"Look into {name}", quote(name), "all", "all")


def to_series() -> DashboardLink:
    """To the series that was clicked, from its labels."""
    return _link("Look into this series", *_of(_LABELS))


def from_row() -> dict[str, object]:
    """To the series of a table's row, as an entry of a field's `links`."""
    return {"title": "Look into this series", "url": _url(*_of(_FIELDS)), "targetBlank": False}


def _of(pattern: str) -> tuple[str, str, str]:
    return pattern % "metric", pattern % "dimension", pattern % "segment"


def _link(title: str, *place: str) -> DashboardLink:
    link = DashboardLink(title).type(DashboardLinkType.LINK).url(_url(*place))
    return link.target_blank(False)


def _url(metric: str, dimension: str, segment: str) -> str:
    place = f"var-metric={metric}&var-dimension={dimension}&var-segment={segment}"
    return f"/d/{METRIC_UID}?{place}&{_KEPT}"

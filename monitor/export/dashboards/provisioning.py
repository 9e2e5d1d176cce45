"""What a Grafana needs to find the dashboards and their data at its start.

Grafana replaces `$NAME` by the environment variable of its own process.
"""

from typing import Any

DATASOURCE = "monitor-prometheus"
"""The uid of the provisioned data source; the dashboards take any of type `prometheus`."""


def dashboards() -> dict[str, Any]:
    """The provider: every dashboard of the folder MONITOR_DASHBOARDS."""
    provider = {
        "name": "monitor",
        "folder": "Monitor",
        "type": "file",
        "disableDeletion": True,
        "allowUiUpdates": False,
        "options": {"path": "$MONITOR_DASHBOARDS"},
    }
    return {"apiVersion": 1, "providers": [provider]}


def datasources() -> dict[str, Any]:
    """The Prometheus at MONITOR_PROMETHEUS_URL."""
    source = {
        "name": "Prometheus",
        "uid": DATASOURCE,
        "type": "prometheus",
        "access": "proxy",
        "url": "$MONITOR_PROMETHEUS_URL",
        "isDefault": True,
        # As long as Prometheus waits between two scrapes: $__rate_interval is four of them.
        "jsonData": {"timeInterval": "15s", "httpMethod": "POST"},
    }
    return {"apiVersion": 1, "datasources": [source]}

"""Dashboards, rules and provisioning as files, made from the definitions.

`files(plan)` is all of it. Whoever changes a definition writes them anew: `monitor dashboards export`.
"""

import json
from pathlib import PurePosixPath
from typing import Any

import yaml
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from monitor.definitions.plan import Plan
from monitor.export.dashboards import metric, overview, provisioning
from monitor.export.dashboards.rules import rules

_MADE = "# Made by `monitor dashboards export` from the definitions; changes are overwritten.\n"


def files(plan: Plan, *, status_url: str) -> dict[PurePosixPath, str]:
    """Every file by its path below the folder of the export; the same plan gives the same bytes.

    Args:
        plan: the metrics.
        status_url: address of the monitor's status page, for links.
    """
    return {
        PurePosixPath("grafana/overview.json"): _json(
            overview.dashboard(plan, status_url=status_url)
        ),
        PurePosixPath("grafana/metric.json"): _json(metric.dashboard()),
        PurePosixPath("grafana/provisioning/dashboards.yaml"): _yaml(provisioning.dashboards()),
        PurePosixPath("grafana/provisioning/datasources.yaml"): _yaml(provisioning.datasources()),
        PurePosixPath("prometheus/monitor.rules.yaml"): _yaml(rules(plan)),
    }


def _json(builder: Dashboard) -> str:
    board = builder.build()
    for number, panel in enumerate(board.panels or [], start=1):
        panel.id_val = number
    return json.dumps(board, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _yaml(value: dict[str, Any]) -> str:
    return _MADE + yaml.safe_dump(value, sort_keys=False, width=10_000, allow_unicode=True)

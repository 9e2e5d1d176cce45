"""The committed dashboards, as the tests read them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
EXPORTED = ROOT / "dashboards"
NAMES = ("overview", "metric")


def board(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EXPORTED / "grafana" / f"{name}.json").read_text())
    return loaded


def panels(name: str) -> list[dict[str, Any]]:
    """All but the headings of rows."""
    return [panel for panel in board(name)["panels"] if panel["type"] != "row"]


def targets(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Titles of panels and their queries."""
    for panel in panels(name):
        for target in panel.get("targets", ()):
            yield panel["title"], target

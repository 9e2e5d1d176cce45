"""The verdict of a release as a table."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

_COLOURS = {"regressed": "red", "improved": "green", "no_effect_within_mde": "green"}


def verdict_table(verdict: Mapping[str, Any]) -> Table:
    """A line a series, from the body of a verdict."""
    release = verdict["release"]
    name = f"{release['service']} {release['version']} in {release['environment']}"
    table = Table(title=f"{name}: {verdict['verdict']}", title_justify="left", box=None)
    for heading in ("metric", "where", "verdict", "why"):
        table.add_column(heading)
    for heading in ("effect", "95 % interval", "could see", "evidence", "n"):
        table.add_column(heading, justify="right")
    for line in verdict["metrics"]:
        whole = line["dimension"] == "all"
        where = "" if whole else f"{line['dimension']}={line['segment']}"
        low, high = line["interval"] or (None, None)
        table.add_row(
            line["metric"],
            where,
            f"[{_COLOURS.get(line['verdict'], 'yellow')}]{line['verdict']}[/]",
            line["reason"],
            _percent(line["effect"]),
            "?" if low is None else f"{_percent(low)} to {_percent(high)}",
            "?" if line["minimum_detectable_effect"] is None else _size(line),
            f"{line['evidence']:.1f} of {line['threshold']:.1f}",
            f"{line['n']:,.0f}",
        )
    return table


def _size(line: Mapping[str, Any]) -> str:
    return f"{line['minimum_detectable_effect']:.1%}"


def _percent(value: float | None) -> str:
    return "?" if value is None else f"{value:+.1%}"

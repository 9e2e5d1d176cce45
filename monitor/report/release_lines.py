"""The verdict of a release as a table."""

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from monitor.model.quantity import percent

_COLOURS = {"regressed": "red", "improved": "green", "no_effect_within_mde": "green"}


def verdict_table(verdict: Mapping[str, Any]) -> Table:
    """A line a series, from the body of a verdict."""
    release = verdict["release"]
    name = f"{release['service']} {release['version']} in {release['environment']}"
    table = Table(title=escape(f"{name}: {verdict['verdict']}"), title_justify="left", box=None)
    for heading in ("metric", "where", "verdict"):
        table.add_column(heading, overflow="fold")
    for heading in ("effect", "95 % interval", "could see", "evidence", "n"):
        table.add_column(heading, justify="right", no_wrap=True)
    for line in verdict["metrics"]:
        whole = line["dimension"] == "all"
        low, high = line["interval"] or (None, None)
        judged = line["verdict"]
        words = line["reason"] if judged == "inconclusive" else judged
        table.add_row(
            escape(line["metric"]),
            "" if whole else escape(f"{line['dimension']}={line['segment']}"),
            f"[{_COLOURS.get(judged, 'yellow')}]{words.replace('_', ' ')}[/]",
            _percent(line["effect"]),
            "?" if low is None else f"{_percent(low)} to {_percent(high)}",
            _percent(line["minimum_detectable_effect"]).lstrip("+"),
            f"{line['evidence']:.1f} of {line['threshold']:.1f}",
            f"{line['n']:,.0f}",
        )
    return table


def _percent(value: float | None) -> str:
    return "?" if value is None else percent(value)

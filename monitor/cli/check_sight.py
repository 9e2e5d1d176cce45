"""What `monitor check` tells of the smallest shifts that metrics see: as learnt, or at volumes that are assumed."""

from pathlib import Path
from typing import Any

import click
from rich.table import Table

from monitor.alert.text import number
from monitor.cli.progress import Watch
from monitor.clock import wall_clock
from monitor.definitions.compile import compile_plan
from monitor.definitions.load import Configuration
from monitor.definitions.plan import Plan
from monitor.embedded.detectable import HORIZONS, Detectable
from monitor.embedded.detectable_by_volume import VOLUMES, detectable_by_volume
from monitor.embedded.learnt import seen_by_history, seen_by_state
from monitor.errors import StateError
from monitor.ingest.files import closing, open_files
from monitor.model.quantity import percent
from monitor.report.detected import shift_found


def add(result: dict[str, Any], configuration: Configuration, history: tuple[str, ...]) -> None:
    """Add to each metric what it sees, and warn of what is blind.

    Args:
        result: of `summary`; its metrics get `sees`, or `sees_at` where nothing is learnt yet.
        configuration: without mistakes.
        history: files of events to learn from; without any, the state of a service on files is asked.
    """
    plan = compile_plan(configuration, shards=1)
    seen = _seen(configuration, plan, history)
    if seen is None:
        _assume(result, plan)
        return
    for row in result["metrics"]:
        row["sees"] = _sees(seen.get(row["name"]))
    for name, one in seen.items():
        if one.problem is not None:
            click.echo(f"warning: metric '{name}' {one.problem}", err=True)


def table(rows: list[dict[str, Any]]) -> Table | None:
    """The metrics with what they see, or would; None where nothing is told."""
    if any(row.get("sees") for row in rows):
        return _learnt_table(rows)
    return _assumed_table(rows) if any("sees_at" in row for row in rows) else None


def _seen(
    configuration: Configuration, plan: Plan, history: tuple[str, ...]
) -> dict[str, Detectable] | None:
    """What each metric can see, where volumes are known: from these files, or from a service's state."""
    if not history:
        path = Path(configuration.settings.sqlite_path)
        try:
            kafka = configuration.settings.source.kafka
            return None if kafka is not None else seen_by_state(path, plan)
        except StateError as error:
            click.echo(f"warning: what metrics see is not known: {error}", err=True)
            return None
    files = open_files(history)
    with closing(files), Watch("history", files) as watch:
        seen = seen_by_history(
            files,
            plan=plan,
            fields=configuration.fields or None,
            clock=wall_clock,
            progress=watch.advance,
        )
    for file in files:
        for warning in file.warnings:
            click.echo(f"warning: {warning}", err=True)
    return seen


def _assume(result: dict[str, Any], plan: Plan) -> None:
    assumed = detectable_by_volume(plan)
    for row in result["metrics"]:
        at = assumed.get(row["name"], ())
        row["sees_at"] = [_sees(one) for one in at]
        if at and at[-1].problem is not None:
            click.echo(f"warning: metric '{row['name']}' {at[-1].problem}", err=True)


def _sees(one: Detectable | None) -> dict[str, Any] | None:
    if one is None:
        return None
    return {
        "units_per_bucket": one.units,
        "minimum_detectable_shift": dict(one.falls),
        "minimum_detectable_rise": dict(one.rises),
        "problem": one.problem,
    }


def _learnt_table(rows: list[dict[str, Any]]) -> Table:
    found = _empty(
        "finds: a fall or a rise of this size in the whole metric, about half of the time"
    )
    for heading in ("n a bucket", "finds in 1 h", "finds in 1 d"):
        found.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        sees = row["sees"] or {}
        units = sees.get("units_per_bucket")
        learnt = {**sees, "learning": units is None}
        cells = [shift_found(learnt, name) if sees else "-" for name in HORIZONS]
        found.add_row(row["name"], "-" if units is None else number(units), *cells)
    return found


def _assumed_table(rows: list[dict[str, Any]]) -> Table:
    found = _empty(
        "finds: the smallest fall (or rise, where only these are judged) of the whole, about half of the time, by "
        "units a bucket. Assumed are shares of 10 %, dispersion 2, values that scatter by their mean; --history "
        "FILE tells of your own."
    )
    for units in VOLUMES:
        for name in HORIZONS:
            found.add_column(f"{units:,}\nin {name[:-1]} {name[-1]}", justify="right", no_wrap=True)
    for row in rows:
        cells = [_either(sees, name) for sees in row["sees_at"] for name in HORIZONS]
        found.add_row(row["name"], *cells)
    return found


def _either(sees: dict[str, Any], horizon: str) -> str:
    fall, rise = (sees[f"minimum_detectable_{way}"][horizon] for way in ("shift", "rise"))
    size = rise if fall is None else -fall
    return "none" if size is None else percent(size)


def _empty(caption: str) -> Table:
    found = Table(
        box=None, pad_edge=False, header_style="bold", caption=caption, caption_justify="right"
    )
    found.add_column("metric", no_wrap=True)
    return found

"""Tables of a replay for the terminal; none is wider than 100 columns."""

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from monitor.report.detected import (
    outcome_in_words,
    shift_found,
    survey_in_words,
    volume_in_words,
)

_WIDEST = 100


def totals_table(summary: Mapping[str, Any], out: str) -> Table:
    """What was read and found.

    Args:
        summary: the body of `summary.json`.
        out: where the files are.
    """
    events, alerts, span = summary["events"], summary["alerts"], summary["span"]
    table = Table(show_header=False, box=None)
    table.add_row("events", f"{events['read']:,} read, {events['accepted']:,} accepted")
    table.add_row("", f"{events['late']:,} late, {events['dead_lettered']:,} dead letters")
    if events.get("duplicates"):
        table.add_row("", f"{events['duplicates']:,} repeat an event_id")
    if events["folded"]:
        table.add_row("", f"{events['folded']:,} folded to `other`")
    if span["first"]:
        table.add_row("span", f"{span['first']} to {span['last']}")
    table.add_row("buckets", f"{summary['buckets']:,} of {summary['series']:,} series")
    table.add_row("alerts", f"{alerts['fired']:,} fired, {alerts['resolved']:,} resolved")
    table.add_row(
        "speed", f"{summary['seconds']:,.1f} s, {summary['events_per_second']:,} events/s"
    )
    table.add_row("written", escape(out))
    return table


def metrics_table(summary: Mapping[str, Any]) -> Table:
    """Per metric: buckets, until when it learnt, alerts, what it can see."""
    table = Table(box=None, pad_edge=False, width=_WIDEST, header_style="dim")
    table.caption = (
        "finds: a fall or a rise of this size, about half of the time; --inject tries one"
    )
    table.caption_justify = "right"
    table.add_column("metric", overflow="fold", ratio=1)
    for name in ("buckets", "learning until", "alerts", "finds in 1 h", "finds in 1 d"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in summary["metrics"]:
        until = one["learning_until"]
        day = until[:16].replace("T", " ") if until else "-"
        table.add_row(
            escape(one["metric"]),
            f"{one['buckets']:,}",
            f"[yellow]{day}, still[/]" if one["learning"] and until else day,
            f"{one['alerts']:,}",
            *(shift_found(one, horizon) for horizon in ("1h", "1d")),
        )
    return table


def injections_table(summary: Mapping[str, Any]) -> Table:
    """What became of every injection."""
    table = Table(box=None, pad_edge=False, width=_WIDEST, header_style="dim")
    table.add_column("injected", overflow="fold", max_width=44)
    table.add_column("what became of it", overflow="fold", ratio=1)
    for one in summary["injections"]:
        notes = "".join(f"\n[dim]{escape(note)}[/]" for note in one["notes"])
        table.add_row(escape(one["inject"]), escape(outcome_in_words(one)) + notes)
    return table


def surveys_table(summary: Mapping[str, Any]) -> Table:
    """How often shifts were found that were tried at many times."""
    table = Table(box=None, pad_edge=False, width=_WIDEST, header_style="dim")
    table.add_column("injected at many times", overflow="fold", max_width=44)
    table.add_column("what became of it", overflow="fold", ratio=1)
    for one in summary["surveys"]:
        more = [volume_in_words(one), *one["notes"]]
        notes = "".join(f"\n[dim]{escape(note)}[/]" for note in more if note)
        table.add_row(escape(one["inject"]), escape(survey_in_words(one)) + notes)
    return table

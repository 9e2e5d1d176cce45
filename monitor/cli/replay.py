"""`monitor replay`: own history through the same pipeline, to files."""

from pathlib import Path
from time import perf_counter
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from monitor.cli.options import config_option, console, json_option, print_json, require_served
from monitor.clock import wall_clock
from monitor.definitions import compile_plan, load
from monitor.definitions.plan import Plan
from monitor.embedded.outputs import Buckets, FileOutputs
from monitor.embedded.replay import Replay, reasons_in_words
from monitor.ingest.files import LineFile, open_files
from monitor.settings import environment


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@config_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder for alerts, buckets, dead letters and the summary.",
)
@click.option(
    "--buckets",
    type=click.Choice([b.value for b in Buckets]),
    default=Buckets.ALL.value,
    show_default=True,
    help="Which buckets are written: of every series, of the wholes only, none.",
)
@json_option
def command(files: tuple[str, ...], config: Path, out: Path, buckets: str, as_json: bool) -> None:
    """Run history through the pipeline, at full speed.

    FILE is NDJSON, plain, .gz or .zst; `-` reads standard input. Every file is a source of its own:
    the one whose watermark is lowest is read next.
    """
    configuration = load(config, environment=environment())
    plan = compile_plan(configuration, shards=1)
    _tell_unserved(plan)
    require_served(plan, config)
    inputs = open_files(files)
    outputs = FileOutputs(
        out, buckets=Buckets(buckets), restatement_window_us=plan.restatement_window_us
    )
    began = perf_counter()
    with outputs, _Watch(inputs) as watch:
        run = Replay(
            inputs,
            plan=plan,
            fields=configuration.fields or None,
            clock=wall_clock,
            sink=outputs,
            progress=watch.advance,
        )
        run.run()
        summary = run.totals.summary(perf_counter() - began, run.folded())
        outputs.finish(summary)
    _warn(inputs, summary)
    if as_json:
        print_json(summary)
    else:
        screen = console()
        screen.print(_table(summary, out))
        for alert in run.totals.fired:
            screen.print(f"\n{alert}", markup=False)
        if summary["alerts"]["fired"] > len(run.totals.fired):
            screen.print(f"\nmore in {out / 'alerts.ndjson'}", markup=False)


def _tell_unserved(plan: Plan) -> None:
    for name in plan.unserved:
        click.echo(
            f"warning: metric '{name}' is of a kind that is not served yet; left out", err=True
        )


def _warn(inputs: list[LineFile], summary: dict[str, Any]) -> None:
    for file in inputs:
        for warning in file.warnings:
            click.echo(f"warning: {warning}", err=True)
    events = summary["events"]
    if events["dead_lettered"]:
        click.echo(
            f"warning: {events['dead_lettered']:,} of {events['read']:,} lines could not be used "
            f"({reasons_in_words(summary['dead_letters'])}); see dead_letters.ndjson",
            err=True,
        )
    elif not events["read"]:
        click.echo("warning: there was not one event in the input", err=True)


class _Watch:
    """Progress on a terminal: bytes, events a second, time left. Nothing is shown elsewhere."""

    def __init__(self, inputs: list[LineFile]) -> None:
        sizes = [file.size for file in inputs]
        total = None if None in sizes else sum(size or 0 for size in sizes)
        self._events = 0
        self._began = perf_counter()
        stderr = Console(stderr=True)
        self._bar = Progress(
            TextColumn("replay"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=stderr,
            disable=not stderr.is_terminal,
            transient=True,
        )
        self._task: TaskID = self._bar.add_task("replay", total=total, rate="")

    def __enter__(self) -> "_Watch":
        self._bar.start()
        return self

    def advance(self, read: int, events: int) -> None:
        """Bytes and events read since the last call."""
        self._events += events
        rate = self._events / max(perf_counter() - self._began, 1e-9)
        self._bar.update(self._task, advance=read, rate=f"{rate:,.0f} events/s")

    def __exit__(self, *_: object) -> None:
        self._bar.stop()


def _table(summary: dict[str, Any], out: Path) -> Table:
    events, alerts, span = summary["events"], summary["alerts"], summary["span"]
    table = Table(show_header=False, box=None)
    table.add_row("events", f"{events['read']:,} read, {events['accepted']:,} accepted")
    table.add_row("", f"{events['late']:,} late, {events['dead_lettered']:,} dead letters")
    if events["folded"]:
        table.add_row("", f"{events['folded']:,} folded to `other`")
    if span["first"]:
        table.add_row("span", f"{span['first']} to {span['last']}")
    table.add_row("buckets", f"{summary['buckets']:,} of {summary['series']:,} series")
    table.add_row("alerts", f"{alerts['fired']:,} fired, {alerts['resolved']:,} resolved")
    table.add_row(
        "speed", f"{summary['seconds']:,.1f} s, {summary['events_per_second']:,} events/s"
    )
    table.add_row("written", str(out))
    return table

"""`monitor replay`: own history through the same pipeline, to files."""

import os
import sys
from pathlib import Path
from time import perf_counter

import click
import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Table

from monitor.clock import wall_clock
from monitor.definitions import compile_plan, load
from monitor.embedded.outputs import Buckets, FileOutputs
from monitor.embedded.replay import Replay, reasons_in_words
from monitor.ingest.files import open_files


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--config", "config_dir", type=Path, default=Path("config"), show_default=True)
@click.option("--out", type=Path, required=True, help="Folder for the files that are written.")
@click.option(
    "--buckets",
    type=click.Choice([b.value for b in Buckets]),
    default=Buckets.ALL.value,
    show_default=True,
    help="Which buckets are written: every series, the wholes only, none.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(files: tuple[str, ...], config_dir: Path, out: Path, buckets: str, as_json: bool) -> None:
    """Run history through the pipeline at full speed.

    FILE is NDJSON, plain, .gz or .zst; `-` reads standard input. Every file is a source of its own.
    """
    console = Console(stderr=True)
    configuration = load(config_dir, environment=os.environ)
    plan, unserved = compile_plan(configuration)
    for name in unserved:
        console.print(f"warning: metric '{name}' is of a kind that is not served yet; left out")
    inputs = open_files(files)
    outputs = FileOutputs(
        out, buckets=Buckets(buckets), restatement_window_us=plan.restatement_window_us
    )
    began = perf_counter()
    with outputs, _progress(console) as progress:
        total = sum(file.size or 0 for file in inputs)
        task = progress.add_task("reading", total=total or None)
        run = Replay(
            inputs,
            plan=plan,
            fields=configuration.fields,
            clock=wall_clock,
            sink=outputs,
            progress=lambda n: progress.advance(task, n),
        )
        run.run()
        summary = run.totals.summary(perf_counter() - began, run.folded())
        outputs.finish(summary)
    for file in inputs:
        for warning in file.warnings:
            console.print(f"warning: {warning}")
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(summary), indent=2).decode() + "\n")
    else:
        Console().print(_table(summary, out))


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def _table(summary: dict[str, object], out: Path) -> Table:
    return Table()

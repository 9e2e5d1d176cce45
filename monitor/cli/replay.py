"""`monitor replay`: own history through the same pipeline, to files."""

from contextlib import nullcontext
from pathlib import Path
from time import perf_counter
from typing import Any

import click

from monitor.cli.options import config_option, console, json_option, print_json
from monitor.cli.progress import Watch
from monitor.clock import wall_clock
from monitor.definitions import compile_plan, load
from monitor.definitions.budget import TICKET_FACTOR
from monitor.definitions.plan import Plan
from monitor.embedded.inject import Injection, TimelessInjection, parse_injection
from monitor.embedded.outputs import Buckets, FileOutputs
from monitor.embedded.record import Recorder
from monitor.embedded.releases_file import read_releases
from monitor.embedded.replay import Replay, reasons_in_words
from monitor.embedded.survey import Survey
from monitor.embedded.trial import Trial
from monitor.embedded.whole_file import WholeFile
from monitor.ingest.files import LineFile, closing, open_files
from monitor.report.page import Budget, Report, render
from monitor.report.summary import injections_table, metrics_table, surveys_table, totals_table
from monitor.settings import AlertBudget, environment


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
@click.option(
    "--inject",
    "injections",
    multiple=True,
    metavar="METRIC[,dim=value]:SHIFT[@TIME]",
    help="Also tell whether and when such a shift would be paged: orders,country=DE:-20%@TIME; "
    "without a time, how often and how fast, from up to 40 times of the history.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE.html",
    help="Also write a page with a chart per alert.",
)
@click.option(
    "--releases",
    "releases_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What was released in that time, one release a line: also writes verdicts.ndjson.",
)
@json_option
def command(
    *,
    files: tuple[str, ...],
    config: Path,
    out: Path,
    buckets: str,
    injections: tuple[str, ...],
    report: Path | None,
    releases_file: Path | None,
    as_json: bool,
) -> None:
    """Run history through the pipeline, at full speed.

    FILE is NDJSON, plain, .gz or .zst; `-` reads standard input. Every file is a source of its own:
    the one whose watermark is lowest is read next.
    """
    configuration = load(config, environment=environment())
    plan = compile_plan(configuration, shards=1)
    trials = [_trial(plan, parse_injection(text, plan)) for text in injections]
    recorder = None if report is None else Recorder(plan)
    releases = [] if releases_file is None else read_releases(releases_file)
    inputs = open_files(files)
    outputs = FileOutputs(
        out, buckets=Buckets(buckets), restatement_window_us=plan.restatement_window_us
    )
    began = perf_counter()
    with (
        closing(inputs),
        nullcontext() if report is None else WholeFile(report, "--report") as page,
        outputs,
        Watch("replay", inputs) as watch,
    ):
        run = Replay(
            inputs,
            plan=plan,
            fields=configuration.fields or None,
            clock=wall_clock,
            sink=outputs,
            progress=watch.advance,
            trials=trials,
            recorder=recorder,
            releases=releases,
        )
        run.run()
        summary = run.summary(perf_counter() - began)
        if page is not None and recorder is not None:
            budgets = _budgets(configuration.settings.alert_budget, run)
            page.finish(_page(files, summary, budgets, recorder, out).encode())
        verdicts = run.verdicts.verdicts(releases)
        if releases_file is not None:
            outputs.verdicts(verdicts)
        outputs.finish(summary)
    _warn(inputs, summary)
    if as_json:
        print_json(summary)
    else:
        _print(run, summary, out, report)
        for verdict in verdicts:
            console().print(f"\n{verdict.summary}", markup=False)


def _trial(plan: Plan, injection: Injection | TimelessInjection) -> Trial | Survey:
    return Trial(plan, injection) if isinstance(injection, Injection) else Survey(plan, injection)


def _budgets(budget: AlertBudget, run: Replay) -> list[Budget]:
    return [
        Budget(
            severity=severity,
            allowed=budget.pages * factor,
            per_us=budget.per,
            fired=run.totals.severities[severity],
        )
        for severity, factor in (("page", 1.0), ("ticket", TICKET_FACTOR))
    ]


def _page(
    files: tuple[str, ...],
    summary: dict[str, Any],
    budgets: list[Budget],
    recorder: Recorder,
    out: Path,
) -> str:
    cards = recorder.cards()
    return render(
        Report(
            sources=files,
            summary=summary,
            budgets=budgets,
            cards=cards,
            left_out=recorder.left_out,
            elsewhere=str(out / "alerts.ndjson"),
        )
    )


def _print(run: Replay, summary: dict[str, Any], out: Path, report: Path | None) -> None:
    screen = console()
    screen.print(totals_table(summary, ", ".join(map(str, filter(None, (out, report))))))
    screen.print()
    screen.print(metrics_table(summary))
    if summary["injections"]:
        screen.print()
        screen.print(injections_table(summary))
    if summary["surveys"]:
        screen.print()
        screen.print(surveys_table(summary))
    for alert in run.totals.fired:
        screen.print(f"\n{alert}", markup=False)
    if summary["alerts"]["fired"] > len(run.totals.fired):
        screen.print(f"\nmore in {out / 'alerts.ndjson'}", markup=False)


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

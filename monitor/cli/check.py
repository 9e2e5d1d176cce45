"""`monitor check`: tells every mistake of a configuration, or what it amounts to."""

import math
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from monitor.aggregate.cohort_memory import cohort_memory
from monitor.cli import check_connect, check_sight
from monitor.cli.options import config_option, console, json_option, print_json
from monitor.definitions.budget import groupings_of, log_thresholds, series_bounds
from monitor.definitions.compile import compile_plan
from monitor.definitions.load import Configuration, load
from monitor.definitions.mistake import Mistake, MistakesError
from monitor.definitions.plan import Plan
from monitor.definitions.schema import Metric
from monitor.model.quantity import format_duration
from monitor.model.time import DAY, HOUR, SECOND
from monitor.settings import environment

_YEAR = 365 * DAY
_ROUND = 10
_THOUSAND = 1000


@click.command(name="check")
@click.argument("more", nargs=-1, metavar="")
@config_option
@click.option(
    "--history",
    multiple=True,
    metavar="FILE...",
    help="Events as `replay` reads them: also tell what every metric sees. Without it, the state of a "
    "service is asked, where journal.sqlite has one, and else some volumes are assumed.",
)
@click.option(
    "--connect",
    is_flag=True,
    help="Also look at Kafka, Alertmanager and Grafana, without changing anything: exit code 4 where "
    "one cannot be reached, 1 where something is not as the service needs it.",
)
@json_option
def command(
    more: tuple[str, ...], config: Path, history: tuple[str, ...], *, connect: bool, as_json: bool
) -> int:
    """Validate the configuration.

    Every mistake at once, each as FILE:LINE: MESSAGE on standard error; then the exit code is 2.
    """
    if more and not history:
        message = f"Got unexpected argument '{more[0]}'; files of events come after --history."
        raise click.UsageError(message)
    try:
        configuration = load(config, environment=environment())
    except MistakesError as error:
        if as_json:
            print_json({"ok": False, "errors": [_place(m) for m in error.mistakes]})
        raise
    for warning in configuration.warnings:
        click.echo(f"warning: {warning}", err=True)
    result = summary(configuration)
    check_sight.add(result, configuration, (*history, *more))
    found = check_connect.look(configuration) if connect else []
    if connect:
        result["connect"] = check_connect.as_json(found)
    if as_json:
        print_json(result)
    else:
        _print(result)
        if connect:
            console().print()
            console().print(check_connect.table(found))
            check_connect.remedies(found)
    return check_connect.exit_code(found)


def summary(configuration: Configuration) -> dict[str, Any]:
    """What `--json` prints of a configuration without mistakes."""
    budget = configuration.settings.alert_budget
    metrics = configuration.metrics
    plan = compile_plan(configuration)
    rows = [_metric(metric, configuration, plan) for metric in metrics]
    return {
        "ok": True,
        "errors": [],
        "warnings": [_place(warning) for warning in configuration.warnings],
        "alert_budget": {"pages": budget.pages, "per_seconds": budget.per / SECOND},
        "kinds": dict(sorted(Counter(metric.kind for metric in metrics).items())),
        "series_at_most": sum(row["series_at_most"] for row in rows),
        "metrics": rows,
    }


def _place(mistake: Mistake) -> dict[str, Any]:
    return {"file": mistake.file, "line": mistake.line or None, "message": mistake.message}


def _metric(metric: Metric, configuration: Configuration, plan: Plan) -> dict[str, Any]:
    settings = configuration.settings
    cap = settings.cardinality.per_dimension
    logs = log_thresholds(metric, configuration.metrics, settings.alert_budget, cap)
    return {
        "name": metric.name,
        "kind": metric.kind,
        "status": metric.status,
        "severity": metric.alert.severity,
        "bucket_seconds": metric.bucket / SECOND,
        "segments": [list(grouping) for grouping in metric.segments],
        "series_at_most": sum(series_bounds(metric, cap)),
        "cohorts": _cohorts(metric, plan, cap),
        "thresholds": [
            {
                "dimension": ",".join(grouping) or "all",
                "log10_threshold": round(log / math.log(10), 6),
                "seconds_per_false_alarm": round(math.exp(log) * metric.bucket / SECOND, 3),
            }
            for grouping, log in zip(groupings_of(metric), logs, strict=True)
        ],
    }


def _cohorts(metric: Metric, plan: Plan, cap: int) -> dict[str, Any] | None:
    """The memory of the cohorts of a metric that follows units."""
    for of in plan.metrics:
        if of.name == metric.name:
            bounds = series_bounds(metric, cap)[: len(of.event_groupings)]
            found = cohort_memory(of, sum(bounds))
            return None if found is None else asdict(found)
    return None


def _print(result: dict[str, Any]) -> None:
    out = console()
    kinds = ", ".join(f"{count} {kind}" for kind, count in result["kinds"].items())
    out.print(f"{_counted(len(result['metrics']), 'metric')}: {kinds}")
    budget = result["alert_budget"]
    out.print(
        f"alert budget: {budget['pages']:g} false {'page' if budget['pages'] == 1 else 'pages'} per "
        f"{format_duration(round(budget['per_seconds'] * SECOND))}, "
        f"at most {result['series_at_most']:,} series"
    )
    out.print(_table(result["metrics"]))
    sight = check_sight.table(result["metrics"])
    if sight is not None:
        out.print()
        out.print(sight)
    for row in result["metrics"]:
        if row["cohorts"] is not None:
            out.print(_memory(row))


def _memory(row: dict[str, Any]) -> str:
    of = row["cohorts"]
    return (
        f"{row['name']}: units wait in up to {_counted(of['cohorts'], 'cohort')}, "
        f"{of['bytes_per_start']} bytes a start: {_size(of['bytes_per_start'] * 10**6)} a million, "
        f"{_size(of['bytes_at_most'])} at most"
    )


def _size(count: float) -> str:
    """Bytes in short: `31 MB`, `1.2 GB`."""
    megabytes = count / 10**6
    return f"{megabytes:,.0f} MB" if megabytes < _THOUSAND else f"{megabytes / _THOUSAND:,.1f} GB"


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table(
        box=None,
        pad_edge=False,
        header_style="bold",
        caption="series: at most; whole, segment: one false page or ticket in so long",
        caption_justify="right",
    )
    for heading in ("metric", "kind", "bucket"):
        table.add_column(heading, no_wrap=True)
    table.add_column("segments", overflow="fold", min_width=8)
    table.add_column("series", justify="right", no_wrap=True)
    table.add_column("alarm", no_wrap=True)
    table.add_column("whole", justify="right", no_wrap=True)
    table.add_column("segment", justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*_cells(row))
    return table


def _cells(row: dict[str, Any]) -> list[str]:
    # Every segment of a metric has the same threshold, so the first dimension stands for all.
    spans = [_span(threshold["seconds_per_false_alarm"]) for threshold in row["thresholds"][:2]]
    return [
        row["name"],
        row["kind"],
        format_duration(round(row["bucket_seconds"] * SECOND)),
        "\n".join("x".join(grouping) for grouping in row["segments"]) or "-",
        f"{row['series_at_most']:,}",
        row["severity"],
        *spans,
        *["-"] * (2 - len(spans)),
    ]


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _span(seconds: float) -> str:
    """A long time in short: `36 h`, `60 d`, `4.2 y`."""
    for unit, size in (("y", _YEAR), ("d", DAY), ("h", HOUR)):
        count = seconds * SECOND / size
        if count >= 1:
            return f"{count:,.0f} {unit}" if count >= _ROUND else f"{count:.2g} {unit}"
    return f"{seconds:.3g} s"

"""`monitor backfill`: history into a service that has no state yet, so that it judges at once."""

import asyncio
from pathlib import Path
from time import perf_counter
from typing import Any

import click
from rich.table import Table

from monitor.cli.options import config_option, console, json_option, print_json
from monitor.cli.progress import Watch
from monitor.clock import wall_clock
from monitor.definitions import Configuration, compile_plan, load
from monitor.definitions.plan import Plan
from monitor.embedded.backfill import Backfill
from monitor.embedded.engine import Keeper
from monitor.embedded.state_file import StoreKeeper, new
from monitor.ingest.files import LineFile, closing, open_files
from monitor.kafka.backfill import keeper as topic_keeper
from monitor.kafka.service import Service
from monitor.settings import environment


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@config_option
@json_option
def command(files: tuple[str, ...], config: Path, as_json: bool) -> None:
    """Work through history, and leave the state that the service starts from.

    FILE is NDJSON, plain, .gz or .zst; `-` reads standard input. The service takes over after the last
    bucket that the history closes: what its own source holds of earlier buckets is then passed over.
    """
    configuration = load(config, environment=environment())
    plan = compile_plan(configuration)
    inputs = open_files(files)
    began = perf_counter()
    with closing(inputs):
        if configuration.settings.source.kafka is None:
            result = _into_file(configuration, plan, inputs)
        else:
            result = asyncio.run(_into_topics(configuration, plan, inputs))
    result["seconds"] = round(perf_counter() - began, 3)
    for file in inputs:
        for warning in file.warnings:
            click.echo(f"warning: {warning}", err=True)
    if as_json:
        print_json(result)
    else:
        console().print(_table(result))


def _into_file(configuration: Configuration, plan: Plan, inputs: list[LineFile]) -> dict[str, Any]:
    path = Path(configuration.settings.sqlite_path)
    with new(path) as store:
        found = _work(configuration, plan, inputs, StoreKeeper(store))
    return {**found, "state": str(path)}


async def _into_topics(
    configuration: Configuration, plan: Plan, inputs: list[LineFile]
) -> dict[str, Any]:
    service = Service.of(configuration)
    async with topic_keeper(service.broker, service.topics) as keeper:
        found = await asyncio.to_thread(_work, configuration, plan, inputs, keeper)
    return {**found, "state": f"{service.topics.prefix}.* on {service.broker.address}"}


def _work(
    configuration: Configuration, plan: Plan, inputs: list[LineFile], keeper: Keeper
) -> dict[str, Any]:
    with Watch("backfill", inputs) as watch:
        run = Backfill(
            inputs,
            plan=plan,
            fields=configuration.fields or None,
            clock=wall_clock,
            keeper=keeper,
            progress=watch.advance,
        )
        run.run()
    return run.summary()


def _table(result: dict[str, Any]) -> Table:
    events = result["events"]
    table = Table(show_header=False, box=None)
    table.add_row(
        "events", f"{events['read']:,} read, {events['dead_lettered']:,} could not be used"
    )
    table.add_row("history", f"until {result['until'] or '-'}: the service goes on from there")
    learning = [one for one in result["metrics"] if one["learning_until"]]
    judged = len(result["metrics"]) - len(learning)
    table.add_row("judged", f"{judged} of {len(result['metrics'])} metrics at once")
    for one in learning:
        table.add_row("learning", f"{one['metric']} until {one['learning_until']}")
    table.add_row("state", result["state"])
    table.add_row("time", f"{result['seconds']:,.1f} s")
    return table

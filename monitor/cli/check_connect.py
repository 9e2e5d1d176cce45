"""`monitor check --connect`: looks at every server that a configuration names, and changes nothing."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from monitor.definitions import Configuration
from monitor.export import reachable
from monitor.model.probe import Probe, ProbeState
from monitor.settings import environment

_COLOURS = {ProbeState.OK: "green", ProbeState.FINDING: "yellow", ProbeState.UNREACHABLE: "red"}
_FINDING, _UNREACHABLE = 1, 4


def look(configuration: Configuration) -> list[Probe]:
    """Every server in turn; raises `ConfigError` where a secret that is named is not there."""
    return asyncio.run(_look(configuration))


async def _look(configuration: Configuration) -> list[Probe]:
    settings, found = configuration.settings, []
    if settings.source.kafka is not None:
        # Loaded only where it is needed: a check without Kafka stays fast.
        from monitor.kafka import broker, probing  # noqa: PLC0415

        asyncio.get_running_loop().set_exception_handler(broker.on_loop_error)
        found += await probing.probes(settings)
    found += [probe async for probe in reachable.probes(settings, environment())]
    return found


def exit_code(found: Sequence[Probe]) -> int:
    """4 where a server could not be reached, 1 where something else is wrong, else 0."""
    states = {probe.state for probe in found}
    if ProbeState.UNREACHABLE in states:
        return _UNREACHABLE
    return _FINDING if ProbeState.FINDING in states else 0


def as_json(found: Sequence[Probe]) -> list[dict[str, Any]]:
    """What `--json` prints of it."""
    return [asdict(probe) for probe in found]


def table(found: Sequence[Probe]) -> Table:
    """One line a probe."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("", "what", "name"):
        shown.add_column(heading, no_wrap=True)
    shown.add_column("found", overflow="fold")
    for probe in found:
        state = Text(probe.state, style=_COLOURS[probe.state])
        shown.add_row(state, *(Text(text) for text in (probe.what, probe.name, probe.detail)))
    return shown


def remedies(found: Sequence[Probe]) -> None:
    """What to do, a line each, on standard error: commands are long, and are to be copied."""
    for probe in found:
        if probe.remedy:
            line = f"{probe.what} {probe.name} {probe.detail}; {probe.remedy}"
            click.echo(line, err=True)

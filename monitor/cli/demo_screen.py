"""What the demo shows on the terminal: how far it is, and each alert as on-call would read it."""

import asyncio
import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from monitor.cli.options import console
from monitor.core.effects import Effect, IncidentChanged
from monitor.embedded.story import CompressedClock, Story
from monitor.journal.records import alert_line
from monitor.model.incident import Incident, IncidentState
from monitor.model.time import to_rfc3339

_COLOURS = {"page": "red", "ticket": "yellow"}
_REFRESH_SECONDS = 0.25


class Screen:
    """Standard output gets the alerts; progress is shown on a terminal only.

    Args:
        as_json: alerts as lines of JSON, nothing else.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        self._out = console()
        self._err = Console(stderr=True, highlight=False)
        self._counts: Counter[str] = Counter()
        self._bar = self._progress()

    def _progress(self) -> Progress:
        return Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[what]}"),
            console=self._out if sys.stdout.isatty() else self._err,
            disable=self._json or not self._err.is_terminal,
            transient=True,
        )

    @contextlib.contextmanager
    def learning(self, minutes: int) -> Iterator[Callable[[int], None]]:
        """Shows how far the history is learnt; give it the minutes that were."""
        days = minutes // 1440
        self._say(
            f"A synthetic shop: {days} days of its history are learnt first, without a broker."
        )
        with self._bar as bar:
            task = bar.add_task("learning", total=minutes, what="")
            done = 0

            def advance(more: int) -> None:
                nonlocal done
                done += more
                bar.update(
                    task, advance=more, what=f"day {done / 1440:.0f} of {minutes / 1440:.0f}"
                )

            yield advance
            bar.remove_task(task)

    def listening(self, url: str, config: Path) -> None:
        """Say where the service is."""
        here = Path.cwd()
        place = config.relative_to(here) if config.is_relative_to(here) else config
        self._say(
            f"Status page {url}/   metrics {url}/metrics   alerts {url}/api/v1/alerts\n"
            f"Why an alert fired: monitor explain ID --from {url} --config {place}\n"
            "Now its last six hours pass in 40 seconds. What on-call would be told:"
        )

    async def watch(self, story: Story, clock: CompressedClock) -> None:
        """Show what time it is in the shop, until the clock has arrived."""
        with self._bar as bar:
            total = story.now_us - story.compressed_us
            task = bar.add_task("shop time", total=total, what="")
            while not clock.has_arrived:
                self._tick(bar, task, clock() - story.compressed_us, clock())
                await asyncio.sleep(_REFRESH_SECONDS)
            bar.remove_task(task)
        self._say("The shop has arrived at the present and goes on live. Ctrl-C ends the demo.")

    def _tick(self, bar: Progress, task: TaskID, done_us: int, now_us: int) -> None:
        bar.update(task, completed=done_us, what=to_rfc3339(now_us)[11:16] + " UTC")

    def decided(self, effects: Sequence[Effect]) -> None:
        """Show the alerts that began or ended."""
        for effect in effects:
            if isinstance(effect, IncidentChanged) and effect.transition:
                self._alert(effect.incident)

    def _alert(self, incident: Incident) -> None:
        if incident.state is IncidentState.PENDING:
            return
        self._counts[incident.state] += 1
        if self._json:
            click.echo(msgspec.json.encode(alert_line(incident)))
        else:
            self._out.print(_panel(incident))

    def answered(self, answer: Mapping[str, Any]) -> None:
        """Show what a gate answered to the pipeline."""
        if not self._json:
            release = answer["verdict"]["release"]
            self._out.print(_gate_panel(f"{release['service']} {release['version']}", answer))

    def end(self) -> None:
        """Say what it came to."""
        fired, over = self._counts[IncidentState.FIRING], self._counts[IncidentState.RESOLVED]
        self._say(f"The demo has ended: {fired} alerts fired, {over} resolved.")

    def _say(self, text: str) -> None:
        if not self._json:
            self._out.print(text, markup=False, soft_wrap=True)


def _panel(incident: Incident) -> RenderableType:
    """An alert as on-call would be shown it."""
    over = incident.state is IncidentState.RESOLVED
    colour = "green" if over else _COLOURS.get(incident.severity, "red")
    what = "RESOLVED" if over else incident.severity.upper()
    place = "" if incident.dimension == "all" else f" {incident.dimension}={incident.segment}"
    when = incident.resolved_at if over else incident.detected_at
    return Panel(
        Text(incident.summary),
        title=Text(f"{what}  {incident.metric}{place}", style=f"bold {colour}"),
        subtitle=Text(f"{when}  {incident.alert_id}"),
        title_align="left",
        subtitle_align="right",
        border_style=colour,
        width=100,
    )


def _gate_panel(name: str, answer: Mapping[str, Any]) -> RenderableType:
    return Panel(
        Text(answer["verdict"]["summary"]),
        title=Text(f"GATE {answer['gate_status'].upper()}  {name}", style="bold magenta"),
        title_align="left",
        border_style="magenta",
        width=100,
    )

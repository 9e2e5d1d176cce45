"""`monitor gate`: may the pipeline go on? Waits until it is known, and says so by its exit code."""

from contextlib import nullcontext
from time import monotonic, sleep
from typing import Any

import click
from rich.console import Group
from rich.live import Live
from rich.text import Text

from monitor.cli.calling import Service, refuse, url_option
from monitor.cli.options import console, json_option, print_json
from monitor.errors import UnreachableError
from monitor.model.quantity import parse_duration
from monitor.model.time import SECOND
from monitor.report.release_lines import verdict_table

CODES = {"pass": 0, "fail": 1, "inconclusive": 3}


@click.command(name="gate")
@click.option("--service", required=True, help="What was released.")
@click.option("--environment", default="production", show_default=True, help="Where.")
@click.option("--version", help="Which version of it [the newest release].")
@click.option("--wait", default="0s", show_default=True, metavar="30m", help="For so long at most.")
@click.option("--every", default="15s", show_default=True, metavar="15s", help="How often to ask.")
@click.option("--fail-open", is_flag=True, help="In the end, what is inconclusive passes.")
@url_option
@json_option
def command(
    *,
    service: str,
    environment: str,
    version: str | None,
    wait: str,
    every: str,
    fail_open: bool,
    url: str | None,
    as_json: bool,
) -> int:
    """Ask whether a release may go on.

    Waiting ends at the first pass or fail. Ctrl-C ends it with 130.

    Exit codes: 0 pass, 1 fail, 2 wrong usage, 3 inconclusive, 4 the service does not answer.
    """
    asked = {"service": service, "environment": environment}
    if version is not None:
        asked["version"] = version
    waits, pause = _seconds("--wait", wait), max(1.0, _seconds("--every", every))
    target = Service(url)
    answer = _wait(target, asked, waits, pause, shown=not as_json)
    if answer["gate_status"] == "inconclusive" and fail_open:
        answer = _ask(target, {**asked, "fail_open": True})
    if as_json:
        print_json(answer)
    else:
        click.echo(f"{answer['gate_status']}: {answer['reason']}")
    return CODES[answer["gate_status"]]


def _wait(
    target: Service, asked: dict[str, str], waits: float, pause: float, *, shown: bool
) -> dict[str, Any]:
    """Ask until the answer is not inconclusive, or the time is over.

    A service that has answered once and is away for a while (it is started anew, say) is asked again.
    """
    until, screen = monotonic() + waits, console()
    moving = shown and screen.is_terminal
    answer: dict[str, Any] | None = None
    with Live(console=screen, auto_refresh=False) if moving else nullcontext() as live:
        while True:
            answer, away = _answer(target, asked, answer)
            left = until - monotonic()
            is_last = left <= 0 or (away is None and answer["gate_status"] != "inconclusive")
            why = answer["gate_status"] if away is None else str(away)
            words = "" if is_last else f"{why}, asking for {max(1, round(left))} s more"
            if live is not None:
                live.update(Group(_table(answer), Text(words)), refresh=True)
            elif shown and not is_last:
                click.echo(words)
            elif shown and answer["verdict"] is not None:
                screen.print(_table(answer))
            if is_last and away is not None:
                raise away
            if is_last:
                return answer
            sleep(min(pause, left))


def _answer(
    target: Service, asked: dict[str, Any], before: dict[str, Any] | None
) -> tuple[dict[str, Any], UnreachableError | None]:
    """The answer; the one before and why there is none now, where there was one."""
    try:
        return _ask(target, asked), None
    except UnreachableError as error:
        if before is None:
            raise
        return before, error


def _ask(target: Service, asked: dict[str, Any]) -> dict[str, Any]:
    status, answer = target.post("/api/v1/gates/evaluate", asked)
    refuse(status, answer)
    found: dict[str, Any] = answer
    return found


def _table(answer: dict[str, Any]) -> Any:
    return Text("") if answer["verdict"] is None else verdict_table(answer["verdict"])


def _seconds(option: str, text: str) -> float:
    try:
        return parse_duration(text) / SECOND
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error

"""`monitor annotate`: note a moment or a span of time, for alerts, dashboards and people."""

from typing import Any

import click

from monitor.cli.calling import Service, refuse, url_option
from monitor.cli.options import json_option, print_json
from monitor.errors import InputError
from monitor.model.time import from_rfc3339


@click.command(name="annotate")
@click.argument("text")
@click.option("--tag", "tags", multiple=True, help="A word to find it by; may be repeated.")
@click.option("--time", "time", metavar="TIME", help="When, RFC 3339 [now].")
@click.option("--end", metavar="TIME", help="Until when, for a span.")
@click.option("--key", metavar="KEY", help="A repeat with the same key adds nothing.")
@url_option
@json_option
def command(
    text: str,
    *,
    tags: tuple[str, ...],
    time: str | None,
    end: str | None,
    key: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Note something: a campaign, a migration, an outage elsewhere."""
    body: dict[str, Any] = {"text": text, "tags": list(tags)}
    for name, option, value in (("time", "--time", time), ("timeEnd", "--end", end)):
        if value is not None:
            body[name] = _milliseconds(option, value)
    headers = {} if key is None else {"Idempotency-Key": key}
    status, answer = Service(url).post("/api/annotations", body, headers)
    refuse(status, answer)
    if as_json:
        print_json(answer)
    else:
        click.echo(f"annotation {answer['id']} added")


def _milliseconds(option: str, text: str) -> int:
    try:
        return from_rfc3339(text) // 1000
    except ValueError as error:
        message = f"{option} {text!r} is no time ({error}); give one such as 2026-11-21T10:00:00Z"
        raise InputError(message) from error

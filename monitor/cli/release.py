"""`monitor release`: tell the start and the end of a release, and read what is known of it."""

from typing import Any
from urllib.parse import quote, urlencode

import click

from monitor.cli.calling import Service, refuse, url_option
from monitor.cli.options import console, json_option, print_json
from monitor.errors import InputError
from monitor.report.release_lines import verdict_table

_ENDS = ("succeeded", "failed", "rolled_back")
_service = click.option("--service", required=True, help="What is released.")
_environment = click.option("--environment", default="production", show_default=True, help="Where.")
_version = click.option("--version", required=True, help="Which version of it.")


@click.group(name="release", short_help="Tell a release, and read its verdict.")
def command() -> None:
    """Tell the start and the end of a release, and read its verdict.

    Both may be told in any order, twice, or one of them only.
    """


@command.command()
@_service
@_environment
@_version
@click.option("--time", metavar="TIME", help="When it began, RFC 3339 [now].")
@click.option("--link", metavar="URL", help="Of the pipeline, for people.")
@click.option("--commit", help="For people.")
@click.option("--metric", "metrics", multiple=True, help="Judge by this one; may be repeated.")
@click.option(
    "--segment",
    "segments",
    multiple=True,
    metavar="DIMENSION=VALUE",
    help="Only these can have changed; may be repeated.",
)
@click.option(
    "--arms",
    metavar="DIMENSION=CONTROL,TREATMENT",
    help="A canary, such as variant=stable,canary.",
)
@url_option
@json_option
def start(
    *,
    service: str,
    environment: str,
    version: str,
    time: str | None,
    link: str | None,
    commit: str | None,
    metrics: tuple[str, ...],
    segments: tuple[str, ...],
    arms: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Tell that a release begins."""
    body = _body(service, environment, version, "started", link=link, commit=commit)
    if time is not None:
        body["started_at"] = time
    if metrics or segments:
        body["scope"] = {"metrics": list(metrics), "segments": _segments(segments)}
    if arms is not None:
        body["arms"] = _arms(arms)
    _tell(body, url, as_json=as_json)


@command.command()
@_service
@_environment
@_version
@click.option("--status", type=click.Choice(_ENDS), default="succeeded", show_default=True)
@click.option("--time", metavar="TIME", help="When it ended, RFC 3339 [now].")
@url_option
@json_option
def finish(
    *,
    service: str,
    environment: str,
    version: str,
    status: str,
    time: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Tell that a release has ended: from then on its effect is measured."""
    body = _body(service, environment, version, status)
    if time is not None:
        body["finished_at"] = time
    _tell(body, url, as_json=as_json)


@command.command()
@click.argument("release_id", required=False, metavar="[ID]")
@click.option("--service", help="Of the newest release of this, if no ID is given.")
@click.option("--environment", default="production", show_default=True)
@url_option
@json_option
def verdict(
    release_id: str | None, *, service: str | None, environment: str, url: str | None, as_json: bool
) -> None:
    """Show what a release has done so far."""
    if release_id is None and service is None:
        message = "which release: give its ID, or --service"
        raise InputError(message)
    if release_id is not None:
        path = f"/api/v1/releases/{quote(release_id, safe='')}/verdict"
    else:
        asked = urlencode({"service": service, "environment": environment})
        path = f"/api/v1/verdict?{asked}"
    status, answer = Service(url).get(path)
    refuse(status, answer)
    if as_json:
        print_json(answer)
        return
    screen = console()
    screen.print(verdict_table(answer))
    screen.print(answer["summary"], markup=False)


def _body(service: str, environment: str, version: str, status: str, **more: Any) -> dict[str, Any]:
    told = {"service": service, "environment": environment, "version": version, "status": status}
    names = {"link": "url"}
    return told | {names.get(k, k): v for k, v in more.items() if v is not None}


def _tell(body: dict[str, Any], url: str | None, *, as_json: bool) -> None:
    status, answer = Service(url).post("/api/v1/releases", body)
    refuse(status, answer)
    if as_json:
        print_json(answer)
    else:
        name = f"{answer['service']} {answer['version']} in {answer['environment']}"
        click.echo(f"{answer['id']} {name}: {answer['status']} ({answer['told']})")


def _segments(texts: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in texts:
        dimension, sign, value = text.partition("=")
        if not (dimension and sign and value):
            message = f"--segment {text!r}: give DIMENSION=VALUE, such as platform=android"
            raise InputError(message)
        found.setdefault(dimension, []).append(value)
    return found


def _arms(text: str) -> dict[str, str]:
    dimension, _, values = text.partition("=")
    control, _, treatment = values.partition(",")
    if not (dimension and control and treatment):
        message = (
            f"--arms {text!r}: give DIMENSION=CONTROL,TREATMENT, such as variant=stable,canary"
        )
        raise InputError(message)
    return {"dimension": dimension, "control": control, "treatment": treatment}

"""`monitor dashboards export`: Grafana dashboards and Prometheus rules from the definitions."""

import ipaddress
from pathlib import Path

import click

from monitor.cli.options import config_option, json_option, print_json
from monitor.definitions import compile_plan, load
from monitor.export.dashboards import files
from monitor.export.dashboards.writing import write
from monitor.settings import Api, environment


@click.group(name="dashboards")
def command() -> None:
    """Grafana dashboards and Prometheus rules as code."""


@command.command(name="export")
@config_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("dashboards"),
    show_default=True,
    metavar="DIR",
    help="Folder to write to; files of the same name are replaced.",
)
@click.option(
    "--status-url",
    metavar="URL",
    help="Address of the status page for people who look at Grafana; by default api.host and api.port.",
)
@json_option
def export(config: Path, out: Path, status_url: str | None, *, as_json: bool) -> None:
    """Write Grafana dashboards and Prometheus rules.

    An overview, a dashboard of any one metric, their provisioning, and rules on the monitor's own
    health. The same definitions give the same files.
    """
    if status_url is not None and not status_url.startswith(("http://", "https://")):
        message = f"--status-url {status_url!r} is no address such as http://localhost:8321"
        raise click.UsageError(message)
    configuration = load(config, environment=environment())
    plan = compile_plan(configuration)
    address = (status_url or _address(configuration.settings.api)).rstrip("/")
    written = write(out, files(plan, status_url=address))
    if as_json:
        print_json({"files": [{"path": str(path), "changed": new} for path, new in written]})
        return
    for path, new in written:
        click.echo(f"{'wrote' if new else 'unchanged'} {path}")


def _address(api: Api) -> str:
    """Where a browser finds what listens there: any address is also the loopback's."""
    try:
        listening = ipaddress.ip_address(api.host)
    except ValueError:
        return f"http://{api.host}:{api.port}"
    host = "localhost" if listening.is_unspecified or listening.is_loopback else str(listening)
    return f"http://{f'[{host}]' if ':' in host else host}:{api.port}"

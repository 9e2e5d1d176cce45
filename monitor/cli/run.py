"""`monitor run`: the service; on Kafka one process a role, supervised, else all in one process."""

import asyncio
import contextlib
import logging
import re
import signal
import socket
import sys
from pathlib import Path

import click
import structlog
from prometheus_client import CollectorRegistry

from monitor import telemetry
from monitor.api.serving import check_bind
from monitor.api.tokens import Tokens
from monitor.cli.one_process import OneProcess, stopped_by_signals
from monitor.cli.options import config_option
from monitor.clock import wall_clock
from monitor.definitions import Configuration, compile_plan, load
from monitor.definitions.mistake import did_you_mean
from monitor.definitions.plan import Plan
from monitor.embedded.feeds import source_of
from monitor.embedded.state_file import StoreKeeper, held
from monitor.errors import MonitorError
from monitor.kafka.broker import on_loop_error
from monitor.kafka.service import Service
from monitor.kafka.state_folder import StateFolder
from monitor.kafka.supervisor import Supervisor
from monitor.settings import environment
from monitor.telemetry import Counters

ROLES = ("ingest", "core", "serve", "hooks")
"""Every role, in the order of the flow."""

_INSTANCE = re.compile(r"[A-Za-z0-9._-]{1,200}")
_log = structlog.get_logger(__name__)


def _checked_instance(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """The name, or a usage error: Kafka takes what it takes for a topic."""
    if value is not None and not _INSTANCE.fullmatch(value):
        message = f"{value!r} is not a name: letters, digits, '.', '_', '-', at most 200"
        raise click.BadParameter(message, ctx, param)
    return value


@click.command()
@config_option
@click.option(
    "--roles",
    help="Which of ingest,core,serve,hooks run here; the others may run elsewhere. By default all, "
    "hooks only where grafana is configured.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path),
    default=Path("var"),
    show_default=True,
    metavar="DIR",
    help="Folder for views and counters, which can be rebuilt.",
)
@click.option(
    "--instance",
    metavar="NAME",
    callback=_checked_instance,
    help="This run's name among those of the service, the same after a restart and no other's (a "
    "StatefulSet's pod): partitions then come back at once. By default one is kept in --state.",
)
def command(config: Path, roles: str | None, state: Path, instance: str | None) -> None:
    """Run the service until it is told to stop (SIGTERM, SIGINT)."""
    asked = None if roles is None else _roles(roles)
    configuration = load(config, environment=environment())
    idle = () if configuration.settings.grafana else ("hooks",)
    chosen = [role for role in ROLES if role not in idle] if asked is None else asked
    plan = compile_plan(configuration)
    telemetry.configure()
    if "serve" in chosen:
        _check_port(configuration)
    if configuration.settings.source.kafka is None:
        if asked is not None and len(asked) < len(ROLES):
            message = "--roles splits a service on Kafka; without source.kafka one process does all"
            raise click.UsageError(message)
        asyncio.run(_run_in_one_process(configuration, plan))
        return
    service = Service.of(configuration)
    places = ["--config", str(config), "--state", str(state)]
    if instance is not None:
        places += ["--instance", instance]
    with contextlib.closing(StateFolder.of(configuration, state)) as folder:
        asyncio.run(_run(service, folder, chosen, places))


def _roles(text: str) -> list[str]:
    chosen = [role.strip() for role in text.split(",") if role.strip()]
    for role in chosen:
        if role not in ROLES:
            remedy = did_you_mean(role, ROLES) or f"; known are {', '.join(ROLES)}"
            message = f"--roles: there is no role {role!r}{remedy}"
            raise click.UsageError(message)
    if not chosen:
        message = f"--roles names no role; known are {', '.join(ROLES)}"
        raise click.UsageError(message)
    return sorted(set(chosen), key=ROLES.index)


def _check_port(configuration: Configuration) -> None:
    """Say at once what the role `serve` would meet: a port in use, an address without a token."""
    api = configuration.settings.api
    check_bind(api.host, protected=bool(Tokens.of(api, environment())))
    try:
        with socket.create_server((api.host, api.port)):
            pass
    except OSError as error:
        message = (
            f"the API cannot listen on {api.host}:{api.port} ({error.strerror or error}); stop "
            "what listens there, or set api.port (MONITOR__API__PORT) to a free port"
        )
        raise MonitorError(message) from error


async def _run_in_one_process(configuration: Configuration, plan: Plan) -> None:
    """Files or the synthetic shop, with the state in a SQLite file."""
    settings, registry = configuration.settings, CollectorRegistry()
    counters = Counters(registry)
    stopping = asyncio.Event()
    with held(Path(settings.sqlite_path)) as store, stopped_by_signals(stopping):
        engine, feed = source_of(
            configuration, plan, StoreKeeper(store), clock=wall_clock, counters=counters
        )
        _log.info("run.started", state=settings.sqlite_path, sources=len(engine.sources))
        service = OneProcess(
            configuration=configuration,
            plan=plan,
            store=store,
            engine=engine,
            feed=feed,
            registry=registry,
            counters=counters,
            clock=wall_clock,
        )
        await service.run(stopping, caught_up=lambda: _log.info("run.caught_up"))


async def _run(service: Service, folder: StateFolder, roles: list[str], places: list[str]) -> None:
    """Supervise the roles; `places` are the options that each of them gets too."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(on_loop_error)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    # What it says of a broker that is down is said in one line, with the remedy, by the error.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    await service.prepare()
    folder.enter()

    def started(role: str, again: bool) -> list[str]:
        module = [sys.executable, "-m", "monitor.cli.role", role]
        return [*module, *places, *(["--again"] if again else [])]

    _log.info(
        "run.started",
        roles=roles,
        broker=service.broker.address,
        topic=service.source.topic,
        prefix=service.topics.prefix,
        state=str(folder.path),
    )
    supervisor = Supervisor(
        roles=roles,
        command=started,
        environment={**environment(), "PROMETHEUS_MULTIPROC_DIR": str(folder.counters)},
    )
    await supervisor.run(stopping)

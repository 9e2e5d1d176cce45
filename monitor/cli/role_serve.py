"""The role `serve`: the view, the API, and what Alertmanager is told."""

import asyncio
import contextlib

from prometheus_client import CollectorRegistry

from monitor.api.app import create_app
from monitor.api.serving import serve
from monitor.api.tokens import Tokens
from monitor.cli.role_parts import Parts
from monitor.clock import wall_clock
from monitor.export.pusher import AlertmanagerPusher
from monitor.journal.store import Store
from monitor.settings import environment

_NOT_CAUGHT_UP = "the view has not caught up with the journal"


async def run(role: Parts, stopping: asyncio.Event) -> None:
    """The view, the API, and what Alertmanager is told."""
    settings = role.configuration.settings
    caught_up = asyncio.Event()
    tokens = Tokens.of(settings.api, environment())
    async with contextlib.AsyncExitStack() as open_now:
        store = open_now.enter_context(Store(role.folder.view(await role.service.cluster())))
        append = await open_now.enter_async_context(role.service.appending())
        app = create_app(
            store,
            role.service.plan,
            clock=wall_clock,
            registry=CollectorRegistry(),
            ready=lambda: () if caught_up.is_set() else (_NOT_CAUGHT_UP,),
            segments=settings.prometheus.segments,
            max_series=settings.prometheus.max_series,
            multiprocess_dir=role.folder.counters,
            tokens=tokens,
            open_reads=settings.api.open_reads,
            github_secret=environment().get(settings.api.github_secret_env, ""),
            append=append,
            tell=append.tell,
        )
        running = await serve(app, settings.api.host, settings.api.port, protected=bool(tokens))
        pusher = _pusher(role, store, running.url)
        view = role.service.view(
            store,
            counters=role.counters,
            changed=pusher.notify if pusher else lambda: None,
            caught_up=caught_up.set,
        )
        pushing = asyncio.create_task(_push(pusher, caught_up))
        try:
            await view.run(stopping)
        finally:
            pushing.cancel()
            await asyncio.wait({pushing})
            await running.stop()


def _pusher(role: Parts, store: Store, url: str) -> AlertmanagerPusher | None:
    alertmanager = role.configuration.settings.alertmanager
    if alertmanager is None:
        return None
    return AlertmanagerPusher(
        alertmanager.url, store, wall_clock, counters=role.counters, base_url=url
    )


async def _push(pusher: AlertmanagerPusher | None, caught_up: asyncio.Event) -> None:
    """Tell Alertmanager, from when the view is no longer behind: what is over is no news."""
    await caught_up.wait()
    if pusher is not None:
        await pusher.run()

"""The role `hooks`: what is told to Grafana."""

import asyncio
import contextlib
from collections.abc import AsyncIterable

from monitor.cli.role_parts import Parts
from monitor.export.grafana import GrafanaKeeper, grafana_keeper
from monitor.journal.store import Store
from monitor.kafka.hooks import Hooks, hooks_of
from monitor.settings import environment


async def run(role: Parts, stopping: asyncio.Event) -> None:
    """What is told to Grafana: looked at when a stream has news, and by a timer."""
    store_path = role.folder.view(await role.service.cluster(), of="hooks")
    async with contextlib.AsyncExitStack() as open_now:
        store = open_now.enter_context(Store(store_path))
        append = await open_now.enter_async_context(role.service.appending())
        keeper = grafana_keeper(role.configuration.settings.grafana, environment(), store, append)
        hooks = hooks_of(role.configuration, name=f"{role.service.topics.prefix}.hooks")
        caught_up = asyncio.Event()
        if keeper is not None:
            _listen(hooks, keeper)
        view = role.service.view(
            store, counters=role.counters, changed=lambda: None, caught_up=caught_up.set
        )
        keeping = asyncio.create_task(_keep(keeper, caught_up))
        try:
            async with hooks.app:
                await view.run(stopping)
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})


def _listen(hooks: Hooks, keeper: GrafanaKeeper) -> None:
    """Agents that have the keeper look at once."""
    for name, stream in (("releases", hooks.releases), ("verdicts", hooks.verdicts)):

        @hooks.app.agent(stream, name=f"grafana-{name}")  # type: ignore[untyped-decorator]
        async def look(told: AsyncIterable[object]) -> None:
            async for _ in told:
                keeper.notify()


async def _keep(keeper: GrafanaKeeper | None, caught_up: asyncio.Event) -> None:
    await caught_up.wait()
    if keeper is not None:
        await keeper.run()

"""The service in one process: a feed pumped through the engine, the API, and Alertmanager's loop.

`monitor run` without Kafka and `monitor demo` are this, with other feeds.
"""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from monitor.api.app import create_app
from monitor.api.serving import Running, serve
from monitor.api.tokens import Tokens
from monitor.clock import Clock
from monitor.core.effects import Effect
from monitor.definitions import Configuration
from monitor.definitions.plan import Plan
from monitor.embedded.engine import Engine
from monitor.embedded.feeds import Feed
from monitor.embedded.pump import Pump
from monitor.export.pusher import AlertmanagerPusher
from monitor.journal.store import Store
from monitor.model.time import SECOND
from monitor.settings import environment
from monitor.telemetry import Counters

NOT_CAUGHT_UP = "what is there of the source has not been read yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class OneProcess:
    """What the service is made of.

    Attributes:
        registry: of the counters.
        clock: what time it is for the page and for Alertmanager.
    """

    configuration: Configuration
    plan: Plan
    store: Store
    engine: Engine
    feed: Feed
    registry: CollectorRegistry
    counters: Counters
    clock: Clock

    async def run(
        self,
        stopping: asyncio.Event,
        *,
        decided: Callable[[Sequence[Effect]], None] = lambda _: None,
        listening: Callable[[Running], None] = lambda _: None,
        caught_up: Callable[[], None] = lambda: None,
    ) -> None:
        """Serve until `stopping` is set.

        Args:
            stopping: ends it, gracefully.
            decided: told of what the core decided.
            listening: told once where the API listens.
            caught_up: told once, when everything that was there has been read.
        """
        read = asyncio.Event()

        def has_caught_up() -> None:
            read.set()
            caught_up()

        settings = self.configuration.settings
        tokens = Tokens.of(settings.api, environment())
        app = create_app(
            self.store,
            self.plan,
            clock=self.clock,
            registry=self.registry,
            ready=lambda: () if read.is_set() else (NOT_CAUGHT_UP,),
            segments=settings.prometheus.segments,
            max_series=settings.prometheus.max_series,
            tokens=tokens,
        )
        running = await serve(app, settings.api.host, settings.api.port, protected=bool(tokens))
        listening(running)
        pusher = self._pusher(running.url)
        pump = Pump(
            self.engine,
            self.feed,
            decided=lambda effects: _told(effects, decided, pusher),
            caught_up=has_caught_up,
        )
        pushing = asyncio.create_task(_push(pusher, read))
        try:
            await pump.run(stopping)
        finally:
            pushing.cancel()
            await asyncio.wait({pushing})
            await running.stop()

    def _pusher(self, url: str) -> AlertmanagerPusher | None:
        alertmanager = self.configuration.settings.alertmanager
        if alertmanager is None:
            return None
        return AlertmanagerPusher(
            alertmanager.url, self.store, self.clock, counters=self.counters, base_url=url
        )


def _told(
    effects: Sequence[Effect],
    decided: Callable[[Sequence[Effect]], None],
    pusher: AlertmanagerPusher | None,
) -> None:
    decided(effects)
    if pusher is not None and effects:
        pusher.notify()


async def _push(pusher: AlertmanagerPusher | None, caught_up: asyncio.Event) -> None:
    """Tell Alertmanager, once the past has been read: what is over by then is no news."""
    await caught_up.wait()
    if pusher is not None:
        await pusher.run()


@contextlib.contextmanager
def stopped_by_signals(stopping: asyncio.Event) -> Iterator[None]:
    """Within it SIGTERM and SIGINT set the event. To be used in the loop's thread."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def ends_after(stopping: asyncio.Event, duration_us: int | None) -> Iterator[None]:
    """Within it the event is set after so long; never where it is None."""
    if duration_us is None:
        yield
        return
    handle = asyncio.get_running_loop().call_later(duration_us / SECOND, stopping.set)
    try:
        yield
    finally:
        handle.cancel()

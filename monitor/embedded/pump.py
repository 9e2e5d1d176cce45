"""Runs a feed beside the event loop: piece by piece in a thread, the state saved now and then."""

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic

import structlog

from monitor.core.effects import Effect
from monitor.embedded.engine import Engine
from monitor.embedded.feeds import Feed

SAVE_SECONDS = 30.0
"""How often the state is saved; a process that dies works that much off again."""
POLL_SECONDS = 0.5
"""How long it waits where a feed has nothing now."""
_log = structlog.get_logger(__name__)


class Pump:
    """Steps a feed until it is told to stop.

    Args:
        engine: whose state is saved.
        feed: what is stepped.
        decided: called in the event loop's thread with what the core decided.
        caught_up: called once in the event loop's thread, when the feed first has nothing.
    """

    def __init__(
        self,
        engine: Engine,
        feed: Feed,
        *,
        decided: Callable[[Sequence[Effect]], None] = lambda _: None,
        caught_up: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._feed = feed
        self._decided = decided
        self._caught_up = caught_up

    async def run(self, stopping: asyncio.Event) -> None:
        """Bring everything there is, and what is still to come, until `stopping` is set."""
        saved, stale, told = monotonic(), False, False
        while not stopping.is_set():
            effects = await asyncio.to_thread(self._feed.step)
            if effects is not None:
                stale = True
                self._decided(effects)
            elif not told:
                told = True
                self._caught_up()
            if stale and (effects is None or monotonic() - saved > SAVE_SECONDS):
                await asyncio.to_thread(self._engine.save)
                saved, stale = monotonic(), False
            if effects is None:
                await _pause(stopping)
        if stale:
            await asyncio.to_thread(self._engine.save)
        _log.info("pump.stopped")


async def _pause(stopping: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stopping.wait(), POLL_SECONDS)
    except TimeoutError:
        return

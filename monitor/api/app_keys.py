"""What the handlers find in the application beside `app.SERVING`."""

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from monitor.clock import Clock
from monitor.journal.store import Store
from monitor.model.record import Record

Append = Callable[[Sequence[Record]], Awaitable[None]]
"""Appends records to the journal; returns once they are kept."""

STORE = web.AppKey("store", Store)
CLOCK = web.AppKey[Clock]("clock", Callable)  # type: ignore[arg-type]
APPEND = web.AppKey[Append]("append", Callable)  # type: ignore[arg-type]


class Recent:
    """The newest requests that carried an idempotency key, by the id that they gave."""

    def __init__(self, kept: int = 1_000) -> None:
        self._kept = kept
        self._digests: dict[int, str] = {}

    def get(self, number: int) -> str | None:
        """The request's digest, if it is known."""
        return self._digests.get(number)

    def put(self, number: int, digest: str) -> None:
        """Remember it, and forget the oldest."""
        self._digests[number] = digest
        while len(self._digests) > self._kept:
            del self._digests[next(iter(self._digests))]


RECENT = web.AppKey("recent", Recent)

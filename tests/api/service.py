"""The application, listening in a thread: for programs that reach it as they would any service."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import CollectorRegistry

from monitor.api.app import create_app
from monitor.api.serving import serve
from monitor.journal.store import Store
from tests.journal.examples import T0, plan


@contextmanager
def running(store: Store, **changes: Any) -> Iterator[str]:
    """Its address; it stands still at T0 and serves the plan of the examples."""
    loop = asyncio.new_event_loop()
    settings: dict[str, Any] = {"clock": lambda: T0, "registry": CollectorRegistry(), **changes}
    app = create_app(store, plan(), **settings)
    service = loop.run_until_complete(serve(app, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield service.url
    finally:
        asyncio.run_coroutine_threadsafe(service.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

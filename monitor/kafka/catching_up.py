"""Says in the log how a backlog of a source partition shrinks, and when it is gone."""

from collections.abc import Callable
from typing import Any, Final

import structlog

SAY_SECONDS: Final = 30.0
"""Between two lines; what is read in less is no backlog worth one."""

_log = structlog.get_logger(__name__)


def say(event: str, **fields: Any) -> None:
    """Write a line of the log, at `info`."""
    # Not `_log.info` itself: that would be bound as logging is set up at import, which is not at all.
    _log.info(event, **fields)


class CatchUp:
    """Watches one partition.

    Args:
        partition: which, for the log.
        say: takes an event and its fields; the log at `info`.
    """

    def __init__(self, partition: int, say: Callable[..., Any] = say) -> None:
        self._partition = partition
        self._say = say
        self._since: tuple[float, int, int] | None = None
        self._behind = False

    def note(self, now: float, position: int, lag: int) -> None:
        """Note how far the reading has come.

        Args:
            now: seconds of a clock that only runs.
            position: offset that is read next.
            lag: events after it.
        """
        if self._behind and lag == 0:
            self._behind = False
            self._since = None
            self._say("ingest.caught_up", partition=self._partition)
            return
        if self._since is None:
            self._since = (now, position, lag)
        began, position_then, lag_then = self._since
        if now - began < SAY_SECONDS:
            return
        self._since = (now, position, lag)
        read = (position - position_then) / (now - began)
        if lag <= read * SAY_SECONDS:
            return
        self._behind = True
        shrinks = (lag_then - lag) / (now - began)
        self._say(
            "ingest.catching_up",
            partition=self._partition,
            lag_events=lag,
            events_per_second=round(read),
            # Not known while more arrives than is read.
            done_in_seconds=round(lag / shrinks) if shrinks > 0 else None,
        )

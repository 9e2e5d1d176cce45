"""History worked through by the engine, and left as the state that a service starts from."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry

from monitor.clock import Clock
from monitor.core.effects import ClosedBucket, Effect
from monitor.definitions.plan import Plan
from monitor.definitions.quality import is_quality
from monitor.embedded.engine import Engine, Keeper
from monitor.embedded.feeds import FilesFeed
from monitor.ingest.envelope import Fields
from monitor.ingest.files import LineFile
from monitor.journal.records import WHOLE
from monitor.model.time import SECOND, to_rfc3339
from monitor.telemetry import Counters


class Backfill:
    """One run over some files.

    Args:
        files: what to read, opened.
        plan: the compiled definitions, with the shards of the service.
        fields: the custom envelope, or None.
        clock: the wall clock.
        keeper: holds no state yet; gets it at the very end.
        progress: called with the bytes and the lines read since the last call.
    """

    def __init__(
        self,
        files: Sequence[LineFile],
        *,
        plan: Plan,
        fields: Fields | None,
        clock: Clock,
        keeper: Keeper,
        progress: Callable[[int, int], None] = lambda _bytes, _lines: None,
    ) -> None:
        self._files = files
        self._progress = progress
        self._engine = Engine(
            keeper,
            plan,
            fields=fields,
            sources=[file.name for file in files],
            clock=clock,
            counters=Counters(CollectorRegistry()),
        )
        self._ready_us: dict[str, int] = {}
        self._end_us: int | None = None

    def run(self) -> None:
        """Read everything, and save the state."""
        feed = FilesFeed(self._engine, self._files)
        read = lines = 0
        while (effects := feed.step()) is not None:
            self._note(effects)
            read, before = sum(file.bytes_read for file in self._files), read
            lines, known = self._engine.counts["read"], lines
            self._progress(read - before, lines - known)
        self._engine.end_history()

    def _note(self, effects: Sequence[Effect]) -> None:
        """Remember of each metric when its whole is judged."""
        for effect in effects:
            if isinstance(effect, ClosedBucket):
                self._end_us = max(effect.end_us, self._end_us or effect.end_us)
                for group in effect.groups:
                    if group.dimension == WHOLE and not is_quality(group.metric):
                        left = float(np.nan_to_num(effect.learning_seconds[group.rows[0]]))
                        self._ready_us[group.metric] = effect.end_us + round(left * SECOND)

    def summary(self) -> dict[str, Any]:
        """What was read, and from when each metric is judged; null where that has begun."""
        counts, end_us = self._engine.counts, self._end_us
        return {
            "events": {name: counts[name] for name in ("read", "accepted", "dead_lettered")},
            "until": None if end_us is None else to_rfc3339(end_us),
            "metrics": [
                {
                    "metric": metric,
                    "learning_until": to_rfc3339(ready) if ready > (end_us or ready) else None,
                }
                for metric, ready in sorted(self._ready_us.items())
            ],
        }

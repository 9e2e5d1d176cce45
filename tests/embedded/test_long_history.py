"""What a long and quiet history makes the core decide at once is bounded, and so is its memory."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monitor.core.effects import ClosedBucket, Effect
from monitor.definitions import compile_plan, load
from monitor.definitions.plan import Plan
from monitor.embedded import feeds
from monitor.embedded.backfill import Backfill
from monitor.embedded.replay import Replay
from monitor.ingest import source
from monitor.ingest.files import LineFile, open_files
from monitor.model.event import DeadLetter
from monitor.model.record import Record
from monitor.model.time import SECOND
from tests.embedded import history
from tests.system import shop

HOURS = 300
QUIET = 4
"""An event so many hours after the one before: buckets between them have none."""
END = 20_400 * shop.DAY
AT_ONCE = 20


class Weighing:
    """A keeper and a sink that only counts how many buckets come at once."""

    place = "nowhere"

    def __init__(self) -> None:
        self.at_once: list[int] = []

    def sources(self) -> dict[str, Any]:
        return {}

    def state(self, shard: int) -> None:
        """None yet."""

    def keep(self, shard: int, kept: Sequence[Record]) -> None:
        self.at_once.append(sum(record.key.startswith("orders|") for record in kept))

    def save(self, states: Mapping[int, bytes], sources: Mapping[str, Any]) -> None:
        """Nowhere."""

    def effects(self, effects: Sequence[Effect]) -> None:
        self.at_once.append(sum(isinstance(effect, ClosedBucket) for effect in effects))

    def dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """There are none."""


def quiet_history(folder: Path, monkeypatch: Any) -> tuple[Plan, list[LineFile]]:
    """Hourly buckets of few events, in a process that decides on few at once."""
    monkeypatch.setattr(source, "_CELLS_A_BUCKET", feeds.CHUNK_CELLS // AT_ONCE)
    config, _ = history.configured(folder, "{files: [none]}")
    orders = "{name: orders, kind: count, of: {event: order}, bucket: 1h}"
    (config / "metrics" / "shop.yaml").write_text(f"metrics: [{orders}]")
    lines = [
        json.dumps({"name": "order", "time": at, "count": 7}).encode()
        for at in range(END - HOURS * shop.HOUR, END, QUIET * shop.HOUR)
    ]
    plan = compile_plan(load(config, environment={}), shards=1)
    return plan, open_files([str(history.write(folder / "past.ndjson", lines))])


def all_came_in_pieces(weighed: Weighing) -> bool:
    return sum(weighed.at_once) > 0.9 * HOURS and max(weighed.at_once) <= AT_ONCE + 3 * QUIET


def test_a_backfill_decides_on_a_quiet_history_piece_by_piece(
    tmp_path: Path, monkeypatch: Any
) -> None:
    plan, files = quiet_history(tmp_path, monkeypatch)
    weighed = Weighing()
    clock = lambda: END * SECOND  # noqa: E731
    Backfill(files, plan=plan, fields=None, clock=clock, keeper=weighed).run()
    assert all_came_in_pieces(weighed), weighed.at_once


def test_a_replay_decides_on_a_quiet_history_piece_by_piece(
    tmp_path: Path, monkeypatch: Any
) -> None:
    plan, files = quiet_history(tmp_path, monkeypatch)
    weighed = Weighing()
    Replay(files, plan=plan, fields=None, clock=lambda: END * SECOND, sink=weighed).run()
    assert all_came_in_pieces(weighed), weighed.at_once

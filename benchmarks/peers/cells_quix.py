"""The cells in quixstreams: a tumbling window with three aggregations, as its documentation shows them.

    python cells_quix.py ADDRESS TOPIC PARTITIONS EVENTS OUT

Runs alone: it imports nothing of the monitor. The key of a message is that of its cell and its Kafka
time is the event's, so neither a `group_by` (which writes every event once more) nor an extractor of
times is needed. The state is where it is by default: RocksDB, with a changelog topic. Prints one JSON
line of seconds by the clock and of the processor from the first event to the last, and writes the
closed windows to OUT.
"""

import json
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from quixstreams import Application
from quixstreams.dataframe.windows import Aggregator, Count, Sum

ADDRESS, TOPIC, OUT = sys.argv[1], sys.argv[2], sys.argv[5]
EVENTS = int(sys.argv[4])
FLUSH_SECONDS = 2.0

measured: dict[str, float] = {"seen": 0}
found: list[list[Any]] = []


class Distinct(Aggregator):
    """Different values of a column; the state is a list, since it is kept as JSON."""

    def initialize(self) -> list[str]:
        return []

    def agg(self, old: list[str], new: Any, timestamp: int) -> list[str]:  # noqa: ARG002
        value = new[self.column]
        return old if value in old else [*old, value]

    def result(self, value: list[str]) -> int:
        return len(value)


def flat(event: dict[str, Any]) -> dict[str, Any]:
    return {"actor": event["actor"], "amount": event.get("values", {}).get("amount", 0.0)}


def keep(value: dict[str, Any], key: Any, *_: Any) -> None:
    name = key.decode() if isinstance(key, bytes) else key
    row = [value["count"], value["total"], value["actors"]]
    found.append([name, value["start"] // 1000, *row])


def processed(*_: Any) -> None:
    if not measured["seen"]:
        measured.update(began=perf_counter(), busy=process_time())
    measured["seen"] += 1
    if measured["seen"] == EVENTS:
        measured["seconds"] = perf_counter() - measured["began"]
        measured["cpu"] = process_time() - measured["busy"]
        app.stop()


with tempfile.TemporaryDirectory() as folder:
    app = Application(
        broker_address=ADDRESS,
        consumer_group=f"quix-{TOPIC}",
        auto_offset_reset="earliest",
        commit_interval=FLUSH_SECONDS,
        state_dir=folder,
        producer_extra_config={"compression.type": "lz4"},
        on_message_processed=processed,
        loglevel="ERROR",
    )
    frame = app.dataframe(app.topic(TOPIC, key_deserializer="bytes", value_deserializer="json"))
    windows = (
        frame.apply(flat)
        .tumbling_window(timedelta(minutes=1), grace_ms=timedelta(seconds=30))
        .agg(count=Count(), total=Sum("amount"), actors=Distinct("actor"))
        .final(closing_strategy="partition")
    )
    windows.update(keep, metadata=True)
    app.run()
Path(OUT).write_text(json.dumps(found))
print(json.dumps({"seconds": measured["seconds"], "cpu": measured["cpu"]}), flush=True)

"""`monitor backfill` into Kafka: the shards' first snapshots, and a service that judges at once."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from monitor.cli import execute
from monitor.clock import wall_clock
from monitor.journal.records import RESTATED, WHOLE
from monitor.kafka.broker import Broker, Outgoing
from monitor.model.bucket import BucketColumns
from monitor.model.record import Stream
from monitor.model.time import SECOND, to_rfc3339
from tests.embedded import history
from tests.system import shop
from tests.system.kafka_io import create_topic, table, until, write
from tests.system.running import Run, configured
from tests.system.servers import Kafka, free_port

pytestmark = pytest.mark.system

PREFIX = "backfill"
SHARDS = 2


def test_a_service_with_a_history_finds_a_fall_in_its_first_hours(
    kafka: Kafka, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = wall_clock() // SECOND
    begun = now - now % shop.DAY - 21 * shop.DAY
    fall = now - now % shop.STEP - 3 * shop.HOUR
    past = history.write(tmp_path / "past.ndjson", history.calm(begun, fall))
    settings = shop.service(
        broker=kafka.address, prefix=PREFIX, port=free_port(), alertmanager="127.0.0.1:9"
    )
    config = configured(tmp_path / "config", settings, shop.METRICS)
    command = ["backfill", str(past), "--config", str(config)]
    broker, topic = Broker(address=kafka.address), f"{PREFIX}.events"
    create_topic(kafka.address, topic)

    assert execute(command) == 0, capsys.readouterr().err
    live = [
        Outgoing(topic=topic, partition=line.partition, value=line.body)
        for line in shop.lines(fall, now, fall=0.4)
    ]
    asyncio.run(write(broker, live))

    async def fired() -> bool:
        alerts = await table(broker, f"{PREFIX}.{Stream.ALERTS}", SHARDS)
        return any(b'"firing"' in body and b'"orders"' in body for body in alerts.values())

    run = Run(config, tmp_path / "state")
    run.start()
    try:
        asyncio.run(until(fired, 60))
    finally:
        run.stop()
        run.destroy()
    buckets = asyncio.run(table(broker, f"{PREFIX}.{Stream.BUCKETS}", SHARDS))
    orders = [
        msgspec.json.decode(body, type=BucketColumns)
        for key, body in buckets.items()
        if key.startswith(f"orders|{WHOLE}|") and not key.endswith(RESTATED)
    ]
    since = to_rfc3339(fall * SECOND)
    assert {b.start for b in orders if b.start < since}  # the history's are there to be looked at
    assert "learning" not in {b.state[0] for b in orders if b.start >= since}
    assert execute(command) == 2
    assert "this service has run already" in capsys.readouterr().err

"""The broker is away for minutes: nothing is lost, nothing is counted twice, nobody need do anything.

Every time that a client or the broker keeps is shortened, so that all of them end several times before the broker
is back: to the service it is as if that had been away for minutes. `make chaos` with 40 faults or more has it
away for minutes indeed.
"""

import asyncio
import json

import pytest
from prometheus_client import CollectorRegistry

from monitor.kafka import broker
from monitor.model.record import Stream
from monitor.telemetry import Counters
from tests.system.kafka_io import table, until, working
from tests.system.plans import orders_plan
from tests.system.servers import Kafka
from tests.system.test_ingest_worker import Setting, check_chain

pytestmark = [pytest.mark.system, pytest.mark.slow]

AFTER_SECONDS = 60.0
AWAY_SECONDS = 20.0
SHORT_MS = {
    "_SESSION_MS": 6_000,
    "_HEARTBEAT_MS": 1_000,
    "_MAX_POLL_MS": 6_000,
    "_TRANSACTION_MS": 4_000,
    "_REQUEST_MS": 4_000,
    "METADATA_MS": 2_000,
}
"""The broker takes no shorter session."""
PER_MINUTE = 120


async def test_a_broker_that_is_away_for_minutes_costs_time_and_no_event(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, milliseconds in SHORT_MS.items():
        assert milliseconds < getattr(broker, name)
        assert milliseconds * 3 < AWAY_SECONDS * 1000
        monkeypatch.setattr(broker, name, milliseconds)
    setting = Setting(kafka, "outage", orders_plan(shards=1))
    await setting.create()
    core = setting.service.core(counters=Counters(CollectorRegistry()), instance=None)

    async def values() -> list[float]:
        kept = await table(setting.broker, setting.service.topics.name(Stream.BUCKETS))
        return [float(json.loads(value)["value"][0]) for _, value in sorted(kept.items())]

    async def reached(orders: int) -> bool:
        # The last minute or two are not over; those before are whole.
        return sum(await values()) >= orders - 4 * PER_MINUTE

    async def feed() -> None:
        """Ten minutes of an order a second in each partition."""
        begun = setting.fed
        for partition in (0, 1):
            setting.fed = begun
            await setting.orders(600, partition=partition)

    async with setting.at_work(), working(core.run):
        await feed()
        await until(lambda: reached(1200))
        await feed()
        await asyncio.to_thread(kafka.stop)  # what was just read is not written yet
        await asyncio.sleep(AWAY_SECONDS)
        await asyncio.to_thread(kafka.start)
        await feed()
        await until(lambda: reached(3600), AFTER_SECONDS)
    frames = await setting.frames()
    check_chain(frames)
    assert await setting.counted() == 3600
    assert set(await values()) == {PER_MINUTE}

"""The broker is killed and comes back: nothing is lost and nothing is counted twice.

`make chaos` with 40 faults or more has it away for minutes.
"""

import asyncio
import json

import pytest
from prometheus_client import CollectorRegistry

from monitor.model.record import Stream
from monitor.telemetry import Counters
from tests.system.kafka_io import table, until, working
from tests.system.plans import orders_plan
from tests.system.servers import Kafka
from tests.system.test_ingest_worker import Setting, check_chain

pytestmark = [pytest.mark.system, pytest.mark.slow]

AFTER_SECONDS = 60.0
AWAY_SECONDS = 20.0
"""Longer than a session, a request, a connection and a transaction may last: every one of them ends."""
PER_MINUTE = 120


async def test_a_killed_broker_costs_time_and_no_event(kafka: Kafka) -> None:
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

"""Definitions change while events come: what did not change stays exact, the rest is told."""

import json
from dataclasses import replace

import pytest
import structlog
from prometheus_client import CollectorRegistry

from monitor.definitions.plan import Plan
from monitor.model.record import Stream
from monitor.telemetry import Counters
from tests.system.kafka_io import table, until, working
from tests.system.plans import orders_plan
from tests.system.servers import Kafka
from tests.system.test_ingest_worker import Setting

pytestmark = pytest.mark.system

PER_MINUTE = 60


def plan_of(formula: str) -> Plan:
    """Orders, and a metric whose formula may change."""
    plan = orders_plan(shards=1)
    [orders] = plan.metrics
    return replace(plan, metrics=(orders, replace(orders, name="sales", formula=formula)))


async def counts(setting: Setting, metric: str) -> list[int]:
    """The orders of each closed minute."""
    kept = await table(setting.broker, setting.service.topics.name(Stream.BUCKETS))
    rows = (json.loads(v) for k, v in sorted(kept.items()) if k.startswith(f"{metric}|all"))
    return [row["value"][0] for row in rows]


async def test_a_metric_that_did_not_change_stays_exact_and_the_other_is_told(kafka: Kafka) -> None:
    setting = Setting(kafka, "definitions", plan_of("old"))
    await setting.create()

    async def feed() -> None:
        begun = setting.fed
        for partition in (0, 1):
            setting.fed = begun
            await setting.orders(300, partition=partition)

    async def closed(metric: str, minutes: int) -> bool:
        return len(await counts(setting, metric)) >= minutes

    core = setting.service.core(counters=setting.counters, instance=None)
    async with setting.at_work(), working(core.run):
        await feed()
        await until(lambda: closed("sales", 3))
    async with setting.at_work():  # the core is away while ingest measures by the old ones
        await feed()
        await setting.until_counted(4 * 300 * 2)  # each order counts in two metrics
    setting.service = replace(setting.service, plan=plan_of("new"))
    registry = CollectorRegistry()
    core = setting.service.core(counters=Counters(registry), instance=None)
    with structlog.testing.capture_logs() as logged:
        async with setting.at_work(), working(core.run):
            await feed()
            await until(lambda: closed("orders", 13))
    assert {*await counts(setting, "orders")} == {2 * PER_MINUTE}
    sales = await counts(setting, "sales")
    assert {*sales[:3], *sales[11:13]} == {2 * PER_MINUTE}  # before the change and after it
    [told] = [one for one in logged if one["event"] == "deltas.skipped"]
    assert told["metrics"] == ["sales"]
    skipped = registry.get_sample_value("monitor_skipped_deltas_total", {"metric": "sales"})
    assert skipped is not None
    assert skipped > 0

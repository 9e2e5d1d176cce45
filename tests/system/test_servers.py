"""The harness itself: the servers start, answer and can be brought back."""

from collections.abc import Callable

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tests.system.servers import Kafka, Server, http_ready

pytestmark = pytest.mark.system


async def test_broker_answers(kafka: Kafka) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.address)
    await admin.start()
    try:
        cluster = await admin.describe_cluster()
    finally:
        await admin.close()
    assert len(cluster["brokers"]) == 1


def test_prometheus_and_alertmanager_answer(
    alertmanager: Server, prometheus: Callable[[list[str]], Server]
) -> None:
    assert http_ready(f"http://{alertmanager.address}/api/v2/status")()
    server = prometheus([alertmanager.address])
    assert http_ready(f"http://{server.address}/api/v1/targets")()

"""The whole service on real servers: history, an incident, its end, and every role killed meanwhile.

One run gathers everything (it takes a minute); each test looks at one promise.
"""

import asyncio
import itertools
import json
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from monitor.clock import wall_clock
from monitor.core.effects import Effect
from monitor.definitions import compile_plan, load, quality
from monitor.embedded.replay import Replay
from monitor.ingest.files import open_files
from monitor.journal.records import records
from monitor.kafka.broker import Broker, Outgoing, on_loop_error
from monitor.model.event import DeadLetter
from monitor.model.incident import IncidentState
from monitor.model.record import Stream
from monitor.model.time import SECOND
from tests.system import shop
from tests.system.kafka_io import contents, create_topic, table, write
from tests.system.running import Run, configured
from tests.system.servers import Kafka, Server, free_port, start_prometheus

pytestmark = pytest.mark.system

PREFIX = "flow"
SERIES = (
    "monitor_value",
    "monitor_expected",
    "monitor_lower",
    "monitor_upper",
    "monitor_units",
    "monitor_evidence_ratio",
    "monitor_alert_active",
    "monitor_state_info",
    "monitor_bucket_end_timestamp_seconds",
    "monitor_metric_info",
    "monitor_events_total",
    "monitor_dead_letters_total",
    "monitor_late_events_total",
    "monitor_duplicate_events_total",
    "monitor_watermark_timestamp_seconds",
    "monitor_source_lag_events",
    "monitor_role_resident_bytes",
    "monitor_role_open_files",
    "monitor_role_tasks",
    "monitor_role_seen_timestamp_seconds",
    "monitor_role_memory_limit_bytes",
    "monitor_role_file_limit",
)


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
        return json.loads(answer.read())


def eventually(what: Callable[[], Any], seconds: float, why: Callable[[], str]) -> Any:
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = what()
        except OSError:
            found = None
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(why())
        time.sleep(0.2)


@dataclass(kw_only=True)
class Story:
    """What happened, and what the servers said at the time."""

    events: list[shop.Line] = field(default_factory=list)
    killed: dict[str, tuple[int, int]] = field(default_factory=dict)
    scraped: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    active: list[dict[str, Any]] = field(default_factory=list)
    alertmanager: list[dict[str, Any]] = field(default_factory=list)
    alertmanager_after: list[dict[str, Any]] = field(default_factory=list)
    api_buckets: list[dict[str, Any]] = field(default_factory=list)
    api_alerts: list[dict[str, Any]] = field(default_factory=list)
    journal: dict[str, dict[str, bytes]] = field(default_factory=dict)
    dead_letters: list[bytes] = field(default_factory=list)
    stopped: tuple[int, float] = (0, 0.0)
    embedded: dict[Stream, dict[str, bytes]] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)


class Embedded:
    """Keeps what a replay decides as the journal would."""

    def __init__(self) -> None:
        self.kept: dict[Stream, dict[str, bytes]] = {stream: {} for stream in Stream}

    def effects(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            for record in records(effect):
                if record.value is None:
                    self.kept[record.stream].pop(record.key, None)
                else:
                    self.kept[record.stream][record.key] = record.value

    def dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        """Not looked at."""


class Scene:
    """The servers and the service of the story."""

    def __init__(self, folder: Path, kafka: Kafka, alertmanager: Server) -> None:
        self.folder, self.kafka, self.alertmanager = folder, kafka, alertmanager
        self.broker = Broker(address=kafka.address)
        self.port = free_port()
        self.api = f"http://127.0.0.1:{self.port}"
        settings = shop.service(
            broker=kafka.address, prefix=PREFIX, port=self.port, alertmanager=alertmanager.address
        )
        self.config = configured(folder / "config", settings, shop.METRICS)
        self.run = Run(self.config, folder / "state")
        self.story = Story()
        self.ends: list[str] = []

    def why(self) -> str:
        return f"{self.ends} {self.run.tail()}"

    def feed(self, lines: Sequence[shop.Line]) -> None:
        self.story.events += lines
        self._asynchronously(
            write(
                self.broker,
                [
                    Outgoing(topic=f"{PREFIX}.events", partition=line.partition, value=line.body)
                    for line in lines
                ],
            )
        )

    def until_closed(self, second: int, seconds: float = 180) -> None:
        """Wait until all is in the view that events up to this time can close: all but half an hour."""

        def reached() -> bool:
            metrics = get(f"{self.api}/api/v1/metrics")["metrics"]
            ends = self.ends = [row["end"] for metric in metrics for row in metric["series"]]
            wanted = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second - 2 * shop.STEP))
            return len(ends) == 8 and min(ends) >= wanted

        eventually(reached, seconds, self.why)

    def kill(self, role: str) -> None:
        """kill -9 a role; it is there again when the log says so."""
        before = self.run.kill(role)
        self.run.wait_for(lambda _: self.run.pids(role)[-1] != before)
        self.story.killed[role] = (before, self.run.pids(role)[-1])

    def alerts(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = get(f"http://{self.alertmanager.address}/api/v2/alerts")
        return [alert for alert in found if alert["generatorURL"].startswith(self.api)] or []

    def read_journal(self) -> None:
        async def read() -> None:
            for stream in (Stream.BUCKETS, Stream.ALERTS):
                self.story.journal[stream] = await table(self.broker, f"{PREFIX}.{stream}", 2)
            for partition in (0, 1):
                topic = f"{PREFIX}.{Stream.DEAD_LETTERS}"
                found = await contents(self.broker, topic, partition)
                self.story.dead_letters += [record.value for record in found]

        self._asynchronously(read())

    def replay(self) -> None:
        """The same events, embedded: every partition as a file."""
        files = [self.folder / f"partition-{number}.ndjson" for number in (0, 1)]
        for number, file in enumerate(files):
            bodies = [line.body for line in self.story.events if line.partition == number]
            file.write_bytes(b"\n".join(bodies) + b"\n")
        plan = compile_plan(load(self.config, environment={}), shards=1)
        kept = Embedded()
        Replay(
            open_files([str(file) for file in files]),
            plan=plan,
            fields=None,
            clock=wall_clock,
            sink=kept,
        ).run()
        self.story.embedded = kept.kept

    @staticmethod
    def _asynchronously(work: Any) -> None:
        async def quiet() -> None:
            asyncio.get_running_loop().set_exception_handler(on_loop_error)
            await work

        asyncio.run(quiet())


def tell(scene: Scene, prometheus: Server) -> Story:
    """Three weeks, an incident, its end."""
    story, run = scene.story, scene.run
    now = wall_clock() // SECOND // shop.STEP * shop.STEP
    start, fault = now - 22 * shop.DAY, now - 12 * shop.HOUR
    over, end = fault + 4 * shop.HOUR, now - 2 * shop.HOUR
    create_topic(scene.kafka.address, f"{PREFIX}.events")
    run.start()
    run.wait_for_event("view.caught_up")
    history = list(shop.lines(start, fault))
    cuts = [len(history) * part // 4 for part in range(5)]
    quarters = [history[a:b] for a, b in itertools.pairwise(cuts)]
    for role, quarter in zip(("core", "ingest", "serve", ""), quarters, strict=True):
        scene.feed(quarter)
        if role:
            time.sleep(0.5)  # in the middle of the work
            scene.kill(role)
    scene.until_closed(fault)
    scene.feed(list(shop.lines(fault, over, fall=0.5)))
    story.alertmanager = eventually(scene.alerts, 60, scene.why)
    query = f"http://{prometheus.address}/api/v1/query?query="
    for name in SERIES:
        story.scraped[name] = scraped(query, name)
    story.active = get(query + "monitor_alert_active")["data"]["result"]
    scene.kill("core")  # while the incident is open
    scene.feed(list(shop.lines(over, end)))
    scene.until_closed(end)
    eventually(lambda: not scene.alerts(), 90, scene.why)
    story.alertmanager_after = scene.alerts()
    story.api_alerts = get(f"{scene.api}/api/v1/alerts")["alerts"]
    story.api_buckets = get(f"{scene.api}/api/v1/metrics/orders/buckets")["buckets"]
    story.stopped = run.stop()
    story.log = run.log()
    scene.read_journal()
    scene.replay()
    return story


def scraped(query: str, name: str) -> list[dict[str, Any]]:
    """The series of that name in Prometheus, once it has some."""
    found = eventually(lambda: get(query + name)["data"]["result"], 20, lambda: name)
    return list(found)


@pytest.fixture(scope="module")
def story(
    tmp_path_factory: pytest.TempPathFactory, kafka: Kafka, alertmanager: Server
) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("flow")
    scene = Scene(folder, kafka, alertmanager)
    prometheus = start_prometheus(folder, [f"127.0.0.1:{scene.port}"])
    try:
        yield tell(scene, prometheus)
    finally:
        scene.run.destroy()
        prometheus.stop()


def incidents(kept: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    decoded = {key: json.loads(value) for key, value in kept.items()}
    return {key: body for key, body in decoded.items() if body["state"] != IncidentState.PENDING}


def test_prometheus_scrapes_the_documented_series(story: Story) -> None:
    missing = [name for name in SERIES if not story.scraped[name]]
    assert missing == []
    orders = [
        r["metric"] for r in story.scraped["monitor_value"] if r["metric"]["metric"] == "orders"
    ]
    found = {(m["dimension"], m["segment"]) for m in orders}
    assert found == {
        ("all", "all"), ("country", "DE"), ("country", "FR"), ("country", "US"),
    }, story.scraped["monitor_value"]  # fmt: skip


def test_alertmanager_shows_the_one_alert_with_labels_and_annotations(story: Story) -> None:
    [alert] = story.alertmanager
    assert alert["labels"] == {
        "alertname": "MetricShift",
        "metric": "orders",
        "dimension": "all",
        "segment": "all",
        "direction": "down",
        "severity": "page",
        "owner": "shop@example.com",
    }
    notes = alert["annotations"]
    assert float(notes["relative_shift"]) == pytest.approx(-0.5, abs=0.05)
    assert notes["runbook_url"] == "https://runbooks.example.com/orders"
    assert "orders" in notes["summary"]
    assert [r["metric"]["metric"] for r in story.active] == ["orders"]


def test_it_resolves(story: Story) -> None:
    assert story.alertmanager_after == []
    assert [(a["metric"], a["state"]) for a in story.api_alerts] == [("orders", "resolved")]


def test_every_role_was_killed_and_came_back(story: Story) -> None:
    assert story.killed.keys() == {"core", "ingest", "serve"}
    assert all(before != after for before, after in story.killed.values())
    died = [entry["role"] for entry in story.log if entry["event"] == "role.died"]
    assert sorted(died) == ["core", "core", "ingest", "serve"]


def test_embedded_and_kafka_give_the_same_buckets_and_alerts(story: Story) -> None:
    """So the kills have changed none of them either: nobody killed the embedded one."""
    found, expected = story.journal[Stream.BUCKETS], story.embedded[Stream.BUCKETS]
    assert len(found) > 10_000
    measured = {key for key in found if key.startswith(quality.PREFIX)}
    assert measured
    assert not any(key.startswith(quality.PREFIX) for key in expected), "a replay writes none"
    found = {key: value for key, value in found.items() if key not in measured}
    different = [key for key, value in found.items() if expected.get(key) != value]
    assert different == []
    later = [key.rsplit("|", 1)[1] for key in expected.keys() - found.keys()]
    newest = max(key.rsplit("|", 1)[1] for key in found)
    assert all(start > newest for start in later)  # what only the end of the input closes
    assert incidents(story.journal[Stream.ALERTS]) == incidents(story.embedded[Stream.ALERTS])


def test_the_buckets_add_up_to_the_events(story: Story) -> None:
    end = max(bucket["end"] for bucket in story.api_buckets)
    orders = [json.loads(line.body) for line in story.events if b'"order"' in line.body]
    closed = time.mktime(time.strptime(end, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    expected = sum(event["count"] for event in orders if event["time"] < closed)
    assert sum(bucket["value"] for bucket in story.api_buckets) == expected
    assert all(bucket["revision"] == 0 for bucket in story.api_buckets)


def test_it_stops_gracefully(story: Story) -> None:
    code, seconds = story.stopped
    assert code == 0
    assert seconds < 10
    events = [entry["event"] for entry in story.log]
    assert events.count("shard.saved") >= 2
    assert events[-1] == "run.stopped"
    assert not [entry for entry in story.log if entry["event"] == "role.overdue"]

"""`monitor release` and `monitor gate` as a pipeline types them."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from monitor.api.app import create_app
from monitor.api.serving import serve
from monitor.cli import execute
from monitor.journal.store import Store
from monitor.model.record import Record, Stream
from monitor.model.time import to_rfc3339
from monitor.release.evidence import MetricEvidence
from tests.journal.examples import T0, plan
from tests.release.test_verdict import series

NAMED = ["--service", "shop", "--version", "8.3.0"]


@dataclass(kw_only=True)
class Running:
    url: str
    store: Store

    def emit(self, release_id: str, **changes: Any) -> None:
        records = []
        for metric, better in (("errors", "down"), ("orders", "up")):
            one = MetricEvidence(
                release=release_id,
                metric=metric,
                better=better,
                as_of=to_rfc3339(T0),
                series=[series(**changes)],
            )
            value = msgspec.json.encode(one)
            records.append(
                Record(stream=Stream.VERDICTS, key=f"{release_id}|{metric}", value=value)
            )
        self.store.commit(records)


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    loop = asyncio.new_event_loop()
    with Store(tmp_path / "monitor.db") as store:
        app = create_app(store, plan(), clock=lambda: T0, registry=CollectorRegistry())
        running = loop.run_until_complete(serve(app, "127.0.0.1", 0))
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        monkeypatch.setenv("MONITOR_URL", running.url)
        yield Running(url=running.url, store=store)
        asyncio.run_coroutine_threadsafe(running.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert execute([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_start_and_finish_are_one_release(
    service: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    scope = ["--metric", "orders", "--segment", "platform=ios", "--segment", "platform=web"]
    arms = ["--arms", "variant=stable,canary", "--commit", "c0ffee", "--link", "https://ci/1"]
    first = told(capsys, "release", "start", *NAMED, *scope, *arms)
    assert first["scope"] == {"metrics": ["orders"], "segments": {"platform": ["ios", "web"]}}
    assert first["arms"] == {"dimension": "variant", "control": "stable", "treatment": "canary"}
    assert (first["commit"], first["url"]) == ("c0ffee", "https://ci/1")
    end = ["--time", to_rfc3339(T0 + 5)]
    ended = told(capsys, "release", "finish", *NAMED, "--status", "failed", *end)
    assert (ended["id"], ended["status"], ended["environment"]) == (
        first["id"],
        "failed",
        "production",
    )
    assert execute(["release", "finish", *NAMED]) == 2
    assert "has other status" in capsys.readouterr().err
    assert execute(["release", "start", *NAMED, "--time", first["started_at"]]) == 0
    assert "8.3.0 in production: failed (replay)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"up": 9.0, "effect": 0.21}, 1, "fail: shop 8.3.0 in production: regressed. errors"),
        ({}, 0, "pass: shop 8.3.0 in production: no effect"),
        ({"mde": 0.4}, 3, "inconclusive: shop 8.3.0 in production: inconclusive."),
    ],
)
def test_the_gate_says_it_by_its_exit_code(
    service: Running,
    capsys: pytest.CaptureFixture[str],
    changes: dict[str, Any],
    code: int,
    words: str,
) -> None:
    one = told(capsys, "release", "finish", *NAMED)
    service.emit(one["id"], **changes)
    assert execute(["gate", "--service", "shop"]) == code
    printed = capsys.readouterr().out
    assert words in printed
    assert "95 % interval" in printed, "the table"
    assert execute(["release", "verdict", "--service", "shop"]) == 0
    assert "metric" in capsys.readouterr().out
    assert execute(["gate", *NAMED, "--fail-open"]) == (1 if code == 1 else 0)


def test_the_gate_waits_as_long_as_it_was_told(
    service: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    one = told(capsys, "release", "finish", *NAMED)
    answers = threading.Timer(0.5, service.emit, [one["id"]])
    answers.start()
    assert execute(["gate", *NAMED, "--wait", "20s", "--every", "1s"]) == 0
    assert "inconclusive, asking for 20 s more" in capsys.readouterr().out
    answers.join()


def test_a_gate_of_an_unknown_release_is_inconclusive(
    service: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["gate", "--service", "none", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["verdict"] is None


@pytest.mark.parametrize(
    ("words", "told_so"),
    [
        (["release", "start", *NAMED, "--arms", "x"], "give DIMENSION=CONTROL,TREATMENT"),
        (["release", "start", *NAMED, "--segment", "x"], "give DIMENSION=VALUE"),
        (["release", "start", *NAMED, "--time", "noon"], "started_at is 'noon': RFC 3339"),
        (["release", "start", "--service", "shop"], "--version"),
        (["release", "finish", *NAMED, "--status", "started"], "--status"),
        (["release", "verdict"], "give its ID, or --service"),
        (["release", "verdict", "a/b"], "there is no release 'a/b'"),
        (["gate", "--service", "shop", "--wait", "soon"], "--wait"),
    ],
)
def test_what_is_wrong_is_one_line_with_the_remedy(
    service: Running, capsys: pytest.CaptureFixture[str], words: list[str], told_so: str
) -> None:
    assert execute(words) == 2
    assert told_so in capsys.readouterr().err


def test_a_service_that_is_away_is_4(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR_URL", "http://127.0.0.1:9")
    assert execute(["gate", "--service", "shop", "--wait", "1m"]) == 4
    assert "does not answer" in capsys.readouterr().err

"""`monitor release` and `monitor gate` as a pipeline types them."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from monitor.api.app import create_app
from monitor.api.serving import serve
from monitor.cli import execute, gate
from monitor.errors import UnreachableError
from monitor.journal.store import Store
from monitor.model.time import to_rfc3339
from tests.journal.examples import T0, plan
from tests.release.judged import emit

NAMED = ["--service", "shop", "--version", "8.3.0"]


@dataclass(kw_only=True)
class Running:
    url: str
    store: Store


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
    emit(service.store, one["id"], **changes)
    assert execute(["gate", "--service", "shop"]) == code
    printed = capsys.readouterr().out
    assert words in printed
    assert "95 % interval" in printed, "the table"
    assert "[/]" not in printed
    assert execute(["release", "verdict", "--service", "shop"]) == 0
    assert "metric" in capsys.readouterr().out
    assert execute(["gate", *NAMED, "--fail-open"]) == (1 if code == 1 else 0)


def test_the_gate_waits_as_long_as_it_was_told(
    service: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    one = told(capsys, "release", "finish", *NAMED)
    answers = threading.Timer(0.5, emit, [service.store, one["id"]])
    answers.start()
    assert execute(["gate", *NAMED, "--wait", "20s", "--every", "1s"]) == 0
    assert "inconclusive, asking for 20 s more" in capsys.readouterr().out
    answers.join()


class Away:
    """A service that answers once, then is away for some time or for good."""

    def __init__(self, times: int) -> None:
        self.asked, self.times = 0, times

    def post(self, path: str, body: Any) -> tuple[int, Any]:
        self.asked += 1
        if self.asked == 1:
            return 200, {"gate_status": "inconclusive", "reason": "not yet", "verdict": None}
        if self.asked <= 1 + self.times:
            message = "does not answer"
            raise UnreachableError(message)
        return 200, {"gate_status": "pass", "reason": "fine", "verdict": None}


@pytest.mark.parametrize(("times", "wait", "code"), [(2, "1m", 0), (10**9, "5s", 4)])
def test_a_service_that_is_away_while_the_gate_waits_is_asked_again(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    times: int,
    wait: str,
    code: int,
) -> None:
    now = [0.0]
    monkeypatch.setattr(gate, "Service", lambda url: Away(times))
    monkeypatch.setattr(gate, "monotonic", lambda: now[0])
    monkeypatch.setattr(gate, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    assert execute(["gate", "--service", "shop", "--wait", wait, "--every", "2s"]) == code
    assert "does not answer, asking for" in capsys.readouterr().out


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

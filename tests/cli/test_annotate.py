import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from monitor.api.app import create_app
from monitor.api.serving import serve
from monitor.api.tokens import Tokens
from monitor.cli import execute
from monitor.settings import Api
from tests.journal.examples import T0, plan

TOKEN = "s3cret"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service whose API needs a token."""
    loop = asyncio.new_event_loop()
    app = create_app(
        tmp_path_factory.mktemp("view") / "monitor.db",
        plan(),
        clock=lambda: T0,
        registry=CollectorRegistry(),
        tokens=Tokens.of(Api(), {"MONITOR_TOKEN": TOKEN}),
    )
    running = loop.run_until_complete(serve(app, "127.0.0.1", 0, protected=True))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield running.url
    asyncio.run_coroutine_threadsafe(running.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_an_annotation_is_added_once_by_key(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONITOR_TOKEN", TOKEN)
    monkeypatch.setenv("MONITOR_URL", url)
    words = ["annotate", "spring campaign", "--tag", "marketing", "--key", "c-1", "--json"]
    assert execute(words) == 0
    first = json.loads(capsys.readouterr().out)
    assert execute(words) == 0
    assert json.loads(capsys.readouterr().out) == first
    assert execute(["annotate", "another", "--key", "c-1"]) == 2
    assert "new key" in capsys.readouterr().err


def test_without_the_token_it_says_which_variable_to_set(
    url: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MONITOR_TOKEN", raising=False)
    assert execute(["annotate", "x", "--url", url]) == 2
    assert "set MONITOR_TOKEN" in capsys.readouterr().err


def test_a_service_that_is_not_there_is_exit_4(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["annotate", "x", "--url", "http://127.0.0.1:9"]) == 4
    assert "does not answer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--url", "localhost:8321"], "is no address"),
        (["--time", "yesterday"], "--time 'yesterday' is no time"),
        (["--end", "2026-11-21T10:00:00"], "append Z"),
    ],
)
def test_wrong_usage_is_exit_2_with_the_remedy(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["annotate", "x", *words]) == 2
    assert told in capsys.readouterr().err


def test_something_else_that_answers_is_named(
    url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert execute(["annotate", "x", "--url", f"{url}/nowhere"]) == 2
    assert "refuses (404)" in capsys.readouterr().err

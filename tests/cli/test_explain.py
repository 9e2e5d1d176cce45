"""`monitor explain` as a user types it."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from monitor.api.app import create_app
from monitor.api.serving import serve
from monitor.cli import execute
from monitor.definitions import compile_plan, load
from monitor.journal.records import records
from monitor.journal.store import Store
from monitor.model.time import MINUTE, to_rfc3339
from tests.journal.examples import changed, closed, resolved
from tests.report.rows import T0, alert, fall, row

CONFIG = """
metrics:
  - name: orders
    kind: count
    of: {event: order}
    segments: [country]
    owner: shop@example.com
    alert: {runbook_url: "https://runbooks.example.com/orders"}
  - {name: visits, kind: count, of: {event: visit}}
"""
DE = {"dimension": "country", "segment": "DE"}
BLAMED = {
    **DE,
    "relative_shift": -0.6,
    "value": 20.0,
    "expected": 50.0,
    "n": 400,
    "evidence": 9.0,
}


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "COLUMNS", "MONITOR_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    (folder / "metrics").mkdir(parents=True)
    (folder / "monitor.yaml").write_text("source: {files: [none]}\napi: {port: 1}\n")
    (folder / "metrics" / "shop.yaml").write_text(CONFIG)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "replay"
    made.mkdir()
    segments = [msgspec.structs.replace(r, **DE) for r in fall()]
    other = msgspec.structs.replace(row(0), dimension="country", segment="other")
    write(made / "buckets.ndjson", [*fall(), *segments, other])
    pending = alert(state="pending", resolved_at=None, reason="evidence_growing")
    under = {**pending, **DE, "alert_id": "abcf0000"}
    write(made / "alerts.ndjson", [pending, under, alert(segments=[BLAMED])])
    return made


def write(path: Path, lines: list[Any]) -> None:
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))


class Explain:
    """Asks about the folder, and keeps what was printed."""

    def __init__(self, config: Path, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.config = config
        self.folder = folder
        self._capfd = capfd
        self.err = ""

    def __call__(self, *words: str, code: int = 0) -> str:
        arguments = ["explain", "--config", str(self.config), "--from", str(self.folder), *words]
        assert execute(arguments) == code
        out, self.err = self._capfd.readouterr()
        return out

    def refused(self, *words: str) -> str:
        """The one line that is told."""
        assert self(*words, code=2) == ""
        assert self.err.count("\n") == 1
        return self.err


@pytest.fixture
def explain(config: Path, folder: Path, capfd: pytest.CaptureFixture[str]) -> Explain:
    return Explain(config, folder, capfd)


def test_an_alert_is_explained_from_its_words_to_its_owner(explain: Explain) -> None:
    told = explain("abcd1234")
    parts = [
        "orders fell by 40 %.",
        "orders, by bucket of 1m",
        "▲ start 10:10",
        "evidence of a shift (log10): 5 fires",
        "It fired at 10:14 UTC",
        "It ended at 10:30 UTC",
        "country=DE  -60 %",
        "alerting (found)",
        "100 thousand to 1 against noise (log10 5)",
        "on average one false page of this series in 69 d or more",
        "rises and falls",
        "minimum shift",
        "no release is known",
        "https://runbooks.example.com/orders",
        "shop@example.com",
    ]
    assert [p for p in parts if p not in told] == []
    places = [told.index(part) for part in parts]
    assert places == sorted(places)
    assert "\x1b" not in told


def test_the_beginning_of_an_id_is_enough_where_it_is_unambiguous(explain: Explain) -> None:
    assert explain("abcd") == explain("abcd1234")
    assert "abc' is too short" in explain.refused("abc")
    assert "no alert 'abcx', nor METRIC@TIME: the newest are abcd1234" in explain.refused("abcx")
    write(explain.folder / "alerts.ndjson", [alert(alert_id="abcd1"), alert(alert_id="abcd12")])
    assert "2 alerts begin with 'abcd'" in explain.refused("abcd")
    assert "abcd1," in explain("abcd1")  # an id that is whole is no beginning


def test_without_a_question_the_newest_alerts_are_listed(explain: Explain) -> None:
    lines = explain().splitlines()
    assert lines[0].split() == ["alert", "state", "what", "shift", "since", "ended"]
    assert [line.split()[:2] for line in lines[1:]] == [
        ["abcd1234", "resolved"],
        ["abcf0000", "pending"],
    ]
    assert "orders (country=DE)" in lines[2]
    many = [alert(alert_id=f"id{i:06}") for i in range(25)]
    write(explain.folder / "alerts.ndjson", many)
    shown = explain()
    assert "id000024" in shown
    assert "id000004" not in shown
    assert "and 5 older ones" in shown
    assert len(json.loads(explain("--json"))["alerts"]) == 25


def test_no_alert_at_all_is_told(explain: Explain) -> None:
    write(explain.folder / "alerts.ndjson", [])
    assert explain() == "no alert is kept there\n"
    assert json.loads(explain("--json")) == {"alerts": []}
    assert "no alert is kept there" in explain.refused("abcd1234")


def test_a_time_at_which_nothing_fired_is_explained(explain: Explain) -> None:
    told = explain("orders@2026-11-21T10:05:00Z")
    assert told.startswith("orders at 10:05 UTC on 2026-11-21: no page, because its value of 100")
    assert "A shift that would have been found" in told
    assert "within 15 min" in told


def test_a_time_within_an_incident_is_explained_by_its_alert(explain: Explain) -> None:
    told = explain("orders@2026-11-21T10:12:00Z")
    assert told.startswith("orders fell by 40 %.")
    assert "not found yet: it was 2 min later" in told


def test_a_segment_under_a_paged_whole_is_told_of_it(explain: Explain) -> None:
    told = explain("orders,country=DE@2026-11-21T10:20:00Z")
    assert "its whole was paged" in told
    assert "abcd1234, found at 10:14" in told


def test_json_holds_all_that_the_text_says(explain: Explain) -> None:
    found = json.loads(explain("abcd", "--json"))
    assert found["alert"] == alert(segments=[BLAMED])
    assert found["answer"] == "orders fell by 40 %."
    assert len(found["buckets"]) == 40
    assert found["judging"]["threshold"] == 5.0
    assert found["peak"] == {"evidence": 30.0, "at": to_rfc3339(T0 + 30 * MINUTE)}
    moment = json.loads(explain("orders@2026-11-21T10:05:00Z", "--json"))
    assert moment["alert"] is None
    assert [needed["within_seconds"] for needed in moment["needed"]] == [900, 3600, 86400]


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ("ordrs@2026-11-21T10:05:00Z", "did you mean 'orders'"),
        ("orders,contry=DE@2026-11-21T10:05:00Z", "did you mean 'country'"),
        ("orders,country=XX@2026-11-21T10:05:00Z", "it counts in 'other'; known are DE, other"),
        ("visits@2026-11-21T10:05:00Z", "no bucket of 'visits' by all is kept there"),
        ("orders@noon", "is no time"),
        ("", "too short"),
    ],
)
def test_a_question_that_cannot_be_answered_is_told(
    explain: Explain, question: str, told: str
) -> None:
    assert told in explain.refused(question)


def test_a_replay_without_buckets_explains_without_a_chart(explain: Explain) -> None:
    write(explain.folder / "buckets.ndjson", [])
    told = explain("abcd")
    assert "No buckets of this series are kept for that time, so there is no chart." in told
    assert "┤" not in told


def test_a_metric_that_is_gone_from_the_definitions_is_still_explained(explain: Explain) -> None:
    gone = alert(metric="gone")
    write(explain.folder / "alerts.ndjson", [gone])
    assert "does not have this metric any more" in explain("abcd")


def test_where_no_service_answers_the_remedy_is_told(
    config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert execute(["explain", "--config", str(config)]) == 4
    err = capfd.readouterr().err
    assert err.startswith("http://127.0.0.1:1: does not answer")
    assert "--from FOLDER" in err


def test_any_free_port_needs_the_address(config: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (config / "monitor.yaml").write_text("source: {files: [none]}\napi: {port: 0}\n")
    assert execute(["explain", "--config", str(config)]) == 2
    assert "--from http://HOST:PORT" in capfd.readouterr().err


async def test_a_service_and_its_state_file_say_the_same(
    config: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "monitor.db"
    with Store(state) as store:
        for minute in range(20):
            store.commit(records(closed(T0 + minute * MINUTE)))
        store.commit(records(changed(resolved("a1a1a1a1", metric="orders"))))
    plan = compile_plan(load(config, environment={}), shards=1)
    running = await serve(
        create_app(state, plan, clock=lambda: T0, registry=CollectorRegistry()), "127.0.0.1", 0
    )
    capfd.readouterr()  # the server's own log
    told = []
    try:
        for where in (running.url, str(state)):
            words = ["explain", "a1a1", "--config", str(config), "--from", where, "--json"]
            assert await asyncio.to_thread(execute, words) == 0
            told.append(json.loads(capfd.readouterr().out))
    finally:
        await running.stop()
    assert told[0] == told[1]
    assert told[0]["alert"]["alert_id"] == "a1a1a1a1"
    assert len(told[0]["buckets"]) == 20


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_name_that_the_terminal_cannot_show_is_escaped(
    config: Path, folder: Path, encoding: str
) -> None:
    write(folder / "alerts.ndjson", [alert(segment="Zürich", dimension="city")])
    command = [sys.executable, "-c", "from monitor.cli import main; main()", "explain"]
    done = subprocess.run(
        [*command, "--config", str(config), "--from", str(folder)],
        env={**os.environ, "PYTHONIOENCODING": encoding, "NO_COLOR": "1"},
        capture_output=True,
        check=True,
    )
    assert ("city=Zürich" in done.stdout.decode(encoding)) == (encoding == "utf-8")
    assert done.stderr == b""

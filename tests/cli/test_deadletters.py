"""`monitor deadletters` as a user types it, without Kafka."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import execute
from monitor.journal.records import dead_letter_record
from monitor.journal.store import Store
from monitor.model.event import DeadLetter, Reject
from monitor.model.time import HOUR

NOW = 1_795_255_200_000_000
GOOD = b'{"name":"order","time":1700000000}\n'
BAD = b'{"name":"order"}\n{\xff\n{"name":"order","time":"\\u001b[2J"}\n'


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.cli.deadletters.wall_clock", lambda: NOW)
    for name in ("FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


class Told:
    """What a command line printed."""

    def __init__(self, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capfd = capfd
        self.err = ""

    def __call__(self, *words: str, code: int = 0) -> str:
        config = ["--config", str(self.folder / "config")]
        assert execute([*words, *config]) == code
        out, self.err = self._capfd.readouterr()
        return out

    def listed(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self("deadletters", "list", "--json", *words))
        return found

    def refused(self, *words: str) -> str:
        assert self("deadletters", *words, code=2) == ""
        assert self.err.count("\n") == 1
        return self.err


@pytest.fixture
def told(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Told:
    (tmp_path / "config" / "metrics").mkdir(parents=True)
    (tmp_path / "config" / "monitor.yaml").write_text(
        f"source: {{files: [none]}}\njournal: {{sqlite: {tmp_path / 'monitor.db'}}}\n"
    )
    (tmp_path / "config" / "metrics" / "shop.yaml").write_text(
        "metrics:\n  - {name: orders, kind: count, of: {event: order}}\n"
    )
    return Told(tmp_path, capfd)


@pytest.fixture
def replayed(told: Told) -> Path:
    """The folder of a replay with three dead letters."""
    events = told.folder / "events.ndjson"
    events.write_bytes(GOOD + BAD + GOOD)
    told("replay", str(events), "--out", str(told.folder / "out"))
    return told.folder / "out"


@pytest.fixture
def state(told: Told) -> Path:
    """The state file of the configuration, with a letter an hour, newest last."""
    reasons = [Reject.NOT_JSON, Reject.BAD_TIME, Reject.NOT_JSON]
    letters = [
        DeadLetter(
            source="events.ndjson",
            position=n,
            reason=reason,
            detail=f"why {n}",
            payload=b"secret %d" % n + b"x" * 300,
            read_us=NOW - (3 - n) * HOUR,
        )
        for n, reason in enumerate(reasons, 1)
    ]
    path = told.folder / "monitor.db"
    with Store(path) as store:
        store.commit(dead_letter_record(letter) for letter in letters)
    return path


def test_the_newest_come_first_and_all_are_counted_by_reason(told: Told, state: Path) -> None:
    out = told("deadletters", "list", "--limit", "2")
    assert out.index("why 3") < out.index("why 2")
    assert "why 1" not in out
    assert "and 1 more: --limit" in out
    assert f"3 in {state}: not_json 2, bad_time 1" in out
    assert "secret" not in out
    found = told.listed("--limit", "0")
    assert (found["dead_letters"], found["total"]) == ([], 3)
    assert found["reasons"] == {"bad_time": 1, "not_json": 2}


def test_letters_are_found_by_reason_and_time(told: Told, state: Path) -> None:
    def positions(*words: str) -> list[int]:
        return [
            one["position"] for one in told.listed("--from", str(state), *words)["dead_letters"]
        ]

    assert positions() == [3, 2, 1]
    assert positions("--reason", "bad_time") == [2]
    assert positions("--reason", "bad_time", "--reason", "not_json") == [3, 2, 1]
    assert positions("--since", "90m") == [3, 2]
    assert positions("--since", "2026-11-21T09:30:00Z") == [3]
    assert positions("--reason", "too_large") == []
    assert "none of the 3 is meant" in told("deadletters", "list", "--reason", "too_large")


def test_a_payload_is_shown_only_where_asked_for_and_cut(told: Told, state: Path) -> None:
    out = told("deadletters", "list", "--payload")
    assert out.count("secret") == 3
    assert "(308 bytes)" in out
    shown = told.listed("--payload")["dead_letters"][0]
    assert (shown["bytes"], len(shown["payload"])) == (308, 200 + len("... (308 bytes)"))
    assert "payload" not in told.listed()["dead_letters"][0]


def test_what_a_terminal_would_obey_is_escaped(told: Told, replayed: Path) -> None:
    out = told("deadletters", "list", "--payload", "--from", str(replayed))
    assert "\x1b" not in out
    assert r"{\xff" in out


def test_the_folder_of_a_replay_needs_no_configuration(told: Told, replayed: Path) -> None:
    (told.folder / "config" / "monitor.yaml").unlink()
    found = told.listed("--from", str(replayed))
    assert [one["reason"] for one in found["dead_letters"]] == [
        "bad_time",
        "not_json",
        "missing_time",
    ]
    assert "--since" in told.refused("list", "--from", str(replayed), "--since", "1h")


def test_letters_go_to_a_file_once(told: Told, replayed: Path) -> None:
    again = told.folder / "again.ndjson"
    words = ["deadletters", "replay", "--from", str(replayed), "--out"]
    dry = told(*words, str(again), "--dry-run")
    assert dry == f"would send 3 (bad_time 1, missing_time 1, not_json 1) to {again}\n"
    assert not again.exists()
    assert told(*words, str(again), "--reason", "not_json").startswith("sent 1 (not_json 1) to ")
    assert again.read_bytes() == b"{\xff\n"
    more = told.folder / "more.ndjson"
    assert "left out 1 that were sent before: --again" in told(*words, str(more))
    assert more.read_bytes() == b'{"name":"order"}\n{"name":"order","time":"\\u001b[2J"}\n'
    none = told.folder / "none.ndjson"
    assert "nothing to send: 3 in " in told(*words, str(none))
    assert not none.exists()
    told(*words, str(none), "--again")
    assert none.read_bytes() == BAD
    assert told.listed("--from", str(replayed))["sent_again"] == 3


def test_the_file_can_be_replayed_and_what_comes_back_is_not_sent_twice(
    told: Told, state: Path
) -> None:
    again = told.folder / "again.ndjson"
    out = told("deadletters", "replay", "--out", str(again), "--json", "--since", "90m")
    assert json.loads(out) == {
        "to": str(again),
        "sent": 2,
        "chosen": 2,
        "reasons": {"bad_time": 1, "not_json": 1},
        "sent_before": 0,
        "cannot_be_sent": {},
    }
    told("replay", str(again), "--out", str(told.folder / "second"))
    assert told.listed("--from", str(told.folder / "second"))["total"] == 2
    back = DeadLetter(
        source=str(again), position=2, reason=Reject.NOT_JSON, detail="still", payload=b"{"
    )
    with Store(state) as store:
        store.commit([dead_letter_record(back)])
    dry = json.loads(told("deadletters", "replay", "--dry-run", "--json"))
    assert (dry["would_send"], dry["sent_before"]) == (1, 3)
    assert "2 of them were sent again, 1 came back" in told("deadletters", "list")


def test_a_line_end_within_a_payload_is_left_out(told: Told, state: Path) -> None:
    whole = DeadLetter(source="0", position=1, reason=Reject.TOO_LARGE, detail="x", payload=b"{\n")
    with Store(state) as store:
        store.commit([dead_letter_record(whole)])
    words = ["deadletters", "replay", "--out", str(told.folder / "again"), "--reason"]
    assert "left out 1 that cannot be sent there: a line end is in it" in told(*words, "too_large")
    assert not (told.folder / "again").exists()


def test_a_file_that_is_there_is_not_written_over(told: Told, state: Path) -> None:
    there = told.folder / "there.ndjson"
    there.write_text("mine")
    assert "is there already" in told.refused("replay", "--out", str(there))
    assert there.read_text() == "mine"
    assert "No such file" in told.refused("replay", "--out", str(told.folder / "no" / "x"))
    assert told.listed()["sent_again"] == 0


@pytest.mark.parametrize(("answer", "sent"), [("y\n", 3), ("n\n", 0), ("\n", 0)])
def test_on_a_terminal_it_asks(
    told: Told, state: Path, monkeypatch: pytest.MonkeyPatch, answer: str, sent: int
) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal())
    asked: list[str] = []

    def ask(text: str) -> str:
        asked.append(text)
        return answer.strip()

    monkeypatch.setattr("click.termui.visible_prompt_func", ask)
    again = told.folder / "again.ndjson"
    told("deadletters", "replay", "--out", str(again))
    assert told.listed()["sent_again"] == sent
    assert again.exists() == bool(sent)
    told("deadletters", "replay", "--out", str(again) + "2", "--yes", "--again")
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list"], "there is no such state file"),
        (["replay", "--out", "x"], "there is no such state file"),
        (["list", "--from", "nowhere"], "nowhere: No such file"),
        (["list", "--from", "http://127.0.0.1:1"], "does not hand out dead letters"),
        (["list", "--reason", "bad"], "'bad' is not one of"),
        (["list", "--limit", "-1"], "-1 is not in the range"),
    ],
)
def test_a_mistake_is_told_in_one_line(told: Told, words: list[str], said: str) -> None:
    assert said in told.refused(*words)
    assert not (told.folder / "monitor.db").exists()


def test_other_mistakes_are_told_too(told: Told, state: Path) -> None:
    assert "name a new one with --out" in told.refused("replay")
    assert "is no time" in told.refused("list", "--since", "noon")
    assert "a folder" not in told.refused("list", "--since", "2026-11-21")
    with Store(state) as store:
        store.commit([], positions={"monitor.alerts|0": 1})
    assert "only shows what a service on Kafka" in told.refused("replay", "--out", "x")


def test_an_empty_place_has_nothing_to_send(told: Told) -> None:
    path = told.folder / "monitor.db"
    Store(path).close()
    assert told("deadletters", "list") == f"no dead letter: none is kept in {path}\n"
    out = told("deadletters", "replay", "--out", str(told.folder / "x"))
    assert out == f"nothing to send: no dead letter is kept in {path}\n"
    found = told.listed()
    assert (found["total"], found["dead_letters"]) == (0, [])


def test_the_time_of_reading_is_kept(told: Told, state: Path) -> None:
    assert told.listed()["dead_letters"][0]["read_at"] == "2026-11-21T10:00:00Z"

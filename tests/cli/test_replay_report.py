"""`monitor replay` on a history that was learnt: injected shifts, the table, the page."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from monitor.cli import execute
from monitor.embedded import survey
from monitor.model.time import DAY, HOUR, MINUTE, to_rfc3339

START = 20_403 * DAY  # a Monday
DAYS, BUCKET = 22, HOUR
FAULT = START + 20 * DAY + 9 * HOUR
NASTY = "<script>alert(1)</script>&\"'"

Whole = tuple[dict[str, Any], str, str]
"""Summary, page, and what stood on the terminal."""

CONFIG = """
metrics:
  - {name: orders, kind: count, of: {event: order}, segments: [country], bucket: 1h}
  - {name: value, kind: mean, of: {event: order, value: amount}, bucket: 1h, alert: {severity: ticket}}
  - {name: rare, kind: count, of: {event: rare}, bucket: 1h}
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a configuration and 22 days of orders; on the 20th, 6 h without a country's."""
    folder = tmp_path_factory.mktemp("world")
    (folder / "config" / "metrics").mkdir(parents=True)
    (folder / "config" / "monitor.yaml").write_text("source: {files: [none]}\n")
    (folder / "config" / "metrics" / "shop.yaml").write_text(CONFIG)
    rng = np.random.default_rng(5)
    lines = []
    for k in range(DAYS * DAY // BUCKET):
        start = START + k * BUCKET
        for country, mean in (("DE", 600), (NASTY, 400)):
            fault = country == NASTY and FAULT <= start < FAULT + 6 * HOUR
            event = {
                "name": "order",
                "time": to_rfc3339(start + MINUTE),
                "count": int(rng.poisson(mean * (0.3 if fault else 1.0))),
                "dimensions": {"country": country},
                "values": {"amount": 20 + round(rng.normal() * 0.5, 2)},
            }
            lines.append(msgspec.json.encode(event))
    (folder / "events.ndjson").write_bytes(b"\n".join(lines))
    return folder


def run(world: Path, out: Path, *options: str) -> int:
    files = [str(world / "events.ndjson"), "--config", str(world / "config"), "--out", str(out)]
    return execute(["replay", *files, *options])


def at(hours: float) -> str:
    return to_rfc3339(START + 20 * DAY + round(hours * HOUR))


@pytest.fixture(scope="module")
def whole(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The summary and the page of one replay with every kind of injection."""
    out = tmp_path_factory.mktemp("out")
    asked = [
        f"orders,country=DE:-40%@{at(-30)}",
        f"orders:-0.5%@{at(24)}",
        f"orders,country={NASTY}:-60%@{at(13)}",
        f"orders:-20%@{to_rfc3339(START + 3 * DAY)}",
        f"orders:-20%@{to_rfc3339(START - DAY)}",
        f"orders,country=XX:-20%@{at(24)}",
        f"value:+15%@{at(24)}",
        f"orders:-0.5%@{at(5)}",
        f"orders,country=DE:-0.5%@{at(24)}",
    ]
    everywhere = ["orders,country=DE:-40%", "orders:+1%", "rare:-50%"]
    options = [word for text in [*asked, *everywhere] for word in ("--inject", text)]
    screen = StringIO()
    with redirect_stdout(screen):
        assert run(world, out, *options, "--report", str(out / "page.html")) == 0
    summary = json.loads((out / "summary.json").read_text())
    assert [one["inject"] for one in summary["injections"]] == asked
    assert not list(out.glob("*.partial"))
    return summary, (out / "page.html").read_text(), screen.getvalue()


def test_injected_shifts_are_found_or_say_why_not(whole: Whole) -> None:
    found, faint, during, early, outside, absent, ticket, *others = whole[0]["injections"]
    before, other = others
    assert (found["outcome"], found["paged"]) == ("found", True)
    assert (found["alert"]["dimension"], found["alert"]["segment"]) in {
        ("country", "DE"),
        ("all", "all"),
    }
    assert 3 * BUCKET <= found["delay_seconds"] * 1_000_000 <= 6 * BUCKET
    assert found["peak_evidence_share"] >= 1
    assert (faint["outcome"], faint["paged"], faint["alert"]) == ("not_found", False, None)
    assert 0 <= faint["peak_evidence_share"] < 1
    assert (during["outcome"], during["paged"]) == ("already_alerting", False)
    assert early["outcome"] == "still_learning"
    assert outside["outcome"] == "outside_history"
    assert absent["outcome"] == "no_events"
    assert (ticket["outcome"], ticket["severity"], ticket["paged"]) == ("found", "ticket", False)
    assert ticket["alert"]["dimension"] == "all"
    # The fault of 9 o'clock is found with it and without it: that is no merit of the shift.
    assert (before["outcome"], before["alert"]) == ("already_alerting", None)
    assert before["notes"][1].startswith("nothing was found in the ")
    assert other["outcome"] == "not_found"


def test_without_a_time_a_shift_is_tried_at_many_hours(whole: Whole) -> None:
    found, faint, absent = whole[0]["surveys"]
    assert found["starts"] == len(found["trials"]) >= 5
    assert len({one["at"][11:13] for one in found["trials"]}) >= 4, "at many hours"
    told = [one for one in found["trials"] if one["outcome"] != "already_alerting"]
    assert found["judged"] == len(told)
    assert {one["outcome"] for one in told} == {"found"}
    assert found["share_paged"] == 1
    assert 3 * 3600 <= found["delay_seconds"]["median"] <= found["delay_seconds"]["p90"] <= 8 * 3600
    assert 450 <= found["volume"]["per_bucket"] <= 750
    assert found["volume"]["needed"]["1h"] is None, "no single bucket pages"
    assert found["volume"]["needed"]["1d"] < found["volume"]["per_bucket"]
    assert (faint["share_paged"], faint["delay_seconds"]["median"]) == (0, None)
    assert faint["volume"]["needed"]["1d"] is None, "within the band"
    assert (absent["starts"], absent["share_paged"]) == (0, None)
    assert "still learns" in absent["notes"][0]


def test_of_too_many_starts_every_second_one_is_given_up(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Whole
) -> None:
    monkeypatch.setattr(survey, "MOST_STARTS", 4)
    assert run(world, tmp_path, "--inject", "orders,country=DE:-40%", "--buckets", "none") == 0
    (few,) = json.loads((tmp_path / "summary.json").read_text())["surveys"]
    assert 2 <= few["starts"] <= 4
    every = whole[0]["surveys"][0]["trials"]
    assert few["trials"] == every[:: 2 if len(every) <= 8 else 4]


def test_the_page_and_the_terminal_tell_of_many_times(whole: Whole) -> None:
    _, page, screen = whole
    assert "Shifts tried at many times" in page
    assert "found: 100 %" in page
    for text in ("paged 100 % of", "could not be tried", "no volume is enough"):
        assert text in page
        assert text in " ".join(screen.split())


def test_the_outputs_are_those_of_the_history_as_it_was(
    world: Path, tmp_path: Path, whole: Whole
) -> None:
    assert run(world, tmp_path / "plain") == 0
    plain = json.loads((tmp_path / "plain" / "summary.json").read_text())
    assert plain["injections"] == []
    for key in ("events", "buckets", "series", "alerts", "span", "metrics"):
        assert plain[key] == whole[0][key]


def test_the_table_says_per_metric_what_is_learnt_and_seen(
    whole: Whole,
) -> None:
    orders, rare, value = whole[0]["metrics"]
    assert [one["metric"] for one in (orders, rare, value)] == ["orders", "rare", "value"]
    assert orders["buckets"] == DAYS * 24 - 1
    assert to_rfc3339(START + 18 * DAY)[:10] == orders["learning_until"][:10]
    assert (orders["learning"], rare["learning"]) == (False, True)
    assert orders["alerts"] >= 1
    assert orders["minimum_detectable_shift"]["1h"] is None, "no single bucket pages"
    assert 0.02 < orders["minimum_detectable_shift"]["1d"] < 0.2
    assert rare["minimum_detectable_shift"] == {"1h": None, "1d": None}


def test_the_terminal_fits_a_hundred_columns(whole: Whole) -> None:
    tables = whole[2][: whole[2].index("Evidence:")].rsplit("\n\n", 1)[0]
    assert "learning until" in tables
    assert "paged after" in tables
    lines = [line.rstrip() for line in tables.splitlines()]
    written = [line for line in lines if line.split()[:1] == ["written"]]
    assert len(written) == 1, "the folder is as long as it is"
    assert max(len(line) for line in lines if line not in written) <= 100


def test_the_page_is_one_file_that_runs_nothing(whole: Whole) -> None:
    page = whole[1]
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page, "a segment's value is text"
    assert not re.search(r"(?:src|href)=|@import|url\(", page)
    assert "prefers-color-scheme" in page
    assert page.count("<article") == whole[0]["alerts"]["fired"]
    assert page.count('<svg class="alert"') == page.count("<article")
    assert page.count('class="threshold"') == page.count("<article")
    assert "1 per 30 d" in page
    assert "still learning then" in page


@pytest.mark.parametrize(
    ("report", "message"),
    [
        ("absent/page.html", "No such file"),
        (".", "is a directory"),
        ("events.ndjson/x", "Not a dir"),
    ],
)
def test_a_report_that_cannot_be_written_is_refused_before_reading(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], report: str, message: str
) -> None:
    out = tmp_path / "o"
    assert run(world, out, "--report", str(world / report)) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith(f"--report {world / report}")
    assert message in error
    assert not out.exists()


def test_a_bad_injection_is_refused_before_reading(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(world, tmp_path / "o", "--inject", "ordes:-20%@2026-01-01T00:00:00Z") == 2
    assert "did you mean 'orders'" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_an_interrupted_report_leaves_nothing(world: Path, tmp_path: Path) -> None:
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from monitor.cli import main; main()"
    )
    page = tmp_path / "page.html"
    page.write_text("the one before")
    command: Sequence[str] = [
        *(sys.executable, "-c", program, "replay", "-", "--config", str(world / "config")),
        *("--out", str(tmp_path / "out"), "--report", str(page)),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 20
            while len(list(tmp_path.rglob("*.partial"))) < 4 and time.monotonic() < deadline:
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 130
        finally:
            process.kill()
    assert list((tmp_path / "out").iterdir()) == []
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["page.html"]
    assert page.read_text() == "the one before"

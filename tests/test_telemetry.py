import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from prometheus_client import CollectorRegistry

from monitor.telemetry import Counters, Seldom, configure


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_a_log_line_is_one_json_object_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    configure(stream=out)
    structlog.get_logger().info("source.assigned", partition=3)
    line = json.loads(out.getvalue())
    assert (line["event"], line["level"], line["partition"]) == ("source.assigned", "info", 3)
    assert line["timestamp"].endswith("Z")


def test_people_get_text_on_a_terminal() -> None:
    out = Terminal()
    configure(stream=out, no_color=True)
    structlog.get_logger().info("source.assigned", partition=3)
    assert "source.assigned" in out.getvalue()
    assert "partition=3" in out.getvalue()
    assert "\x1b[" not in out.getvalue()


def test_no_color_of_the_environment_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, coloured in (("1", False), ("", True)):
        monkeypatch.setenv("NO_COLOR", value)
        out = Terminal()
        configure(stream=out)
        structlog.get_logger().info("source.assigned")
        assert ("\x1b[" in out.getvalue()) is coloured


def test_what_a_client_says_again_and_again_is_shown_once_in_a_while() -> None:
    out = io.StringIO()
    configure(stream=out)
    client, other = logging.getLogger("aiokafka.client"), logging.getLogger("library")
    for number in range(100):
        client.error("no connection to node %d", number)
        client.error("no metadata")
        other.error("again")
    events = [json.loads(line)["event"] for line in out.getvalue().splitlines()]
    assert [event for event in events if event != "again"] == [
        "no connection to node 0",
        "no metadata",
    ]
    assert events.count("again") == 100


def test_what_was_held_back_is_counted_when_it_is_shown_again() -> None:
    seldom = Seldom("aiokafka", seconds=30)

    def shown(at: float, message: str = "no node %d") -> str | None:
        record = logging.LogRecord("aiokafka.client", logging.ERROR, "", 0, message, (7,), None)
        record.created = at
        return record.getMessage() if seldom.filter(record) else None

    assert [shown(at) for at in (0, 1, 29)] == ["no node 7", None, None]
    assert shown(30) == "no node 7 (and 2 like it)"
    assert shown(0) == "no node 7"  # the clock was set back
    assert shown(61) == "no node 7"


def test_levels_below_the_given_one_are_silent() -> None:
    out = io.StringIO()
    configure(stream=out, level="warning")
    structlog.get_logger().info("quiet")
    logging.getLogger("library").info("quiet")
    assert out.getvalue() == ""
    structlog.get_logger().warning("loud")
    assert json.loads(out.getvalue())["event"] == "loud"


def test_a_level_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="log level 'loud' is not one of debug, info"):
        configure(level="loud")


def test_lines_of_libraries_look_the_same() -> None:
    out = io.StringIO()
    configure(stream=out)
    logging.getLogger("library").warning("took %d s", 3)
    logging.getLogger("aiokafka").info("chatter")
    line = json.loads(out.getvalue())
    assert (line["event"], line["level"], line["logger"]) == ("took 3 s", "warning", "library")


def test_payloads_do_not_reach_the_log() -> None:
    out = io.StringIO()
    configure(stream=out)
    structlog.get_logger().warning("ingest.rejected", payload=b'{"email":"a@example.com"}')
    assert "example.com" not in out.getvalue()
    assert json.loads(out.getvalue())["payload"] == "<25 bytes>"


def fail(payload: bytes) -> None:
    try:
        _ = 1 / len(payload[:0])
    except ZeroDivisionError:
        structlog.get_logger().exception("core.failed")


def test_an_exception_is_one_line_of_json_without_the_values_of_variables() -> None:
    out = io.StringIO()
    configure(stream=out)
    fail(b"a@example.com")
    line = json.loads(out.getvalue())
    assert line["exception"][0]["exc_type"] == "ZeroDivisionError"
    assert "example.com" not in out.getvalue()


def test_an_exception_on_a_terminal_shows_no_values_either() -> None:
    out = Terminal()
    configure(stream=out)
    fail(b"a@example.com")
    assert "ZeroDivisionError" in out.getvalue()
    assert "example.com" not in out.getvalue()


def test_counters_begin_at_zero_with_the_documented_names() -> None:
    registry = CollectorRegistry()
    counters = Counters(registry)
    assert registry.get_sample_value("monitor_events_total", {"outcome": "accepted"}) == 0
    assert registry.get_sample_value("monitor_dead_letters_total", {"reason": "bad_time"}) == 0
    assert registry.get_sample_value("monitor_late_events_total") == 0
    counters.flushed({"accepted": 5, "duplicates": 2}, [])
    assert registry.get_sample_value("monitor_duplicate_events_total") == 2
    counters.folded.labels("country").inc(2)
    counters.watermark.labels("0").set(12)
    counters.lag.labels("0").set(5)
    value = registry.get_sample_value
    assert value("monitor_folded_values_total", {"dimension": "country"}) == 2
    assert value("monitor_watermark_timestamp_seconds", {"source": "0"}) == 12
    assert value("monitor_source_lag_events", {"source": "0"}) == 5


_ROLE = """
import sys
from prometheus_client import CollectorRegistry
from monitor.telemetry import Counters, count_as
for name in sys.argv[3:]:
    count_as(name)
counters = Counters(CollectorRegistry())
counters.events.labels("accepted").inc(int(sys.argv[1]))
counters.watermark.labels("0").set(int(sys.argv[2]))
"""
_READ = """
import sys
from prometheus_client import CollectorRegistry
from prometheus_client.multiprocess import MultiProcessCollector
registry = CollectorRegistry()
MultiProcessCollector(registry)
value = registry.get_sample_value
print(value("monitor_events_total", {"outcome": "accepted"}),
      value("monitor_watermark_timestamp_seconds", {"source": "0"}))
"""


def test_roles_of_one_service_are_added_up(tmp_path: Path) -> None:
    """Counters of two processes add; the watermark is the furthest, also of one that is gone."""
    counted(tmp_path, _ROLE, "3", "100")
    counted(tmp_path, _ROLE, "4", "90")
    assert counted(tmp_path, _READ) == "7.0 100.0"


def test_a_role_that_is_started_again_goes_on_with_its_counters_and_leaves_no_files(
    tmp_path: Path,
) -> None:
    counted(tmp_path, _ROLE, "3", "100", "ingest-0")
    files = sorted(tmp_path.iterdir())
    assert {file.stem.split("_")[-1] for file in files} == {"ingest-0"}
    for number in range(3):
        counted(tmp_path, _ROLE, "4", str(90 + number), "ingest-0")
    assert sorted(tmp_path.iterdir()) == files
    assert counted(tmp_path, _READ) == "15.0 92.0"


def counted(folder: Path, code: str, *arguments: str) -> str:
    """What a process of its own prints that counts in this folder."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()

"""What the log says of a backlog."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from monitor import telemetry
from monitor.kafka.catching_up import SAY_SECONDS, CatchUp


def told(steps: list[tuple[float, int, int]]) -> list[tuple[str, dict[str, Any]]]:
    said: list[tuple[str, dict[str, Any]]] = []
    watch = CatchUp(3, lambda event, **fields: said.append((event, fields)))
    for now, position, lag in steps:
        watch.note(now, position, lag)
    return said


def test_a_backlog_is_told_with_its_speed_and_its_end() -> None:
    said = told([(0, 0, 900_000), (1, 5_000, 896_000), (SAY_SECONDS, 150_000, 780_000)])
    assert said == [
        (
            "ingest.catching_up",
            {
                "partition": 3,
                "lag_events": 780_000,
                "events_per_second": 5_000,
                "done_in_seconds": 195,  # it shrinks by 4,000 a second: some arrive meanwhile
            },
        )
    ]


def test_a_backlog_that_grows_has_no_end() -> None:
    [(_, fields)] = told([(0, 0, 900_000), (SAY_SECONDS, 30_000, 950_000)])
    assert fields["done_in_seconds"] is None


def test_one_that_stands_still_is_told() -> None:
    [(_, fields)] = told([(0, 7, 50), (SAY_SECONDS, 7, 50)])
    assert (fields["events_per_second"], fields["lag_events"]) == (0, 50)


def test_what_is_read_at_once_is_no_backlog() -> None:
    assert told([(second, 1_000 * second, 900) for second in range(200)]) == []


def test_the_end_of_a_backlog_is_told_once() -> None:
    steps = [(0.0, 0, 900_000), (SAY_SECONDS, 1, 899_999)]
    said = told([*steps, (40, 900_000, 0), (41, 900_000, 0), (80, 900_000, 0)])
    assert [event for event, _ in said] == ["ingest.catching_up", "ingest.caught_up"]


@pytest.fixture
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


@pytest.mark.usefixtures("_logging_as_before")
def test_it_is_logged_as_everything_else_is() -> None:
    stream = io.StringIO()
    telemetry.configure(stream=stream)
    structlog.contextvars.bind_contextvars(role="ingest")
    watch = CatchUp(3)
    watch.note(0, 0, 900_000)
    watch.note(SAY_SECONDS, 150_000, 750_000)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["role"], line["done_in_seconds"]) == (
        "ingest.catching_up",
        "ingest",
        150,
    )

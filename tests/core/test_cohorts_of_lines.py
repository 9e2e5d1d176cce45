"""From lines to cohorts: ingest, frames and core together give what SQL over the lines gives."""

from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings

from monitor.definitions import compile_plan, load
from monitor.definitions.plan import Plan
from monitor.ingest.source import Ingest
from monitor.model.frame import Frame
from monitor.model.time import DAY, MINUTE, SECOND, to_rfc3339
from tests.core.test_cohorts import START, cuts_strategy, ordered, run
from tests.core.test_late_cohorts import final, same, settled
from tests.core.unit_worlds import Event

METRICS = """
metrics:
  - name: conversion
    kind: conversion
    start: {event: signup}
    finish: {event: activate}
    within: 15m
    segments: [country]
    bucket: 5m
    window: 25m
  - name: funnel
    kind: funnel
    steps: [{event: signup}, {event: activate}, {event: order}]
    within: 20m
    segments: [country, platform, [country, platform]]
    bucket: 15m
  - name: retention
    kind: retention
    cohort: {event: signup}
    returns: {event: activate}
    day: 1
    detect: {timezone: Europe/Berlin}
  - {name: signups, kind: count, of: {event: signup}, bucket: 1h}
"""


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = tmp_path_factory.mktemp("units")
    (folder / "metrics").mkdir()
    (folder / "monitor.yaml").write_text("source: {files: [none]}\n")
    (folder / "metrics" / "m.yaml").write_text(METRICS)
    return compile_plan(load(folder, environment={}), shards=1)


def line(event: Event) -> bytes:
    body: dict[str, Any] = {"name": event.name, "time": to_rfc3339(event.time_us)}
    body["dimensions"] = event.dimensions
    return msgspec.json.encode(body if event.actor is None else {**body, "actor": event.actor})


def frames_of(plan: Plan, events: list[Event], cuts: list[int]) -> list[Frame]:
    ingest = Ingest(plan, None, source=0, sources=1, name="0", clock=lambda: START + 400 * DAY)
    edges = sorted({min(c, len(events)) for c in cuts} | {len(events)})
    frames, begin = [], 0
    for edge in edges:
        ingest.add_many([line(event) for event in events[begin:edge]])
        begin = edge
        frames.append((ingest.finish() if edge == len(events) else ingest.flush()).frames[0])
    return frames


def cohorts_of(plan: Plan) -> Plan:
    """The plan without the metrics that follow no units."""
    return Plan(
        **{
            **{name: getattr(plan, name) for name in Plan.__dataclass_fields__},
            "metrics": tuple(m for m in plan.metrics if m.cohort is not None),
        }
    )


lines = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 2400), st.integers(0, 3 * 24 * 3600)),
        st.sampled_from(["signup", "signup", "activate", "activate", "order", "view"]),
        st.sampled_from(["a", "b", "c", None]),
        st.sampled_from(["DE", "a,b", None]),
        st.sampled_from(["ios", None]),
    ),
    min_size=4,
    max_size=60,
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(drawn=lines, cuts=cuts_strategy, noise=st.sampled_from([0, 600]))
def test_lines_become_what_sql_over_them_gives(
    plan: Plan, drawn: list[Any], cuts: list[int], noise: int
) -> None:
    read = ordered(
        [
            Event(
                START + seconds * SECOND,
                name,
                actor,
                {k: v for k, v in (("country", country), ("platform", platform)) if v},
            )
            for seconds, name, actor, country, platform in drawn
        ],
        noise,
        len(drawn),
    )
    read.append(Event(max(e.time_us for e in read) + 20 * MINUTE, "view", None))
    same(cohorts_of(plan), run(plan, frames_of(plan, read, cuts)), read)


def test_what_is_judged_at_the_end_is_what_had_its_time(plan: Plan) -> None:
    read = [Event(START + i * MINUTE // 2, "signup", str(i)) for i in range(80)]
    rows = final(run(plan, frames_of(plan, read, [])))
    last = (79 * MINUTE // 2) // MINUTE
    for name, width, horizon in (("conversion", 5, 15), ("funnel", 15, 20)):
        _, judged = settled(rows, name)
        wanted = [i for i in range(0, last, width) if i + width + horizon <= 79 / 2]
        assert sorted((s - START) // MINUTE for s in judged) == wanted
    assert settled(rows, "retention")[1] == set()

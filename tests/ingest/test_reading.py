"""A batch that is read at once says what its messages say that are read one by one."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from monitor.definitions.plan import Form, Measure
from monitor.ingest.source import Flush
from monitor.model.frame import encode_frame
from monitor.model.time import MINUTE, SECOND, to_rfc3339
from tests.ingest.conftest import ingest_of, metric_plan, plan_of

START = 1_700_000_000 // 60 * MINUTE
BY = ((), ("country",))
PLAN = plan_of(
    metric_plan("orders", Measure(name="count", event="order"), groupings=BY),
    metric_plan("revenue", Measure(name="sum", event="order", value="amount"), groupings=BY),
    metric_plan(
        "p95", Measure(name="quantile", event="order", form=Form.QUANTILE, value="amount", q=0.5)
    ),
    metric_plan("viewers", Measure(name="uniques", event="view", form=Form.UNIQUES, unit="actor")),
    metric_plan(
        "big", Measure(name="count", event="view", where=(("amount", "gte", (3.0,)),)), groupings=BY
    ),
)
EVENTS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["order", "view", "unused"]),
        "time": st.integers(START, START + MINUTE - SECOND)
        | st.integers(START - 5 * MINUTE, START + 3 * MINUTE),
        "dimensions": st.dictionaries(
            st.sampled_from(["country", "amount", "x"]), st.sampled_from(["DE", 5, True, None])
        ),
        "values": st.dictionaries(st.just("amount"), st.sampled_from([1, 2.5, 7, None])),
        "actor": st.sampled_from(["u1", "u2", 5, None]),
        "event_id": st.sampled_from(["a", "b", None]),
        "count": st.sampled_from([1, 1, 1, 3]),
    }
)
FAULTS = st.sampled_from([b"", b"{", b"[]", b'{"name":"order"}', b'{"name":"a","time":"soon"}'])
STAMPS = st.sampled_from([-1, (START + MINUTE) // 1000, (START + 5 * MINUTE) // 1000])


def line(event: dict[str, Any]) -> bytes:
    return json.dumps(event | {"time": to_rfc3339(event["time"])}).encode()


def said(flush: Flush) -> tuple[object, ...]:
    frames = [encode_frame(frame) for frame in flush.frames.values()]
    return frames, flush.counts, flush.state, flush.dead_letters, flush.first_us, flush.last_us


@given(st.lists(st.tuples(EVENTS.map(line) | EVENTS.map(line) | FAULTS, STAMPS)), st.integers(1, 9))
def test_in_batches_is_as_one_by_one(lines: list[tuple[bytes, int]], size: int) -> None:
    first = {"event": "order", "time": to_rfc3339(START), "name": "order"}
    known = [(json.dumps(first).encode(), -1)] * 4
    flushes = []
    for step in (1, size, len(known) + len(lines)):
        ingest = ingest_of(PLAN)
        for at in range(0, len(known) + len(lines), step):
            part = [*known, *lines][at : at + step]
            positions = range(3 * at, 3 * (at + len(part)), 3)
            ingest.add_many(
                [payload for payload, _ in part],
                list(positions) if step == size else positions,
                stamps_ms=[stamp for _, stamp in part],
            )
        flushes.append(said(ingest.finish()))
    assert flushes[0] == flushes[1] == flushes[2]


def test_units_and_values_of_a_batch_are_those_of_its_events() -> None:
    ingest = ingest_of(PLAN)
    events = [
        {"name": name, "time": START + at, "actor": f"u{at}", "values": {"amount": at}}
        for at, name in enumerate(["order", "order", "order", "view", "unused", "view"] * 3)
    ]
    ingest.add_many([line(event) for event in events])
    ingest.add_many([line(event) for event in events])
    found = {one.metric: one for one in ingest.flush().frames[0].deltas}
    assert found["orders"].hi.tolist() == [[18.0]]
    assert found["revenue"].hi.tolist() == [[2.0 * sum((0, 1, 2, 6, 7, 8, 12, 13, 14))]]
    assert found["big"].hi.tolist() == [[12.0]]
    viewers, amounts = found["viewers"].entries, found["p95"].entries
    assert viewers is not None
    assert viewers.key.size == 6
    assert amounts is not None
    assert amounts.count.sum() == 18

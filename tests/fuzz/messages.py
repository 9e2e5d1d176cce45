"""What must hold of ingest, whatever the messages are."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.core.machine import Machine
from monitor.definitions.plan import Form, Measure, Plan
from monitor.ingest.source import Flush, Ingest
from monitor.journal.letters import decode_letter
from monitor.journal.records import dead_letter_record
from monitor.model.event import Reject
from monitor.model.frame import decode_frame, encode_frame
from monitor.model.time import DAY, SECOND
from tests.ingest.conftest import metric_plan, plan_of
from tests.strategies.messages import START

_BY = ((), ("country",), ("country", "plan"))
PLAN = replace(
    plan_of(
        metric_plan("orders", Measure(name="count", event="order"), groupings=_BY),
        metric_plan("revenue", Measure(name="sum", event="order", value="amount"), groupings=_BY),
        metric_plan(
            "buyers",
            Measure(name="uniques", event="order", unit="actor", form=Form.UNIQUES),
            groupings=_BY,
        ),
        metric_plan(
            "slow",
            Measure(name="quantile", event="view", value="seconds", q=0.9, form=Form.QUANTILE),
            groupings=((), ("city",)),
        ),
        metric_plan("neighbours", Measure(name="count", event="neighbour")),
    ),
    # However late a message has made its neighbours, they are counted.
    restatement_window_us=40_000 * DAY,
)
NEIGHBOUR = json.dumps({"name": "neighbour", "time": START}).encode()
HORIZON_US = (START + DAY // SECOND) * SECOND


def ingest_of(fields: Mapping[str, str] | None, plan: Plan = PLAN) -> Ingest:
    """An ingest whose wall clock stands a day after most events."""
    return Ingest(plan, fields, source=0, sources=1, name="0", clock=lambda: HORIZON_US)


def check_messages(
    messages: Sequence[bytes], fields: Mapping[str, str] | None, cuts: Sequence[int] = ()
) -> Counter[str]:
    """Feed them with a good line behind each, in several flushes.

    Returns:
        How many there were of each outcome.

    Raises:
        AssertionError: something does not hold.
    """
    good = NEIGHBOUR if fields is None else _neighbour(fields)
    lines = [line for message in messages for line in (message, good)]
    ingest, flushes = ingest_of(fields), []
    edges = sorted({min(cut, len(lines)) for cut in cuts} | {len(lines)})
    begin = 0
    for edge in edges:
        ingest.add_many(lines[begin:edge])
        begin = edge
        flushes.append(ingest.finish() if edge == len(lines) else ingest.flush())
    told = _check_letters(lines, flushes)
    assert told["read"] + told["blank"] == len(lines)
    alone = sum((_alone(message, fields) for message in messages), Counter[str]())
    assert told["dead_lettered"] == alone["dead_lettered"]
    assert told["accepted"] == alone["accepted"] + len(messages)
    if fields is None or "name.name" not in fields.get("name", ""):
        assert told["neighbours"] == len(messages) + alone["neighbours"]
    return told


def _neighbour(fields: Mapping[str, str]) -> bytes:
    """The good line in a custom envelope."""
    event: dict[str, object] = {}
    for name, value in (("name", "neighbour"), ("time", START)):
        *outer, last = fields.get(name, name).split(".")
        here = event
        for part in outer:
            here = here.setdefault(part, {})  # type: ignore[assignment]
        here[last] = value
    return json.dumps(event).encode()


def _alone(message: bytes, fields: Mapping[str, str] | None) -> Counter[str]:
    """What becomes of a message without neighbours."""
    ingest = ingest_of(fields)
    ingest.add(1, message)
    return _check_letters([message], [ingest.finish()])


def _check_letters(lines: Sequence[bytes], flushes: Sequence[Flush]) -> Counter[str]:
    told: Counter[str] = Counter()
    machine = Machine(PLAN)
    for flush in flushes:
        counts = flush.counts
        assert counts["read"] == counts["accepted"] + counts["dead_lettered"]
        assert counts["dead_lettered"] == len(flush.dead_letters)
        told.update({name: counts[name] for name in ("read", "accepted", "dead_lettered")})
        positions = [letter.position for letter in flush.dead_letters]
        assert positions == sorted(set(positions))
        for letter in flush.dead_letters:
            assert letter.payload == lines[letter.position - 1]
            assert letter.reason in Reject
            assert letter.detail
            kept = decode_letter(dead_letter_record(letter).value or b"")
            assert (kept.payload, kept.reason) == (letter.payload, letter.reason)
            told[letter.reason.value] += 1
        frame = decode_frame(encode_frame(flush.frames[0]))
        for deltas in frame.deltas:
            if deltas.metric == "neighbours":
                told["neighbours"] += int(deltas.hi.sum())
        machine.apply(frame)
        told["frames"] += 1
    machine.finish()
    told["blank"] = len(lines) - told["read"]
    return told

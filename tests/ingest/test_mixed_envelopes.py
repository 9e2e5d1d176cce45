"""Topics in which envelopes are mixed: each event is recognised by itself."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitor.definitions.plan import Form, Measure
from monitor.ingest.cloud_events import structured
from monitor.ingest.envelope import Envelope
from monitor.ingest.fields import Fault
from monitor.model.event import Event, Reject
from monitor.model.frame import encode_frame
from monitor.model.time import SECOND, to_rfc3339
from tests.ingest.conftest import ingest_of, metric_plan, plan_of

START = 1_760_000_400
HORIZON = 2_000_000_000 * SECOND
MAPPING = {
    "event_id": "id",
    "name": "type",
    "time": "ts",
    "actor": "user.id",
    "count": "n",
    "dimensions": "props",
    "values": "props",
}
PLAN = plan_of(
    metric_plan(
        "orders",
        Measure(name="count", event="order", where=(("vip", "in", ("true",)),)),
        groupings=((), ("country",), ("country", "size")),
    ),
    metric_plan("revenue", Measure(name="sum", event="order", value="amount")),
    metric_plan("p50", Measure(name="q", event="order", value="amount", form=Form.QUANTILE, q=0.5)),
    metric_plan("users", Measure(name="u", event="view", form=Form.UNIQUES, unit="actor")),
    metric_plan("devices", Measure(name="u", event="view", form=Form.UNIQUES, unit="device")),
    shards=2,
)

Made = dict[str, Any]


def default(event: Made) -> bytes:
    return json.dumps(event).encode()


def flat(event: Made) -> Made:
    return {**event["dimensions"], **event["values"]}


def attributes(event: Made) -> Made:
    return {
        "specversion": "1.0",
        "type": event["name"],
        "source": "/shop",
        "id": event["event_id"],
        "time": event["time"],
        **({"subject": event["actor"]} if event["actor"] is not None else {}),
    }


def cloud_event(event: Made) -> bytes:
    return json.dumps({**attributes(event), "data": flat(event)}).encode()


def cloud_event_of_two_objects(event: Made) -> bytes:
    data = {"dimensions": event["dimensions"], "values": event["values"]}
    return json.dumps({**attributes(event), "data": data}).encode()


def binary_cloud_event(event: Made) -> bytes:
    headers = [(f"ce_{key}", text.encode()) for key, text in attributes(event).items()]
    payload = structured(headers, json.dumps(flat(event)).encode())
    assert payload is not None
    return payload


def track(event: Made) -> bytes:
    message = {
        "type": "track",
        "event": event["name"],
        "messageId": event["event_id"],
        "timestamp": event["time"],
        "userId": "",
        "anonymousId": event["actor"],
        "properties": flat(event),
    }
    return json.dumps(message).encode()


def custom(event: Made) -> bytes:
    message = {
        "id": event["event_id"],
        "type": event["name"],
        "ts": event["time"],
        "user": {"id": event["actor"]},
        "props": flat(event),
    }
    return json.dumps(message).encode()


RENDERINGS: list[Callable[[Made], bytes]] = [
    default,
    cloud_event,
    cloud_event_of_two_objects,
    binary_cloud_event,
    track,
    custom,
]
SCALARS = st.sampled_from(["DE", "Köln", "", 5, 5.0, 0.25, True, False, None])
EVENTS = st.fixed_dictionaries(
    {
        "event_id": st.text(min_size=1, max_size=3),
        "name": st.sampled_from(["order", "view", "page", "unused"]),
        "time": st.integers(0, 3 * 3600).map(lambda s: to_rfc3339((START + s) * SECOND)),
        "actor": st.sampled_from(["u1", "u2", None]),
        "dimensions": st.dictionaries(
            st.sampled_from(["country", "size", "device", "vip", "other"]), SCALARS
        ),
        "values": st.dictionaries(
            st.sampled_from(["amount", "rest"]), st.floats(-1e6, 1e6) | st.integers(0, 9)
        ),
    }
)


def flushed(payloads: list[bytes], mapping: dict[str, str] | None) -> tuple[dict[str, int], Any]:
    ingest = ingest_of(PLAN, mapping)
    ingest.add_many(payloads)
    flush = ingest.flush()
    assert flush.dead_letters == []
    return flush.counts, {shard: encode_frame(frame) for shard, frame in flush.frames.items()}


@pytest.mark.slow
@given(st.lists(st.tuples(EVENTS, st.sampled_from(RENDERINGS)), max_size=30))
def test_mixtures_of_the_same_events_give_the_same_frames(
    events: list[tuple[Made, Callable[[Made], bytes]]],
) -> None:
    expected = flushed([default(event) for event, _ in events], None)
    assert flushed([render(event) for event, render in events], MAPPING) == expected
    renderings = [default if render is custom else render for _, render in events]
    mixed = [render(event) for (event, _), render in zip(events, renderings, strict=True)]
    assert flushed(mixed, None) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
KEYS = st.sampled_from(
    [
        "name",
        "time",
        "type",
        "event",
        "data",
        "data_base64",
        "datacontenttype",
        "properties",
        "traits",
        "context",
        "ts",
        "props",
        "user",
        "specversion",
        "messageId",
        "userId",
        "anonymousId",
        "timestamp",
        "dimensions",
        "values",
        "subject",
        "source",
        "id",
    ]
)


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """An event of some envelope, with some fields put in the place of its own."""
    message = json.loads(draw(st.sampled_from(RENDERINGS))(draw(EVENTS)))
    message.update(draw(st.dictionaries(KEYS, JSON | st.sampled_from(["order", "track", 5]))))
    return json.dumps(message).encode()


@pytest.mark.slow
@given(st.lists(spoilt() | st.binary(min_size=1, max_size=20), max_size=10), st.booleans())
def test_every_message_is_accepted_dead_or_blank(payloads: list[bytes], mapped: bool) -> None:
    ingest = ingest_of(PLAN, MAPPING if mapped else None)
    ingest.add_many(payloads)
    flush = ingest.flush()
    blank = sum(not p.removeprefix(b"\xef\xbb\xbf").strip() for p in payloads)
    assert flush.counts["read"] == len(payloads) - blank
    assert flush.counts["read"] == flush.counts["accepted"] + flush.counts["dead_lettered"]
    whole = [letter.payload for letter in flush.dead_letters]
    assert whole == [payloads[letter.position - 1] for letter in flush.dead_letters]


def test_marks_of_a_byte_order_do_not_add_up() -> None:
    ingest = ingest_of(PLAN)
    ingest.add_many([b"\xef\xbb\xbf" * 5000])
    assert [letter.reason for letter in ingest.flush().dead_letters] == [Reject.NOT_JSON]


def read(message: Made, mapping: dict[str, str]) -> Event:
    event = Envelope(mapping).read(json.dumps(message).encode(), HORIZON)
    assert event is not None
    return event


CLOUD = {
    "specversion": "1.0",
    "type": "order",
    "source": "/shop",
    "id": "1",
    "time": "2023-11-14T22:13:20Z",
    "data": {"country": "DE", "user": {"id": "u7"}, "amount": 2},
}
TRACK = {
    "type": "track",
    "event": "order",
    "messageId": "m",
    "userId": "u",
    "anonymousId": "a",
    "timestamp": "2023-11-14T22:13:20Z",
    "properties": {"country": "DE"},
}


def test_mapped_paths_say_where_a_cloud_event_differs() -> None:
    event = read(CLOUD, {"actor": "data.user.id", "event_id": "id"})
    assert (event.name, event.actor, event.event_id) == ("order", "u7", "1")
    assert event.dimensions == {"country": "DE", "amount": "2", "source": "/shop"}
    assert event.values == {"amount": 2.0}
    event = read(CLOUD | {"body": {"x": "y"}}, {"dimensions": "body"})
    assert event.dimensions == {"x": "y", "source": "/shop"}
    assert event.values == {"amount": 2.0}
    shared = {"dimensions": "body", "values": "body"}
    two = {"dimensions": {"country": "FR"}}
    event = read(CLOUD | {"data": two, "body": {"x": 1}}, shared)
    assert (event.dimensions["x"], event.values) == ("1", {"x": 1.0})
    assert read(CLOUD | {"data": two}, shared).dimensions["country"] == "FR"
    assert read(CLOUD, {"name": "nowhere", "time": "nowhere"}).name == "order"
    assert read(CLOUD | {"action": "buy"}, {"name": "action"}).name == "buy"


def test_mapped_paths_say_where_a_call_differs() -> None:
    event = read(TRACK, {"actor": "anonymousId"})
    assert (event.name, event.actor, event.dimensions["country"]) == ("order", "a", "DE")
    assert read(TRACK, {"name": "type", "time": "ts"}).name == "order"
    assert read(TRACK, {"name": "type", "time": "timestamp"}).name == "track"


def test_the_default_envelope_is_known_beside_a_mapping() -> None:
    message = {"name": "order", "time": 5, "dimensions": {"a": "b"}, "values": {"c": 1}}
    event = read(message, MAPPING)
    assert (event.name, event.dimensions, event.values) == ("order", {"a": "b"}, {"c": 1.0})


@pytest.mark.parametrize(
    ("message", "detail"),
    [
        ({}, "type: absent, null or empty"),
        ({"name": "order", "ts": 5}, "type: absent, null or empty"),
        ({"type": "order", "time": 5}, "ts: absent or null"),
        ({"type": "order", "ts": "noon"}, "ts: 'noon' is not RFC 3339"),
        ({"type": "order", "ts": 5, "props": 1}, "props: 1 is not an object"),
    ],
)
def test_a_fault_of_a_mapped_event_names_the_path(message: Made, detail: str) -> None:
    with pytest.raises(Fault) as caught:
        read(message, MAPPING)
    assert str(caught.value).startswith(detail)


GUIDE = (Path(__file__).parents[2] / "docs" / "events.md").read_text()


def test_the_examples_of_the_documentation_are_one_event() -> None:
    blocks = re.findall(r"```(json|headers|yaml)\n(.*?)```", GUIDE, re.DOTALL)
    mapping = next(
        yaml.safe_load(text)["source"]["fields"] for kind, text in blocks if kind == "yaml"
    )
    envelope = Envelope(mapping, dimensions=frozenset({"context.app.version"}))
    read: list[Event] = []
    for kind, text in blocks:
        payload: bytes | None = text.encode()
        if kind == "headers":
            head, body = text.split("\n\n")
            pairs = (line.split(": ") for line in head.splitlines())
            payload = structured([(key, value.encode()) for key, value in pairs], body.encode())
        if kind != "yaml":
            assert payload is not None
            event = envelope.read(payload, HORIZON)
            assert event is not None
            read.append(event)
    assert len(read) == 5
    for event in read:
        assert (event.name, event.time_us, event.count) == ("order", 1_795_255_200 * SECOND, 1)
        assert (event.actor, (event.event_id or "")[-2:]) == ("u42", "e1")
        assert (event.dimensions["country"], event.values) == ("DE", {"amount": 12.5})
        versions = (event.dimensions.get(key) for key in ("app_version", "context.app.version"))
        assert "8.2.0" in versions


def test_the_documentation_names_every_reason() -> None:
    table = GUIDE[GUIDE.index("## Dead letters") :]
    assert all(f"`{reason}`" in table for reason in Reject)

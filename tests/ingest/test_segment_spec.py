"""Calls of Segment's specification, as Segment and RudderStack send them."""

import json
import math
from typing import Any

import pytest

from monitor.ingest.envelope import Envelope
from monitor.ingest.fields import Fault
from monitor.ingest.wire import MAX_BYTES
from monitor.model.event import Event, Reject
from monitor.model.time import SECOND

HORIZON = 2_000_000_000 * SECOND
PLAIN = Envelope()
NEEDING = Envelope(
    dimensions=frozenset({"coupon", "context.app.version", "properties.cart.kind"}),
    values=frozenset({"revenue", "properties.cart.total"}),
)


def read(payload: bytes, envelope: Envelope = PLAIN) -> Event:
    event = envelope.read(payload, HORIZON)
    assert event is not None
    return event


def fault(payload: bytes, envelope: Envelope = PLAIN) -> Fault:
    with pytest.raises(Fault) as caught:
        envelope.read(payload, HORIZON)
    return caught.value


def call(kind: str = "track", **keys: Any) -> bytes:
    """A call; a key of None is left out."""
    whole = {
        "type": kind,
        "event": "Order Completed" if kind == "track" else None,
        "messageId": "022bb90c-bbac-11e4-8dfc-aa07a5b093db",
        "timestamp": "2023-11-14T22:13:20.000Z",
        **keys,
    }
    return json.dumps({k: v for k, v in whole.items() if v is not None}).encode()


CONTEXT = {
    "app": {"name": "Shop", "version": "8.2.0", "build": "3.0.1"},
    "device": {"type": "ios", "model": "iPhone7,2"},
    "library": {"name": "analytics.js", "version": "2.11.1"},
    "locale": "de-DE",
    "os": {"name": "iOS", "version": "17.1"},
    "traits": {},
}


def test_a_track_call() -> None:
    payload = call(
        anonymousId="507f191e810c19729de860ea",
        userId="97980cfea0067",
        channel="server",
        context=CONTEXT,
        integrations={"All": True, "Mixpanel": False},
        properties={
            "checkout_id": "fksdjfsdjfisjf9sdfjsd9f",
            "revenue": 25.0,
            "first": True,
            "coupon": None,
            "products": [{"sku": "45790-32", "price": 19}],
        },
        originalTimestamp="2023-11-14T22:13:05.704Z",
        receivedAt="2023-11-14T22:13:25.909Z",
        sentAt="2023-11-14T22:13:10.000Z",
        version=1,
    )
    assert read(payload) == Event(
        name="Order Completed",
        time_us=1_700_000_000 * SECOND,
        actor="97980cfea0067",
        event_id="022bb90c-bbac-11e4-8dfc-aa07a5b093db",
        dimensions={
            "checkout_id": "fksdjfsdjfisjf9sdfjsd9f",
            "revenue": "25",
            "first": "true",
            "userId": "97980cfea0067",
            "anonymousId": "507f191e810c19729de860ea",
            "channel": "server",
        },
        values={"revenue": 25.0},
    )


@pytest.mark.parametrize("kind", ["page", "screen"])
def test_views_are_named_by_the_call_and_told_apart_by_name_and_category(kind: str) -> None:
    properties = {"path": "/academy/", "title": "Analytics Academy"}
    event = read(call(kind, name="Home", category="Docs", anonymousId="a", properties=properties))
    assert event.name == kind
    assert event.dimensions == properties | {"name": "Home", "category": "Docs", "anonymousId": "a"}
    shadowed = read(call(kind, name="Home", properties={"name": "Start"}))
    assert shadowed.dimensions["name"] == "Start"


@pytest.mark.parametrize("kind", ["identify", "group"])
def test_traits_are_the_properties_of_who_is_spoken_of(kind: str) -> None:
    event = read(call(kind, userId="u", groupId="g", traits={"plan": "Pro", "employees": 329}))
    assert (event.name, event.actor) == (kind, "u")
    assert event.dimensions == {"plan": "Pro", "employees": "329", "userId": "u", "groupId": "g"}
    assert event.values == {"employees": 329.0}


def test_an_alias() -> None:
    event = read(call("alias", userId="u", previousId="p"))
    assert (event.name, event.dimensions) == ("alias", {"userId": "u", "previousId": "p"})


@pytest.mark.parametrize(
    ("ids", "actor"),
    [
        ({"userId": "u", "anonymousId": "a"}, "u"),
        ({"userId": "", "anonymousId": "a"}, "a"),
        ({"anonymousId": "a"}, "a"),
        ({"userId": 42}, "42"),
        ({}, None),
    ],
)
def test_who_did_it(ids: dict[str, Any], actor: str | None) -> None:
    assert read(call(**ids)).actor == actor


def test_the_corrected_time_goes_before_the_device_s() -> None:
    times = {
        "timestamp": "2023-11-14T22:13:20Z",
        "originalTimestamp": "2023-11-14T22:13:21Z",
        "sentAt": "2023-11-14T22:13:22Z",
        "receivedAt": "2023-11-14T22:13:23Z",
    }
    for second, left_out in enumerate(times):
        assert read(call(**times)).time_us == (1_700_000_000 + second) * SECOND
        times[left_out] = None  # type: ignore[assignment]
    found = fault(call(**times))
    assert (found.reason, str(found)) == (Reject.MISSING_TIME, "timestamp: absent or null")
    bad = fault(call(timestamp=None, originalTimestamp="noon", sentAt="2023-11-14T22:13:22Z"))
    assert (bad.reason, str(bad)[:18]) == (Reject.BAD_TIME, "originalTimestamp:")


def test_needed_names_with_dots_are_paths() -> None:
    properties = {"cart": {"kind": "gift", "total": 12}}
    event = read(call(context=CONTEXT, properties=properties), NEEDING)
    assert event.dimensions == {"context.app.version": "8.2.0", "properties.cart.kind": "gift"}
    assert event.values == {"properties.cart.total": 12.0}
    assert read(call(), NEEDING).dimensions == {}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (call()[:-1], Reject.NOT_JSON),
        (b"[" + call() + b"]", Reject.NOT_AN_OBJECT),
        (call(event=None), Reject.MISSING_NAME),
        (call(event=""), Reject.MISSING_NAME),
        (call(event=["Order Completed"]), Reject.BAD_FIELD),
        (call(timestamp=None), Reject.MISSING_TIME),
        (call(timestamp="2023-11-14T22:13:20"), Reject.BAD_TIME),
        (call(timestamp=True), Reject.BAD_TIME),
        (call(timestamp="2200-01-01T00:00:00Z"), Reject.TOO_FAR_IN_FUTURE),
        (call(properties=["Order"]), Reject.BAD_FIELD),
        (call("identify", traits="Pro"), Reject.BAD_FIELD),
        (call(userId={"id": 1}), Reject.BAD_FIELD),
        (call(messageId=[]), Reject.BAD_FIELD),
        (call(properties={"revenue": math.inf}), Reject.NOT_FINITE),
        (call(properties={"note": "x" * MAX_BYTES}), Reject.TOO_LARGE),
    ],
)
def test_reasons(payload: bytes, reason: Reject) -> None:
    assert fault(payload).reason is reason


@pytest.mark.parametrize(
    "keys",
    [
        {"properties": {"coupon": ["A"]}},
        {"properties": {"revenue": "25.00"}},
        {"context": {"app": {"version": ["8"]}}},
        {"properties": {"cart": {"total": "12"}}},
    ],
)
def test_needed_names_have_their_types(keys: dict[str, Any]) -> None:
    assert fault(call(**keys), NEEDING).reason is Reject.BAD_FIELD
    assert read(call(**keys)).name == "Order Completed"


@pytest.mark.parametrize(
    "payload",
    [
        b'{"type":"track"}',
        b'{"type":"page","timestamp":"2023-11-14T22:13:20Z"}',
        b'{"type":"order","messageId":"m","timestamp":"2023-11-14T22:13:20Z"}',
        b'{"type":["track"],"messageId":"m","timestamp":"2023-11-14T22:13:20Z"}',
        b'{"batch":[],"messageId":"m","sentAt":"2023-11-14T22:13:20Z"}',
    ],
)
def test_what_is_no_call(payload: bytes) -> None:
    found = fault(payload)
    assert (found.reason, str(found)) == (Reject.MISSING_NAME, "name: absent, null or empty")


def test_what_has_a_name_and_a_time_of_the_default_envelope_is_one() -> None:
    payload = call("page", name="order", time=5, dimensions={"country": "DE"}, properties={"a": 1})
    event = read(payload)
    assert (event.name, event.dimensions) == ("order", {"country": "DE"})
    assert PLAIN.decode(payload).name == "order"

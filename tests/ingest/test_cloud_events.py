"""CloudEvents: what each attribute becomes, and binary messages made structured."""

import base64
import contextlib
import json
import math
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.ingest.cloud_events import structured
from monitor.ingest.envelope import Envelope
from monitor.ingest.fields import Fault
from monitor.ingest.wire import MAX_BYTES, UNDECODED
from monitor.model.event import Event, Reject
from monitor.model.time import SECOND

HORIZON = 2_000_000_000 * SECOND
PLAIN = Envelope()
NEEDING = Envelope(
    dimensions=frozenset({"country", "customer.tier", "tenant"}), values=frozenset({"amount"})
)


def read(payload: bytes, envelope: Envelope = PLAIN) -> Event:
    event = envelope.read(payload, HORIZON)
    assert event is not None
    return event


def fault(payload: bytes, envelope: Envelope = PLAIN) -> Fault:
    with pytest.raises(Fault) as caught:
        envelope.read(payload, HORIZON)
    return caught.value


def cloud_event(**attributes: Any) -> bytes:
    """A CloudEvent; an attribute of None is left out."""
    whole = {
        "specversion": "1.0",
        "type": "order",
        "source": "/shop/checkout",
        "id": "A234-1234-1234",
        "time": "2023-11-14T22:13:20Z",
        **attributes,
    }
    return json.dumps({k: v for k, v in whole.items() if v is not None}).encode()


def test_an_event_with_every_attribute_of_the_specification() -> None:
    event = read(
        b"""{
            "specversion" : "1.0",
            "type" : "com.example.someevent",
            "source" : "/mycontext",
            "subject": "larger-context",
            "id" : "C234-1234-1234",
            "time" : "2018-04-05T17:31:00Z",
            "comexampleextension1" : "value",
            "comexampleothervalue" : 5,
            "datacontenttype" : "application/json",
            "dataschema": "https://example.com/schema",
            "data" : {"appinfoA": "abc", "appinfoB": 123, "appinfoC": true}
        }"""
    )
    assert event == Event(
        name="com.example.someevent",
        time_us=1_522_949_460 * SECOND,
        actor="larger-context",
        event_id="/mycontext C234-1234-1234",
        dimensions={
            "appinfoA": "abc",
            "appinfoB": "123",
            "appinfoC": "true",
            "source": "/mycontext",
            "subject": "larger-context",
            "comexampleextension1": "value",
            "comexampleothervalue": "5",
        },
        values={"appinfoB": 123.0},
    )


def test_data_may_have_the_shape_of_the_default_envelope() -> None:
    data = {
        "actor": "u42",
        "count": 3,
        "dimensions": {"country": "DE", "size": 5},
        "values": {"amount": 12.5},
        "note": "passed over",
    }
    event = read(cloud_event(data=data, subject="order-7", source=None))
    assert event == Event(
        name="order",
        time_us=1_700_000_000 * SECOND,
        count=3,
        actor="u42",
        event_id="A234-1234-1234",
        dimensions={"country": "DE", "size": "5", "subject": "order-7"},
        values={"amount": 12.5},
    )


def test_a_count_among_other_properties_is_a_value() -> None:
    event = read(cloud_event(data={"count": 3}))
    assert (event.count, event.values) == (1, {"count": 3.0})


@pytest.mark.parametrize("actor", [{"id": "u42"}, ["u42"], None])
def test_an_actor_that_is_no_scalar_leaves_the_subject(actor: object) -> None:
    assert read(cloud_event(data={"actor": actor}, subject="s")).actor == "s"


@pytest.mark.parametrize("data", [None, "text", 5, ["a"], True, [], ""])
def test_any_data_is_valid(data: object) -> None:
    event = read(cloud_event(data=data, source=None))
    assert (event.name, event.dimensions, event.values) == ("order", {}, {})


def test_data_in_base64() -> None:
    encoded = base64.b64encode(b'{"country":"DE"}').decode()
    assert read(cloud_event(data_base64=encoded)).dimensions["country"] == "DE"
    typed = {"data_base64": encoded, "datacontenttype": "Application/Vnd.Shop+JSON; charset=utf-8"}
    assert read(cloud_event(**typed)).dimensions["country"] == "DE"
    avro = {"data_base64": "AAECAw==", "datacontenttype": "application/avro"}
    assert read(cloud_event(**avro)).dimensions == {"source": "/shop/checkout"}
    assert read(cloud_event(data_base64="")).dimensions == {"source": "/shop/checkout"}


def test_names_that_are_needed_are_found_in_nested_data_and_in_extensions() -> None:
    event = read(
        cloud_event(
            tenant="acme",
            data={"country": "DE", "data.x": 1},
            customer={"tier": "gold"},
            traceparent={"odd": 1},
        ),
        NEEDING,
    )
    assert event.dimensions == {
        "country": "DE",
        "data.x": "1",
        "customer.tier": "gold",
        "source": "/shop/checkout",
        "tenant": "acme",
    }
    nested = Envelope(dimensions=frozenset({"data.a.b"}), values=frozenset({"data.a.c"}))
    event = read(cloud_event(data={"a": {"b": True, "c": 2}}), nested)
    assert (event.dimensions["data.a.b"], event.values) == ("true", {"data.a.c": 2.0})
    assert read(cloud_event(data={"a": 1}), nested).values == {"a": 1.0}


def test_data_goes_before_extensions() -> None:
    assert read(cloud_event(tenant="a", data={"tenant": "b"})).dimensions["tenant"] == "b"
    assert read(cloud_event(tenant="a", data={"tenant": None})).dimensions["tenant"] == "a"


def test_an_extension_may_be_called_as_a_field_of_the_default_envelope() -> None:
    payload = cloud_event(name="other", dimensions={"a": "b"}, data={"country": "DE"})
    with pytest.raises(UNDECODED):
        PLAIN.decode(payload)
    event = read(payload)
    assert event.name == "order"
    assert event.dimensions == {"country": "DE", "name": "other", "source": "/shop/checkout"}


def test_without_a_version_it_is_no_cloud_event() -> None:
    assert fault(cloud_event(specversion=None)).reason is Reject.MISSING_NAME
    event = read(b'{"specversion":null,"name":"order","time":1,"type":"x"}')
    assert PLAIN.decode(b'{"specversion":null,"name":"order","time":1}').name == event.name


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b'{"specversion":"1.0","type":"order"', Reject.NOT_JSON),
        (b"[" + cloud_event() + b"]", Reject.NOT_AN_OBJECT),
        (cloud_event(type=None), Reject.MISSING_NAME),
        (cloud_event(type=""), Reject.MISSING_NAME),
        (cloud_event(type=5), Reject.BAD_FIELD),
        (cloud_event(time=None), Reject.MISSING_TIME),
        (cloud_event(time="yesterday"), Reject.BAD_TIME),
        (cloud_event(time="2023-11-14T22:13:20"), Reject.BAD_TIME),
        (cloud_event(time="2200-01-01T00:00:00Z"), Reject.TOO_FAR_IN_FUTURE),
        (cloud_event(data={"dimensions": {}, "count": 0}), Reject.BAD_COUNT),
        (cloud_event(data={"dimensions": {"a": []}}), Reject.BAD_FIELD),
        (cloud_event(data={"values": {"a": "1"}}), Reject.BAD_FIELD),
        (cloud_event(data={"dimensions": {}, "values": 5}), Reject.BAD_FIELD),
        (cloud_event(id={}), Reject.BAD_FIELD),
        (cloud_event(source=[]), Reject.BAD_FIELD),
        (cloud_event(subject={}), Reject.BAD_FIELD),
        (cloud_event(data_base64="?"), Reject.BAD_FIELD),
        (cloud_event(data_base64="é"), Reject.BAD_FIELD),
        (cloud_event(data_base64=5), Reject.BAD_FIELD),
        (cloud_event(data_base64="ew=="), Reject.NOT_JSON),
        (cloud_event(data_base64="TmFO"), Reject.NOT_FINITE),
        (cloud_event(data={"a": math.inf}), Reject.NOT_FINITE),
        (cloud_event(data="x" * MAX_BYTES), Reject.TOO_LARGE),
    ],
)
def test_reasons(payload: bytes, reason: Reject) -> None:
    found = fault(payload)
    assert found.reason is reason
    assert str(found)


def test_needed_names_have_their_types() -> None:
    assert fault(cloud_event(data={"country": ["DE"]}), NEEDING).reason is Reject.BAD_FIELD
    assert fault(cloud_event(data={"amount": "12"}), NEEDING).reason is Reject.BAD_FIELD
    assert fault(cloud_event(customer={"tier": {}}), NEEDING).reason is Reject.BAD_FIELD
    assert read(cloud_event(data={"other": ["DE"]}), NEEDING).values == {}


def test_details_name_the_attribute_and_the_remedy() -> None:
    assert str(fault(cloud_event(type=None))) == "type: absent, null or empty"
    assert str(fault(cloud_event(data={"country": []}), NEEDING)).startswith("data.country: ")
    assert "as a message of its own" in str(fault(b"[" + cloud_event() + b"]"))


HEADERS: list[tuple[str, bytes | None]] = [
    ("ce_specversion", b"1.0"),
    ("ce_type", b"order"),
    ("ce_source", b"/shop/checkout"),
    ("ce_id", b"A234-1234-1234"),
    ("ce_time", b"2023-11-14T22:13:20Z"),
    ("content-type", b"application/json"),
]


def made(headers: Iterable[tuple[str, bytes | None]], body: bytes) -> bytes:
    found = structured(headers, body)
    assert found is not None
    return found


def test_a_binary_message_is_read_as_the_structured_one() -> None:
    data = {"country": "Köln", "amount": 2.5}
    headers = [*HEADERS, ("ce_subject", b"u42"), ("ce_tenant", "Ü".encode()), ("trace", b"\xff")]
    binary = made(headers, json.dumps(data, ensure_ascii=False).encode())
    assert read(binary) == read(cloud_event(data=data, subject="u42", tenant="Ü"))


def test_headers_as_http_has_them() -> None:
    named = [(key.replace("_", "-").title(), value) for key, value in HEADERS]
    binary = made([*named, ("Ce-Subject", b"Euro%20%E2%82%AC")], b"{}")
    assert read(binary) == read(cloud_event(subject="Euro €"))
    literal = made([*HEADERS, ("ce_subject", b"Euro%20")], b"{}")
    assert read(literal).actor == "Euro%20"


def test_the_last_of_equal_headers_counts_and_null_is_absent() -> None:
    assert read(made([*HEADERS, ("ce_type", b"view"), ("ce_time", None)], b"")).name == "view"
    assert fault(made([h for h in HEADERS if h[0] != "ce_time"], b"")).reason is Reject.MISSING_TIME


def test_a_type_alone_makes_it_a_cloud_event() -> None:
    event = read(made([("ce_type", b"order"), ("ce_time", b"2023-11-14T22:13:20Z")], b""))
    assert (event.name, event.event_id) == ("order", None)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("content-type", b"application/json"), ("ce", b"x"), ("ce_", b"x"), ("", b"")],
        [("traceparent", b"00-00-00-00"), ("ce_id", b"1")],
        [("content-type", b"application/cloudevents+json; charset=utf-8"), ("ce_type", b"order")],
    ],
)
def test_other_headers_leave_the_message_as_it_is(headers: list[tuple[str, bytes]]) -> None:
    assert structured(headers, b"{}") is None


@pytest.mark.parametrize("body", [b"", b" \r\n"])
def test_a_binary_event_without_data_is_an_event(body: bytes) -> None:
    assert read(made(HEADERS, body)).dimensions == {"source": "/shop/checkout"}


def test_data_that_is_not_json_by_its_type_leaves_the_event() -> None:
    headers = [*HEADERS, ("content-type", b"application/avro")]
    assert read(made(headers, b"\x00\xff")).dimensions == {"source": "/shop/checkout"}
    assert read(made(headers, b'{"country":"DE"}')).dimensions == {"source": "/shop/checkout"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", Reject.NOT_JSON),
        (b"\xff", Reject.NOT_JSON),
        (b'1,"type":"view"', Reject.NOT_JSON),
        (b'{"a":NaN}', Reject.NOT_FINITE),
        (b'{"a":1e999}', Reject.NOT_FINITE),
        (b"[" * 100_000, Reject.NOT_JSON),
        (b'"' + b"x" * MAX_BYTES + b'"', Reject.TOO_LARGE),
    ],
)
def test_bad_data_of_binary_events_is_kept_whole(body: bytes, reason: Reject) -> None:
    payload = made(HEADERS, body)
    assert fault(payload).reason is reason
    encoded = base64.b64encode(body)
    assert body in payload or encoded in payload


def test_attributes_cannot_take_the_place_of_the_body() -> None:
    headers = [*HEADERS, ("ce_data", b"x"), ("ce_data_base64", b"x")]
    assert made(headers, b'{"a":1}').count(b'"data') == 2  # with datacontenttype


TEXT = st.text(max_size=8)
NAMES = st.sampled_from(["ce_type", "ce-id", "CE_Time", "content-type", "ce_specversion"]) | TEXT


@given(
    st.lists(st.tuples(NAMES, st.none() | st.binary(max_size=12)), max_size=8),
    st.binary(max_size=20) | st.sampled_from([b"{}", b'{"a":1}', b"null"]),
)
def test_whatever_headers_come_it_is_an_event_or_has_a_reason(
    headers: list[tuple[str, bytes | None]], body: bytes
) -> None:
    payload = structured(headers, body)
    if payload is None:
        return
    whole = json.loads(payload)
    kept = base64.b64decode(whole["data_base64"]) if "data_base64" in whole else body
    assert kept == body
    with contextlib.suppress(Fault):
        assert PLAIN.read(payload, HORIZON) is not None

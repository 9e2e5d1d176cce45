"""What becomes of one message: an event, a dead letter with its reason, or nothing."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.ingest.dimensions import Dimensions
from monitor.ingest.envelope import Envelope
from monitor.ingest.fields import Fault, from_number
from monitor.ingest.wire import MAX_BYTES, UNDECODED
from monitor.model.event import Event, Reject
from monitor.model.time import SECOND
from tests.strategies.messages import LINES

HORIZON = 2_000_000_000 * SECOND
DEFAULT = Envelope()


def read(payload: bytes, envelope: Envelope = DEFAULT) -> Event:
    event = envelope.read(payload, HORIZON)
    assert event is not None
    return event


def reason(payload: bytes, envelope: Envelope = DEFAULT) -> Reject:
    with pytest.raises(Fault) as caught:
        envelope.read(payload, HORIZON)
    assert caught.value.detail
    return caught.value.reason


def line(**fields: Any) -> bytes:
    return json.dumps({"name": "order", "time": 1_700_000_000, **fields}).encode()


def raw(field: str, text: str) -> bytes:
    """A line with a field that stands in it exactly so."""
    fields = {"name": '"order"', "time": "1700000000", field: text}
    return ("{" + ",".join(f'"{k}":{v}' for k, v in fields.items()) + "}").encode()


def test_the_example_of_the_documentation() -> None:
    event = read(
        b'{"event_id":"e1","name":"signup","time":"2026-11-21T10:00:00Z","actor":"u42","count":1,'
        b'"dimensions":{"country":"DE","platform":"ios","app_version":"8.2.0"},'
        b'"values":{"amount":12.5}}'
    )
    assert event == Event(
        name="signup",
        time_us=1_795_255_200 * SECOND,
        dimensions={"country": "DE", "platform": "ios", "app_version": "8.2.0"},
        values={"amount": 12.5},
        actor="u42",
        event_id="e1",
    )


@pytest.mark.parametrize(
    "payload",
    [
        b"{",
        b"order",
        b'{"name":"order","time":1} {}',
        b"{'name':'order'}",
        b'{"name":"order","time":1,}',
        b'{"name":"or\xffder","time":1}',
        b'{"name":"order","time":1,"note":"\xff"}',
        b"\xff\xfe{\x00}\x00",
        b'{"name":"\\ud800","time":1}',
        b'{"name":"order","time":1,"note":"\\udc00"}',
        b'{"a":' * 100_000,
        b'{"name":"order","time":1,"note":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"name":"order","time":1,"note":NaN',
    ],
)
def test_what_is_no_json(payload: bytes) -> None:
    assert reason(payload) is Reject.NOT_JSON


@pytest.mark.parametrize("payload", [b"[]", b"1", b'"order"', b"null", b"[{}]", b"true"])
def test_what_is_no_object(payload: bytes) -> None:
    assert reason(payload) is Reject.NOT_AN_OBJECT


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'{"time":1}', Reject.MISSING_NAME),
        (line(name=None), Reject.MISSING_NAME),
        (line(name=""), Reject.MISSING_NAME),
        (line(name=5), Reject.BAD_FIELD),
        (b'{"name":"order"}', Reject.MISSING_TIME),
        (line(time=None), Reject.MISSING_TIME),
        (line(time=""), Reject.BAD_TIME),
        (line(time="yesterday"), Reject.BAD_TIME),
        (line(time="2026-11-21T10:00:00"), Reject.BAD_TIME),
        (line(time="2026-11-21"), Reject.BAD_TIME),
        (line(time="2026-02-30T10:00:00Z"), Reject.BAD_TIME),
        (line(time=True), Reject.BAD_TIME),
        (line(time=[1]), Reject.BAD_TIME),
        (line(time="0001-01-01T00:00:00Z"), Reject.BAD_TIME),
        (line(time=-1e300), Reject.BAD_TIME),
        (line(time=HORIZON // SECOND + 1), Reject.TOO_FAR_IN_FUTURE),
        (line(time="9999-12-31T23:59:59Z"), Reject.TOO_FAR_IN_FUTURE),
        (line(time=1e300), Reject.TOO_FAR_IN_FUTURE),
        (line(time=1.7e308), Reject.TOO_FAR_IN_FUTURE),
        (raw("time", "9" * 400), Reject.TOO_FAR_IN_FUTURE),
        (raw("time", "1e999"), Reject.NOT_FINITE),
        (raw("time", "NaN"), Reject.NOT_FINITE),
        (line(count=0), Reject.BAD_COUNT),
        (line(count=-1), Reject.BAD_COUNT),
        (line(count=1.5), Reject.BAD_COUNT),
        (line(count=10**9 + 1), Reject.BAD_COUNT),
        (line(count=1e300), Reject.BAD_COUNT),
        (line(count=True), Reject.BAD_COUNT),
        (line(count="3"), Reject.BAD_COUNT),
        (raw("count", "1e999"), Reject.NOT_FINITE),
        (line(actor=[1]), Reject.BAD_FIELD),
        (line(actor=True), Reject.BAD_FIELD),
        (line(event_id={}), Reject.BAD_FIELD),
        (line(dimensions=[]), Reject.BAD_FIELD),
        (line(dimensions="DE"), Reject.BAD_FIELD),
        (line(dimensions={"country": ["DE"]}), Reject.BAD_FIELD),
        (line(dimensions={"country": {"code": "DE"}}), Reject.BAD_FIELD),
        (raw("dimensions", '{"size":1e999}'), Reject.NOT_FINITE),
        (line(values=12), Reject.BAD_FIELD),
        (line(values={"amount": "12"}), Reject.BAD_FIELD),
        (line(values={"amount": True}), Reject.BAD_FIELD),
        (line(values={"amount": [1]}), Reject.BAD_FIELD),
        (raw("values", '{"amount":NaN}'), Reject.NOT_FINITE),
        (raw("values", '{"amount":-Infinity}'), Reject.NOT_FINITE),
        (raw("values", '{"amount":-1e999}'), Reject.NOT_FINITE),
        (raw("values", '{"amount":' + "9" * 400 + "}"), Reject.NOT_FINITE),
        (raw("values", '{"amount":' + "9" * 5000 + "}"), Reject.NOT_FINITE),
        (line(values={"amount": 1e308}, count=1000), Reject.NOT_FINITE),
        (raw("note", "NaN"), Reject.NOT_FINITE),
        (line(note="x" * MAX_BYTES), Reject.TOO_LARGE),
    ],
)
def test_reasons(payload: bytes, expected: Reject) -> None:
    assert reason(payload) is expected


@pytest.mark.parametrize("payload", [b"", b" \t", b"\r", b"\xef\xbb\xbf", b"\xef\xbb\xbf \r"])
def test_blank_lines_are_nothing(payload: bytes) -> None:
    assert DEFAULT.read(payload, HORIZON) is None


def test_a_byte_order_mark_and_a_carriage_return_are_ignored() -> None:
    assert read(b"\xef\xbb\xbf" + line() + b"\r") == read(line())


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        (1_700_000_000, 1_700_000_000 * SECOND),
        (1_700_000_000.25, 1_700_000_000 * SECOND + 250_000),
        (1_700_000_000_250, 1_700_000_000 * SECOND + 250_000),
        (99_999_999, 99_999_999 * SECOND),
        (100_000_000_000, 100_000_000 * SECOND),
        (-1, -SECOND),
        (0, 0),
        ("1969-12-31T23:59:59Z", -SECOND),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000 * SECOND),
        ("2023-11-14t22:13:20.5z", 1_700_000_000 * SECOND + 500_000),
        ("2023-11-14 22:13:20Z", 1_700_000_000 * SECOND),
    ],
)
def test_times(time: object, expected: int) -> None:
    assert read(line(time=time)).time_us == expected


def test_seconds_below_a_hundred_thousand_million() -> None:
    assert from_number(99_999_999_999) == 99_999_999_999 * SECOND
    assert from_number(100_000_000_000) == 100_000_000 * SECOND


def test_the_horizon_itself_is_believed() -> None:
    assert read(line(time=HORIZON // SECOND)).time_us == HORIZON


def test_counts_may_be_whole_floats() -> None:
    assert read(line(count=2.0)).count == 2
    assert read(line(count=10**9)).count == 10**9
    assert read(line(count=None)).count == 1


def test_dimension_values_are_read_as_text() -> None:
    dimensions = {"a": 5, "b": 5.0, "c": 0.1, "d": True, "e": False, "f": None, "g": "", "h": -0.0}
    assert read(line(dimensions=dimensions)).dimensions == {
        "a": "5",
        "b": "5",
        "c": "0.1",
        "d": "true",
        "e": "false",
        "g": "",
        "h": "0",
    }


def test_nulls_are_absent() -> None:
    event = read(line(dimensions=None, values={"a": None, "b": 1}, actor=None, event_id=None))
    assert (event.dimensions, event.values, event.actor, event.event_id) == (
        {},
        {"b": 1},
        None,
        None,
    )


def test_ids_may_be_numbers() -> None:
    event = read(line(actor=42, event_id=7.0))
    assert (event.actor, event.event_id) == ("42", "7")


def test_the_last_of_repeated_keys_wins() -> None:
    assert read(b'{"name":5,"name":"order","time":true,"time":1}').name == "order"
    assert reason(b'{"name":"order","time":1,"time":true}') is Reject.BAD_TIME


CUSTOM = Envelope(
    {
        "event_id": "id",
        "name": "type",
        "time": "ts",
        "actor": "user.id",
        "dimensions": "props",
        "values": "props",
    },
    dimensions=frozenset({"country"}),
    values=frozenset({"amount"}),
)


def custom(**properties: Any) -> bytes:
    message = {"id": 1, "type": "order", "ts": 5, "user": {"id": "u1"}, "props": properties}
    return json.dumps(message).encode()


def test_a_custom_envelope() -> None:
    event = read(custom(country="DE", amount=12, vip=True, note=None, tags=["x"], more={}), CUSTOM)
    assert event == Event(
        name="order",
        time_us=5 * SECOND,
        dimensions={"country": "DE", "amount": "12", "vip": "true"},
        values={"amount": 12.0},
        actor="u1",
        event_id="1",
    )


def test_needed_names_of_a_shared_object_have_their_types() -> None:
    assert reason(custom(country=["DE"]), CUSTOM) is Reject.BAD_FIELD
    assert reason(custom(amount="12"), CUSTOM) is Reject.BAD_FIELD
    assert reason(custom(amount=True), CUSTOM) is Reject.BAD_FIELD
    assert reason(custom(amount=math.inf), CUSTOM) is Reject.NOT_FINITE
    assert read(custom(amount=None), CUSTOM).values == {}


def test_a_custom_envelope_without_parts_of_its_paths() -> None:
    assert reason(b'{"name":"order","ts":1}', CUSTOM) is Reject.MISSING_NAME
    assert reason(b'{"type":"order","ts":1,"props":[]}', CUSTOM) is Reject.BAD_FIELD
    event = read(b'{"type":"order","ts":1,"user":"u1"}', CUSTOM)
    assert (event.actor, event.dimensions, event.values) == (None, {}, {})


def outcome(payload: bytes, horizon_us: int = HORIZON) -> Event | Reject | None:
    try:
        return DEFAULT.read(payload, horizon_us)
    except Fault as fault:
        return fault.reason


@given(LINES | st.binary(max_size=30))
def test_whatever_comes_is_an_event_or_has_a_reason(payload: bytes) -> None:
    event = outcome(payload)
    if isinstance(event, Event):
        assert event.time_us <= HORIZON
        assert all(map(math.isfinite, event.values.values()))
    else:
        assert event is None or event in Reject


@given(LINES)
def test_the_fast_path_agrees_with_the_slow_one(payload: bytes) -> None:
    try:
        wire = DEFAULT.decode(payload)
        Dimensions(()).of_bytes[bytes(wire.dimensions)]
    except UNDECODED:
        return
    event = outcome(payload, 2**80)
    if not isinstance(event, Event):
        assert event is Reject.BAD_TIME  # older than the calendar: the caller looks at it
        return
    given_values = (wire.values or {}).items()
    assert (event.name, event.count) == (wire.name, wire.count)
    names = sorted({*event.dimensions, "absent"})
    dimensions = Dimensions(names)
    number = dimensions.of_bytes[bytes(wire.dimensions)]
    assert dimensions.values[number] == tuple(map(event.dimensions.get, names))
    assert dimensions.of(event.dimensions) == number
    assert event.values == {key: value for key, value in given_values if value is not None}

"""Messages of all sorts: events, events with one thing wrong, and bytes that are nothing."""

import json
from typing import Any, Final

from hypothesis import strategies as st

START: Final = 1_700_000_000
"""Seconds since the epoch: when most events happen."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
TIMES = st.sampled_from([0, 1.5, 1e12, "2026-11-21T10:00:00Z", "2026-11-21T10:00:00"])
_FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "count": st.integers(-1, 10) | JSON,
    "dimensions": st.dictionaries(st.text(max_size=3), st.text() | JSON) | JSON,
    "values": st.dictionaries(st.text(max_size=3), st.floats() | JSON) | JSON,
    "actor": JSON,
    "event_id": JSON,
    "other": JSON,
}
LINES = st.fixed_dictionaries(
    {"name": st.just("order") | JSON, "time": TIMES | JSON}, optional=_FIELDS
).map(lambda fields: json.dumps(fields).encode())
"""JSON objects in the shape of an event."""

_NUMBERS = st.floats(-1e9, 1e9) | st.integers(-(10**6), 10**6) | st.floats(-1e298, 1e298)
_MOMENTS = st.one_of(
    st.integers(START - 3600, START + 3600),
    st.integers(START - 3600, START + 3600),
    st.sampled_from(["2023-11-14T22:13:20Z", "2023-11-14T23:13:20.5+01:00", START * 1000]),
    st.floats(START - 10.0**9, START + 86_400.0),
    st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat()),
)
_TEXTS = st.sampled_from(["DE", "FR", "", "ü", "a,b", 'q"q', "other", "all"]) | st.text(max_size=4)
EVENTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"name": st.sampled_from(["order", "view", "session"]), "time": _MOMENTS},
    optional={
        "count": st.integers(1, 1000),
        "dimensions": st.dictionaries(
            st.sampled_from(["country", "plan", "city"]), _TEXTS | st.booleans() | _NUMBERS
        ),
        "values": st.dictionaries(st.sampled_from(["amount", "seconds"]), _NUMBERS),
        "actor": _TEXTS | _NUMBERS,
        "event_id": _TEXTS | _NUMBERS,
    },
)
"""Events that nothing is wrong with."""

_CLOUD = EVENTS.map(
    lambda e: {
        "specversion": "1.0",
        "id": str(e.get("event_id", 1)),
        "source": "/shop",
        "type": e["name"],
        "time": e["time"],
        "data": {"dimensions": e.get("dimensions", {}), "values": e.get("values", {})},
    }
)
_SEGMENT = EVENTS.map(
    lambda e: {
        "type": "track",
        "event": e["name"],
        "messageId": str(e.get("event_id", 1)),
        "timestamp": e["time"],
        "userId": e.get("actor"),
        "properties": {**e.get("dimensions", {}), **e.get("values", {})},
    }
)
_SHAPES = st.one_of(EVENTS, _CLOUD, _SEGMENT)

_ODD = st.sampled_from(
    [
        b"\x00", b"\xff", b"\xef\xbb\xbf", b"\r", b"\t", b"{", b"}", b"[" * 50, b"]", b'"', b"\\",
        b"\\ud800", b"NaN", b"-Infinity", b"1e999", b"9" * 400, b"9" * 5000, b"null", b"true",
        b",", b":", b"-", b"e", b"\xe2\x80\xa8", b'"time":', b'"name":"order",', b'"count":0,',
    ]
)  # fmt: skip


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    """An event of which a few bytes were lost, doubled, or replaced."""
    line = draw(st.one_of(_SHAPES.map(lambda e: json.dumps(e).encode()), LINES))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(line)))
        stop = draw(st.integers(start, min(start + 8, len(line))))
        new = draw(
            st.one_of(st.just(b""), st.just(line[start:stop] * 2), _ODD, st.binary(max_size=3))
        )
        line = line[:start] + new + line[stop:]
    return line


@st.composite
def _replaced(draw: st.DrawFn) -> bytes:
    """An event in which one value is another one."""
    event = dict(draw(_SHAPES))
    key = draw(st.sampled_from(sorted(event)))
    if isinstance(event[key], dict) and event[key] and draw(st.booleans()):
        inner = draw(st.sampled_from(sorted(event[key])))
        event[key] = {**event[key], inner: draw(JSON)}
    else:
        event[key] = draw(JSON)
    return json.dumps(event, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")


MESSAGES = st.one_of(
    _SHAPES.map(lambda e: json.dumps(e).encode()),
    LINES,
    _damaged(),
    _replaced(),
    st.binary(max_size=40),
    st.sampled_from([b"", b" ", b"\r", b"\xef\xbb\xbf", b"{}", b"[]", b"null", b" " * 100]),
    JSON.map(lambda value: json.dumps(value).encode()),
)
"""Whatever may come."""

FIELDS: st.SearchStrategy[dict[str, str] | None] = st.none() | st.sampled_from(
    [
        {"event_id": "id", "name": "type", "time": "time", "dimensions": "data.dimensions"},
        {
            "event_id": "messageId",
            "name": "event",
            "time": "timestamp",
            "actor": "userId",
            "dimensions": "properties",
            "values": "properties",
        },
        {"actor": "dimensions.country", "values": "dimensions"},
        {"name": "name.name.name"},
    ]
)
"""The default envelope, and custom ones."""

"""The first sentence where the measurement moved, and where a series is silent."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alert import measured, silence
from monitor.alert.lifecycle import Incidents
from monitor.alert.silence import Others, Part
from monitor.definitions.plan import Measure, MetricPlan
from monitor.model.incident import Incident
from monitor.model.quality import Account, Cause, Seen, Share
from monitor.model.tick import Reason
from monitor.model.time import DAY
from tests.alert.test_lifecycle import PLAN, only, step

ORDERS = replace(PLAN, measures=(Measure(name="count", event="order"),))
RATIO = replace(
    PLAN,
    kind="ratio",
    measures=(Measure(name="n", event="order"), Measure(name="d", event="view")),
)
FIRED = only(step(Incidents(), 1, open=True, reason=Reason.SHIFT, log_m=12.0))


def silent(plan: MetricPlan = ORDERS, /, **changes: Any) -> str:
    fields: dict[str, Any] = {"expected": 720.0, "going_on": Others(), "n": 0.0, **changes}
    of = {name: fields.pop(name) for name in ("dimension", "segment", "n") if name in fields}
    incident: Incident = msgspec.structs.replace(FIRED, **of)
    return silence.headline(plan, incident, 20_400 * DAY, **fields)


BOTH = "either it stopped or its tracking did"
HEAD = "orders: no order since 00:00 UTC on 2025-11-08, 720 expected: "
VERSION = {"dimension": "app_version", "segment": "8.3"}
AT = "orders: no order from app_version=8.3 since 00:00 UTC on 2025-11-08, 720 expected: "


@pytest.mark.parametrize(
    ("others", "place", "words"),
    [
        (Others(), {}, HEAD + BOTH),
        (Others(names=("view", "cart"), known=True), {}, f"{HEAD}{BOTH}; view, cart go on as usual"),
        (Others(names=("view",), known=True), {}, f"{HEAD}{BOTH}; view goes on as usual"),
        (Others(heard=True), {}, f"{HEAD}{BOTH}; other events go on"),
        (
            Others(known=True, heard=True), {},
            f"{HEAD}{BOTH}; no other event that a metric uses goes on as usual either",
        ),
        (
            Others(heard=False), {},
            HEAD + "either everything stopped or events do not reach the monitor: nothing else arrives",
        ),
        (
            Others(known=True, same_place=True), VERSION,
            f"{AT}{BOTH}; nothing else from app_version=8.3 goes on as usual either",
        ),
        (Others(names=tuple("abcde"), known=True), VERSION, f"{AT}{BOTH}; a, b, c go on as usual"),
    ],
)  # fmt: skip
def test_silence_has_both_readings_and_what_goes_on(
    others: Others, place: dict[str, str], words: str
) -> None:
    assert silent(going_on=others, **place) == words + "."


def test_what_came_before_it_stopped_is_told() -> None:
    assert silent(n=40.0).startswith(
        "orders: no order any more since 00:00 UTC on 2025-11-08, 40 of 720 expected: "
    )


def test_a_quotient_rests_on_its_denominator_and_a_combination_names_both() -> None:
    words = silent(RATIO, dimension="country,app_version", segment='"D,E",8.3', expected=0.0)
    assert words.startswith(
        "orders: no view from country=D,E, app_version=8.3 since 00:00 UTC on 2025-11-08: either"
    )


def test_a_metric_of_nothing_has_no_data() -> None:
    assert silent(PLAN).startswith("orders: no data since")


def test_a_whole_names_the_segment_that_fell_silent() -> None:
    part = Part(dimension="app_version", segment="8.3", expected=720.0, going_on=Others(heard=True))
    assert silence.because_of(ORDERS, part) == (
        f", as no order comes from app_version=8.3 any more (720 expected: {BOTH}; other events go on)"
    )


def share(value: float, usual: float = 0.0) -> Share:
    return Share(value=value, usual=usual, beyond=True)


def test_what_stands_out_is_told_largest_excess_first() -> None:
    seen = {
        "": Seen(repeated=share(0.2), late=Share(value=0.01), incomplete=share(0.3)),
        "order": Seen(
            repeated=share(0.2, 0.1), late=share(0.06, 0.001), lost=share(0.4),
            missing={"status": share(0.3)},
        ),
        "view": Seen(lost=share(0.4)),
    }  # fmt: skip
    quality = measured.data_quality(seen, [])
    assert quality.suspect
    assert quality.reasons == [
        "40 % of all events were gone before they were read (usually none)",
        "30 % of the order lines lack status (usually none)",
        "20 % of the order lines repeat event_ids seen before (usually 10 %)",
        "6.0 % of the order lines came late (usually 0.1 %)",
    ]
    assert (quality.duplicates, quality.late, quality.missing) == (0.2, 0.01, 0.3)
    assert quality.malformed is None


def test_nothing_known_is_not_suspect() -> None:
    quality = measured.data_quality({}, [{"dimension": "all", "segment": "all"}])
    assert not quality.suspect
    assert quality.silent == [{"dimension": "all", "segment": "all"}]


@pytest.mark.parametrize(
    ("bound", "words"),
    [(False, "which by itself makes -30 %: "), (True, "which may by itself make up to -30 %: ")],
)
def test_a_bound_is_told_as_one(bound: bool, words: str) -> None:
    causes = tuple(Cause("order", "malformed", "", 0.3 - k / 100, 0.0) for k in range(5))
    account = Account(-0.3, 0.9, bound, causes)
    text = measured.headline(ORDERS, FIRED, 0, account)
    assert text.startswith(
        "orders fell by 40 % since 00:00 UTC on 1970-01-01, and its measurement moved: "
    )
    assert " and 2 more such, " + words in text


def test_where_nothing_came_since_what_came_before_is_not_told() -> None:
    assert silent(n=40.0, none_came=True) == f"{HEAD}{BOTH}."


@given(st.permutations([("all", "all"), ("country", "DE"), ("country", "FR"), ("app", "8.2")]))
def test_what_is_silent_is_listed_whole_first_whatever_the_order_of_rows(
    rows: list[tuple[str, str]],
) -> None:
    silent = [{"dimension": dimension, "segment": segment} for dimension, segment in rows]
    listed = [(s["dimension"], s["segment"]) for s in measured.data_quality({}, silent).silent]
    assert listed == [("all", "all"), ("app", "8.2"), ("country", "DE"), ("country", "FR")]

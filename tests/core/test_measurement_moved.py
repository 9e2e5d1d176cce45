"""Where the measurement accounts for a shift it is a ticket; a real shift beside a quality wobble pages."""

import json
import re
from typing import Any

import msgspec
import pytest

from monitor.core.effects import ClosedBucket, Effect
from monitor.core.machine import Machine
from monitor.journal.records import records
from monitor.model.time import HOUR
from tests.core.measured_worlds import (
    LEARNT,
    LINES,
    T0,
    Hour,
    changes,
    fired,
    frames,
    learnt,
    plan,
    run,
    states,
)

PAGED = {"orders all", "paid all", "revenue all"}


def kinds(effects: list[Effect]) -> dict[str, tuple[str, str, str]]:
    return {
        name: (one.reason, one.severity, one.labels["alertname"])
        for name, one in fired(effects).items()
    }


TICKET = ("measurement_moved", "ticket", "MeasurementMoved")
PAGE = ("shift", "page", "MetricShift")


def test_repeated_lines_are_a_ticket_and_the_first_sentence_says_so() -> None:
    effects = run([Hour(orders=1.25, repeated=LINES // 4)] * 8 + [Hour()] * 8)
    assert kinds(effects) == dict.fromkeys(PAGED, TICKET), "a share of paid ones is not touched"
    one = fired(effects)["orders all"]
    assert one.labels["severity"] == "ticket"
    assert re.match(
        r"orders rose by 2[456] % since 00:00 UTC on 2025-11-29, and its measurement moved: 20 % of the "
        r"order lines repeat event_ids seen before \(usually none\), which by itself makes \+25 %: ",
        one.summary,
    )
    assert re.search(
        r"a ticket and no page, as the measurement accounts for \d+ % of the shift", one.summary
    )
    assert one.data_quality.suspect
    assert one.data_quality.duplicates == 0.2
    assert states(effects, "orders")[3:9] == ["measurement_moved"] * 6
    assert changes(effects, "orders")[1:] == [
        ("firing", "measurement_moved", "ticket"),
        ("resolved", "recovered", "ticket"),
    ]


def test_malformed_lines_are_a_ticket() -> None:
    effects = run([Hour(orders=0.7, malformed_bad_field=LINES * 3 // 10)] * 6)
    assert kinds(effects) == dict.fromkeys(PAGED, TICKET)
    quality = fired(effects)["orders all"].data_quality
    assert quality.malformed == 0.3
    assert quality.reasons == [
        "30 % of the order lines could not be read and are dead letters (usually none)"
    ]


def test_a_field_that_is_missing_moves_what_is_filtered_by_it_alone() -> None:
    effects = run([Hour(unpaid=0.3, missing_status=LINES * 3 // 10)] * 6)
    assert kinds(effects) == {"paid all": TICKET, "paid_share all": TICKET}
    assert "30 % of the order lines lack status" in fired(effects)["paid all"].summary


@pytest.mark.parametrize(
    "hour",
    [
        Hour(orders=0.7, repeated=4),
        Hour(orders=0.7, malformed_bad_field=4),
        Hour(orders=0.7, late=300),
    ],
)
def test_a_real_fall_beside_a_wobble_pages(hour: Hour) -> None:
    effects = run([hour] * 6)
    assert kinds(effects) == dict.fromkeys(PAGED, PAGE)


def test_a_fall_that_is_larger_than_what_was_lost_pages() -> None:
    effects = run([Hour(orders=0.4, malformed_bad_field=LINES // 6)] * 6)
    assert kinds(effects) == dict.fromkeys(PAGED, PAGE)
    assert fired(effects)["orders all"].data_quality.suspect


def test_what_was_malformed_does_not_make_a_rise() -> None:
    effects = run([Hour(orders=1.4, malformed_bad_field=LINES // 2)] * 6)
    assert kinds(effects)["orders all"] == PAGE


@pytest.mark.parametrize("late", [30, 400])
def test_lateness_alone_raises_nothing(late: int) -> None:
    effects = run([Hour(orders=0.99, late=late)] * 10)
    assert fired(effects) == {}
    assert "measurement_moved" not in states(effects, "orders")


def test_a_real_shift_behind_the_measurement_pages_once_that_is_mended() -> None:
    hours = [Hour(orders=1.25, repeated=LINES // 4)] * 8 + [Hour(orders=1.25)] * 12
    effects = run(hours)
    assert [c for c in changes(effects, "orders") if c[0] != "pending"] == [
        ("firing", "measurement_moved", "ticket"),
        ("resolved", "measurement_returned", "ticket"),
        ("firing", "shift", "page"),
    ]


def test_a_real_shift_on_top_of_the_measurement_pages() -> None:
    hours = [Hour(orders=1.25, repeated=LINES // 4)] * 6 + [Hour(orders=3.0, repeated=240)] * 12
    assert ("firing", "shift", "page") in changes(run(hours), "orders")


def test_a_ticket_keeps_its_labels_when_its_shares_change() -> None:
    effects = run([Hour(orders=1.25, repeated=100)] * 5 + [Hour(orders=1.25, repeated=60)] * 3)
    (only,) = {
        json.dumps(record["labels"], sort_keys=True)
        for effect in effects
        for record in decoded(effect)
        if record.get("metric") == "orders" and record.get("state") == "firing"
    }
    assert json.loads(only)["severity"] == "ticket"


def decoded(effect: Effect) -> list[dict[str, Any]]:
    return [json.loads(one.value) for one in records(effect) if one.value]


@pytest.mark.parametrize("cut", [2, 5, 12])
def test_a_restart_changes_nothing(cut: int) -> None:
    hours = [Hour(orders=1.25, repeated=LINES // 4)] * 8 + [Hour(orders=1.25)] * 8
    whole, pieces = run(hours), run(hours, cut=cut)
    assert [decoded(effect) for effect in pieces] == [decoded(effect) for effect in whole]


def test_every_bucket_says_what_was_seen() -> None:
    effects = run([Hour(), Hour(orders=1.25, repeated=100, late=25), Hour()])
    found = {
        (e.start_us - T0) // HOUR - LEARNT: e.quality["orders"]
        for e in effects
        if isinstance(e, ClosedBucket) and "orders" in e.quality
    }
    assert [found[k].suspect for k in range(2)] == [False, True]
    assert (found[1].duplicates, found[1].late) == (0.2, 0.0476)
    assert (found[0].duplicates, found[0].missing, found[0].malformed) == (0.0, 0.0, 0.0)


def test_without_a_ledger_nothing_is_known_and_a_shift_pages() -> None:
    machine, _ = Machine.restore(plan(), 0, learnt())
    at = machine.positions[0]
    effects: list[Effect] = []
    for frame in frames(LEARNT, [Hour(orders=0.6)] * 6):
        bare = msgspec.structs.replace(
            frame, ledger=None, start=frame.start + at, stop=frame.stop + at
        )
        effects += machine.apply(bare)
    assert kinds(effects)["orders all"] == PAGE
    assert fired(effects)["orders all"].data_quality.duplicates is None


def test_a_segment_that_stops_has_both_readings() -> None:
    one = fired(run([Hour(versions=(1.0, 0.0))] * 6))["orders all"]
    assert re.match(
        r"orders fell by 50 % since 00:00 UTC on 2025-11-29, as no order comes from app_version=8.3 "
        r"any more \(30,\d\d\d expected: either it stopped or its tracking did; view goes on as usual\): ",
        one.summary,
    )
    assert one.data_quality.silent == [
        {"dimension": "app_version", "segment": "8.3"},
        {"dimension": "event,app_version", "segment": "order,8.3"},
    ]
    assert (one.reason, one.severity) == ("shift", "page")


def test_an_event_that_stops_pages_with_both_readings() -> None:
    found = fired(run([Hour(orders=0.0)] * 6))
    assert {one.severity for one in found.values()} == {"page"}
    assert re.match(
        r"orders: no order since 00:00 UTC on 2025-11-29, 60,\d\d\d expected: either it stopped or its "
        r"tracking did; view goes on as usual\.",
        found["orders all"].summary,
    )
    assert {"dimension": "all", "segment": "all"} in found["orders all"].data_quality.silent


def test_silence_that_missing_fields_account_for_says_so_and_pages() -> None:
    found = fired(run([Hour(unpaid=1.0, missing_status=LINES)] * 6))["paid all"]
    assert (found.reason, found.severity) == ("silent", "page")
    assert "100 % of the order lines lack status (usually none)" in found.summary


def test_where_everything_stops_the_wholes_say_so_and_no_segment_does() -> None:
    machine, _ = Machine.restore(plan(), 0, learnt())
    at = machine.positions[0]
    first, last = frames(LEARNT, [Hour()] * 2)
    effects: list[Effect] = []
    for frame in (first, last):
        effects += machine.apply(
            msgspec.structs.replace(frame, start=frame.start + at, stop=frame.stop + at)
        )
    nothing = msgspec.structs.replace(
        last, start=last.stop + at, stop=last.stop + at, deltas=[], ledger=None,
        activity=last.activity[:0],
    )  # fmt: skip
    for hours in range(1, 7):  # a source that is idle: only its watermark goes on
        effects += machine.apply(
            msgspec.structs.replace(nothing, watermark_us=last.watermark_us + hours * HOUR)
        )
    found = fired(effects)
    assert sorted(found) == [
        f"{m} all" for m in ("orders", "paid", "paid_share", "revenue", "views")
    ]
    assert {(one.reason, one.severity) for one in found.values()} == {("no_data", "page")}
    assert re.match(
        r"orders: no order since 02:00 UTC on 2025-11-29, 60,\d\d\d expected: either everything stopped "
        r"or events do not reach the monitor: nothing else arrives\. ",
        found["orders all"].summary,
    )

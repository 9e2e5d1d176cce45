"""Events a second through ingest: decode, cell, flush of 12 metrics over 3 dimensions, one core.

    python benchmarks/ingest.py [events]

Every density (events per second of event time) runs beside a bare msgspec decode of the same lines
into the same struct, dimensions left as bytes; the ratio is what the machine cannot change. The last columns are the speed with five
more metrics that are no sums (`SKETCHES`), and with three more that follow units (`COHORTS`), as ratios to
the speed without, in turns. Then the other envelopes: the same events in each, in turns with the default
one, which is the ratio's base.
"""

import json
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from time import process_time
from typing import Any

from monitor.definitions.plan import (
    Calendar,
    Cohort,
    Condition,
    Form,
    Law,
    Measure,
    MetricPlan,
    Plan,
    UnitStep,
)
from monitor.ingest.cloud_events import structured
from monitor.ingest.envelope import Envelope, Fields
from monitor.ingest.source import Ingest
from monitor.model.frame import encode_frame
from monitor.model.time import DAY, MINUTE, SECOND, to_rfc3339

START_US = 1_760_000_000 * SECOND
BATCH = 500
CELLS = 50_000
EVENTS_A_FLUSH = 300_000  # what two seconds bring, about
GROUPINGS = ((), ("country",), ("platform",), ("app_version",))
COUNTRIES = ["DE", "FR", "US", "GB", "JP", "BR", "IN", "PL", "ES", "IT"]
PLATFORMS = ["ios", "android", "web"]
VERSIONS = [f"8.{minor}.0" for minor in range(10)]


def metric(name: str, *measures: Measure) -> MetricPlan:
    return MetricPlan(
        name=name,
        kind="count",
        measures=measures,
        groupings=GROUPINGS,
        calendar=Calendar(width_us=MINUTE),
        window_us=MINUTE,
        season_timezone="UTC",
        law=Law.NEGATIVE_BINOMIAL,
        severity="page",
        direction="both",
        min_relative_shift=0.02,
        min_units=10,
        no_data="alert",
        accept_after_us=DAY,
        log_threshold=(10.0,) * len(GROUPINGS),
        formula=name,
    )


SKETCHES = {
    "viewers": Measure(name="uniques", event="view", form=Form.UNIQUES, unit="actor"),
    "buyers": Measure(name="uniques", event="order", form=Form.UNIQUES, unit="actor"),
    "requesters": Measure(name="uniques", event="request", form=Form.UNIQUES, unit="actor"),
    "slowness": Measure(
        name="quantile", event="request", form=Form.QUANTILE, value="amount", q=0.95
    ),
    "order_median": Measure(
        name="quantile", event="order", form=Form.QUANTILE, value="amount", q=0.5
    ),
}
"""Of the units 99,999 different ones come, of the values 10,000."""


COHORTS = {
    "conversion": ("view", "order"),
    "funnel": ("view", "cart", "order"),
    "retention": ("signup", "view"),
}
"""Steps by kind: four of six events are one, two of them a start; none names `request`."""


def cohort(kind: str, events: tuple[str, ...]) -> MetricPlan:
    of_two = metric(
        kind,
        Measure(name="converted", event=events[-1]),
        Measure(name="units", event=events[0]),
    )
    steps = tuple(UnitStep(event=event) for event in events)
    more = (("step",),) if kind == "funnel" else ()
    return replace(
        of_two,
        kind=kind,
        groupings=(*GROUPINGS, *more),
        cohort=Cohort(steps=steps, unit="actor", within_us=30 * MINUTE),
    )


def plan(more: Mapping[str, Measure] | None = None) -> Plan:
    error: tuple[Condition, ...] = (("status", "in", ("error",)),)
    return Plan(
        metrics=tuple(
            metric(name, *measures)
            for name, measures in sorted(
                {
                    "requests": [Measure(name="count", event="request")],
                    "errors": [Measure(name="count", event="request", where=error)],
                    "error_rate": [
                        Measure(name="numerator", event="request", where=error),
                        Measure(name="denominator", event="request"),
                    ],
                    "signups": [Measure(name="count", event="signup")],
                    "views": [Measure(name="count", event="view")],
                    "carts": [Measure(name="count", event="cart")],
                    "orders": [Measure(name="count", event="order")],
                    "revenue": [
                        Measure(name="sum", event="order", value="amount"),
                        Measure(name="count", event="order", needs="amount"),
                    ],
                    "order_value": [
                        Measure(name="sum", event="order", value="amount"),
                        Measure(name="count", event="order", needs="amount"),
                    ],
                    "view_to_cart": [
                        Measure(name="numerator", event="cart"),
                        Measure(name="denominator", event="view"),
                    ],
                    "cart_to_order": [
                        Measure(name="numerator", event="order"),
                        Measure(name="denominator", event="cart"),
                    ],
                    "request_time": [
                        Measure(name="sum", event="request", value="amount"),
                        Measure(name="count", event="request", needs="amount"),
                    ],
                    **{name: [measure] for name, measure in (more or {}).items()},
                }.items()
            )
        ),
        allowed_lateness_us=30 * SECOND,
        restatement_window_us=2 * DAY,
        max_clock_skew_us=5 * MINUTE,
        idle_timeout_us=MINUTE,
        cardinality=50,
        shards=8,
    )


def all_kinds() -> Plan:
    """20 metrics of every kind: counts, sums, means, ratios, uniques, quantiles, derived, cohorts."""
    counted = {name: Measure(name="count", event=name) for name in ("request", "view", "cart")}
    kept = {"viewers", "buyers", "slowness", "order_median"}
    of_sums = [
        one for one in plan().metrics if one.name not in ("errors", "orders", "revenue", "carts")
    ]
    derived = (
        metric("value_a_viewer", *_sum_of("order"), SKETCHES["viewers"]),
        metric("carts_a_view", counted["cart"], counted["view"]),
    )
    more = (
        metric("revenue", *_sum_of("order")),
        metric("load", *_sum_of("request")),
        metric("request_volume", counted["request"]),
        *(metric(name, SKETCHES[name]) for name in sorted(kept)),
        *derived,
        *(cohort(kind, names) for kind, names in COHORTS.items()),
    )
    found = sorted((*of_sums, *more), key=lambda one: one.name)
    return replace(plan(), metrics=tuple(found))


def _sum_of(event: str) -> tuple[Measure, Measure]:
    return (
        Measure(name="sum", event=event, value="amount"),
        Measure(name="count", event=event, needs="amount"),
    )


def lines(events: int, density: float) -> list[bytes]:
    rng = random.Random(7)
    names = ["request", "signup", "view", "view", "cart", "order"]
    out = []
    for i in range(events):
        time = START_US + int((i / density + rng.random() * 2) * SECOND) // 1000 * 1000
        name = rng.choice(names)
        status = (
            f',"status":"{"error" if rng.random() < 0.1 else "ok"}"' if name == "request" else ""
        )
        value = (
            f',"values":{{"amount":{rng.randrange(10_000) / 100}}}'
            if name in ("request", "order")
            else ""
        )
        out.append(
            f'{{"event_id":"e{i:08d}","name":"{name}","time":"{to_rfc3339(time)}",'
            f'"actor":"u{rng.randrange(99999)}","dimensions":{{"country":"{rng.choice(COUNTRIES)}",'
            f'"platform":"{rng.choice(PLATFORMS)}","app_version":"{rng.choice(VERSIONS)}"{status}}}'
            f"{value}}}".encode()
        )
    return out


def ingest_all(payloads: list[bytes], of: Plan, fields: Fields | None = None) -> tuple[float, int]:
    """Runs all of them; returns the seconds spent in flushes (with encoding) and their number."""
    ingest = Ingest(of, fields, source=0, sources=1, name="0", clock=lambda: START_US * 2)
    in_flush, flushes, since = 0.0, 0, 0
    for at in range(0, len(payloads), BATCH):
        ingest.add_many(payloads[at : at + BATCH])
        since += BATCH
        if ingest.cells >= CELLS or since >= EVENTS_A_FLUSH or at + BATCH >= len(payloads):
            began = process_time()
            flush = ingest.flush()
            for frame in flush.frames.values():
                encode_frame(frame)
            in_flush += process_time() - began
            flushes += 1
            since = 0
            if flush.counts["late"] or flush.dead_letters:
                sys.exit("the events of this benchmark are neither late nor faulty")
    return in_flush, flushes


MAPPED = {"event_id": "id", "name": "what", "time": "at", "actor": "user.id"} | dict.fromkeys(
    ("dimensions", "values"), "props"
)


def properties(event: dict[str, Any]) -> dict[str, Any]:
    return {**event["dimensions"], **event.get("values", {})}


def cloud_event(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event["event_id"],
        "source": "/shop",
        "type": event["name"],
        "subject": event["actor"],
        "time": event["time"],
        "datacontenttype": "application/json",
        "data": properties(event),
    }


def call(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "track",
        "event": event["name"],
        "messageId": event["event_id"],
        "userId": event["actor"],
        "timestamp": event["time"],
        "properties": properties(event),
        "context": {"library": {"name": "analytics.js", "version": "2.11.1"}, "locale": "de-DE"},
    }


def custom(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": event["event_id"],
        "what": event["name"],
        "at": event["time"],
        "user": {"id": event["actor"]},
        "props": properties(event),
    }


def binary(event: dict[str, Any]) -> tuple[list[tuple[str, bytes]], bytes]:
    attributes = cloud_event(event)
    body = json.dumps(attributes.pop("data")).encode()
    kind = attributes.pop("datacontenttype").encode()
    return [("content-type", kind), *((f"ce_{k}", v.encode()) for k, v in attributes.items())], body


def envelopes(payloads: list[bytes], of: Plan) -> None:
    """Print how fast each envelope is, as a ratio to the default one."""
    events = [json.loads(payload) for payload in payloads]

    def lines_of(make: Callable[[dict[str, Any]], dict[str, Any]]) -> list[bytes]:
        return [json.dumps(make(event), separators=(",", ":")).encode() for event in events]

    whole, calls, own = lines_of(cloud_event), lines_of(call), lines_of(custom)
    mixed = [calls[i] if i % 10 == 0 else payload for i, payload in enumerate(payloads)]
    messages = [binary(event) for event in events]
    others: dict[str, tuple[Callable[[], list[bytes]], Fields | None]] = {
        "CloudEvents, structured": (lambda: whole, None),
        "CloudEvents, binary": (lambda: [structured(h, b) or b for h, b in messages], None),
        "Segment": (lambda: calls, None),
        "custom paths": (lambda: own, MAPPED),
        "default with 10 % of Segment": (lambda: mixed, None),
    }
    for name, (make, fields) in others.items():
        best = best_default = 1e9
        for _ in range(3):
            began = process_time()
            ingest_all(payloads, of)
            best_default = min(best_default, process_time() - began)
            began = process_time()
            ingest_all(make(), of, fields)
            best = min(best, process_time() - began)
        print(
            f"{name}: {len(payloads) / best:,.0f} events/s, "
            f"{best_default / best:.2f} of the default envelope"
        )


def main() -> None:
    events = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
    decode = Envelope().decode
    sums = plan()
    followed = tuple(cohort(kind, names) for kind, names in COHORTS.items())
    plans = [sums, plan(SKETCHES), replace(sums, metrics=(*sums.metrics, *followed))]
    print(f"{events:,} events; {len(sums.metrics)} metrics; {len(GROUPINGS)} groupings")
    for density in (100, 1_000, 10_000):
        payloads = lines(events, density)
        size = sum(map(len, payloads)) / events
        best_bare, best = 1e9, [(1e9, 0.0, 0) for _ in plans]
        for _ in range(3):
            began = process_time()
            for payload in payloads:
                decode(payload)
            best_bare = min(best_bare, process_time() - began)
            for place, of in enumerate(plans):
                began = process_time()
                found = ingest_all(payloads, of)
                best[place] = min(best[place], (process_time() - began, *found))
        (took, in_flush, flushes), sketches, cohorts = best
        print(
            f"density {density:>6}/s: {events / took:>9,.0f} events/s of {size:.0f} bytes, "
            f"{best_bare / took:.2f} of a bare decode ({events / best_bare:,.0f}/s); "
            f"{in_flush / took:.0%} in {flushes} flushes; with units and quantiles "
            f"{took / sketches[0]:.2f} of that, {sketches[1] / sketches[0]:.0%} in {sketches[2]} "
            f"flushes; with cohorts {took / cohorts[0]:.2f} of that, "
            f"{cohorts[1] / cohorts[0]:.0%} in {cohorts[2]} flushes"
        )
    envelopes(lines(events, 1_000), sums)


if __name__ == "__main__":
    main()

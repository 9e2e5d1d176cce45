"""Worlds of units: events, the frames that ingest makes of them, and what they amount to in plain Python."""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import xxhash

from monitor.aggregate.cohort_rows import STEP
from monitor.definitions.calendar import bucket_end, bucket_start
from monitor.definitions.plan import Calendar, Cohort, Law, Measure, MetricPlan, Plan, UnitStep
from monitor.model.frame import Deltas, Frame, UnitEvents
from monitor.model.segment import format_segment
from monitor.model.time import DAY, FOREVER, MINUTE, NEVER, SECOND

MEASURES = tuple(Measure(name=name, event="") for name in ("converted", "units"))
LATENESS = 30 * SECOND


def cohort_metric(
    kind: str,
    steps: Sequence[str],
    *,
    within_us: int = 0,
    day: int = 0,
    width_us: int = MINUTE,
    window_us: int = 0,
    timezone: str = "UTC",
    segments: Sequence[tuple[str, ...]] = (),
    name: str = "",
    **changes: Any,
) -> MetricPlan:
    groupings = ((), *segments, *([STEP] if kind == "funnel" else []))
    fields: dict[str, Any] = {
        "name": name or kind,
        "kind": kind,
        "measures": MEASURES,
        "groupings": groupings,
        "calendar": Calendar(width_us=width_us, timezone=timezone),
        "window_us": window_us or width_us,
        "season_timezone": timezone,
        "law": Law.BETA_BINOMIAL,
        "severity": "page",
        "direction": "both",
        "min_relative_shift": 0.02,
        "min_units": 10.0,
        "no_data": "alert",
        "accept_after_us": DAY,
        "log_threshold": tuple(9.0 for _ in groupings),
        "formula": name or kind,
        "cohort": Cohort(
            steps=tuple(UnitStep(event=step) for step in steps),
            unit="actor",
            within_us=within_us,
            day=day,
        ),
    }
    return MetricPlan(**{**fields, **changes})


def plan_of(*metrics: MetricPlan, restatement_us: int = 2 * DAY, cardinality: int = 50) -> Plan:
    return Plan(
        metrics=tuple(sorted(metrics, key=lambda m: m.name)),
        allowed_lateness_us=LATENESS,
        restatement_window_us=restatement_us,
        max_clock_skew_us=5 * MINUTE,
        idle_timeout_us=MINUTE,
        cardinality=cardinality,
    )


@dataclass(frozen=True, slots=True)
class Event:
    """What ingest reads: microseconds, a name, who, and where."""

    time_us: int
    name: str
    actor: str | None
    dimensions: dict[str, str] = field(default_factory=dict)


def key_of(unit: str) -> int:
    return xxhash.xxh64_intdigest(unit.encode()) >> 1


def is_late(metric: MetricPlan, event: Event, watermark_us: int) -> bool:
    return bucket_end(metric.calendar, event.time_us) <= watermark_us


def segment_of(dimensions: Sequence[str], event: Event) -> str | None:
    """The segment of an event; None where it lacks a dimension."""
    values = [event.dimensions.get(d) for d in dimensions]
    known = [value for value in values if value is not None]
    return None if len(known) < len(values) else format_segment(known) or "all"


def _entries(metric: MetricPlan, event: Event, watermark: int) -> Iterator[Any]:
    """Row, step, key and time of an event, once for each step and series that it is of."""
    assert metric.cohort is not None
    late, bucket = is_late(metric, event, watermark), bucket_start(metric.calendar, event.time_us)
    for place, step in enumerate(metric.cohort.steps):
        for group, dimensions in enumerate(metric.groupings):
            segment = segment_of(dimensions, event)
            told = step.event == event.name and (place == 0 or group == 0) and dimensions != STEP
            if told and segment is not None:
                row = (late, bucket, (group, segment))
                yield row, place, key_of(str(event.actor)), event.time_us


def deltas_of(metric: MetricPlan, events: Sequence[tuple[Event, int]]) -> Deltas | None:
    """The deltas of events, each with the watermark at which it was read."""
    found = {
        entry
        for event, watermark in events
        if event.actor is not None
        for entry in _entries(metric, event, watermark)
    }
    if not found:
        return None
    rows = sorted({row for row, *_ in found})
    series = sorted({row[2] for row in rows})
    at = {row: i for i, row in enumerate(rows)}
    entries = sorted((at[row], *rest) for row, *rest in found)
    row, step, key, time = np.array(entries, dtype=np.int64).T
    return Deltas(
        metric=metric.name,
        formula=metric.formula,
        groups=np.array([g for g, _ in series], dtype=np.int16),
        segments=[s for _, s in series],
        late=np.array([r[0] for r in rows]),
        bucket=np.array([r[1] for r in rows], dtype=np.int64),
        series=np.array([series.index(r[2]) for r in rows], dtype=np.int32),
        hi=np.zeros((len(rows), 2)),
        lo=np.zeros((len(rows), 2)),
        units=UnitEvents(
            row=row.astype(np.int32), step=step.astype(np.int16), key=key, time_us=time
        ),
    )


def frames_of(
    plan: Plan, events: Sequence[Event], cuts: Iterable[int], source: int = 0, sources: int = 1
) -> list[Frame]:
    """The frames of one source, flushed after the events at these places; the last one ends it."""
    edges = sorted({min(c, len(events)) for c in cuts} | {len(events)})
    newest, begin, frames = NEVER, 0, []
    for edge in edges:
        read = []
        for event in events[begin:edge]:
            watermark = newest - LATENESS if newest > NEVER else NEVER
            read.append((event, watermark))
            newest = max(newest, event.time_us)
        activity = {
            e.time_us - e.time_us % plan.base_us
            for e, w in read
            if e.time_us - e.time_us % plan.base_us + plan.base_us > w
        }
        deltas = [d for m in plan.metrics if (d := deltas_of(m, read)) is not None]
        frames.append(
            Frame(
                source=source,
                sources=sources,
                start=begin,
                stop=edge,
                watermark_us=FOREVER
                if edge == len(events)
                else (newest - LATENESS if newest > NEVER else NEVER),
                newest_us=newest,
                activity=np.array(sorted(activity), dtype=np.int64),
                deltas=deltas,
            )
        )
        begin = edge
    return frames


def on_time(metric: MetricPlan, events: Sequence[Event]) -> list[Event]:
    """The events of one source that were read before their bucket had ended."""
    newest, out = NEVER, []
    for event in events:
        watermark = newest - LATENESS if newest > NEVER else NEVER
        if not is_late(metric, event, watermark):
            out.append(event)
        newest = max(newest, event.time_us)
    return out


Found = dict[tuple[str, str, int], tuple[int, int]]
"""By dimension, segment and bucket: converted units, and units."""


def brute_force(metric: MetricPlan, events: Sequence[Event]) -> Found:
    """What SQL over the events gives."""
    cohort = metric.cohort
    assert cohort is not None
    by_unit: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        by_unit[event.actor or ""].append(event)
    by_unit.pop("", None)
    best: dict[tuple[str, str, int], dict[str, int]] = defaultdict(dict)
    for unit, own in by_unit.items():
        for start in own:
            if start.name == cohort.steps[0].event:
                reached = _reached(metric, start, own)
                for place in _places(metric, start):
                    best[place][unit] = max(best[place].get(unit, 0), reached)
    return _shares(metric, best)


def _shares(metric: MetricPlan, best: dict[tuple[str, str, int], dict[str, int]]) -> Found:
    """Counts of the units by how far each came."""
    cohort = metric.cohort
    assert cohort is not None
    out: Found = {}
    last = len(cohort.steps) - 1
    for place, units in best.items():
        out[place] = sum(r == last for r in units.values()), len(units)
        if metric.kind == "funnel" and place[0] == "all":
            for i, name in enumerate(_step_names([step.event for step in cohort.steps])):
                out["step", name, place[2]] = sum(r >= i for r in units.values()), len(units)
    return out


def _places(metric: MetricPlan, start: Event) -> Iterator[tuple[str, str, int]]:
    """Dimension, segment and bucket of a start, for all series that it belongs to."""
    bucket = bucket_start(metric.calendar, start.time_us)
    for dimensions in metric.groupings:
        segment = segment_of(dimensions, start)
        if dimensions != STEP and segment is not None:
            yield ",".join(dimensions) or "all", segment, bucket


def _step_names(names: list[str]) -> Iterator[str]:
    for i, name in enumerate(names):
        again = names[:i].count(name)
        yield format_segment([f"{name}#{again + 1}" if again else name])


def _reached(metric: MetricPlan, start: Event, own: Sequence[Event]) -> int:
    """How many later steps follow on this start, tried in every way."""
    cohort = metric.cohort
    assert cohort is not None
    if metric.kind == "retention":
        zone = ZoneInfo(metric.season_timezone)

        def day(time_us: int) -> Any:
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)
            return moment.astimezone(zone).date()

        wanted = day(start.time_us) + timedelta(days=cohort.day)
        back = any(e.name == cohort.steps[1].event and day(e.time_us) == wanted for e in own)
        return int(back)
    ways = {start.time_us}
    for place, step in enumerate(cohort.steps[1:]):
        ways = {
            e.time_us
            for e in own
            if e.name == step.event
            and e.time_us <= start.time_us + cohort.within_us
            and any(way <= e.time_us for way in ways)
        }
        if not ways:
            return place
    return len(cohort.steps) - 1


def interleaved(queues: list[list[Frame]], chance: random.Random) -> list[Frame]:
    """Frames of several sources, each in its own order."""
    queues, out = [list(q) for q in queues], []
    while any(queues):
        out.append(chance.choice([q for q in queues if q]).pop(0))
    return out


def bulk_frame(
    metric: MetricPlan,
    position: int,
    starts: tuple[Any, Any],
    finishes: tuple[Any, Any],
    *,
    until_us: int,
) -> Frame:
    """A frame of many starts and finishes (keys and times) of the whole, all in time."""
    step = np.repeat([0, 1], [len(starts[0]), len(finishes[0])])
    key, time = (np.concatenate([starts[i], finishes[i]]) for i in (0, 1))
    width = metric.calendar.width_us
    buckets, row = np.unique(time - time % width, return_inverse=True)
    order = np.lexsort((time, key, step, row))
    deltas = Deltas(
        metric=metric.name,
        formula=metric.formula,
        groups=np.zeros(1, dtype=np.int16),
        segments=["all"],
        late=np.zeros(len(buckets), dtype=np.bool_),
        bucket=buckets,
        series=np.zeros(len(buckets), dtype=np.int32),
        hi=np.zeros((len(buckets), 2)),
        lo=np.zeros((len(buckets), 2)),
        units=UnitEvents(
            row=row[order].astype(np.int32),
            step=step[order].astype(np.int16),
            key=key[order],
            time_us=time[order],
        ),
    )
    return Frame(
        source=0,
        sources=1,
        start=position,
        stop=position + 1,
        watermark_us=until_us,
        newest_us=until_us,
        activity=buckets,
        deltas=[deltas],
    )

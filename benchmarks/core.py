"""Speed of the core on one core: deltas merged, and buckets closed and judged, a second.

    python benchmarks/core.py [--series 500] [--minutes 4000] [--sketches] [--cohorts]
    python benchmarks/core.py --judging [100 1000 10000 100000]

Both are printed beside a plain numpy sum of the same deltas in the same run, so that a slow machine
does not look like a slow program.
"""

import argparse
import resource
import time
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.worlds import START_US, Source, World, traits_of
from monitor.baseline import Baseline
from monitor.core.machine import Machine
from monitor.definitions.plan import (
    Calendar,
    Cohort,
    Form,
    Law,
    Measure,
    MetricPlan,
    Plan,
    UnitStep,
)
from monitor.guard import Guard
from monitor.model.frame import (
    Deltas,
    Entries,
    Frame,
    UnitEvents,
    decode_frame,
    encode_frame,
)
from monitor.model.tick import Floats, Observation, Traits
from monitor.model.time import DAY, FOREVER, HOUR, MINUTE, SECOND
from monitor.stats.histogram import bins

START = 20_400 * DAY


def plan_of(series: int) -> Plan:
    metric = MetricPlan(
        name="orders",
        kind="count",
        measures=(Measure(name="count", event="order"),),
        groupings=((), ("country",)),
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
        log_threshold=(13.0, 17.0),
        formula="benchmark",
    )
    return Plan(
        metrics=(metric,),
        allowed_lateness_us=30 * SECOND,
        restatement_window_us=2 * DAY,
        max_clock_skew_us=5 * MINUTE,
        idle_timeout_us=MINUTE,
        cardinality=series,
    )


def frame(position: int, minutes: np.ndarray, series: int, counts: np.ndarray, mark: int) -> Frame:
    """One frame with a row for every series in each of these minutes."""
    buckets = START + minutes * MINUTE
    hi = counts.astype(float).reshape(-1, 1)
    deltas = Deltas(
        metric="orders",
        formula="benchmark",
        groups=np.array([0] + [1] * (series - 1), dtype=np.int16),
        segments=["all", *(f"s{i:06d}" for i in range(series - 1))],
        late=np.zeros(len(hi), dtype=bool),
        bucket=np.repeat(buckets, series),
        series=np.tile(np.arange(series, dtype=np.int32), len(minutes)),
        hi=hi,
        lo=np.zeros_like(hi),
    )
    return Frame(
        source=0, sources=1, start=position, stop=position + 1, watermark_us=mark, newest_us=mark,
        activity=buckets, deltas=[deltas],
    )  # fmt: skip


def merging(series: int) -> None:
    """Deltas into buckets that stay open, from the bytes of the frame on."""
    counts = np.random.default_rng(1).poisson(100, (5, series))
    frames = [encode_frame(frame(i, np.arange(5), series, counts, START)) for i in range(40)]
    machine = Machine(plan_of(series))
    machine.apply(decode_frame(frames[0]))
    began = time.perf_counter()
    for data in frames[1:]:
        machine.apply(decode_frame(data))
    seconds = time.perf_counter() - began
    rows = 39 * counts.size
    began = time.perf_counter()
    for data in frames[1:]:
        delta = decode_frame(data).deltas[0]
        np.bincount(delta.series, weights=delta.hi[:, 0])
    plain = time.perf_counter() - began
    print(
        f"deltas merged, {series:,} series: {rows / seconds / 1e6:.2f} million/s "
        f"({plain / seconds:.2f} of a bare decode and bincount)"
    )


def ticking(series: int, minutes: int) -> None:
    """Buckets closed, judged and learnt, after the first two weeks of hourly history exist."""
    machine = Machine(plan_of(series))
    chance = np.random.default_rng(2)
    began, rows = time.perf_counter(), 0
    for position, first in enumerate(range(0, minutes, 60)):
        span = np.arange(first, min(first + 60, minutes))
        counts = chance.poisson(1000, (len(span), series))
        mark = START + int(span[-1] + 1) * MINUTE
        machine.apply(frame(position, span, series, counts, mark))
        rows += counts.size
    seconds = time.perf_counter() - began
    size = len(machine.snapshot())
    print(
        f"series-ticks, {series:,} series: {rows / seconds:,.0f}/s, "
        f"{1e3 * seconds / minutes:.2f} ms a tick; snapshot {size / series / 1024:.1f} KiB a series"
    )


def judging(sizes: list[int]) -> None:
    """Baseline and guard with everything on, on series that are ready, in CPU seconds.

    100 series learn 19 days of minutes, half of them autocorrelated; their state is repeated for more. Three
    hours around midnight are timed, and a day is 1,439 buckets as those, and the one that ends the day.
    """
    world = World(name="", ar=0.02, n=1000.0)
    width, learnt = MINUTE, 100
    source, drawn = Source(world, learnt, 1, 1), np.random.default_rng(6)
    baseline, guard = Baseline(bucket_us=width, timezones=["UTC"]), Guard(bucket_us=width)
    baseline.append(learnt)
    guard.append(learnt)
    traits = traits_of(world, learnt, 1e6)
    begin = 19 * 1440 - 90
    for k in range(begin):
        mean = source.draw(k / 1440, 1.0)[0]
        calm = drawn.negative_binomial(1000 * source.season(k / 1440), 0.5, learnt)
        step(baseline, guard, traits, k, np.where(np.arange(learnt) % 2 == 0, mean, calm))
    state = baseline.dump(), guard.dump()
    wander = baseline.expect(START_US, START_US + width, traits).wander
    white = 0 if wander is None else int((wander.tau2 > 0).sum())
    print(f"{white} of {learnt} series are autocorrelated, all are ready")
    for size in sizes:
        baseline, guard = Baseline(bucket_us=width, timezones=["UTC"]), Guard(bucket_us=width)
        baseline.load(repeated(state[0], size // learnt))
        guard.load(repeated(state[1], size // learnt))
        traits, took = traits_of(world, size, 1e6), []
        for k in range(begin, begin + 180):
            mean = np.tile(source.draw(k / 1440, 1.0)[0], size // learnt)
            began = time.process_time()
            step(baseline, guard, traits, k, mean)
            took.append(time.process_time() - began)
        ordered = sorted(took)
        day = 1439 * float(np.mean(ordered[:-1])) + ordered[-1]
        held = bytes_of({"baseline": baseline.dump()["tables"], "guard": guard.dump()}) / size
        print(
            f"judging, {size:7,} series: {size * 1440 / day:9,.0f} series-ticks/s, {1e3 * day / 1440:8.3f} ms a tick "
            f"(an end of a day {ordered[-1]:.2f} s), {1e6 * day / 1440 / size:.1f} us a series; "
            f"{held / 1024:.2f} KiB a series",
            flush=True,
        )


def bytes_of(state: Any) -> int:
    """Of all arrays of a state."""
    if isinstance(state, dict):
        return sum(map(bytes_of, state.values()))
    return int(state.nbytes)


def repeated(state: Any, times: int) -> Any:
    """A state whose tables have every row so often."""
    if isinstance(state, dict):
        return {name: repeated(value, times) for name, value in state.items()}
    if isinstance(state, np.ndarray):
        return np.concatenate([state] * times)
    return state


def step(baseline: Baseline, guard: Guard, traits: Traits, k: int, x: Floats) -> None:
    start = START_US + k * MINUTE
    seen = Observation(
        start_us=start, end_us=start + MINUTE, x=x.astype(float), n=x.astype(float),
        observed=np.ones(x.size, bool),
    )  # fmt: skip
    expected = baseline.expect(seen.start_us, seen.end_us, traits)
    decision = guard.step(seen, expected, traits)
    baseline.learn(
        seen,
        expected,
        traits,
        hold=decision.open | decision.pending,
        incident_start_us=np.where(decision.open, decision.start_us, FOREVER),
        accepted=np.zeros(x.size, bool),
    )


def sketched(kind: str, window_us: int) -> MetricPlan:
    """A metric of users or of a latency, in the form of the others."""
    measures: tuple[Measure, ...]
    if kind == "uniques":
        measures = (Measure(name="uniques", event="e", form=Form.UNIQUES, unit="actor"),)
    else:
        measures = (
            Measure(name="quantile", event="e", value="ms", form=Form.QUANTILE, q=0.95),
            Measure(name="count", event="e", needs="ms"),
        )
    law = Law.NEGATIVE_BINOMIAL if kind == "uniques" else Law.QUANTILE
    plain = plan_of(1).metrics[0]
    return replace(plain, name=kind, kind=kind, measures=measures, window_us=window_us, law=law)


def entries_of(keys: list[np.ndarray]) -> Entries:
    """Entries of one measure: the keys of each row, counted."""
    found = [np.unique(k, return_counts=True) for k in keys]
    row = np.repeat(np.arange(len(keys), dtype=np.int32), [len(k) for k, _ in found])
    key, count = (np.concatenate([f[i] for f in found]) for i in (0, 1))
    return Entries(row=row, measure=np.zeros(len(row), np.int16), key=key, count=count)


def sketching(segments: int, users: int, values: int, minutes: int, window_us: int) -> None:
    """Ticks of one metric of users and one of a quantile, each with so many segments."""
    metrics = (sketched("quantile", window_us), sketched("uniques", window_us))
    plan = replace(plan_of(segments + 1), metrics=metrics)
    machine, chance = Machine(plan), np.random.default_rng(3)
    people = chance.integers(0, 2**63 - 1, (segments, 20 * users))
    groups = np.array([0] + [1] * segments, dtype=np.int16)
    names = ["all", *(f"s{i:06d}" for i in range(segments))]
    took = 0.0
    for minute in range(minutes):
        start, late = np.array([START + minute * MINUTE]), np.zeros(segments + 1, bool)
        seen = [chance.choice(p, users, replace=False) for p in people]
        timed = [bins(chance.lognormal(4, 0.7, values)) for _ in range(segments)]
        of_rows = {
            "uniques": ([np.concatenate(seen), *seen], 1),
            "quantile": ([np.concatenate(timed), *timed], 2),
        }
        deltas = []
        for name, (keys, width) in of_rows.items():
            hi = np.zeros((segments + 1, width))
            hi[:, width - 1] = [len(k) for k in keys] if width > 1 else 0
            deltas.append(
                Deltas(
                    metric=name, formula="benchmark", groups=groups, segments=names, late=late,
                    bucket=np.repeat(start, segments + 1), lo=np.zeros_like(hi), hi=hi,
                    series=np.arange(segments + 1, dtype=np.int32), entries=entries_of(keys),
                )
            )  # fmt: skip
        mark = int(start[0]) + MINUTE
        data = Frame(
            source=0, sources=1, start=minute, stop=minute + 1, watermark_us=mark, newest_us=mark,
            activity=start, deltas=deltas,
        )  # fmt: skip
        began = time.perf_counter()
        machine.apply(data)
        took += time.perf_counter() - began
    began = time.perf_counter()
    size = len(machine.snapshot())
    snapshot = time.perf_counter() - began
    print(
        f"sketches, {segments} segments, {users} users and {values:,} values each a minute, window "
        f"{window_us // MINUTE} min: {1e3 * took / minutes:.1f} ms a tick; after {minutes} buckets "
        f"snapshot {size / 1e6:.1f} MB in {snapshot:.2f} s, {size / minutes / 1e3:.1f} kB a bucket"
    )


def resident_mb() -> float:
    """Memory that the process holds now."""
    with open("/proc/self/statm") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


def cohort_frame(
    minute: int, starts: np.ndarray, where: np.ndarray, finishes: np.ndarray, segments: int
) -> Frame:
    """A minute of starts, each of the whole and of one segment, and of finishes."""
    bucket = START + minute * MINUTE
    chance = np.random.default_rng(minute)
    when = bucket + chance.integers(0, MINUTE, len(starts) + len(finishes))
    of_starts, of_finishes = when[: len(starts)], when[len(starts) :]
    row = np.r_[np.zeros(len(when), np.int64), where + 1]
    step = np.repeat([0, 1, 0], [len(starts), len(finishes), len(starts)])
    key, time_us = np.r_[starts, finishes, starts], np.r_[of_starts, of_finishes, of_starts]
    order = np.lexsort((time_us, key, step, row))
    units = UnitEvents(
        row=row[order].astype(np.int32), step=step[order].astype(np.int16), key=key[order],
        time_us=time_us[order],
    )  # fmt: skip
    rows = segments + 1
    deltas = Deltas(
        metric="activation", formula="benchmark", units=units, late=np.zeros(rows, bool),
        groups=np.array([0] + [1] * segments, dtype=np.int16),
        segments=["all", *(f"s{i:06d}" for i in range(segments))],
        bucket=np.full(rows, bucket), series=np.arange(rows, dtype=np.int32),
        hi=np.zeros((rows, 2)), lo=np.zeros((rows, 2)),
    )  # fmt: skip
    mark = bucket + MINUTE
    return Frame(
        source=0, sources=1, start=minute, stop=minute + 1, watermark_us=mark, newest_us=mark,
        activity=np.array([bucket]), deltas=[deltas],
    )  # fmt: skip


def following(segments: int, starts: int, days: int) -> None:
    """A conversion within a day, bucket by minute: every start of a day waits for its finish."""
    plain = plan_of(1).metrics[0]
    steps = (UnitStep(event="signup"), UnitStep(event="activate"))
    metric = replace(
        plain, name="activation", kind="conversion", law=Law.BETA_BINOMIAL,
        measures=(Measure(name="converted", event=""), Measure(name="units", event="")),
        cohort=Cohort(steps=steps, unit="actor", within_us=DAY),
    )  # fmt: skip
    machine, chance = (
        Machine(replace(plan_of(segments), metrics=(metric,))),
        np.random.default_rng(4),
    )
    recent = np.empty(0, dtype=np.int64)
    before, took = resident_mb(), 0.0
    for minute in range(days * 1440):
        keys = chance.integers(0, 2**63 - 1, starts)
        recent = np.r_[recent[-60 * starts :], keys]
        finishes = np.unique(chance.choice(recent, starts // 5))
        data = cohort_frame(minute, keys, chance.integers(0, segments, starts), finishes, segments)
        began = time.perf_counter()
        machine.apply(data)
        took += time.perf_counter() - began
        if (minute + 1) % 1440 == 0:
            print(
                f"cohorts, {segments} segments, {starts:,} starts a minute, within 1 d, after "
                f"{(minute + 1) // 1440} d: {resident_mb() - before:.0f} MB; "
                f"{1e3 * took / (minute + 1):.1f} ms a tick"
            )
    began = time.perf_counter()
    size = len(machine.snapshot())
    print(f"their snapshot: {size / 1e6:.0f} MB in {time.perf_counter() - began:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, nargs="*", default=[100, 500, 2000])
    parser.add_argument("--minutes", type=int, default=3000)
    parser.add_argument("--sketches", action="store_true", help="measure uniques and quantiles too")
    parser.add_argument("--cohorts", action="store_true", help="measure cohorts, and nothing else")
    parser.add_argument(
        "--judging",
        type=int,
        nargs="*",
        help="baseline and guard of so many series, and nothing else",
    )
    args = parser.parse_args()
    if args.judging is not None:
        judging(args.judging or [100, 1000, 10_000, 100_000])
        return
    if args.cohorts:
        following(segments=50, starts=2000, days=2)
        return
    for series in args.series:
        merging(series)
        ticking(series, args.minutes)
    if args.sketches:
        for window_us in (MINUTE, HOUR):
            sketching(50, 100, 1000, 200, window_us)


if __name__ == "__main__":
    main()

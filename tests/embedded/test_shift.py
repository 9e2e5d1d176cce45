"""A shift moves the named series, and with it every series that its events belong to."""

from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.definitions.plan import MetricPlan
from monitor.embedded.inject import Injection, parse_injection
from monitor.embedded.shift import Shifter
from monitor.ingest.series import segment
from monitor.model.frame import Deltas
from monitor.model.time import MINUTE
from tests.embedded.plans import metric_plan, plan_of

START = 29_000_000 * MINUTE
BOTH = ((), ("country",), ("platform",), ("country", "platform"))
APART = ((), ("country",), ("platform",))

Event = tuple[int, str | None, str | None]
"""Bucket, country, platform."""


def deltas_of(metric: MetricPlan, events: dict[Event, tuple[float, ...]]) -> Deltas:
    """What ingest would send: one row a bucket and series, sorted."""
    sums: dict[tuple[int, int, str], np.ndarray] = {}
    for (bucket, country, platform), values in events.items():
        have = {"country": country, "platform": platform}
        for g, grouping in enumerate(metric.groupings):
            parts = [have[name] for name in grouping]
            if None not in parts:
                key = bucket, g, segment([str(part) for part in parts])
                sums[key] = sums.get(key, np.zeros(len(values))) + np.array(values)
    series = sorted({(g, name) for _, g, name in sums})
    rows = sorted((bucket, series.index((g, name))) for bucket, g, name in sums)
    hi = np.array([sums[bucket, *series[s]] for bucket, s in rows])
    return Deltas(
        metric=metric.name,
        formula=metric.formula,
        groups=np.array([g for g, _ in series], np.int16),
        segments=[name for _, name in series],
        late=np.zeros(len(rows), bool),
        bucket=np.array([START + bucket * MINUTE for bucket, _ in rows]),
        series=np.array([s for _, s in rows], np.int32),
        hi=hi,
        lo=np.zeros_like(hi),
    )


def shifter(metric: MetricPlan, what: str, seed: int = 1) -> Shifter:
    text = f"{metric.name}{what}@2025-02-19T21:20:00Z"
    injection = parse_injection(text, plan_of(metric))
    assert isinstance(injection, Injection)
    assert injection.start_us == START, "the bucket with number 0"
    return Shifter(injection, np.random.default_rng(seed))


def read(deltas: Deltas, column: int = 0) -> dict[tuple[int, int, str], float]:
    """By (bucket, grouping, segment), one sum."""
    return {
        ((bucket - START) // MINUTE, int(deltas.groups[s]), deltas.segments[s]): float(value)
        for bucket, s, value in zip(
            deltas.bucket.tolist(), deltas.series.tolist(), deltas.hi[:, column], strict=True
        )
    }


def totals(sums: dict[tuple[int, int, str], float], group: int) -> Counter[int]:
    """By bucket, the sum over a grouping's segments."""
    found: Counter[int] = Counter()
    for (bucket, g, _), value in sums.items():
        if g == group:
            found[bucket] += round(value)
    return found


COUNTS = st.dictionaries(
    st.tuples(
        st.integers(-2, 2),
        st.sampled_from([None, "DE", "FR"]),
        st.sampled_from([None, "ios", "w,x"]),
    ),
    st.tuples(st.integers(1, 400).map(float)),
    min_size=1,
)


@given(events=COUNTS, shift=st.sampled_from(["-100%", "-30%", "+40%", "+250%"]))
def test_all_groupings_move_by_what_the_named_series_moves_by(
    events: dict[Event, tuple[float, ...]], shift: str
) -> None:
    metric = metric_plan("orders", groupings=BOTH)
    before = deltas_of(metric, events)
    after = shifter(metric, f",country=DE:{shift}").apply(before)
    old, new = read(before), read(after)
    moved = {key: new[key] - old[key] for key in old}
    for bucket in range(-2, 3):
        germany = moved.get((bucket, 1, "DE"), 0.0)
        assert moved.get((bucket, 0, "all"), 0.0) == germany
        assert bucket >= 0 or not any(change for (b, _, _), change in moved.items() if b == bucket)
        for platform in ("ios", '"w,x"'):
            of_both = moved.get((bucket, 3, f"DE,{platform}"), 0.0)
            assert moved.get((bucket, 2, platform), 0.0) == of_both
    assert all(not change for (_, _, name), change in moved.items() if name.startswith("FR"))
    assert all(value >= 0 and value == round(value) for value in new.values())
    if shift == "-100%":
        assert all(new[key] == 0 for key in new if key[0] >= 0 and key[2].startswith("DE"))


@given(events=COUNTS, shift=st.sampled_from(["-30%", "+40%"]))
def test_the_whole_of_a_metric_moves_in_every_series_and_still_adds_up(
    events: dict[Event, tuple[float, ...]], shift: str
) -> None:
    tagged = {key: value for key, value in events.items() if None not in key}
    if not tagged:
        return
    metric = metric_plan("orders", groupings=BOTH)
    new = read(shifter(metric, f":{shift}").apply(deltas_of(metric, tagged)))
    assert totals(new, 0) == totals(new, 1) == totals(new, 2) == totals(new, 3)


@pytest.mark.parametrize("what", [":-20%", ",country=DE:-20%", ",platform=ios:+30%"])
@pytest.mark.parametrize("groupings", [BOTH, APART])
def test_the_size_of_the_shift_is_what_was_asked_for(
    what: str, groupings: tuple[tuple[str, ...], ...]
) -> None:
    metric = metric_plan("orders", groupings=groupings)
    events: dict[Event, tuple[float, ...]] = {
        (0, c, p): (100_000.0,) for c, p in product(("DE", "FR"), ("ios", "web"))
    }
    new = read(shifter(metric, what).apply(deltas_of(metric, events)))
    factor = 1.3 if "+" in what else 0.8
    key = {":": (0, 0, "all"), ",c": (0, 1, "DE"), ",p": (0, 2, "ios")}[what[:2].rstrip("-")]
    whole = 400_000 if key[2] == "all" else 200_000
    assert new[key] == pytest.approx(factor * whole, rel=0.01)
    assert new[0, 0, "all"] - 400_000 == pytest.approx(new[key] - whole)


def test_sums_scale_and_their_counts_stay() -> None:
    metric = metric_plan("revenue", "sum", groupings=BOTH)
    events: dict[Event, tuple[float, ...]] = {
        (0, "DE", "ios"): (10.0, 4.0),
        (0, "FR", "ios"): (7.5, 3.0),
    }
    before = deltas_of(metric, events)
    after = shifter(metric, ",country=DE:-20%").apply(before)
    assert read(after)[0, 0, "all"] == pytest.approx(15.5)
    assert read(after)[0, 2, "ios"] == pytest.approx(15.5)
    assert read(after)[0, 1, "FR"] == 7.5
    assert (after.hi[:, 1] == before.hi[:, 1]).all()


@given(
    parts=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), min_size=2, max_size=2),
    shift=st.sampled_from(["-50%", "+60%", "+10000%"]),
)
def test_a_numerator_stays_inside_its_denominator(parts: list[tuple[int, int]], shift: str) -> None:
    metric = metric_plan("errors", "ratio", groupings=BOTH)
    events: dict[Event, tuple[float, ...]] = {
        (0, country, "ios"): (float(x), float(x + rest + 1))
        for country, (x, rest) in zip(("DE", "FR"), parts, strict=True)
    }
    before = deltas_of(metric, events)
    after = shifter(metric, f",country=DE:{shift}").apply(before)
    assert (after.hi[:, 1] == before.hi[:, 1]).all()
    assert (after.hi[:, 0] <= after.hi[:, 1]).all()
    assert (after.hi[:, 0] >= 0).all()


def test_what_no_combination_tells_stays_and_is_named() -> None:
    metric = metric_plan("orders", groupings=APART)
    events: dict[Event, tuple[float, ...]] = {(0, "DE", "ios"): (500.0,)}
    one = shifter(metric, ",country=DE:-50%")
    new = read(one.apply(deltas_of(metric, events)))
    assert new[0, 2, "ios"] == 500
    assert new[0, 0, "all"] == new[0, 1, "DE"] < 300
    assert one.unmoved == [("platform",)]
    assert shifter(metric, ":-50%").unmoved == []


def test_the_same_seed_draws_the_same_history() -> None:
    metric = metric_plan("orders", groupings=BOTH)
    events: dict[Event, tuple[float, ...]] = {(0, "DE", "ios"): (500.0,), (1, "DE", None): (300.0,)}
    before = deltas_of(metric, events)
    one, two, other = (shifter(metric, ":-50%", seed).apply(before) for seed in (1, 1, 2))
    assert (one.hi == two.hi).all()
    assert (one.hi != other.hi).any()

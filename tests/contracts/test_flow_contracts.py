"""What must hold for baseline and guard together, whatever they are fed."""

from typing import Any

import msgspec
import numpy as np
import pytest

from monitor.model import codec
from monitor.model.tick import LAWS, Decision, Expectation, Floats, State, Traits
from monitor.model.time import HOUR, MINUTE
from tests.contracts.flow import (
    COUNT,
    QUANTILE,
    SHARE,
    Flow,
    draw_counts,
    make_traits,
    observe,
    season,
)

HALF = 30 * MINUTE
READY = 48 * 18
ROWS = 2 * len(LAWS)


def take(traits: Traits, rows: Any) -> Traits:
    """The traits of these rows; parents are given by the caller's order."""
    return Traits(**{name: getattr(traits, name)[rows] for name in traits.__dataclass_fields__})


def fields(value: Expectation | Decision) -> dict[str, Any]:
    """The arrays by name, those of the tail among them."""
    named = {name: getattr(value, name) for name in value.__dataclass_fields__}
    tail = named.pop("tail", None)
    if tail is not None:
        named |= {f"tail_{name}": getattr(tail, name) for name in tail.__dataclass_fields__}
    return named


def assert_same(one: Expectation | Decision, other: Expectation | Decision) -> None:
    """Bit for bit."""
    for name, array in fields(one).items():
        assert array.tobytes() == fields(other)[name].tobytes(), name


def mixed_panel() -> Traits:
    """Two rows of each law; the second of each pair is the segment of the first."""
    law = np.repeat(np.arange(len(LAWS)), 2)
    parent = np.where(np.arange(ROWS) % 2 == 1, np.arange(ROWS) - 1, -1)
    shares = make_traits(ROWS, SHARE, parent=parent)
    named = {name: getattr(shares, name) for name in shares.__dataclass_fields__}
    tail = np.where(law == LAWS.index(QUANTILE), 0.05, np.nan)
    total = (law == 0) | (law == 2)
    return Traits(**{**named, "law": law.astype(np.int8), "total": total, "tail": tail})


def mixed_stream(
    ticks: int, width: int, fault: int
) -> tuple[list[Floats], list[Floats], list[Any]]:
    """x, n and observed of the panel: a fall of all rows, then a silence of the shares."""
    rng = np.random.default_rng(1)
    xs, ns, seen = [], [], []
    for k in range(ticks):
        factor = (0.6 if fault <= k < fault + 20 else 1.0) * season(k, width)
        n = rng.poisson(400, ROWS).astype(float)
        x = np.empty(ROWS)
        x[:2] = rng.negative_binomial(400 * factor, 0.5, 2)
        x[2:4] = rng.binomial(n[2:4].astype(int), 0.2 * factor)
        x[4:6] = n[4:6] * 30 * factor * (1 + 0.02 * rng.standard_normal(2))
        x[6:] = n[6:] * 30 * factor * (1 + 0.02 * rng.standard_normal(4))
        observed = np.ones(ROWS, dtype=bool)
        if fault + 60 <= k < fault + 70:
            observed[2:4] = False
        xs.append(np.where(observed, x, 0.0))
        ns.append(np.where(observed, np.where(np.arange(ROWS) < 2, x, n), 0.0))
        seen.append(observed)
    return xs, ns, seen


STREAM = mixed_stream(24 * 23, HOUR, 24 * 19)


def run_mixed(rows: Any, traits: Traits) -> list[tuple[Expectation, Decision]]:
    xs, ns, seen = STREAM
    flow = Flow(traits, width=HOUR)
    return [flow.run(k, xs[k][rows], ns[k][rows], seen[k][rows]) for k in range(len(xs))]


def test_scoring_does_not_learn() -> None:
    """Expecting a bucket any number of times, in any order, changes no state and no later bucket."""
    rng, flow = np.random.default_rng(1), Flow(make_traits(3), width=HALF)
    for k in range(READY + 2):
        flow.run(k, draw_counts(rng, 500 * season(k, HALF), 2.0, 3))
    before = codec.encode(flow.baseline.dump())
    seen = [observe(k, np.zeros(3), width=HALF) for k in (READY + 2, READY + 45, READY + 2)]
    first, _, again = (flow.baseline.expect(s.start_us, s.end_us, flow.traits) for s in seen)
    assert_same(first, again)
    assert codec.encode(flow.baseline.dump()) == before


@pytest.mark.slow
@pytest.mark.parametrize("cut", [5, READY - 3, READY + 65])
def test_snapshot_and_restore_are_identical(cut: int) -> None:
    """Through bytes, in the middle of an hour, of an incident, before and after the profile."""
    rng = np.random.default_rng(2)
    traits = make_traits(4, parent=[-1, 0, 0, -1])
    flow, other = Flow(traits, width=HALF), None
    for k in range(READY + 100):
        shift = 0.7 if READY + 50 <= k < READY + 75 else 1.0
        x = draw_counts(rng, 500 * shift * season(k, HALF), 2.0, 4)
        if k == cut:
            state = {"baseline": flow.baseline.dump(), "guard": flow.guard.dump()}
            loaded = codec.decoder(dict).decode(codec.encode(state))
            other = Flow(traits, width=HALF)
            other.baseline.load(loaded["baseline"])
            other.guard.load(loaded["guard"])
        expected, decision = flow.run(k, x)
        if other is not None:
            its_expected, its_decision = other.run(k, x)
            assert_same(expected, its_expected)
            assert_same(decision, its_decision)
    assert other is not None
    assert codec.encode(flow.baseline.dump()) == codec.encode(other.baseline.dump())
    assert codec.encode(flow.guard.dump()) == codec.encode(other.guard.dump())


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("value", [0.0, 1.0, 200.0, 1e9])
def test_constants_never_alarm(law: str, value: float) -> None:
    """Nothing varies, so nothing has shifted; with a share also 0 of n and n of n."""
    flow = Flow(make_traits(1, law, min_units=0.0), width=HOUR)
    n = max(value, 200.0) if law == SHARE else 200.0
    for k in range(24 * 22):
        _, decision = flow.run(k, [value], value if law == COUNT else n)
        assert not decision.opened[0]
        assert not decision.pending[0]
        assert decision.state[0] in {State.OK, State.LEARNING}


@pytest.fixture(scope="module")
def learnt() -> bytes:
    """The state of a share of 20 % of 2000 an hour after 18 days."""
    rng, flow = np.random.default_rng(3), Flow(make_traits(1, SHARE), width=HOUR)
    for k in range(24 * 18):
        flow.run(k, rng.binomial(2000, 0.2, 1), 2000)
    return codec.encode({"baseline": flow.baseline.dump(), "guard": flow.guard.dump()})


@pytest.mark.parametrize(
    ("flag", "values"),
    [
        ("min_relative_shift", (0.02, 0.3)),
        ("min_units", (10.0, 1e6)),
        ("log_threshold", (5.0, 50.0)),
        ("up", (True, False)),
        ("down", (True, False)),
        ("accept_after_us", (2 * HOUR, 48 * HOUR)),
        ("page_no_data", (True, False)),
    ],
)
def test_both_values_of_a_trait_change_something(
    learnt: bytes, flag: str, values: tuple[Any, Any]
) -> None:
    """A fall, a rise and a silence are decided in different ways under each trait."""
    told = []
    for value in values:
        rng = np.random.default_rng(4)
        flow = Flow(make_traits(1, SHARE, **{flag: value}), width=HOUR)
        state = codec.decoder(dict).decode(learnt)
        flow.baseline.load(state["baseline"])
        flow.guard.load(state["guard"])
        out = []
        for k in range(24 * 18, 24 * 23):
            shift = {19: 0.75, 21: 1.35}.get(k // 24, 1.0)
            silent = k // 24 == 22 and k % 24 < 12
            n = 0 if silent else 2000
            x = rng.binomial(n, 0.2 * shift, 1)
            _, decision = flow.run(k, x, n, not silent)
            out.append((int(decision.state[0]), bool(decision.opened[0]), bool(decision.closed[0])))
        told.append(out)
    assert told[0] != told[1]


@pytest.mark.slow
def test_a_row_is_decided_alike_whatever_stands_beside_it() -> None:
    """Another order, other neighbours, alone: bit for bit the same expectation and decision."""
    traits = mixed_panel()
    everything = np.arange(ROWS)
    whole = run_mixed(everything, traits)
    assert any(d.opened.any() for _, d in whole)
    assert any((d.state == State.NO_DATA).any() for _, d in whole)
    order = np.array([6, 7, 2, 3, 8, 9, 4, 5, 0, 1])
    place = np.argsort(order)
    moved = take(traits, order)
    child = moved.parent >= 0
    moved.parent[child] = place[moved.parent[child]]
    for k, (expected, decision) in enumerate(run_mixed(order, moved)):
        for mine, its in ((whole[k][0], expected), (whole[k][1], decision)):
            for name, array in fields(mine).items():
                assert array[order].tobytes() == fields(its)[name].tobytes(), (k, name)
    for row in (0, 2, 8):
        single = run_mixed(np.array([row]), take(traits, [row]))
        for k, (expected, decision) in enumerate(single):
            for mine, its in ((whole[k][0], expected), (whole[k][1], decision)):
                for name, array in fields(its).items():
                    assert array.tobytes() == fields(mine)[name][[row]].tobytes(), (k, row, name)


@pytest.mark.slow
def test_many_copies_of_a_row_are_decided_alike() -> None:
    """Vector instructions treat the last few of many rows in another way: it must not show."""
    traits = mixed_panel()
    rows = np.tile([0, 2, 4, 6, 8], 37)
    copies = take(traits, rows)
    for expected, decision in run_mixed(rows, copies):
        for array in (*fields(expected).values(), *fields(decision).values()):
            blocks = array.reshape(37, len(LAWS))
            assert all(block.tobytes() == blocks[0].tobytes() for block in blocks)


def test_the_whole_flow_finds_a_fall_and_comes_back() -> None:
    """A count of 1000 in half an hour falls by a fifth for 12 hours: paged once, resolved once."""
    rng, size = np.random.default_rng(5), 20
    flow = Flow(make_traits(size), width=HALF)
    opened, closed = np.zeros(size, int), np.zeros(size, int)
    late = []
    begin = 48 * 25 + 20
    for k in range(48 * 27):
        shift = 0.8 if begin <= k < begin + 24 else 1.0
        x = draw_counts(rng, 1000 * shift * season(k, HALF), 2.0, size)
        _, decision = flow.run(k, x)
        opened += decision.opened
        closed += decision.closed
        late += [k - begin + 1] * int(decision.opened.sum())
    assert opened.tolist() == [1] * size
    assert closed.tolist() == [1] * size
    assert np.median(late) <= 6
    assert min(late) >= 2  # a bucket before the fall may have looked like it


def test_state_is_what_the_codec_can_carry() -> None:
    flow = Flow(make_traits(1), width=HOUR)
    flow.run(0, [5.0])
    for state in (flow.baseline.dump(), flow.guard.dump()):
        decoded = msgspec.msgpack.decode(codec.encode(state), ext_hook=lambda code, data: code)
        assert set(decoded) == set(state)


@pytest.mark.slow
def test_the_whole_flow_keeps_its_budget_on_a_null_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With A = 1000 and everything learnt, no more alarms than one per 1000 buckets and series.

    The same world without what was learnt of dispersion and of the baseline's own error breaks it.
    """
    size, days = 100, 24
    alarms = {}
    for honest in (True, False):
        rng = np.random.default_rng(6)
        flow = Flow(
            make_traits(size, log_threshold=np.log(1000.0), min_relative_shift=0.0), width=HALF
        )
        if not honest:
            monkeypatch.setattr(flow.baseline._dispersion, "value", lambda least, _: least)
            monkeypatch.setattr(flow.baseline._band, "variance", lambda noise, *_: 0.0 * noise)
        count = 0
        for k in range(48 * days):
            x = draw_counts(rng, 1000 * season(k, HALF), 4.0, size)
            _, decision = flow.run(k, x)
            count += int(decision.opened.sum())
        alarms[honest] = count
    budget = size * 48 * (days - 18) / 1000
    assert alarms[True] <= budget
    assert alarms[False] > budget

"""What the guard says and why: silence, parents, acceptance, directions, what is not judged."""

from typing import Any

import numpy as np
import pytest

from monitor.guard import Guard
from monitor.model.tick import Decision, Reason, State, Traits
from monitor.model.time import HOUR, MINUTE
from tests.contracts.flow import COUNT, MEAN, SHARE, make_expectation, make_traits, observe


class Panel:
    """A guard over rows whose expectation is known and never changes."""

    def __init__(self, traits: Traits, **expected: Any) -> None:
        size = traits.law.size
        self.traits = traits
        self.expected = make_expectation(size, **{"phi": 2.0, **expected})
        self.guard = Guard(bucket_us=MINUTE)
        self.guard.append(size)
        self.k = 0

    def feed(
        self, x: Any, n: Any = None, *, observed: Any = True, times: int = 1
    ) -> list[Decision]:
        """The same bucket some times."""
        size = self.traits.law.size
        x = np.broadcast_to(np.asarray(x, dtype=float), size)
        out = []
        for _ in range(times):
            seen = observe(self.k, x, n, observed=observed)
            out.append(self.guard.step(seen, self.expected, self.traits))
            self.k += 1
        return out


def reasons(decisions: list[Decision], row: int = 0) -> list[Reason]:
    return [Reason(int(d.reason[row])) for d in decisions]


def states(decisions: list[Decision], row: int = 0) -> list[State]:
    return [State(int(d.state[row])) for d in decisions]


def openings(decisions: list[Decision], row: int = 0) -> list[int]:
    return [k for k, d in enumerate(decisions) if d.opened[row]]


def closings(decisions: list[Decision], row: int = 0) -> list[int]:
    return [k for k, d in enumerate(decisions) if d.closed[row]]


def test_the_life_of_an_incident() -> None:
    panel = Panel(make_traits(1))
    calm, fall = panel.feed(1000, times=5), panel.feed(600, times=6)
    back = panel.feed(1000, times=6)
    assert set(states(calm)) == {State.OK}
    assert set(reasons(calm)) == {Reason.WITHIN_BAND}
    assert openings(fall) == [2]
    assert states(fall)[:3] == [State.OK, State.SUSPECTED, State.ALERTING]
    assert reasons(fall)[1:3] == [Reason.EVIDENCE_GROWING, Reason.SHIFT]
    assert [bool(d.pending[0]) for d in fall[:4]] == [False, True, False, False]
    assert fall[2].sum_x[0] == 1800
    assert fall[-1].sum_x[0] == 3600
    assert fall[-1].sum_expected[0] == pytest.approx(6000)
    (closed,) = closings(back)
    assert reasons(back)[closed] == Reason.RECOVERED
    assert back[closed].start_us[0] == fall[2].start_us[0]
    assert states(back)[closed:] == [State.OK] * (6 - closed)
    assert not back[-1].open[0]


@pytest.mark.parametrize("unit", [1e-18, 1e18, 1e30])
def test_the_unit_that_a_sum_is_told_in_changes_no_decision(unit: float) -> None:
    """Such as a revenue in wei, whose variance is beyond what four bytes hold."""
    told = []
    for scale in (1.0, unit):
        parent = np.array([-1, 0, 0])
        traits = make_traits(3, "normal_sum", parent=parent)
        level = scale * np.array([1000.0, 600.0, 400.0])
        panel = Panel(traits, level=level, units=1000.0, phi=2.0 * scale)
        panel.feed(level, 1000, times=5)
        fall = panel.feed(level - scale * np.array([400.0, 400.0, 0.0]), 1000, times=6)
        assert openings(fall) == [2]
        last = fall[-1]
        assert last.family is not None
        told.append(
            (
                np.concatenate(
                    [last.log_m, last.sum_n, last.sum_x / scale, last.sum_expected / scale]
                ),
                np.concatenate(
                    [np.sqrt(last.sum_variance) / scale, np.sqrt(last.family[:, 3]) / scale]
                ),
            )
        )
    for one, other in zip(*told, strict=True):
        assert other == pytest.approx(one, rel=1e-6, nan_ok=True)
    assert np.isfinite(told[0][1]).all()


@pytest.mark.parametrize(
    ("law", "x", "n"), [(SHARE, 200, 1000), (MEAN, 30_000, 1000), (COUNT, 1000, None)]
)
def test_silence_pages_after_a_few_buckets_and_ends_when_data_is_back(
    law: str, x: float, n: Any
) -> None:
    level = {SHARE: 0.2, MEAN: 30.0, COUNT: 1000.0}[law]
    panel = Panel(make_traits(1, law), level=level, units=1000.0)
    panel.feed(x, n, times=5)
    gone = panel.feed(0, 0, observed=False, times=8)
    assert openings(gone) == [2]
    assert set(states(gone)) == {State.NO_DATA}
    assert set(reasons(gone)) == {Reason.NO_DATA}
    assert gone[2].direction[0] == -1
    assert gone[2].start_us[0] == observe(5, [0.0]).start_us
    assert gone[2].sum_x[0] == 0
    assert gone[2].sum_expected[0] == pytest.approx(3 * x)
    assert all(d.open[0] for d in gone[2:])
    back = panel.feed(x, n, times=6)
    (closed,) = closings(back)
    assert reasons(back)[closed] == Reason.DATA_RETURNED
    assert closed <= 3
    assert not openings(back)


def test_patience_with_silence_follows_the_volume() -> None:
    size = 4
    units = np.array([0.5, 5.0, 50.0, 5000.0])
    panel = Panel(make_traits(size, SHARE), level=0.2, units=units)
    gone = panel.feed(0, 0, observed=False, times=150)
    first = [openings(gone, row)[0] for row in range(size)]
    assert first == sorted(first, reverse=True)
    assert first[0] > 50
    assert first[1] > 5
    assert first[2:] == [2, 2]


def fading(panel: Panel, share: float, days: int) -> list[Decision]:
    """A series of which a part of the expected 30 units a bucket still comes, in whole units."""
    rng = np.random.default_rng(4)
    out = []
    for n in rng.poisson(30.0 * share ** np.linspace(0, 1, days * 288)):
        out += panel.feed(rng.binomial(n, 0.2), n, observed=n > 0)
    return out


def test_a_series_that_fades_is_not_silent_when_a_bucket_is_empty() -> None:
    panel = Panel(make_traits(1, SHARE), level=0.2, units=30.0)
    panel.guard = Guard(bucket_us=5 * MINUTE)
    panel.guard.append(1)
    decisions = fading(panel, 0.02, 10)
    assert sum(d.state[0] == State.NO_DATA for d in decisions) > 20
    assert not openings(decisions)
    silent = panel.feed(0, 0, observed=False, times=288)
    assert 20 < openings(silent)[0] < 200


def test_a_bucket_with_data_starts_the_patience_anew() -> None:
    panel = Panel(make_traits(1, SHARE), level=0.2, units=1000.0)
    for _ in range(20):
        decisions = panel.feed(0, 0, observed=False, times=2) + panel.feed(200, 1000)
        assert not any(d.opened[0] for d in decisions)


def test_silence_that_is_not_to_page_is_a_state_and_keeps_the_evidence() -> None:
    panel = Panel(make_traits(1, SHARE, page_no_data=False), level=0.2, units=1000.0)
    panel.feed(100, 1000)
    (before,) = panel.feed(100, 1000)
    gone = panel.feed(0, 0, observed=False, times=50)
    assert not any(d.opened[0] for d in gone)
    assert set(states(gone)) == {State.NO_DATA}
    assert gone[-1].log_m[0] == before.log_m[0]


def test_silence_during_an_incident_is_not_its_recovery() -> None:
    panel = Panel(make_traits(1))
    panel.feed(500, times=5)
    gone = panel.feed(0, observed=False, times=30)
    assert all(d.open[0] for d in gone)
    assert not any(d.opened[0] or d.closed[0] for d in gone)


def test_a_count_at_zero_while_others_come_is_judged_and_called_silent() -> None:
    """One fault, one incident: it lasts when everything else stops too."""
    panel = Panel(make_traits(1))
    panel.feed(1000, times=5)
    zero = panel.feed(0, times=5)
    assert openings(zero) == [2]
    assert states(zero)[2] == State.ALERTING
    assert reasons(zero)[2] == Reason.SILENT
    gone = panel.feed(0, observed=False, times=5)
    assert all(d.open[0] for d in gone)
    back = panel.feed(1000, times=5)
    assert reasons(back)[closings(back)[0]] == Reason.DATA_RETURNED
    assert not openings(gone + back)


def test_few_expected_zeros_are_a_shift_not_silence() -> None:
    panel = Panel(make_traits(1, min_units=1.0), level=9.0)
    zero = panel.feed(0, times=30)
    assert openings(zero)
    assert Reason.SILENT not in reasons(zero)


def test_silence_never_becomes_the_new_normal() -> None:
    panel = Panel(make_traits(1, accept_after_us=HOUR))
    zero = panel.feed(0, times=200)
    assert not closings(zero)
    assert zero[-1].open[0]
    back = panel.feed(1000, times=5)
    assert reasons(back)[closings(back)[0]] == Reason.DATA_RETURNED


def test_a_shift_that_lasts_becomes_the_new_normal() -> None:
    panel = Panel(make_traits(1, accept_after_us=HOUR))
    fall = panel.feed(700, times=70)
    assert closings(fall)[0] == 59
    assert reasons(fall)[59] == Reason.NEW_NORMAL
    assert fall[59].start_us[0] == observe(0, [0.0]).start_us


def test_segments_of_a_paged_whole_do_not_page_and_start_anew_with_it() -> None:
    """Row 0 is the whole; rows 1 and 2 its segments; row 3 another whole."""
    panel = Panel(make_traits(4, parent=[-1, 0, 0, -1]))
    panel.feed(1000, times=3)
    fall = panel.feed([500, 500, 1000, 1000], times=10)
    assert openings(fall, 0) == [2]
    assert not openings(fall, 1)
    assert reasons(fall, 1)[2:] == [Reason.PARENT_ALERTING] * 8
    assert states(fall, 1)[-1] == State.ALERTING
    assert reasons(fall, 2)[-1] == Reason.WITHIN_BAND
    assert not any(d.pending[1] for d in fall[2:])
    back = panel.feed([1000, 500, 1000, 1000], times=10)
    (closed,) = closings(back, 0)
    assert back[closed].log_m[1] == -np.inf
    assert openings(back, 1) == [closed + 3]  # its own shift goes on: found anew, by itself


LIMITS = ((0, np.log(1e6)), (1, np.log(2e4)))


def test_a_segment_that_is_found_first_waits_for_the_whole() -> None:
    traits = make_traits(2, parent=np.array([-1, 0]), log_threshold=np.log([1e6, 2e4]))
    panel = Panel(traits)
    panel.feed(1000, times=5)
    fall = panel.feed([890.0, 890.0], times=12)
    found = [next(k for k, d in enumerate(fall) if d.log_m[row] >= limit) for row, limit in LIMITS]
    assert found[1] < found[0] <= found[1] + 2
    assert openings(fall, 1) == []
    assert openings(fall, 0) == [found[0]]


def test_a_segment_does_not_wait_for_long() -> None:
    traits = make_traits(2, parent=np.array([-1, 0]), log_threshold=np.log([1e30, 1e3]))
    panel = Panel(traits)
    panel.feed(1000, times=5)
    fall = panel.feed([970.0, 600.0], times=60)
    first = next(k for k, d in enumerate(fall) if d.log_m[1] >= traits.log_threshold[1])
    assert openings(fall, 1)[0] <= first + 2


def test_a_segment_pages_where_the_whole_does_not() -> None:
    panel = Panel(make_traits(2, parent=[-1, 0]))
    fall = panel.feed([990, 500], times=5)
    assert openings(fall, 1) == [2]
    assert not openings(fall, 0)


@pytest.mark.parametrize("direction", ["up", "down"])
def test_only_the_directions_asked_for_are_judged(direction: str) -> None:
    traits = make_traits(1, page_no_data=False, up=direction == "up", down=direction == "down")
    for x, sign in ((600, "down"), (1400, "up")):
        decisions = Panel(traits).feed(x, times=20)
        assert bool(openings(decisions)) == (sign == direction)


def test_fewer_directions_are_found_with_more_evidence() -> None:
    """M is a mean over the bets of the directions judged: half the bets, twice the mean."""
    both = Panel(make_traits(1, page_no_data=False)).feed(900)[0]
    down = Panel(make_traits(1, page_no_data=False, up=False)).feed(900)[0]
    assert down.log_m[0] > both.log_m[0] + 0.5


def test_what_is_not_judged_keeps_its_evidence() -> None:
    panel = Panel(make_traits(1), units=1000.0)
    (before,) = panel.feed(900)
    panel.expected = make_expectation(1, phi=2.0, level=1000.0, units=9.0)
    few = panel.feed(500, times=5)
    assert set(states(few)) == {State.TOO_FEW_UNITS}
    assert few[-1].log_m[0] == before.log_m[0]
    panel.expected = make_expectation(1, phi=2.0, ready=False, learning_us=HOUR)
    learning = panel.feed(500, times=5)
    assert set(states(learning)) == {State.LEARNING}
    assert set(reasons(learning)) == {Reason.LEARNING}
    assert learning[-1].log_m[0] == before.log_m[0]


def test_bounds_are_the_band_and_three_deviations() -> None:
    decision = Panel(make_traits(1)).feed(1000)[0]
    half = 0.02 + 3 * np.sqrt(2 / 1000)
    assert decision.lower[0] == pytest.approx(1000 * (1 - half))
    assert decision.upper[0] == pytest.approx(1000 * (1 + half))
    share = Panel(make_traits(1, SHARE), level=0.97, units=20.0).feed(20, 20)[0]
    assert share.upper[0] == 1.0


def test_nothing_expected_yet_is_no_number() -> None:
    """Before a baseline exists all it says is NaN: nothing may come of it."""
    nan = float("nan")
    panel = Panel(make_traits(1), level=nan, units=nan, phi=nan, sd_level=float("inf"), ready=False)
    decisions = panel.feed(1000, times=3)
    assert set(states(decisions)) == {State.LEARNING}
    assert not decisions[-1].opened[0]
    assert np.isnan(decisions[-1].lower[0])
    assert decisions[-1].log_m[0] == -np.inf


def test_a_cleared_row_starts_from_nothing() -> None:
    panel = Panel(make_traits(2))
    panel.feed(500, times=5)
    panel.guard.clear(np.array([0]))
    decision = panel.feed(1000)[0]
    assert not decision.open[0]
    assert decision.open[1]
    assert decision.log_m[0] < 0


def test_a_combination_does_not_page_beside_a_segment_that_covers_it() -> None:
    """Row 0 is the whole, 1 and 2 single values, 3 a combination of both."""
    covers = np.array([[-1, -1], [-1, -1], [-1, -1], [1, 2]])
    parent = np.array([-1, 0, 0, 0])
    log_threshold = np.array([50.0, 12.0, 12.0, 12.0])
    traits = make_traits(4, parent=parent, covers=covers, log_threshold=log_threshold)
    expectation = make_expectation(4, level=np.array([10_000.0, 1000.0, 9000.0, 900.0]))
    guard = Guard(bucket_us=MINUTE)
    guard.append(4)
    opened = np.zeros(4, bool)
    reasons: list[int] = []
    for k in range(12):
        x = np.array([9_750.0, 500.0, 8_750.0, 450.0])
        decision = guard.step(observe(k, x), expectation, traits)
        opened |= decision.opened
        reasons.append(int(decision.reason[3]))
    assert opened.tolist() == [False, True, False, False]
    assert reasons[-1] == Reason.PARENT_ALERTING

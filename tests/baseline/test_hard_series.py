"""Series that are no textbook: each kind in some rows of one panel of half hours, followed for weeks.

The panel is run once; what it did is looked at from several sides.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from monitor.model.tick import LAWS, Decision, Reason, State
from monitor.model.time import HOUR
from tests.contracts.flow import COUNT, MEAN, SUM, Flow, make_traits, observe, season

WIDTH = HOUR // 2
DAY_BUCKETS = 48
EACH = 5
KINDS = (
    "sparse",
    "sparse, judged",
    "heavy",
    "nights of 0",
    "constant count",
    "constant mean",
    "rare values",
    "starts late",
    "stops",
    "mean stops",
    "wanders",
    "drifts",
    "flanks",
)
LAW = {
    "heavy": SUM,
    "constant mean": MEAN,
    "rare values": MEAN,
    "starts late": MEAN,
    "mean stops": MEAN,
}
LATE_DAY, STOP_DAY, FALL_DAY, END_DAY = 9, 31, 33, 34


def rows_of(kind: str) -> slice:
    first = KINDS.index(kind) * EACH
    return slice(first, first + EACH)


@dataclass
class Story:
    """What was decided, and expected, bucket by bucket."""

    decisions: list[Decision]
    levels: np.ndarray
    bands: np.ndarray

    def openings(self, kind: str) -> list[tuple[int, int]]:
        """(bucket, row) of every incident of a kind that opened."""
        rows = rows_of(kind)
        return [
            (k, int(row))
            for k, d in enumerate(self.decisions)
            for row in np.flatnonzero(d.opened[rows])
        ]

    def states(self, kind: str, k: int) -> set[State]:
        return {State(int(s)) for s in self.decisions[k].state[rows_of(kind)]}


def draw(rng: np.random.Generator, k: int, wander: np.ndarray) -> tuple[np.ndarray, ...]:
    """x, n and whether anything was observed, of the k-th bucket."""
    day, hour = k // DAY_BUCKETS, k % DAY_BUCKETS / 2
    wave, fall = season(k, WIDTH), 0.5 if day >= FALL_DAY else 1.0
    x = np.zeros(len(KINDS) * EACH)
    n, seen = np.ones(x.size), np.ones(x.size, bool)

    def put(kind: str, values: Any, units: Any = None) -> None:
        x[rows_of(kind)] = values
        n[rows_of(kind)] = x[rows_of(kind)] if units is None else units

    put("sparse", rng.poisson(1.0 * wave, EACH))
    put("sparse, judged", rng.poisson(2.0 * wave * fall, EACH))
    buyers = rng.poisson(200 * wave * fall, EACH)
    put("heavy", [rng.lognormal(3, 1.5, b).sum() for b in buyers], buyers)
    put("nights of 0", rng.poisson(400 * fall, EACH) if hour >= 8 else 0.0)
    put("constant count", 500.0)
    put("constant mean", 7.0, 1.0)
    put("rare values", 40.0 * (rng.random(EACH) < 0.02), 1.0)
    put("starts late", 300 * wave * (1 + 0.03 * rng.standard_normal(EACH)), 1.0)
    seen[rows_of("starts late")] = day >= LATE_DAY
    put("stops", rng.poisson(400 * wave, EACH) if day < STOP_DAY else 0.0)
    put("mean stops", 15_000 * wave * (1 + 0.03 * rng.standard_normal(EACH)), 50.0)
    seen[rows_of("mean stops")] = day < STOP_DAY
    put("wanders", rng.poisson(5000 * wave * fall * np.exp(wander)))
    put("drifts", rng.poisson(2000 * wave * 1.02 ** (k / DAY_BUCKETS), EACH))
    put("flanks", rng.poisson(3000 * (1.0 if 8.5 <= hour < 18.5 else 0.2), EACH))
    return np.where(seen, x, 0.0), np.where(seen, n, 0.0), seen


@pytest.fixture(scope="module")
def story() -> Story:
    """34 days of all kinds."""
    size = len(KINDS) * EACH
    law = np.repeat([LAWS.index(LAW.get(kind, COUNT)) for kind in KINDS], EACH).astype(np.int8)
    few = np.isin(
        np.repeat(KINDS, EACH), ["sparse, judged", *[k for k, v in LAW.items() if v == MEAN]]
    )
    traits = replace(
        make_traits(size),
        law=law,
        total=law != LAWS.index(MEAN),
        min_units=np.where(few, 0.0, 10.0),
    )
    flow, rng = Flow(traits, width=WIDTH), np.random.default_rng(7)
    wander, decisions, levels, bands = np.zeros(EACH), [], [], []
    for k in range(END_DAY * DAY_BUCKETS):
        wander = 0.9 * wander + 0.03 * np.sqrt(1 - 0.81) * rng.standard_normal(EACH)
        x, n, seen = draw(rng, k, wander)
        expected, decision = flow.step(replace(observe(k, x, n, width=WIDTH), observed=seen))
        decisions.append(decision)
        levels.append(expected.level)
        bands.append(expected.sd_level)
    return Story(decisions=decisions, levels=np.array(levels), bands=np.array(bands))


LAST = FALL_DAY * DAY_BUCKETS - 1


@pytest.mark.parametrize("kind", [k for k in KINDS if "stops" not in k])
def test_what_is_usual_for_it_does_not_page(story: Story, kind: str) -> None:
    assert [k for k, _ in story.openings(kind) if k <= LAST] == []


@pytest.mark.parametrize("kind", ["heavy", "nights of 0", "wanders"])
def test_half_of_it_gone_is_found_within_the_day(story: Story, kind: str) -> None:
    found = {row for k, row in story.openings(kind) if k > LAST}
    assert len(found) == EACH


def test_a_sparse_count_is_called_too_few_and_judged_if_that_is_wished(story: Story) -> None:
    assert story.states("sparse", LAST) == {State.TOO_FEW_UNITS}
    assert story.states("sparse, judged", LAST) <= {State.OK, State.SUSPECTED}
    judged = story.levels[LAST, rows_of("sparse, judged")]
    assert np.median(judged) == pytest.approx(2.0 * season(LAST, WIDTH), rel=0.15)


def test_a_night_of_zeros_is_expected(story: Story) -> None:
    night = (FALL_DAY - 1) * DAY_BUCKETS + 8
    assert np.all(story.levels[night, rows_of("nights of 0")] < 1)
    noon = night + 16
    assert story.levels[noon, rows_of("nights of 0")] == pytest.approx(400, rel=0.05)


def test_a_constant_series_has_a_level_and_no_error(story: Story) -> None:
    assert story.levels[LAST, rows_of("constant count")] == pytest.approx(500, rel=1e-3)
    assert story.levels[LAST, rows_of("constant mean")] == pytest.approx(7, rel=1e-3)
    assert story.states("constant count", LAST) == {State.OK}


def test_rare_values_of_a_mean_are_seen_as_noise(story: Story) -> None:
    assert story.states("rare values", LAST) <= {State.OK, State.SUSPECTED}


def test_a_series_that_starts_in_the_middle_learns_from_there(story: Story) -> None:
    ready = (LATE_DAY + 18) * DAY_BUCKETS
    assert story.states("starts late", ready - 2 * DAY_BUCKETS) == {State.LEARNING}
    assert story.states("starts late", ready + DAY_BUCKETS) <= {State.OK, State.SUSPECTED}


@pytest.mark.parametrize(
    ("kind", "reason"), [("stops", Reason.SILENT), ("mean stops", Reason.NO_DATA)]
)
def test_a_series_that_stops_is_told_once(story: Story, kind: str, reason: Reason) -> None:
    opened = story.openings(kind)
    assert sorted(row for _, row in opened) == list(range(EACH))
    first = STOP_DAY * DAY_BUCKETS
    assert all(first < k <= first + 4 for k, _ in opened)
    later = story.decisions[first + 6].reason[rows_of(kind)]
    assert set(later.tolist()) == {int(reason)}


def test_a_slow_drift_is_followed(story: Story) -> None:
    """2 % a day is nothing to page by the half hour: the level follows, and the band shows it."""
    true = 2000 * season(LAST, WIDTH) * 1.02 ** (LAST / DAY_BUCKETS)
    assert story.levels[LAST, rows_of("drifts")] == pytest.approx(true, rel=0.05)


def test_flanks_inside_the_hour_are_learnt(story: Story) -> None:
    """Doors open at 8:30: the half hours of one hour differ fivefold, and the band stays narrow."""
    monday = 28 * DAY_BUCKETS
    before, after = story.levels[monday + 16 : monday + 18, rows_of("flanks")]
    assert before == pytest.approx(600, rel=0.1)
    assert after == pytest.approx(3000, rel=0.1)

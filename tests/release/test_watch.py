"""The e-process of a release: it latches, waits for its end with one half, and restores as it was."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from monitor.model.time import HOUR, MINUTE
from monitor.release.evidence import Note, ReleaseJudged, evidence
from monitor.release.scope import Place
from monitor.release.watch import LOG_ALPHA, Bucket, Watch
from tests.embedded.plans import metric_plan
from tests.release.told import T0, release

UP = np.array([True, False])


def test_the_capital_divides_by_the_weights() -> None:
    """All of it on the one bet that wins; what it has come to is its share of the whole."""
    for weights, share in ((None, 0.5), (np.array([1.0, 3.0]), 0.75)):
        watch = watch_of(weights=weights)
        watch.take(bucket(0, bets=(0.0, 1.0)), MINUTE)
        assert watch.table["down"][0] == pytest.approx(1.0 + np.log(share))
        again = Watch.load(UP, watch.dump(), weights)
        again.take(bucket(1, bets=(0.0, 1.0)), MINUTE)
        assert again.table["down"][0] == pytest.approx(2.0 + np.log(share))


def watch_of(size: int = 1, **changes: Any) -> Watch:
    halved = changes.pop("halved", False)
    weights = changes.pop("weights", None)
    watch = Watch(UP, begin_us=T0, halved=halved, weights=weights)
    columns = {
        "row": np.arange(size),
        "share": np.ones(size),
        "base": np.ones(size),
        "sd": np.full(size, 0.001),
        "eps": np.full(size, 0.02),
        "ready": np.ones(size, bool),
        **changes,
    }
    watch.add(**columns)
    return watch


def bucket(k: int, size: int = 1, bets: Any = (0.0, 0.0), **changes: Any) -> Bucket:
    fields: dict[str, Any] = {
        "x": np.full(size, 100.0),
        "n": np.full(size, 100.0),
        "mean": np.full(size, 100.0),
        "variance": np.full(size, 100.0),
        "log_bets": np.broadcast_to(np.array(bets, dtype=float), (size, 2)).copy(),
        "active": np.ones((size, 2), bool),
        "observed": np.ones(size, bool),
        "few": np.zeros(size, bool),
        "suspect": np.zeros(size, bool),
        **{name: np.broadcast_to(value, size).copy() for name, value in changes.items()},
    }
    return Bucket(start_us=T0 + k * MINUTE, end_us=T0 + (k + 1) * MINUTE, **fields)


def test_what_was_found_stays_found() -> None:
    watch = watch_of()
    for k in range(6):
        watch.take(bucket(k, bets=(-1.0, 1.5)), MINUTE)
    highest = watch.table["down"][0]
    assert highest == pytest.approx(9 - np.log(2))
    for k in range(6, 20):
        watch.take(bucket(k, bets=(1.0, -2.0)), MINUTE)
    assert watch.table["down"][0] == highest


def test_no_single_bucket_decides() -> None:
    watch = watch_of()
    watch.take(bucket(0, bets=(0.0, 1e6)), MINUTE)
    assert watch.table["down"][0] < -LOG_ALPHA


@pytest.mark.parametrize(
    ("changes", "counted"),
    [
        ({"observed": False}, "empty"),
        ({"few": True}, "few"),
        ({"suspect": True}, "suspect"),
    ],
)
def test_what_is_not_bet_on_is_counted_and_named(changes: dict[str, Any], counted: str) -> None:
    watch = watch_of()
    watch.take(bucket(0, bets=(0.0, 3.0), **changes), MINUTE)
    assert watch.table[counted][0] == 1
    assert watch.table["judged"][0] == 0
    assert watch.table["down"][0] == pytest.approx(-np.log(2)), "nothing was bet"
    watch.take(bucket(1, bets=(0.0, 3.0)), MINUTE)
    assert watch.table["judged"][0] == 1


@pytest.mark.parametrize("changes", [{"ready": [False]}, {"incident": [True]}, {"share": [0.0]}])
def test_a_row_that_cannot_be_judged_is_not(changes: dict[str, Any]) -> None:
    watch = watch_of(**changes)
    watch.take(bucket(0, bets=(0.0, 2.0)), MINUTE)
    assert watch.table["judged"][0] == 0
    assert watch.table["log_e"].sum() == 0


def test_until_the_end_is_told_one_half_of_the_capital_waits() -> None:
    halved, whole = watch_of(halved=True), watch_of()
    for watch in (halved, whole):
        for k in range(4):
            watch.take(bucket(k, bets=(0.0, 1.0)), MINUTE)
    lost = whole.table["down"][0] - halved.table["down"][0]
    assert lost == pytest.approx(np.log(2))
    halved.restart(T0 + HOUR)
    assert halved.table["judged"][0] == 0
    halved.take(bucket(60, bets=(0.0, -1.0)), MINUTE)
    kept = np.exp(4.0) / 4
    assert np.exp(halved.table["down"][0]) == pytest.approx(kept + np.exp(-1.0) / 4)


def test_where_nothing_was_bet_before_the_end_the_capital_is_whole() -> None:
    watch = watch_of(halved=True)
    watch.restart(T0 + HOUR)
    watch.take(bucket(60, bets=(0.0, 1.0)), MINUTE)
    assert np.exp(watch.table["down"][0]) == pytest.approx(np.exp(1.0) / 2)


def test_looking_all_the_time_at_fair_bets_finds_nothing_more_often_than_alpha() -> None:
    rng = np.random.default_rng(3)
    size, watch = 4000, watch_of(4000)
    for k in range(200):
        z = rng.standard_normal(size)[:, None]
        size_of_bet = np.array([0.3, -0.3])
        watch.take(bucket(k, size, bets=size_of_bet * z - 0.045), MINUTE)
    t = watch.table
    found = np.maximum(t["up"], t["down"]) >= -LOG_ALPHA
    assert 0 < found.mean() <= 0.01


def test_the_gate_keeps_what_was_known_after_six_hours() -> None:
    watch = watch_of()
    watch.take(bucket(0), MINUTE)
    before = watch.gate
    watch.take(bucket(361), MINUTE)
    assert (before, watch.gate is None) == (None, False)
    judged = ReleaseJudged.of(release(), watch, rows=np.array([0]), places=(PLACE,), blocked={})
    found = evidence(judged)[0]
    assert found.gate is not None
    assert (found.series[0].buckets, found.gate[0].buckets) == (2, 1)


def test_a_restored_watch_goes_on_as_the_other_one() -> None:
    watch = watch_of(3, halved=True)
    for k in range(5):
        watch.take(bucket(k, 3, bets=(0.1 * k, -0.2)), MINUTE)
    other = Watch.load(UP, watch.dump())
    for one in (watch, other):
        one.take(bucket(400, 3, bets=(0.3, -0.2)), MINUTE)
        one.restart(T0 + HOUR)
        one.take(bucket(401, 3, bets=(0.3, -0.2)), MINUTE)
    np.testing.assert_equal(watch.dump(), other.dump())


def test_rows_that_are_given_away_are_not_judged_any_more() -> None:
    watch = watch_of(2)
    watch.release_rows(np.array([1]))
    watch.take(bucket(0, 2), MINUTE)
    assert watch.table["judged"].tolist() == [1, 0]


PLACE = Place(metric=metric_plan("orders"), dimensions=(), segment="all")


def listed(watch: Watch, place: Place = PLACE) -> Any:
    rows = np.arange(watch.table.size)
    judged = ReleaseJudged.of(
        release(),
        watch,
        rows=rows,
        places=(place,) * len(rows),
        blocked={"other": ("up", Note.NO_DATA)},
    )
    return evidence(judged)


def test_the_effect_is_relative_and_its_interval_holds_noise_and_level() -> None:
    watch = watch_of()
    for k in range(60):
        watch.take(bucket(k, x=80.0), MINUTE)
    one = listed(watch)[0].series[0]
    assert one.effect == -0.2
    low, high = one.interval
    assert low < -0.2 < high
    assert high - low == pytest.approx(2 * (0.044 + 2.24 * 0.001 * 0.8), rel=0.05)
    # eps + sqrt(2 S ln(10 m / alpha)) + .84 sqrt(S), S = 1 / 6000
    assert one.mde == pytest.approx(0.02 + (2 / 6000 * np.log(1000)) ** 0.5 + 0.84 / 6000**0.5)


def test_what_was_not_seen_is_undefined_and_what_is_blocked_says_why() -> None:
    found = listed(watch_of(ready=[False]))
    assert (found[0].series[0].effect, found[0].series[0].mde) == (None, None)
    assert found[0].series[0].blocked is Note.LEARNING
    assert found[1].series[0].blocked is Note.NO_DATA
    assert listed(watch_of(incident=[True]))[0].series[0].blocked is Note.INCIDENT_AT_START


def test_a_segment_that_nobody_named_is_listed_once_it_moves() -> None:
    place = Place(metric=PLACE.metric, dimensions=("country",), segment="DE")
    watch = watch_of()
    watch.take(bucket(0), MINUTE)
    assert listed(watch, place)[0].series == []
    for k in range(1, 9):
        watch.take(bucket(k, bets=(0.0, 1.0)), MINUTE)
    assert [one.segment for one in listed(watch, place)[0].series] == ["DE"]


def test_a_shift_starts_with_the_first_bucket_where_that_makes_a_difference() -> None:
    watch = watch_of()
    for k in range(2):
        one = bucket(k, bets=(0.0, 1.0))
        watch.take(dataclasses.replace(one, log_start=np.array([[0.0, 2.0]])), MINUTE)
    assert watch.table["down"][0] == pytest.approx(3.0 - np.log(2)), "2 at its start, then 1"

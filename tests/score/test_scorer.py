import copy
import math
import pickle
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.score import Reason, SeriesScorer, score_of
from tests.score.series import BEGIN, ROWS, STEP, alerts, judged, noise, seasonal

NAN = math.nan
anything = st.one_of(
    st.floats(), st.sampled_from([0.0, 1.0, 1e308, -1e308, 5e-324, NAN, math.inf, 1e-200])
)


def shifted(values: list[float], by: float, rows: int = 60) -> list[float]:
    return [v + by * (BEGIN <= i < BEGIN + rows) for i, v in enumerate(values)]


FAULTS = {
    "a level shift up": shifted(noise(), 40),
    "a level shift down": shifted(noise(), -40),
    "a spike": shifted(noise(), 50, 1),
    "a spike within the range of a wave": shifted(seasonal(), -28, 2),
    "a larger variance": [
        100 + (v - 100) * (1 + 4 * (BEGIN <= i < BEGIN + 60)) for i, v in enumerate(noise())
    ],
    "a flat line": [
        noise()[BEGIN] if BEGIN <= i < BEGIN + 40 else v for i, v in enumerate(noise())
    ],
    "a wave that stands still": [
        seasonal()[BEGIN] if BEGIN <= i < BEGIN + 60 else v for i, v in enumerate(seasonal())
    ],
    "missing values": [NAN if BEGIN <= i < BEGIN + 20 else v for i, v in enumerate(noise())],
    "a day that is upside down": [
        200 - v if BEGIN <= i < BEGIN + 96 else v for i, v in enumerate(seasonal())
    ],
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_one_alert_soon_after_it_begins(name: str) -> None:
    found = [at for at in alerts(judged(FAULTS[name])) if BEGIN <= at < BEGIN + 30]
    assert len(found) == 1
    assert found[0] < BEGIN + 16


def test_a_score_rises_with_the_size_of_the_anomaly() -> None:
    scorer = SeriesScorer()
    judged(noise(), scorer)
    scores = [scorer.score_one({"value": 100 + off}) for off in (0, 15, 25, 50)]
    assert scores == sorted(scores)
    assert len(set(scores)) == len(scores)
    assert scores[-1] > 0.9999


def test_scores_keep_far_tails_apart() -> None:
    scores = [score_of(evidence) for evidence in (0, 3, 7, 9, 12, 14, 15)]
    assert scores[0] == 0
    assert scores[-1] < 1
    assert all(low < high for low, high in pairwise(scores))
    assert math.isclose(1 - scores[4], 1e-12, rel_tol=1e-3)


@pytest.mark.parametrize("absurd", [1e9, 1e300, -1e300])
@pytest.mark.parametrize("series", [noise, seasonal])
def test_one_absurd_value_does_not_hide_what_comes_after(
    series: Callable[[], list[float]], absurd: float
) -> None:
    values = shifted(series(), 60)
    values[600] = absurd
    found = alerts(judged(values))
    assert 600 in found
    assert [at for at in found if BEGIN <= at < BEGIN + 8]


@pytest.mark.parametrize("value", [0.0, 7.0, -1e-9, 1e12])
def test_a_constant_never_alarms(value: float) -> None:
    assert alerts(judged([value] * 3_000)) == []


def test_the_first_change_of_a_constant_alarms() -> None:
    assert alerts(judged([7.0] * 500 + [8.0] + [7.0] * 20)) == [500]


def test_scoring_does_not_learn() -> None:
    scorer = SeriesScorer()
    judged(seasonal(rows=700), scorer)
    before = pickle.dumps(scorer)
    for value in (0.0, 100.0, 1e9, NAN):
        scorer.score_one({"value": value, "time": 1e7, "n": 3.0})
    assert pickle.dumps(scorer) == before


def test_score_one_and_judge_agree() -> None:
    scorer = SeriesScorer()
    for row, value in enumerate(shifted(seasonal(), 60)):
        asked = scorer.score_one({"value": value, "time": STEP * row})
        assert asked == scorer.judge(value, STEP * row).score


def test_learn_one_learns_what_judge_learns() -> None:
    one, other = SeriesScorer(), SeriesScorer()
    for row, value in enumerate(noise(rows=300)):
        one.learn_one({"value": value, "time": STEP * row, "n": 10.0})
        other.judge(value, STEP * row, 10.0)
    assert repr(judged(seasonal(), one)) == repr(judged(seasonal(), other))


@pytest.mark.parametrize("at", [0, 1, 99, 650])
def test_dumped_and_loaded_it_goes_on_alike(at: int) -> None:
    values = shifted(seasonal(), 60)
    scorer = SeriesScorer()
    judged(values[:at], scorer)
    loaded = pickle.loads(pickle.dumps(scorer))  # noqa: S301 - our own
    assert repr(judged(values[at:], loaded)) == repr(judged(values[at:], scorer))


def test_a_row_is_judged_by_the_rows_before_it_only() -> None:
    values = shifted(seasonal(), 60)
    whole = judged(values)
    for until in (50, 700, BEGIN + 5):
        changed = values[:until] + [v * 3 - 50 for v in values[until:]]
        assert repr(judged(changed)[:until]) == repr(whole[:until])


def test_false_alarms_on_noise_are_about_one_in_a_thousand_rows() -> None:
    found = sum(len(alerts(judged(noise(seed, 3_000)))) for seed in range(3))
    assert found <= 3 * 3 * 2


def test_the_evidence_of_noise_is_a_tail() -> None:
    """One row in a hundred has the evidence of about 1 in 100, within the number of signals."""
    evidence = [row.evidence for row in judged(noise(3, 4_000))[500:]]
    share = float(np.mean(np.array(evidence) > 2))
    assert 0.005 < share < 0.13


def test_the_band_holds_ordinary_values_and_the_expectation_follows_the_wave() -> None:
    values = seasonal(rows=2_000)
    rows = judged(values)[1_000:]
    inside = [row.lower < v < row.upper for row, v in zip(rows, values[1_000:], strict=True)]
    assert np.mean(inside) > 0.98
    errors = [row.expected - v for row, v in zip(rows, values[1_000:], strict=True)]
    assert np.std(errors) < 5


def test_rows_that_are_absent_are_missing() -> None:
    scorer = SeriesScorer()
    judged(noise(rows=BEGIN), scorer)
    row = scorer.judge(100.0, STEP * (BEGIN + 30))
    assert row.alert
    assert row.reason is Reason.MISSING
    assert not scorer.judge(100.0, STEP * (BEGIN + 31)).alert


def test_a_season_goes_on_behind_a_gap() -> None:
    values = seasonal(rows=2_400)
    scorer = SeriesScorer()
    judged(values[:1_200], scorer)
    after = [scorer.judge(values[row], STEP * row) for row in range(1_250, 2_400)]
    assert [r.evidence for r in after[1:100] if r.alert] == []


def test_a_value_of_few_units_counts_for_less() -> None:
    scorer = SeriesScorer()
    for row, value in enumerate(noise()):
        scorer.judge(value, STEP * row, 1_000.0)
    many, few = (scorer.score_one({"value": 125.0, "n": n}) for n in (1_000.0, 10.0))
    assert few < 0.95
    assert many > 0.999


def test_a_count_that_is_its_own_n_is_not_excused_by_it() -> None:
    scorer = SeriesScorer()
    for row, value in enumerate(noise()):
        scorer.judge(round(value), STEP * row, round(value))
    assert scorer.score_one({"value": 0.0, "n": 0.0}) > 0.999


@pytest.mark.parametrize("times", ["none", "repeated", "irregular", "backwards"])
def test_any_spacing_is_judged(times: str) -> None:
    chance = np.random.default_rng(5)
    at = {
        "none": [NAN] * ROWS,
        "repeated": [1e9] * ROWS,
        "irregular": np.cumsum(chance.exponential(60, ROWS)).tolist(),
        "backwards": [1e9 - row for row in range(ROWS)],
    }[times]
    scorer = SeriesScorer()
    rows = [scorer.judge(v, t) for v, t in zip(shifted(noise(), 50), at, strict=True)]
    assert [a for a in alerts(rows) if BEGIN <= a < BEGIN + 8]


@settings(max_examples=30, deadline=None)
@given(st.lists(anything, max_size=250), st.lists(anything, max_size=40))
def test_any_input_gives_a_score(values: list[float], more: list[float]) -> None:
    scorer = SeriesScorer()
    for row, value in enumerate(values + noise(rows=120) + more):
        result = scorer.judge(value, 60.0 * row, abs(value))
        assert 0 <= result.score < 1
        assert 0 <= result.evidence <= 15


@pytest.mark.parametrize("scale", [1e-100, 1e-9, 1e9, 1e130])
def test_the_unit_of_the_values_does_not_matter(scale: float) -> None:
    plain = judged(shifted(seasonal(), 60))
    scaled = judged([v * scale for v in shifted(seasonal(), 60)])
    assert alerts(scaled) == alerts(plain)


def test_a_copy_is_independent() -> None:
    scorer = SeriesScorer()
    judged(noise(rows=200), scorer)
    before = pickle.dumps(scorer)
    judged([1e6] * 50, copy.deepcopy(scorer))
    assert pickle.dumps(scorer) == before

"""The bets on a quantile: E[L] <= 1 inside the band, and what they need to be placed."""

import numpy as np
import pytest
from scipy import stats

from monitor.guard import band_edges, tail_bets
from monitor.guard.bets import UP, Bets, scale
from monitor.model.tick import Expectation, Floats, TailExpectation
from monitor.stats.beta_binomial import size
from monitor.stats.tail import log_odds, share_above, share_of
from tests.contracts.flow import QUANTILE, make_expectation, make_traits, observe

TOLERANCE = 1e-9


def expectation(
    rows: int, *, shift: float = 0.0, deviation: float = 0.0, phi: float = 1.0
) -> Expectation:
    base = make_expectation(rows, level=200.0, units=100.0)
    full = {"shift": shift, "deviation": deviation, "phi": phi}
    tail = TailExpectation(**{name: np.full(rows, value) for name, value in full.items()})
    return Expectation(
        **{n: getattr(base, n) for n in base.__dataclass_fields__ if n != "tail"}, tail=tail
    )


def payoffs(counts: Floats, n: float, tail: float, expected: Expectation) -> Floats:
    """L of every bet where so many events lie above both edges of the band: float64[x, bets]."""
    rows = counts.size
    traits = make_traits(rows, QUANTILE, tail=tail)
    seen = observe(0, np.full(rows, 200.0 * n), n)
    seen = type(seen)(
        start_us=seen.start_us,
        end_us=seen.end_us,
        x=seen.x,
        n=seen.n,
        observed=seen.observed,
        above=np.repeat(counts[:, None], 3, axis=1),
    )
    scaled = scale(seen, expected, traits)
    assert Bets().active(expected, scaled, traits).all()
    assert not tail_bets.unknown(seen, expected, traits).any()
    return np.exp(np.minimum(Bets().pay(seen, expected, scaled, traits).log, 700.0))


@pytest.mark.parametrize("phi", [1.0, 1.3, 5.0, 40.0])
@pytest.mark.parametrize("n", [1, 2, 7, 20, 100, 1000])
@pytest.mark.parametrize("tail", [0.01, 0.05, 0.5, 0.95])
def test_expected_payoffs_are_at_most_one_inside_the_band(phi: float, n: int, tail: float) -> None:
    """Up bets for every smaller share above the upper edge, down bets for every larger one above
    the lower edge, as far as the share is known."""
    counts = np.arange(n + 1.0)
    total = float(size(np.array([float(n)]), np.array([phi]))[0])
    for shift, deviation in ((0.0, 0.0), (0.2, 0.05), (-0.1, 0.3)):
        paid = payoffs(
            counts, n, tail, expectation(n + 1, shift=shift, deviation=deviation, phi=phi)
        )
        usual = log_odds(share_above(np.array([tail]), np.array([float(n)])))[0] + shift
        for off in (0.0, 0.2, 1.0):
            for bets, sign in ((UP, -1.0), (~UP, +1.0)):
                edge = usual - sign * tail_bets.SHARE_SDS * deviation + sign * off
                p = float(share_of(np.array([edge]))[0])
                law = (
                    stats.betabinom(n, p * total, (1 - p) * total) if phi > 1 else stats.binom(n, p)
                )
                assert np.max(law.pmf(counts) @ paid[:, bets]) <= 1 + TOLERANCE


def test_the_payoffs_are_monotone_in_the_count() -> None:
    """So that a null deeper inside the band, and counting whole bins, can only lower them."""
    paid = payoffs(np.arange(101.0), 100, 0.05, expectation(101, phi=1.5))
    assert (np.diff(paid[:, UP], axis=0) > 0).all()
    assert (np.diff(paid[:, ~UP], axis=0) < 0).all()


def test_the_band_is_in_the_values_that_are_counted_above() -> None:
    expected = expectation(1)
    edges = band_edges(expected, make_traits(1, QUANTILE, min_relative_shift=0.1))
    assert edges[0].tolist() == pytest.approx([200.0, 220.0, 180.0])


def test_bets_on_what_is_unknown_are_not_placed() -> None:
    traits, seen = make_traits(2, QUANTILE), observe(0, [200.0, 200.0], 1.0)
    expected = expectation(2)
    assert tail_bets.unknown(seen, expected, traits).all()  # nobody counted
    assert np.isnan(tail_bets.log_payoffs(seen, expected, traits, np.arange(2))).all()
    counted = type(seen)(
        start_us=0, end_us=1, x=seen.x, n=seen.n, observed=seen.observed,
        above=np.array([[1.0, 1.0, 1.0], [np.nan] * 3]),
    )  # fmt: skip
    assert tail_bets.unknown(counted, expected, traits).tolist() == [False, True]
    assert tail_bets.unknown(counted, expectation(2, phi=np.nan), traits).all()
    assert not tail_bets.unknown(seen, expected, make_traits(2)).any()


@pytest.mark.parametrize(
    ("tail", "moved"),
    [
        (0.05, (0.29, 0.53, 1.1, 1.7, 2.4)),
        (0.01, (0.42, 0.78, 1.6, 2.4, 3.3)),
        (0.5, (0.13, 0.25, 0.53, 0.88, 1.35)),
    ],
)
def test_the_steps_span_what_a_slower_answer_does_to_the_share(
    tail: float, moved: tuple[float, ...]
) -> None:
    """The share above the old quantile where exponential latencies rise by 10, 20 and 50 %, double and triple."""
    rises = np.array([1.1, 1.2, 1.5, 2.0, 3.0])
    odds = log_odds(tail ** (1 / rises)) - log_odds(np.array(tail))
    assert odds == pytest.approx(moved, abs=0.04)
    assert (odds >= tail_bets.STEPS_UP[0]).all()
    assert (odds <= tail_bets.STEPS_UP[-1]).all()


def test_of_log_normal_latencies_the_share_above_moves_further() -> None:
    edge = stats.norm.isf(0.05)
    share = stats.norm.sf(edge - np.log([1.1, 1.2, 1.5]) / 0.5)
    odds = log_odds(share) - log_odds(np.array(0.05))
    assert odds == pytest.approx((0.40, 0.75, 1.6), abs=0.04)

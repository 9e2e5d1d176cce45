"""Quantiles through baseline and guard: judged by how many events lie above, not by the value alone."""

from dataclasses import replace

import numpy as np
import pytest

from monitor.guard import band_edges
from monitor.model.tick import Decision, Floats
from monitor.model.time import MINUTE
from tests.contracts.flow import QUANTILE, Flow, make_traits, observe, season

HALF = 30 * MINUTE
DAY = 48


def run_samples(flow: Flow, k: int, samples: Floats) -> Decision:
    """One bucket of events, a row each of `samples`."""
    n = samples.shape[1]
    place = int(np.ceil(round((1 - flow.traits.tail[0]) * n, 9))) - 1
    value = np.sort(samples, axis=1)[:, place]
    seen = observe(k, value * n, float(n), width=flow.width)
    expected = flow.baseline.expect(seen.start_us, seen.end_us, flow.traits)
    edges = band_edges(expected, flow.traits)
    above = np.stack([(samples > edges[:, [i]]).sum(axis=1) for i in range(3)], axis=1)
    return flow.step(replace(seen, above=above.astype(float)))[1]


@pytest.mark.slow
@pytest.mark.parametrize(("n", "tail"), [(1000, 0.05), (1000, 0.5), (12, 0.05)])
def test_shifts_are_found_and_noise_is_not(n: int, tail: float) -> None:
    """Exponential latencies whose scale wanders by 3 % from bucket to bucket, with a season.

    A third of the rows rises by half, a third falls by a third, a third stays. Of 12 events the p95
    is the largest: its value is noise, and nothing may be paged.
    """
    rng, size = np.random.default_rng(8), 12
    flow = Flow(make_traits(size, QUANTILE, tail=tail, log_threshold=np.log(1e5)), width=HALF)
    first: dict[int, tuple[int, int]] = {}
    shift = np.repeat([1.5, 0.67, 1.0], size // 3)
    begin = DAY * 22
    for k in range(begin + 12):
        scale = 50 * season(k, HALF, 0.1) * np.exp(0.03 * rng.standard_normal(size))
        scale *= np.where(k >= begin, shift, 1.0)
        decision = run_samples(flow, k, scale[:, None] * rng.exponential(1.0, (size, n)))
        for row in np.flatnonzero(decision.opened).tolist():
            first.setdefault(row, (k - begin, int(decision.direction[row])))
    if n < 100:
        assert first == {}
        return
    assert sorted(first) == list(range(2 * size // 3))
    for row, (delay, direction) in first.items():
        assert 2 <= delay <= 6  # no single bucket pages
        assert direction == (1 if shift[row] > 1 else -1)

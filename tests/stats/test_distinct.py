import numpy as np
import pytest

from monitor.stats.distinct import KEPT, SPAN_BITS, estimate


def test_below_the_bound_the_number_kept_is_the_number() -> None:
    kept = np.arange(KEPT)
    assert (estimate(kept, np.zeros(KEPT, np.int64)) == kept).all()


@pytest.mark.parametrize("size", [KEPT, 10_000, 300_000])
def test_above_it_the_estimate_is_unbiased_and_as_exact_as_stated(size: int) -> None:
    rng = np.random.default_rng(size)
    runs = 60
    largest = [
        np.sort(rng.integers(0, 1 << SPAN_BITS, size, dtype=np.int64))[KEPT - 1]
        for _ in range(runs)
    ]
    found = estimate(np.full(runs, KEPT), np.array(largest))
    assert (found == np.rint(found)).all()
    error = found / size - 1
    stated = 1 / np.sqrt(KEPT - 2)
    assert abs(error.mean()) < 4 * stated / np.sqrt(runs)
    assert np.abs(error).max() < 4 * stated

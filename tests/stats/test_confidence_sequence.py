import numpy as np

from monitor.stats.confidence_sequence import half_width, tuned_for


def test_a_walk_stays_inside_at_all_times_with_the_promised_probability() -> None:
    rng = np.random.default_rng(1)
    walks = np.cumsum(rng.standard_normal((2000, 1000)), axis=1)
    variance = np.arange(1.0, 1001.0)
    bound = half_width(variance, tuned_for(np.array([100.0]), 0.05), 0.05)
    left = (np.abs(walks) > bound).any(axis=1).mean()
    assert 0.005 < left <= 0.05


def test_it_is_narrowest_where_it_was_tuned() -> None:
    variance = np.array([100.0])
    widths = [half_width(variance, tuned_for(np.array([v]), 0.05), 0.05)[0] for v in (5, 100, 2000)]
    assert min(widths) == widths[1]

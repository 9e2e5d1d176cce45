"""Likelihood ratio of a relative residual: normal (GUARD: sum, mean, other ratios)."""

from monitor.model.tick import Floats


def log_ratio(residual: Floats, variance: Floats, null: Floats, alternative: Floats) -> Floats:
    """Log density at mean `alternative` over that at mean `null`, of one variance.

    Args:
        residual: x / expected - 1.
        variance: of the residual, at the null.
        null: relative shift under the null.
        alternative: relative shift under the alternative.
    """
    return (alternative - null) * (2.0 * residual - null - alternative) / (2.0 * variance)

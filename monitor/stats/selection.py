"""Which of several e-detectors may be named together: e-d-BH."""

import numpy as np

from monitor.model.tick import Bools, Floats


def e_benjamini_hochberg(log_m: Floats, log_threshold: Floats) -> Bools:
    """The largest set of k of m where the k-th largest evidence is at least A m / k.

    Wang and Ramdas, False discovery rate control with e-values (2022), applied to e-detectors at a
    stopping time. Thresholds may differ: each detector counts by its evidence over its own A.

    Args:
        log_m: natural log of M; -inf or NaN where there is none.
        log_threshold: natural log of A.

    >>> e_benjamini_hochberg(np.log([300.0, 160.0, 5.0]), np.log([100.0, 100.0, 100.0]))
    array([ True,  True, False])
    """
    ratio = np.where(np.isnan(log_m), -np.inf, log_m - log_threshold)
    m = ratio.size
    if m == 0:
        return np.zeros(0, dtype=np.bool_)
    ordered = np.sort(ratio)[::-1]
    enough = ordered >= np.log(m) - np.log(np.arange(1, m + 1))
    if not enough.any():
        return np.zeros(m, dtype=np.bool_)
    last = int(np.flatnonzero(enough)[-1])
    named: Bools = ratio >= ordered[last]
    return named


def weighted_e_benjamini_hochberg(log_e: Floats, log_share: Floats, log_alpha: float) -> int:
    """How many e-values e-BH with weights selects: those with the largest `log_e + log_share`.

    Wang and Ramdas, False discovery rate control with e-values (2022): the largest k such that the k-th
    largest of E times its share is at least 1 / (k alpha), the shares being 1 at most together.

    Args:
        log_e: natural log of E; -inf where there is none.
        log_share: natural log of each one's share; -inf where it has none.
        log_alpha: natural log of alpha.

    >>> weighted_e_benjamini_hochberg(np.log([300.0, 160.0, 5.0]), np.log([0.5, 0.5, 1e-9]), np.log(0.01))
    2
    """
    weighed = np.sort(log_e + log_share)[::-1]
    enough = weighed + log_alpha + np.log(np.arange(1, weighed.size + 1)) >= 0
    selected = np.flatnonzero(enough)
    return int(selected[-1]) + 1 if selected.size else 0

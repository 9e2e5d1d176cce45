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

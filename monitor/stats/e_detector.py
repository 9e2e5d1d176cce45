"""The mixture Shiryaev-Roberts e-detector and the e-values it is made of.

Shin, Ramdas, Rinaldo, E-detectors (arXiv 2203.03532): where each bet L has conditional expectation
at most 1 under the null, the expected time until M = mean R reaches A is at least A.
"""

import numpy as np

from monitor.model.tick import Floats

FLOOR = -50.0
"""Log of the least factor: it keeps R out of the denormal numbers and adds 2e-22 to E[L]."""
CEILING = 1e250
"""R grows no further: an incident may last for weeks."""


def grow(r: Floats, log_bet: Floats, cap: Floats) -> Floats:
    """`R <- (1 + R) L`, with log L at most `cap`: no single bucket can page.

    Args:
        r: R before the bucket.
        log_bet: log L of the bucket.
        cap: the most that log L may be, half of log A.
    """
    result: Floats = np.minimum((1.0 + r) * capped(log_bet, cap), CEILING)
    return result


def grow_in_two(r: Floats, log_bet: Floats, log_start: Floats, cap: Floats) -> Floats:
    """`R <- R L + L'`, where a shift that starts with this bucket is another bet than one that goes on."""
    result: Floats = np.minimum(r * capped(log_bet, cap) + capped(log_start, cap), CEILING)
    return result


def capped(log_bet: Floats, cap: Floats) -> Floats:
    """L, of which the log is between `FLOOR` and `cap`."""
    factor: Floats = np.exp(np.minimum(np.maximum(log_bet, FLOOR), cap))
    return factor

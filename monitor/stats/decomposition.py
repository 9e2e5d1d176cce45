"""A change of an average, split into what moved inside its parts and what moved between them.

Kitagawa, Components of a Difference Between Two Rates, J. Am. Stat. Assoc. 50 (1955): with shares w that
add up to 1 and rates r, before (0) and after (1), `R = sum(w r)`,

    R1 - R0 = sum((w0 + w1)/2 (r1 - r0)) + sum(((r0 + r1)/2 - (R0 + R1)/2) (w1 - w0))

exactly: the rate effect and the mix effect. Subtracting the mean rate changes no sum, for the changes of
the shares add up to 0, and makes each part's own term say what its larger share did.
"""

from dataclasses import dataclass

import numpy as np

from monitor.model.tick import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The terms of the split, one a part, in the units of the rates: float64[parts]."""

    rate: Floats
    mix: Floats

    @property
    def rate_effect(self) -> float:
        """What the average moved by because rates did."""
        return float(np.sum(self.rate))

    @property
    def mix_effect(self) -> float:
        """What the average moved by because shares did."""
        return float(np.sum(self.mix))


def kitagawa(w0: Floats, r0: Floats, w1: Floats, r1: Floats) -> Split:
    """The split of `sum(w1 r1) - sum(w0 r0)`.

    Args:
        w0: shares before; they add up to 1. float64[parts]
        r0: rates before. float64[parts]
        w1: shares after. float64[parts]
        r1: rates after. float64[parts]

    >>> half = np.array([0.5, 0.5])
    >>> s = kitagawa(half, np.array([0.1, 0.3]), np.array([0.75, 0.25]), np.array([0.1, 0.3]))
    >>> round(s.rate_effect, 12), round(s.mix_effect, 12)
    (0.0, -0.05)
    """
    mean = (float(np.sum(w0 * r0)) + float(np.sum(w1 * r1))) / 2.0
    return Split(rate=(w0 + w1) / 2.0 * (r1 - r0), mix=((r0 + r1) / 2.0 - mean) * (w1 - w0))

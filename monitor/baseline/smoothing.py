"""The weekly profile, smoothed: what of its spectrum stands out of the noise.

Of 168 noisy hours most say little. The spectrum of the week is cut into blocks, multiples of a day and what
lies between them, and each block is shrunk by `max(0, 1 - noise / power)` (positive-part James-Stein; GUARD.md,
the baseline, 3).
"""

import numpy as np

from monitor.model.tick import Floats
from monitor.stats.robust import NORMAL_MAD, Array, median_last

DAYS = 7
MOST_SDS = 1.0
"""No slot is moved by more of its standard deviations: at a step all frequencies matter a little (limited
translation: Efron and Morris, J. Amer. Stat. Assoc. 1972)."""
BEYOND = 0.15
"""Of normal chance that is limited so this share is left: E max(|z| - 1, 0)^2."""
LEAST_SLOTS = 3 * DAYS
"""A week of fewer slots is left as it is."""


def blocks(slots: int) -> list[tuple[int, int]]:
    """Ranges `[first, last + 1)` of frequencies, in cycles a week: {7 d}, and {7 d + 1 .. 7 d + 6}."""
    top, found = slots // 2 + 1, []
    for daily in range(0, top, DAYS):
        if daily:
            found.append((daily, daily + 1))
        if daily + 1 < top:
            found.append((daily + 1, min(daily + DAYS, top)))
    return found


def smooth(shape: Floats, white: Floats, wander: Floats, rho: Floats) -> tuple[Floats, Floats]:
    """Shrink the profiles of some rows.

    Args:
        shape: log profiles whose mean is 0. float64[rows, slots]
        white: variance of a slot of them by chance. float64[rows]
        wander: variance of a slot by a factor that wanders; its chance lies in the low frequencies.
        rho: correlation of that factor from slot to slot.

    Returns:
        The profiles, and by row the share of all that chance which is left in them.
    """
    rows, slots = shape.shape
    if slots < LEAST_SLOTS:
        return shape, np.ones(rows)
    angle = 2.0 * np.pi * np.arange(slots // 2 + 1) / slots
    fast = 1.0 - 2.0 * rho[:, None] * np.cos(angle) + (rho * rho)[:, None]
    noise = white[:, None] + (wander * (1.0 - rho * rho))[:, None] / fast
    spectrum = np.fft.rfft(shape, axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    left, whole = noise[:, 0].copy(), noise[:, 0].copy()  # the mean is the level's
    for first, end in blocks(slots):
        mean, chance = power[:, first:end].mean(axis=1), noise[:, first:end].mean(axis=1)
        factor = np.where(mean > 0, np.maximum(1.0 - slots * chance / mean, 0.0), 0.0)
        spectrum[:, first:end] *= factor[:, None]
        both = 2.0 * (end - first) - (1.0 if 2 * (end - 1) == slots else 0.0)
        left += both * factor * chance
        whole += both * chance
    share = np.where(whole > 0, left / whole, 1.0)
    share += BEYOND * (1.0 - share)
    limit = MOST_SDS * np.sqrt(whole / slots)[:, None]
    change = np.fft.irfft(spectrum, n=slots, axis=1) - shape
    return shape + np.minimum(np.maximum(change, -limit), limit), share


def scatter(rest: Array) -> Floats:
    """Variance of a slot from week to week, robust; NaN where no two weeks have slots in common.

    Args:
        rest: log values without level and growth. float64[rows, slots, weeks]
    """
    step = np.diff(rest, axis=2).reshape(rest.shape[0], -1)
    scale = NORMAL_MAD * median_last(np.abs(step - median_last(step)[:, None]))
    variance: Floats = 0.5 * scale * scale
    return variance

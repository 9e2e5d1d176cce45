"""The period of a series, found from its values."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SHORTEST: Final = 4
_CYCLES: Final = 3
"""A period must have been seen so often."""
_LEAST: Final = 0.25
"""Autocorrelation at the period, at least."""
_NEAR_BEST: Final = 0.9
"""The first peak this near to the highest is the period; later ones are its multiples."""
_BROAD: Final = 1.15
_WINSOR: Final = 5.0
_VALLEY: Final = 0.1


def find_period(values: Sequence[float]) -> int | None:
    """Rows a period, from the highest peak of the autocorrelation; None where there is none."""
    count = len(values)
    if count <= _CYCLES * _SHORTEST:
        return None
    x = _steady(np.asarray(values, dtype=np.float64))
    scale = float(x @ x)
    longest = count // _CYCLES
    if not scale > 0:
        return None
    size = 1 << int(np.ceil(np.log2(2 * count)))
    spectrum = np.fft.rfft(x, size)
    products = np.fft.irfft((spectrum * spectrum.conj()).real, size)[: longest + 2]
    rho = products / scale * (count / (count - np.arange(len(products))))
    valley = np.flatnonzero(rho < _VALLEY)
    if not len(valley):
        return None
    peaks = 1 + np.flatnonzero((rho[1:-1] > rho[:-2]) & (rho[1:-1] >= rho[2:]))
    peaks = peaks[peaks >= max(_SHORTEST, int(valley[0]))]
    if not len(peaks) or rho[peaks].max() < _LEAST:
        return None
    first = int(peaks[np.argmax(rho[peaks] >= _NEAR_BEST * rho[peaks].max())])
    # Noise breaks one broad peak into many.
    return first + int(np.argmax(rho[first : int(_BROAD * first) + 1]))


def _steady(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without its slope and without what sticks out."""
    quarter = max(1, len(x) // 4)
    slope = (x[-quarter:].mean() - x[:quarter].mean()) / max(1, len(x) - quarter)
    x = x - slope * np.arange(len(x))
    x = x - np.median(x)
    x = x / max(float(np.abs(x).max()), 1e-300)
    limit = _WINSOR * 1.483 * float(np.median(np.abs(x)))
    if limit > 0:
        x = np.clip(x, -limit, limit)
    centred: NDArray[np.float64] = x - x.mean()
    return centred

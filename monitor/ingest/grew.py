"""What the rows of a metric grew by in a flush: sums and entries, what units did, or both."""

from dataclasses import dataclass, replace

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.model.frame import Entries, UnitEvents

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grew:
    """The rows that grew.

    Attributes:
        keys: by row, which it is: numbers of (row of the calendar, series), sorted. int64[r]
        high, low: by row and measure, the sum as a pair. float64[r, k]
        entries: of measures that are no sums.
        units: what units did.
    """

    keys: Ints
    high: Floats
    low: Floats
    entries: Entries | None = None
    units: UnitEvents | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Did:
    """Rows in which units did something.

    Attributes:
        keys: as in `Grew`. int64[r]
        units: what they did.
    """

    keys: Ints
    units: UnitEvents


def beside(grew: Grew | None, did: Did | None, measures: int) -> Grew | None:
    """Both in the same rows.

    Args:
        grew: what the measures grew by that events add to.
        did: what units did.
        measures: of the metric.
    """
    if did is None:
        return grew
    if grew is None:
        nothing = np.zeros((did.keys.size, measures))
        return Grew(keys=did.keys, high=nothing, low=nothing, units=did.units)
    keys = np.union1d(grew.keys, did.keys)
    high, low = np.zeros((2, keys.size, measures))
    at = np.searchsorted(keys, grew.keys)
    high[at], low[at] = grew.high, grew.low
    entries = grew.entries
    if entries is not None:
        entries = msgspec.structs.replace(entries, row=_moved(entries.row, at))
    to = np.searchsorted(keys, did.keys)
    units = msgspec.structs.replace(did.units, row=_moved(did.units.row, to))
    return replace(grew, keys=keys, high=high, low=low, entries=entries, units=units)


def _moved(row: NDArray[np.int32], to: Ints) -> NDArray[np.int32]:
    return to[row].astype(np.int32)

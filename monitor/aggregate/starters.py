"""Units on their way: the starts of some cohorts, found by unit, and how far each has come.

A start is one (unit, time). What it has reached is the earliest arrival at each step, one after the
other: no other choice of events gets a unit further. Events come in batches of later and later times.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.aggregate.horizon import Horizon
from monitor.aggregate.sketches import ranges
from monitor.model.tick import Bools, Ints


@dataclass(slots=True, kw_only=True)
class Starters:
    """Starts of cohorts that follow one another.

    Attributes:
        key: hash of the unit. int64[s]
        time_us: when it started. int64[s]
        step: the step that it has reached; 0 is the start. int8[s]
        reached_us: when; None where there is one later step only. int64[s]
        order: places of the starts by key. int32[s]
    """

    key: Ints
    time_us: Ints
    step: NDArray[np.int8]
    reached_us: Ints | None
    order: NDArray[np.int32]

    @classmethod
    def of(cls, key: Ints, time_us: Ints, *, steps: int) -> "Starters":
        """Starts that have reached nothing yet, in any order; `steps` counts the first one."""
        return cls(
            key=key,
            time_us=time_us,
            step=np.zeros(len(key), dtype=np.int8),
            reached_us=time_us.copy() if steps > 2 else None,  # noqa: PLR2004
            order=np.argsort(key, kind="stable").astype(np.int32),
        )

    def __len__(self) -> int:
        return len(self.key)

    def then(self, later: "Starters") -> "Starters":
        """These starts and those of later cohorts, whose places move up by `len(self)`."""
        key = np.concatenate([self.key, later.key])
        both = self.reached_us, later.reached_us
        return Starters(
            key=key,
            time_us=np.concatenate([self.time_us, later.time_us]),
            step=np.concatenate([self.step, later.step]),
            reached_us=None if both[0] is None else np.concatenate(both),  # type: ignore[arg-type]
            order=np.argsort(key, kind="stable").astype(np.int32),
        )

    def places(self, keys: Ints) -> Ints:
        """Places of the starts of these units."""
        low, high = self._span(keys)
        places: Ints = self.order[ranges(low, high)].astype(np.int64)
        return places

    def _span(self, keys: Ints) -> tuple[Ints, Ints]:
        return (
            np.searchsorted(self.key, keys, side="left", sorter=self.order),
            np.searchsorted(self.key, keys, side="right", sorter=self.order),
        )

    def advance(self, step: int, key: Ints, time_us: Ints, horizon: Horizon) -> Ints:
        """Let the starts that have reached the step before this one go on.

        Args:
            step: which events these are; call it for one step after the other.
            key: units of the events. int64[e]
            time_us: times of the events, which are sorted by both. int64[e]
            horizon: how long a start may take.

        Returns:
            Places of the starts that went on.
        """
        if not len(self) or not len(key):
            return _NONE
        head = np.flatnonzero(np.r_[True, key[1:] != key[:-1]])
        stop = np.r_[head[1:], len(key)]
        low, high = self._span(key[head])
        at = self.order[ranges(low, high)].astype(np.int64)
        unit = np.repeat(np.arange(len(head)), high - low)
        waits = self.step[at] == step - 1
        at, unit = at[waits], unit[waits]
        if not len(at):
            return _NONE
        since, until = horizon.span(self.time_us[at])
        if self.reached_us is not None:
            since = self.reached_us[at]
        place = _first_from(time_us, head[unit], stop[unit], since)
        found = place < stop[unit]
        when = time_us[np.minimum(place, len(time_us) - 1)]
        found &= when <= until
        at = at[found]
        self.step[at] = step
        if self.reached_us is not None:
            self.reached_us[at] = when[found]
        moved: Ints = at
        return moved


_NONE: Ints = np.empty(0, dtype=np.int64)


def _first_from(values: Ints, low: Ints, high: Ints, wanted: Ints) -> Ints:
    """By range [low, high) of sorted values, the first place that holds a value from `wanted` on."""
    low, high = low.copy(), high.copy()
    for _ in range(int((high - low).max(initial=0)).bit_length()):
        middle = (low + high) >> 1
        below: Bools = (values[np.minimum(middle, len(values) - 1)] < wanted) & (low < high)
        low = np.where(below, middle + 1, low)
        high = np.where(below, high, middle)
    places: Ints = low
    return places

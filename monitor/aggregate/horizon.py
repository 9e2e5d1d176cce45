"""How long a cohort's units may take: when each must have come on, and when its bucket is mature."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from monitor.definitions.calendar import day_of, day_start
from monitor.definitions.plan import Followed, MetricPlan
from monitor.model.tick import Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Horizon:
    """The time that a unit has from its start on.

    Attributes:
        within_us: elapsed time, where `timezone` is empty.
        day: else: on which calendar day after the start's it must be back.
        timezone: whose calendar that is.
    """

    within_us: int = 0
    day: int = 0
    timezone: str = ""

    @classmethod
    def of(cls, followed: Followed) -> "Horizon":
        """The horizon of a cohort."""
        if followed.timezone:
            return cls(day=followed.cohort.day, timezone=followed.timezone)
        return cls(within_us=followed.cohort.within_us)

    def mature_us(self, end_us: int) -> int:
        """When the last unit that started before this edge of a bucket has had its time."""
        if not self.timezone:
            return end_us + self.within_us
        return day_start(self.timezone, day_of(self.timezone, end_us - 1) + self.day + 1)

    def span(self, times_us: Ints) -> tuple[Ints, Ints]:
        """From when on, and until when (inclusive), a unit that starts at these times may come on."""
        if not self.timezone or not len(times_us):
            return times_us, times_us + self.within_us
        first, last = (day_of(self.timezone, int(t)) for t in (times_us.min(), times_us.max()))
        edges = np.array(
            [day_start(self.timezone, day) for day in range(first, last + self.day + 2)], np.int64
        )
        own = np.searchsorted(edges[: last - first + 1], times_us, side="right") - 1
        return edges[own + self.day], edges[own + self.day + 1] - 1

    def earliest_us(self, time_us: int) -> int:
        """No unit that started earlier could still come on at this time."""
        if not self.timezone:
            return time_us - self.within_us
        return day_start(self.timezone, day_of(self.timezone, time_us) - self.day)

    def dump(self) -> list[Any]:
        """As plain values."""
        return [self.within_us, self.day, self.timezone]


@dataclass(frozen=True, slots=True, kw_only=True)
class Longest:
    """The horizon of what is derived from several cohorts: it is known when all of them are.

    Attributes:
        of: their horizons.
    """

    of: tuple[Horizon, ...]

    def mature_us(self, end_us: int) -> int:
        """When the last unit that started before this edge of a bucket has had its time in each."""
        return max(horizon.mature_us(end_us) for horizon in self.of)

    def dump(self) -> list[Any]:
        """As plain values, which can be told from those of a single horizon."""
        return [*self.of[0].dump(), [horizon.dump() for horizon in self.of]]


def horizon_of(metric: MetricPlan) -> Horizon | Longest | None:
    """How long a bucket of a metric is immature; None where it follows no units."""
    found = {Horizon.of(followed) for followed in metric.followed}
    if not found:
        return None
    if metric.cohort is not None:
        return found.pop()
    return Longest(of=tuple(sorted(found, key=Horizon.dump)))


def load_horizon(state: list[Any]) -> Horizon | Longest | None:
    """The horizon that `dump` described; None of nothing."""
    if not state:
        return None
    within_us, day, timezone, *several = state
    if not several:
        return Horizon(within_us=within_us, day=day, timezone=timezone)
    return Longest(of=tuple(Horizon(within_us=w, day=d, timezone=z) for w, d, z in several[0]))

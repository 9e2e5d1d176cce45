"""How long a cohort's units may take: when each must have come on, and when its bucket is mature."""

from dataclasses import dataclass

import numpy as np

from monitor.definitions.calendar import day_of, day_start
from monitor.definitions.plan import MetricPlan
from monitor.model.tick import Ints

RETENTION = "retention"


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
    def of(cls, metric: MetricPlan) -> "Horizon | None":
        """The horizon of a metric; None where it follows no units."""
        if metric.cohort is None:
            return None
        if metric.kind == RETENTION:
            return cls(day=metric.cohort.day, timezone=metric.season_timezone)
        return cls(within_us=metric.cohort.within_us)

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

"""Which metrics are kept and judged together: those of one calendar and, of cohorts, one horizon.

Those that are derived from cohorts stay by themselves: their rows are wider, and hold sums too.
"""

from dataclasses import dataclass
from typing import Any

from monitor.aggregate.horizon import Horizon, Longest, horizon_of, load_horizon
from monitor.aggregate.panel import panel_calendar
from monitor.definitions.plan import Calendar, MetricPlan

_QUALITY = "quality"


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneKey:
    """What a lane is found by.

    Attributes:
        calendar: its buckets.
        horizon: how long units may take; None where none are followed.
        quality: whether its metrics are those of the measurement.
    """

    calendar: Calendar
    horizon: Horizon | Longest | None = None
    quality: bool = False

    @classmethod
    def of(cls, metric: MetricPlan) -> "LaneKey":
        """The key of a metric's lane."""
        return cls(calendar=panel_calendar(metric), horizon=horizon_of(metric))

    def order(self) -> tuple[Any, ...]:
        """What lanes are sorted by."""
        return self.calendar.width_us, self.calendar.timezone, *_parts(self.horizon)

    def dump(self) -> list[Any]:
        """As plain values."""
        parts = [_QUALITY] if self.quality else _parts(self.horizon)
        return [self.calendar.width_us, self.calendar.timezone, *parts]

    @classmethod
    def load(cls, state: list[Any]) -> "LaneKey":
        """The key that `dump` described."""
        width, timezone, *parts = state
        calendar = Calendar(width_us=width, timezone=timezone)
        if parts == [_QUALITY]:
            return cls(calendar=calendar, quality=True)
        return cls(calendar=calendar, horizon=load_horizon(parts))


def _parts(horizon: Horizon | Longest | None) -> list[Any]:
    return [] if horizon is None else horizon.dump()

"""The shop's world: where its customers live, what they carry, when they are awake.

All rates are means a minute at `volume` 1, over the week. A cluster is what one actor does of one kind
within a minute; its size follows the logarithmic law, so that the number of events in a minute is
negative binomial with variance `PHI` times the mean (Quenouille 1949), in every segment alike.
"""

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from monitor.model.time import DAY, HOUR, MINUTE

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

COUNTRIES: Final = ("US", "DE", "GB", "FR", "BR", "JP")
COUNTRY_SHARES: Final[Floats] = np.array([0.46, 0.27, 0.11, 0.08, 0.05, 0.03])
UTC_OFFSET_HOURS: Final[Floats] = np.array([-6.0, 1.0, 0.0, 1.0, -3.0, 9.0])
"""Of the middle of the country; clocks there do not change in spring and autumn."""
APPETITE: Final[Floats] = np.array([1.1, 1.1, 0.95, 0.85, 0.55, 0.5])
"""How much likelier than elsewhere a visitor puts something into the cart."""

PLATFORMS: Final = ("android", "ios", "web")
PLATFORM_SHARES: Final[Floats] = np.array([0.4, 0.35, 0.25])

PHI: Final = 2.0
"""Variance over mean of the events of a minute."""
CLUSTER: Final = (1 - 1 / PHI) / (math.log(PHI) / PHI)
"""Events of a cluster, on average: 1.44."""

EVENTS: Final = ("session", "view", "cart", "checkout", "order", "signup", "activate", "request")
REQUESTS: Final = 800.0
VISITS: Final = 150.0
"""Clusters of views; each is a visit that may go on to cart, checkout and order."""
STEPS: Final = ("view", "cart", "checkout", "order")
GOES_ON: Final = (1.0, 0.45, 0.7, 0.85)
"""The share of a step's visitors who take the next one; `APPETITE` scales that of the cart."""
STEP_MINUTES: Final = (0.0, 4.0, 3.0, 2.0)
"""Minutes from the step before, on average."""
SIGNUPS: Final = 0.5
VISITORS: Final = 3.0
"""Sessions of people who never signed up."""
ERROR_SHARE: Final = 0.02

_WEEK: Final[Floats] = np.array([0.99, 0.97, 0.97, 0.98, 1.0, 1.06, 1.03])  # Monday first
_EPOCH_WEEKDAY: Final = 3  # 1970-01-01 was a Thursday
_GROWTH_A_DAY: Final = 0.0015
_GROWN: Final = 0.6
"""Growth ends at 60 % over the start."""


def _daily(hour: Floats) -> Floats:
    evening = 0.5 * np.cos(2 * np.pi * (hour - 19.5) / 24)
    return np.asarray(np.exp(evening + 0.12 * np.cos(4 * np.pi * (hour - 12.5) / 24)))


_DAILY_MEAN: Final = float(_daily(np.arange(0, 24, 0.25)).mean())


def season(time_us: Ints) -> Floats:
    """How busy each country is, around 1 over its week; shape (times, countries)."""
    local = time_us[:, None] + (UTC_OFFSET_HOURS * HOUR).astype(np.int64)
    daily = _daily((local % DAY) / HOUR) / _DAILY_MEAN
    return np.asarray(daily * _WEEK[(local // DAY + _EPOCH_WEEKDAY) % 7])


def growth(days: Floats) -> Floats:
    """Volume against that at the start, so many days after it (before it: negative)."""
    return np.asarray(1 + _GROWN * np.tanh(days * _GROWTH_A_DAY / _GROWN))


def minutes_of_day() -> Ints:
    """The beginnings of the minutes of a day, microseconds from midnight."""
    return np.arange(DAY // MINUTE, dtype=np.int64) * MINUTE

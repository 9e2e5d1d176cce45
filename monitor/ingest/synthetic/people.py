"""Members: they sign up, activate, come back by habit, and stay away one day.

Nothing is remembered: whoever signed up on a day is drawn from (seed, day), and who of them is back on
another day from (seed, that day). Days are UTC's, numbered from the epoch.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np

from monitor.ingest.synthetic.chance import generator
from monitor.ingest.synthetic.market import (
    COUNTRIES,
    COUNTRY_SHARES,
    PLATFORM_SHARES,
    SIGNUPS,
    VISITORS,
    Floats,
    Ints,
    growth,
    minutes_of_day,
    season,
)
from monitor.ingest.synthetic.occasions import Occasions
from monitor.model.time import DAY, HOUR, MINUTE, SECOND

MEMORY_DAYS: Final = 75
"""Nobody comes back after so many days."""
_HABITS: Final = (0.1, 0.3, 0.6)  # daily, weekly, once
_LIFETIME_DAYS: Final[Floats] = np.array([45.0, 60.0, 60.0])
_RETURNS: Final[Floats] = np.array([0.7, 0.06, 0.008])
"""Chance of a session on a day while the habit lasts."""
_ON_THE_DAY: Final = 0.75
"""Of the weekly ones, on the weekday of their signup."""
_ACTIVATES: Final = 0.62
_ACTIVATION_MINUTES: Final = (1.6, 0.9)  # log-normal
_JITTER: Final = 0.12
_DAY_MINUTES: Final = DAY // MINUTE
_LOOK_AROUND_US: Final = 40 * SECOND
_VISITOR: Final = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Who signed up on a day; arrays with one entry a member.

    Attributes:
        country, platform: codes.
        time_us: of the signup.
        activated_us: of the activation; -1 where there is none.
        habit: 0 daily, 1 weekly, 2 once.
        lifetime: days until the habit ends.
        hour: where in the country's day the member comes, from 0 to 1.
    """

    country: Ints
    platform: Ints
    time_us: Ints
    activated_us: Ints
    habit: Ints
    lifetime: Floats
    hour: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Doings:
    """What people do.

    Attributes:
        at: when and where; versions are 0.
        cohort, member: who: day of the signup and number in it; cohort -1 is somebody unknown.
    """

    at: Occasions
    cohort: Ints
    member: Ints

    def taken(self, which: Ints) -> "Doings":
        """Those of these indices, as often as they occur in it."""
        return Doings(at=self.at.taken(which), cohort=self.cohort[which], member=self.member[which])

    def between(self, from_us: int, until_us: int) -> "Doings":
        """Those in [from, until), of doings in the order of time."""
        first, stop = np.searchsorted(self.at.time_us, (from_us, until_us))
        return self.taken(np.arange(first, stop))

    def sorted(self) -> "Doings":
        """In the order of time."""
        return self.taken(np.argsort(self.at.time_us, kind="stable"))

    def names(self) -> list[str]:
        """The actors."""
        return [
            f"u{cohort}-{member}" if cohort >= 0 else f"v{member:x}"
            for cohort, member in zip(self.cohort.tolist(), self.member.tolist(), strict=True)
        ]


class People:
    """All members of one shop, and its visitors.

    Args:
        seed: the shop's.
        start_us: growth is counted from it.
        volume: multiplies signups and visitors.
    """

    def __init__(self, *, seed: int, start_us: int, volume: float) -> None:
        self._seed, self._start_us, self._volume = seed, start_us, volume
        self._cohort = lru_cache(maxsize=MEMORY_DAYS + 8)(self._draw_cohort)
        self._day = lru_cache(maxsize=4)(self._draw_day)

    def doings(self, from_us: int, until_us: int) -> dict[str, Doings]:
        """The events `signup`, `activate` and `session` in [from, until), a day long at most."""
        parts: dict[str, list[Doings]] = {"session": [], "signup": [], "activate": []}
        # An activation may fall on the day after.
        for day in range(from_us // DAY - 1, (until_us - 1) // DAY + 1):
            for name, doings in self._day(day).items():
                parts[name].append(doings.between(from_us, until_us))
        return {name: _joined(found) for name, found in parts.items()}

    def _draw_cohort(self, day: int) -> Cohort:
        rng = generator(self._seed, "cohort", day)
        size = int(rng.poisson(SIGNUPS * _DAY_MINUTES * self._busy(day)))
        habit = rng.choice(len(_HABITS), size, p=_HABITS)
        country = rng.choice(len(COUNTRIES), size, p=COUNTRY_SHARES)
        hour = rng.random(size)
        time_us = day * DAY + _moments(day, country, hour)
        mean, spread = _ACTIVATION_MINUTES
        waits = np.minimum(rng.lognormal(mean, spread, size) * MINUTE, 6 * HOUR).astype(np.int64)
        return Cohort(
            country=country,
            platform=rng.choice(len(PLATFORM_SHARES), size, p=PLATFORM_SHARES),
            time_us=time_us,
            activated_us=np.where(rng.random(size) < _ACTIVATES, time_us + waits, -1),
            habit=habit,
            lifetime=rng.exponential(_LIFETIME_DAYS[habit]),
            hour=hour,
        )

    def _draw_day(self, day: int) -> dict[str, Doings]:
        cohort = self._cohort(day)
        number = np.arange(len(cohort.time_us))
        signups = Doings(
            at=_at(cohort.time_us, cohort.country, cohort.platform),
            cohort=np.full(len(number), day),
            member=number,
        )
        active = signups.taken(np.flatnonzero(cohort.activated_us >= 0))
        activated = replace(
            active, at=replace(active.at, time_us=cohort.activated_us[active.member])
        )
        # Who signs up has opened a session before, on the same day.
        opened_us = np.maximum(cohort.time_us - _LOOK_AROUND_US, day * DAY)
        opened = replace(signups, at=replace(signups.at, time_us=opened_us))
        sessions = _joined([opened, self._back(day), self._visitors(day)])
        return {
            "signup": signups.sorted(),
            "activate": activated.sorted(),
            "session": sessions.sorted(),
        }

    def _back(self, day: int) -> Doings:
        """Sessions of members who come back on this day, one each."""
        cohorts = [self._cohort(day - age) for age in range(1, MEMORY_DAYS + 1)]
        sizes = np.array([len(cohort.time_us) for cohort in cohorts])
        age = np.repeat(np.arange(1, MEMORY_DAYS + 1), sizes)
        habit = np.concatenate([cohort.habit for cohort in cohorts])
        chance = _RETURNS[habit]
        chance[(habit == 1) & (age % 7 == 0)] = _ON_THE_DAY
        chance[age > np.concatenate([cohort.lifetime for cohort in cohorts])] = 0.0
        rng = generator(self._seed, "back", day)
        who = np.flatnonzero(rng.random(len(age)) < chance)
        country = np.concatenate([cohort.country for cohort in cohorts])[who]
        usual = np.concatenate([cohort.hour for cohort in cohorts])[who]
        hour = (usual + _JITTER * rng.standard_normal(len(who))) % 1.0
        platform = np.concatenate([cohort.platform for cohort in cohorts])[who]
        return Doings(
            at=_at(day * DAY + _moments(day, country, hour), country, platform),
            cohort=day - age[who],
            member=np.concatenate([np.arange(size) for size in sizes])[who],
        )

    def _visitors(self, day: int) -> Doings:
        rng = generator(self._seed, "visitor", day)
        size = int(rng.poisson(VISITORS * _DAY_MINUTES * self._busy(day)))
        country = rng.choice(len(COUNTRIES), size, p=COUNTRY_SHARES)
        platform = rng.choice(len(PLATFORM_SHARES), size, p=PLATFORM_SHARES)
        return Doings(
            at=_at(day * DAY + _moments(day, country, rng.random(size)), country, platform),
            cohort=np.full(size, _VISITOR),
            member=rng.integers(0, 2**48, size),
        )

    def _busy(self, day: int) -> float:
        """The traffic of a day, around `volume`."""
        grown = growth(np.array([(day * DAY - self._start_us) / DAY]))[0]
        busy = season(day * DAY + minutes_of_day()[::15]) @ COUNTRY_SHARES
        return self._volume * float(grown * busy.mean())


def _moments(day: int, country: Ints, hour: Floats) -> Ints:
    """Microseconds from midnight, by the share of the country's day that has passed."""
    busy = season(day * DAY + minutes_of_day())
    found = np.zeros(len(country), dtype=np.int64)
    for code in range(len(COUNTRIES)):
        own = np.flatnonzero(country == code)
        passed = np.concatenate(([0.0], np.cumsum(busy[:, code])))
        at = np.interp(hour[own], passed / passed[-1], np.arange(_DAY_MINUTES + 1))
        found[own] = np.minimum(at * MINUTE, DAY - 1).astype(np.int64)
    return found


def _at(time_us: Ints, country: Ints, platform: Ints) -> Occasions:
    return Occasions(
        time_us=time_us, country=country, platform=platform, version=np.zeros_like(country)
    )


def _joined(parts: list[Doings]) -> Doings:
    return Doings(
        at=_at(
            np.concatenate([part.at.time_us for part in parts]),
            np.concatenate([part.at.country for part in parts]),
            np.concatenate([part.at.platform for part in parts]),
        ),
        cohort=np.concatenate([part.cohort for part in parts]),
        member=np.concatenate([part.member for part in parts]),
    )

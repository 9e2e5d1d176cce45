"""An hour of the shop: its minutes, what is expected in them, and the names of its versions."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from monitor.ingest.synthetic.faults import BadRelease
from monitor.ingest.synthetic.market import (
    APPETITE,
    CLUSTER,
    COUNTRIES,
    ERROR_SHARE,
    GOES_ON,
    PLATFORM_SHARES,
    PLATFORMS,
    REQUESTS,
    STEP_MINUTES,
    STEPS,
    VISITS,
    Floats,
    Ints,
)
from monitor.ingest.synthetic.occasions import Occasions
from monitor.ingest.synthetic.rates import Rates, taken_up
from monitor.ingest.synthetic.versions import KEPT, in_use, shares
from monitor.model.time import MINUTE

MINUTES: Final = 60
BAD: Final = KEPT
"""The code of a bad release's version, after those in use."""
VERSIONS: Final = KEPT + 1
_MOST_ERRORS: Final = 0.9
_COUNTRY: Final[Ints] = np.arange(len(COUNTRIES))[None, :, None]
_PLATFORM: Final[Ints] = np.arange(len(PLATFORMS))[None, None, :]
_ANY: Final[Ints] = np.zeros((1, 1, 1), dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One hour, from the shop's start on.

    Attributes:
        number: of the hour; may be negative.
        start_us: its first microsecond.
        releases: bad releases that run in it.
        rates: what is expected.
        usual: shares of the newest version, and of the two newest, by platform.
    """

    number: int
    start_us: int
    releases: tuple[BadRelease, ...]
    rates: Rates
    usual: Floats

    @classmethod
    def of(cls, number: int, first_us: int, rates: Rates) -> "Block":
        """The block of a shop that starts at `first_us`."""
        start_us = first_us + number * MINUTES * MINUTE
        taken = [shares(platform, start_us) for platform in range(len(PLATFORMS))]
        return cls(
            number=number,
            start_us=start_us,
            releases=tuple(rates.release(start_us, start_us + MINUTES * MINUTE)),
            rates=rates,
            usual=np.cumsum(taken, axis=1)[:, : KEPT - 1],
        )

    @property
    def stop_us(self) -> int:
        """The first microsecond after it."""
        return self.start_us + MINUTES * MINUTE

    @property
    def minutes_us(self) -> Ints:
        """The beginnings of its minutes."""
        return self.start_us + np.arange(MINUTES, dtype=np.int64) * MINUTE

    def step(self, step: int) -> Floats:
        """Mean events of a step of `STEPS`; shape (minutes, countries, platforms)."""
        lag_us = round(sum(STEP_MINUTES[: step + 1])) * MINUTE
        mean = self._cells(VISITS * CLUSTER * float(np.prod(GOES_ON[: step + 1])), lag_us)
        if step:
            mean = mean * APPETITE[None, :, None]
        mean = mean * self._factor(STEPS[step])
        return mean * (1 + self._orders_fall()) if STEPS[step] == "order" else mean

    def requests(self) -> tuple[Floats, Floats]:
        """Mean requests that succeed, and that fail; shape (minutes, countries, platforms)."""
        mean = self._cells(REQUESTS, 0) * self._factor("request")
        failing = ERROR_SHARE * self._factor("error")
        for release, taken in self.take_up():
            failing[:, :, PLATFORMS.index(release.platform)] *= (
                1 + (release.errors - 1) * taken[:, None]
            )
        failing = np.minimum(failing, _MOST_ERRORS)
        return mean * (1 - failing), mean * failing

    def moments(self, rng: np.random.Generator, minute: Ints) -> Ints:
        """Times within minutes of the block, to the millisecond."""
        inside = rng.integers(0, MINUTE // 1000, len(minute)) * 1000
        return np.asarray(self.start_us + minute * MINUTE + inside)

    def take_up(self) -> list[tuple[BadRelease, Floats]]:
        """Bad releases with the share of their platform that has them, by minute."""
        return [(release, taken_up(release, self.minutes_us)) for release in self.releases]

    def versions(
        self, rng: np.random.Generator, time_us: Ints, platform: Ints, event: str = ""
    ) -> Ints:
        """Codes of the versions of events at these times: of `in_use`, or `BAD`.

        Args:
            rng: chance.
            time_us: of the events.
            platform: of the events.
            event: `error` and `order` happen more or less often under a bad release.
        """
        found: Ints = (rng.random(len(platform))[:, None] >= self.usual[platform]).sum(axis=1)
        for release in self.releases:
            taken = taken_up(release, time_us)
            weight = {"error": release.errors, "order": 1 + release.orders}.get(event, 1.0)
            share = taken * weight / np.maximum(1 + taken * (weight - 1), 1e-9)
            own = platform == PLATFORMS.index(release.platform)
            found[own & (rng.random(len(platform)) < share)] = BAD
        return found

    def dimensions(self) -> list[str]:
        """JSON of the dimensions, without braces, by `cell`."""
        bad = {release.platform: release.version for release in self.releases}
        names = [
            [*in_use(number, self.start_us), bad.get(platform, "")]
            for number, platform in enumerate(PLATFORMS)
        ]
        return [
            f'"country":"{country}","platform":"{platform}","app_version":"{version}"'
            for country in COUNTRIES
            for number, platform in enumerate(PLATFORMS)
            for version in names[number]
        ]

    def _cells(self, mean: float, lag_us: int) -> Floats:
        busy = self.rates.busy(self.minutes_us - lag_us)
        return np.asarray(mean * busy[:, :, None] * PLATFORM_SHARES)

    def _factor(self, event: str) -> Floats:
        minutes_us = self.minutes_us[:, None, None]
        at = Occasions(time_us=minutes_us, country=_COUNTRY, platform=_PLATFORM, version=_ANY)
        return self.rates.factor(event, at)

    def _orders_fall(self) -> Floats:
        found = np.zeros((MINUTES, 1, len(PLATFORMS)))
        for release, taken in self.take_up():
            found[:, 0, PLATFORMS.index(release.platform)] = release.orders * taken
        return found


def cell(country: Ints, platform: Ints, version: Ints) -> Ints:
    """The index of a combination in `Block.dimensions`."""
    return (country * len(PLATFORMS) + platform) * VERSIONS + version

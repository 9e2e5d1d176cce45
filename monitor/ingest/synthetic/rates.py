"""How much is expected of what, minute by minute: season, growth and the faults that change rates."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from monitor.errors import ConfigError
from monitor.ingest.synthetic.faults import BadRelease, Fault, Incident, MixShift, Where
from monitor.ingest.synthetic.market import (
    COUNTRIES,
    COUNTRY_SHARES,
    PLATFORMS,
    Flags,
    Floats,
    Ints,
    growth,
    season,
)
from monitor.ingest.synthetic.occasions import Occasions
from monitor.model.time import DAY, HOUR, to_rfc3339


class Rates:
    """The shop's expectations.

    Args:
        start_us: when the shop opened its doors here; growth is counted from it.
        faults: what goes wrong.
        volume: multiplies all traffic.

    Raises:
        ConfigError: two bad releases of one platform are less than an hour apart.
    """

    def __init__(self, *, start_us: int, faults: Sequence[Fault], volume: float) -> None:
        self._start_us, self._volume = start_us, volume
        self._incidents = [f for f in faults if isinstance(f, Incident)]
        self._mixes = [f for f in faults if isinstance(f, MixShift)]
        self._releases = sorted(
            (f for f in faults if isinstance(f, BadRelease)), key=lambda each: each.started_us
        )
        _require_apart(self._releases)

    def busy(self, time_us: Ints) -> Floats:
        """Traffic by country around that of the whole shop, which is `volume` on average.

        Returns:
            Shape (times, countries), moved between countries where the mix shifts.
        """
        found = COUNTRY_SHARES * season(time_us) * self.grown(time_us)[:, None]
        for mix in self._mixes:
            origin, target = COUNTRIES.index(mix.origin), COUNTRIES.index(mix.target)
            moved = found[:, origin] * np.where(_during(mix, time_us), mix.share, 0.0)
            found[:, origin] -= moved
            found[:, target] += moved
        return found

    def grown(self, time_us: Ints) -> Floats:
        """`volume` and growth."""
        return self._volume * growth((time_us - self._start_us) / DAY)

    def factor(self, event: str, at: Occasions) -> Floats:
        """What incidents leave of the events of one name; 1 where none is. Arrays may broadcast."""
        found = np.ones(np.broadcast_shapes(at.time_us.shape, at.country.shape, at.platform.shape))
        for incident in self._incidents:
            if incident.event == event:
                hit = _during(incident, at.time_us) & within(incident.where, at)
                found = np.where(hit, found * (1 + incident.shift), found)
        return found

    def moved(self, time_us: Ints, countries: Ints, drawn: Floats) -> Ints:
        """Countries of single people after shifts of the mix; `drawn` is uniform in [0, 1)."""
        for mix in self._mixes:
            gone = (countries == COUNTRIES.index(mix.origin)) & (drawn < mix.share)
            hit = gone & _during(mix, time_us)
            countries = np.where(hit, COUNTRIES.index(mix.target), countries)
        return countries

    def release(self, from_us: int, until_us: int) -> list[BadRelease]:
        """The bad releases of a span of an hour: one a platform at most."""
        return [
            release
            for release in self._releases
            if release.started_us < until_us and from_us < release.ended_us
        ]


def _require_apart(releases: Sequence[BadRelease]) -> None:
    for first, second in combinations(releases, 2):
        if first.platform == second.platform and second.started_us < first.ended_us + HOUR:
            message = (
                f"bad release {second.version!r} on {second.platform} begins at "
                f"{to_rfc3339(second.started_us)}, less than an hour after {first.version!r} was "
                "rolled back there: leave an hour between them"
            )
            raise ConfigError(message)


def taken_up(release: BadRelease, time_us: Ints) -> Floats:
    """The share of the platform that runs a bad release."""
    age = np.maximum(time_us - release.started_us, 0)
    share = 1 - np.exp(-age / max(release.rollout_us, 1))
    return np.where(_during(release, time_us), share, 0.0)


def within(where: Where, at: Occasions) -> Flags:
    """Whether country and platform are those of a segment."""
    found = np.ones(np.broadcast_shapes(at.country.shape, at.platform.shape), dtype=bool)
    for dimension, value in where:
        if dimension == "country":
            found = found & (at.country == COUNTRIES.index(value))
        elif dimension == "platform":
            found = found & (at.platform == PLATFORMS.index(value))
    return found


def _during(fault: Fault, time_us: Ints) -> Flags:
    return np.asarray((fault.started_us <= time_us) & (time_us < fault.ended_us))

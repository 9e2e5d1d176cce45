"""What happens in the demo: weeks of a shop, the last hours of them in compressed time.

The shop's time ends at the wall clock: in its last hours Germany's orders fall for a while, and later a
new version breaks requests on android until it is rolled back.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.clock import Clock
from monitor.ingest.synthetic import Fault, Shop, parse_fault
from monitor.model.time import DAY, HOUR, MINUTE, SECOND, to_rfc3339

HISTORY_US = 19 * DAY
"""Learnt from before anything happens; a metric is judged from its 18th day on."""
COMPRESSED_US = 6 * HOUR
"""The last part of it, in which things happen."""
COMPRESSED_SECONDS = 40.0
"""How long that takes."""

_INCIDENT = ("incident:order,country=DE:-55%", -5 * HOUR, 80)
_RELEASE = ("bad_release:android,version=9.0.0,errors=4", -150 * MINUTE, 50)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The times of a demo, microseconds.

    Attributes:
        seed: of the shop.
        start_us: where history begins, on a whole hour.
        compressed_us: from when on time is compressed.
        now_us: where it meets the wall clock.
        faults: what goes wrong, and when.
    """

    seed: int
    start_us: int
    compressed_us: int
    now_us: int
    faults: tuple[Fault, ...]

    @classmethod
    def ending(
        cls,
        now_us: int,
        *,
        seed: int,
        history_us: int = HISTORY_US,
        faults: Sequence[Fault] | None = None,
    ) -> "Story":
        """The story that ends at this time; without `faults` the usual ones."""
        now_us -= now_us % MINUTE
        start_us = now_us - history_us - COMPRESSED_US
        return cls(
            seed=seed,
            start_us=start_us - start_us % HOUR,
            compressed_us=now_us - COMPRESSED_US,
            now_us=now_us,
            faults=tuple(_usual(now_us) if faults is None else faults),
        )

    @property
    def minutes(self) -> int:
        """How many minutes it has until it meets the wall clock."""
        return (self.now_us - self.start_us) // MINUTE

    def shop(self, *, aggregated: bool) -> Shop:
        """What brings the events; `aggregated` ones that nobody counts by person in one line."""
        return Shop(
            seed=self.seed, start_us=self.start_us, faults=self.faults, aggregated=aggregated
        )


def _usual(now_us: int) -> list[Fault]:
    return [
        parse_fault(f"{what}@{to_rfc3339(now_us + since_us)}/{minutes}m")
        for what, since_us, minutes in (_INCIDENT, _RELEASE)
    ]


class CompressedClock:
    """A clock that runs from one time to the wall clock's in a few seconds, and is the wall clock then.

    Args:
        wall: the wall clock.
        from_us: where it begins.
        seconds: how long it takes.
    """

    def __init__(self, wall: Clock, from_us: int, *, seconds: float = COMPRESSED_SECONDS) -> None:
        self._wall = wall
        self._from_us = from_us
        self._began_us = wall()
        self._lasts_us = round(seconds * SECOND)

    def __call__(self) -> int:
        """Microseconds since the epoch."""
        now_us = self._wall()
        share = min(1.0, (now_us - self._began_us) / self._lasts_us)
        return self._from_us + round(share * (now_us - self._from_us))

    @property
    def has_arrived(self) -> bool:
        """Whether it is the wall clock now."""
        return self._wall() - self._began_us >= self._lasts_us

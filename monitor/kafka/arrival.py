"""The arrival clock: what events are judged by, of the future or not."""

from monitor.model.time import SECOND


class Arrival:
    """The wall clock, which goes on as it ran where it is set back.

    Events of the present must not become dead letters because a clock is wrong for a while. Where it
    was wrong before, and is right now, events of the future are taken in until the next start: the
    jump guard of the watermark stands between them and the buckets.

    >>> arrival = Arrival()
    >>> arrival.at(100 * SECOND, 1.0) // SECOND, arrival.at(40 * SECOND, 2.0) // SECOND
    (100, 101)
    >>> arrival.at(500 * SECOND, 3.0) // SECOND
    500
    """

    def __init__(self) -> None:
        self._ahead_us: int | None = None

    def at(self, now_us: int, steady_seconds: float) -> int:
        """The time of arrival.

        Args:
            now_us: the wall clock.
            steady_seconds: a clock that only runs forward, at the same moment.
        """
        steady_us = round(steady_seconds * SECOND)
        ahead_us = now_us - steady_us
        self._ahead_us = ahead_us if self._ahead_us is None else max(self._ahead_us, ahead_us)
        return self._ahead_us + steady_us

"""What goes wrong in the shop on request: four kinds of faults, whole minutes long."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from monitor.model.time import MINUTE, to_rfc3339

Where = tuple[tuple[str, str], ...]
"""The segment: (dimension, value) pairs, all of which hold; empty is the whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something wrong between two minutes.

    Attributes:
        started_us, ended_us: both cut to the minute; at least one minute.
    """

    kind: ClassVar[str] = ""
    started_us: int
    ended_us: int

    def __post_init__(self) -> None:
        start = self.started_us - self.started_us % MINUTE
        stop = max(self.ended_us - self.ended_us % MINUTE, start + MINUTE)
        object.__setattr__(self, "started_us", start)
        object.__setattr__(self, "ended_us", stop)

    def truth(self) -> dict[str, object]:
        """The line of the truth file: kind, what, where, started_at, ended_at, size."""
        what, where, size = self.about()
        return {
            "kind": self.kind,
            "what": what,
            "where": dict(where),
            "started_at": to_rfc3339(self.started_us),
            "ended_at": to_rfc3339(self.ended_us),
            "size": size,
        }

    def about(self) -> tuple[str, Where, float]:
        """What changes, in which segment, by how much."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident(Fault):
    """The events of one name fall or rise in a segment.

    Attributes:
        event: whose events; `error` is a request with status error.
        where: of country and platform.
        shift: -0.45 is a fall of 45 %.
    """

    kind: ClassVar[str] = "incident"
    event: str
    where: Where = ()
    shift: float

    def about(self) -> tuple[str, Where, float]:
        """The event, its segment, the shift."""
        return self.event, self.where, self.shift


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRelease(Fault):
    """A new version is taken up fast, fails more often and sells less; then it is rolled back at once.

    Attributes:
        platform, version: what is rolled out, and where.
        errors: how many times as many of its requests fail.
        orders: the relative change of its orders, -0.3 is a fall of 30 %.
        rollout_us: the time by which 63 % have it (exponential take-up).
    """

    kind: ClassVar[str] = "bad_release"
    platform: str
    version: str
    errors: float = 4.0
    orders: float = 0.0
    rollout_us: int = 3 * MINUTE

    def about(self) -> tuple[str, Where, float]:
        """What fails, where the version runs, how many times as often."""
        return "error", (("platform", self.platform), ("app_version", self.version)), self.errors

    def truth(self) -> dict[str, object]:
        """With the change of the orders."""
        return {**Fault.truth(self), "orders": self.orders}


@dataclass(frozen=True, slots=True, kw_only=True)
class MixShift(Fault):
    """Traffic moves from one country to another; what the visitors of each do stays as it was.

    Attributes:
        origin, target: countries.
        share: of the origin's traffic that moves.
    """

    kind: ClassVar[str] = "mix_shift"
    origin: str
    target: str
    share: float

    def about(self) -> tuple[str, Where, float]:
        """Traffic, the country that loses it, the share."""
        return "traffic", (("country", self.origin),), self.share

    def truth(self) -> dict[str, object]:
        """With the country that gains."""
        return {**Fault.truth(self), "to": self.target}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenTracking(Fault):
    """The shop is well, but its events do not arrive as they should.

    Attributes:
        event: whose events.
        where: of any dimension.
        mode: they are lost, sent twice under the same id, or sent `delay_us` later.
        delay_us: of mode late.
    """

    kind: ClassVar[str] = "broken_tracking"
    event: str
    where: Where = ()
    mode: Literal["stops", "twice", "late"] = "stops"
    delay_us: int = field(default=10 * MINUTE)

    def about(self) -> tuple[str, Where, float]:
        """The event, its segment, the relative change of what arrives in time."""
        return self.event, self.where, {"stops": -1.0, "twice": 1.0, "late": -1.0}[self.mode]

    def truth(self) -> dict[str, object]:
        """With the mode, and the delay where there is one."""
        found = {**Fault.truth(self), "mode": self.mode}
        return found | ({"delay_seconds": self.delay_us / 1e6} if self.mode == "late" else {})

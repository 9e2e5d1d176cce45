"""What was seen of the measurement itself: shares of event lines, and what is usual for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec


class BucketQuality(msgspec.Struct, frozen=True, gc=False):
    """`data_quality` of a bucket: shares of the metric's own event lines; None where not known.

    Attributes:
        suspect: whether one of the shares is beyond what is usual of it.
        duplicates: of the lines with an event id, those whose id was seen shortly before.
        late: of the accepted lines.
        missing: of the lines that are on time, those that lack a field that the metric needs.
        malformed: dead letters, of all lines.
    """

    suspect: bool = False
    duplicates: float | None = None
    late: float | None = None
    missing: float | None = None
    malformed: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many lines of those that could be were affected, against what is usual.

    Attributes:
        value: the share; NaN where there were no lines.
        usual: of the day before; NaN where nothing is known of it.
        beyond: whether the value is above the usual one by more than chance and 2 percentage points.
    """

    value: float = float("nan")
    usual: float = float("nan")
    beyond: bool = False

    @property
    def kept(self) -> float:
        """What is left of 1 when the excess over the usual share is taken away; 1 if within chance."""
        return (1.0 - self.value) / (1.0 - self.usual) if self.beyond else 1.0


UNKNOWN = Share()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of the lines of one event name, or of all of a metric, over some time.

    Attributes:
        repeated: of the lines with an event id, those whose id was seen shortly before.
        malformed: dead letters of all lines; those without a name by the event's part of the others.
        lost: of all events of the sources, those that were gone before they were read.
        late: of the accepted lines.
        missing: by field, of the lines that are on time those that lack it.
        incomplete: those that lack any field that the metric needs.
    """

    repeated: Share = UNKNOWN
    malformed: Share = UNKNOWN
    lost: Share = UNKNOWN
    late: Share = UNKNOWN
    missing: Mapping[str, Share] = field(default_factory=dict)
    incomplete: Share = UNKNOWN

    @property
    def suspect(self) -> bool:
        """Whether any share is beyond what is usual."""
        shares = (self.repeated, self.malformed, self.lost, self.late, self.incomplete)
        return any(share.beyond for share in (*shares, *self.missing.values()))


class Cause(msgspec.Struct, frozen=True):
    """What was seen of the lines of one event name.

    Attributes:
        event: its name.
        kind: `repeated`, `malformed`, `lost`, `late` or `missing`.
        field: of `missing`, which field; else empty.
        share, usual: of the lines, and what is usual.
    """

    event: str
    kind: str
    field: str
    share: float
    usual: float


class Account(msgspec.Struct, frozen=True):
    """By how much the measurement moved a metric.

    Attributes:
        effect: what it does to the value by itself: -0.3 takes 30 % away.
        explained: share of the metric's shift, on the log scale.
        bound: whether `effect` is the most that it can be, and not what it must be.
        causes: what was seen.
    """

    effect: float
    explained: float
    bound: bool
    causes: tuple[Cause, ...]

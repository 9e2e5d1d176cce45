"""What is known of a judged bucket, as its incidents need it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monitor.alert.silence import NOTHING_KNOWN, Others, Part
from monitor.model.quality import Account, Seen
from monitor.model.release import Release
from monitor.model.tick import Decision, Expectation, Traits


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One judged bucket of a panel, as the incidents need it.

    Attributes:
        end_us, width_us: end and length of the bucket.
        known_us: when it could be judged: its end; of a cohort, once its units have had their time.
        traits, expectation, decision: what was known, expected and decided.
        releases: those that were told.
    """

    end_us: int
    width_us: int
    known_us: int
    traits: Traits
    expectation: Expectation
    decision: Decision
    releases: Sequence[Release] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What diagnosis adds to a row's incident.

    Attributes:
        segments: of a whole, its segments, most blamed first.
        silent: the series of the metric that fell silent.
        seen: what was seen of the metric's lines since the incident started.
        account: how much of the shift that accounts for; None where nothing.
        moved: whether that is so much that it is the measurement that moved.
        going_on: of a silent series, what else arrives.
        expected: of a silent series, how many units were expected since it fell silent.
        quiet_us: of a silent series, from when on none of its events came; None where not known.
        part: of a whole that is not silent, the segment whose silence makes most of the shift.
        mix: of a rate, what its rates did and what its mix did.
    """

    segments: Sequence[dict[str, Any]] = ()
    silent: Sequence[dict[str, str]] = ()
    seen: Mapping[str, Seen] = field(default_factory=dict)
    account: Account | None = None
    moved: bool = False
    going_on: Others = NOTHING_KNOWN
    expected: float = math.nan
    quiet_us: int | None = None
    part: Part | None = None
    mix: dict[str, Any] | None = None

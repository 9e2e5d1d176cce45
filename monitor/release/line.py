"""One series in a verdict."""

from enum import StrEnum

import msgspec

from monitor.release.evidence import Note


class Outcome(StrEnum):
    """What a release did; of several the first of these is that of the release."""

    REGRESSED = "regressed"
    IMPROVED = "improved"
    INCONCLUSIVE = "inconclusive"
    NO_EFFECT = "no_effect_within_mde"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One series of a verdict; fields in the order of `verdicts.ndjson`.

    Attributes:
        effect: relative: -0.12 is a fall of 12 %.
        interval: holds at all times at once with 95 %.
        evidence, threshold: log10 of E, and what it had to reach among all the others.
        minimum_detectable_effect: relative, by now, with 80 %.
        reason: a `Note`.
        notes: further ones.
    """

    metric: str
    dimension: str
    segment: str
    verdict: Outcome
    effect: float | None
    interval: tuple[float, float] | None
    n: float
    evidence: float
    threshold: float
    minimum_detectable_effect: float | None
    reason: Note
    notes: list[Note] = []
    buckets: int = 0

"""How much of a shift the measurement itself accounts for: repeated, lost, malformed, incomplete lines.

Of an event's lines let r, f and g be the shares that are repeats, that are lost or malformed, and that
lack a field which the metric needs; r0, f0 and g0 what is usual (the baseline has learnt those). Only
shares that are beyond chance count; the others are taken to be as usual.

* Counts and sums are multiplied by (1 - r0)/(1 - r) and by (1 - f)/(1 - f0) (1 - g)/(1 - g0). Uniques and
  units are not touched by repeats; of them the second is the most that can be lost.
* A ratio is multiplied by the factor of its numerator over that of its denominator; a conversion, funnel
  or retention by those of its later steps.
* What touches numerator and denominator alike (or the lines of a mean, a quantile, a cohort's start)
  moves the quotient by nothing if it is blind to what is counted. If it is not, with t the share of lines
  touched, by a factor between 1 - t/(1 - t) and 1 + t/(1 - t): the upper end where those lines hold
  none of what is counted, the lower where they hold it twice as often as usual. What would have to be more
  selective than that is in doubt, and in doubt the shift stays the metric's own.

Lines are known by event name, not by segment. As a rule a segment's are affected as all are; where it would
take half of the affected lines or more to make a segment's total shift, they may all be that segment's, which is
a bound again: with w its expected part of the whole, 1 + (F - 1)/w in place of a factor F.

Lateness is none of these: late lines are in the restated value.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from monitor.definitions.needs import Use, uses_of
from monitor.definitions.plan import MetricPlan
from monitor.model.quality import UNKNOWN, Account, Cause, Seen, Share

HALF: Final = 0.5
"""From this share of a shift on, it is the measurement that moved."""
_LEAST: Final = 1e-3
"""Factors are not taken to be smaller: their logarithms stay finite."""
_STEP = ("step",)


def account(
    metric: MetricPlan,
    dimensions: Sequence[str],
    segment: str,
    shift: float,
    seen: Mapping[str, Seen],
    *,
    part: float = 1.0,
) -> Account | None:
    """What the measurement does to a metric in the direction of its shift; None if nothing.

    Args:
        metric: whose shift.
        dimensions: of the series; none for the whole.
        segment: of the series.
        shift: value / expected - 1.
        seen: by event name, of the time of the shift.
        part: what is expected of the series, as a share of what is expected of the whole.
    """
    if not math.isfinite(shift) or shift == 0:
        return None
    up = shift > 0
    lines = [_Lines.of(use, dimensions, seen) for use in uses_of(metric)]
    if metric.cohort is not None:
        lines = lines[: _reached(metric, dimensions, segment) + 1]
    factor, bound, used = _factor(metric, lines, up=up)
    if metric.is_total and 0 < part < 1 and part * abs(shift) >= HALF * abs(factor - 1.0):
        factor, bound = max(1.0 + (factor - 1.0) / part, _LEAST), True
    if (factor <= 1.0) if up else (factor >= 1.0):
        return None
    whole = math.log(max(1.0 + shift, _LEAST))
    return Account(
        effect=factor - 1.0,
        explained=math.log(max(factor, _LEAST)) / whole,
        bound=bound,
        causes=tuple(sorted(set(used), key=lambda c: (-(c.share - c.usual), c.event, c.field))),
    )


def is_moved(account: Account | None) -> bool:
    """Whether the measurement accounts for at least half of the shift."""
    return account is not None and account.explained >= HALF


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lines:
    """The lines of one measure or step.

    Attributes:
        use: which they are.
        fields: that they need, the dimensions of the series included.
        seen: of their event.
    """

    use: Use
    fields: tuple[str, ...]
    seen: Seen

    @classmethod
    def of(cls, use: Use, dimensions: Sequence[str], seen: Mapping[str, Seen]) -> "_Lines":
        more = () if not use.by_segment or tuple(dimensions) == _STEP else dimensions
        fields = tuple(sorted({*use.fields, *more}))
        return cls(use=use, fields=fields, seen=seen.get(use.event, Seen()))

    def lacks(self, field: str) -> Share:
        return self.seen.missing.get(field, UNKNOWN)

    def kept(self, fields: Sequence[str] | None = None) -> float:
        """What is left of the lines, after those that are lost, malformed or lack one of the fields."""
        of = self.fields if fields is None else fields
        shares = (self.seen.malformed, self.seen.lost, *map(self.lacks, of))
        return math.prod(share.kept for share in shares)

    @property
    def first(self) -> float:
        """What is left of the lines without the repeats."""
        return self.seen.repeated.kept if self.use.counts_lines else 1.0

    def causes(self, *, losses: bool, repeats: bool) -> Iterator[Cause]:
        """Which shares are beyond what is usual."""
        found: list[tuple[str, str, Share]] = []
        if repeats and self.use.counts_lines:
            found.append(("repeated", "", self.seen.repeated))
        if losses:
            found += [("malformed", "", self.seen.malformed), ("lost", "", self.seen.lost)]
            found += [("missing", field, self.lacks(field)) for field in self.fields]
        for kind, field, share in found:
            if share.beyond:
                yield Cause(self.use.event, kind, field, share.value, share.usual)


def _factor(
    metric: MetricPlan, lines: Sequence[_Lines], *, up: bool
) -> tuple[float, bool, list[Cause]]:
    """What the value is multiplied by, at most, in one direction; and what was seen."""
    if metric.is_total:
        one = lines[0]
        factor = 1.0 / max(one.first, _LEAST) if up else one.kept()
        bound = not (one.use.counts_lines or up)
        return factor, bound, list(one.causes(losses=not up, repeats=up))
    if metric.cohort is not None:
        direct = math.prod(step.kept() for step in lines[1:])
        touched = 1.0 - lines[0].kept()
    elif metric.kind == "ratio":
        top, bottom = lines
        direct = top.kept() / max(top.first, _LEAST)
        direct *= max(bottom.first, _LEAST) / max(bottom.kept(), _LEAST)
        common = [field for field in top.fields if field in bottom.fields]
        touched = 1.0 - min(top.kept(common), bottom.kept(common), *(one.first for one in lines))
    else:
        direct = 1.0
        touched = 1.0 - min(min(one.kept(), one.first) for one in lines)
    swing = touched / max(1.0 - touched, _LEAST)
    most = 1.0 + swing if up else max(1.0 - swing, _LEAST)
    causes = [cause for one in lines for cause in one.causes(losses=True, repeats=True)]
    if (direct >= most) if up else (direct <= most):
        return direct, False, causes
    return most, True, causes


def _reached(metric: MetricPlan, dimensions: Sequence[str], segment: str) -> int:
    """The last step that the series of a cohort's metric asks for: of a funnel's step, its own."""
    steps = metric.cohort.steps if metric.cohort is not None else ()
    if tuple(dimensions) == _STEP:
        name, _, number = segment.partition("#")
        places = [place for place, step in enumerate(steps) if step.event == name]
        occurrence = int(number) - 1 if number.isdigit() else 0
        if occurrence < len(places):
            return places[occurrence]
    return len(steps) - 1

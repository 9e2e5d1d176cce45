"""The place of a shift: the most specific series that explains it, and what is shifted besides.

Each candidate says "this series moved by its own shift, the others did not", and explains its deviance. Its
rival says "all beside it moved alike", and explains the deviance of their sums. A fault in one segment of share w is explained by it
1/w times as well as by the whole, and by any part of it worse: the largest deviance is the most specific
sufficient explanation. A grouping of k series pays 2 log k for the choice, so that a combination must explain
more than the segments that hold it.
"""

from dataclasses import dataclass

import numpy as np

from monitor.diagnose.deviance import deviance, pooled
from monitor.diagnose.scope import M, N, Scope, V, X
from monitor.model.tick import Bools, Floats, Ints
from monitor.stats.selection import e_benjamini_hochberg

HIGH, MEDIUM = 0.99, 0.8
"""Chances from which on a place is told with high and with medium confidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Series of a scope, most blamed first.

    Attributes:
        series: their places in the scope.
        chance: that the first is the place, among all candidates, "all alike" and "none": exp of half
            of what each explains, made to add up to 1; None where none stands out.
        apart: those that are certain to have moved by more than the others explain.
    """

    series: list[int]
    chance: float | None
    apart: frozenset[int]

    def confidence(self, series: int) -> str | None:
        """`high`, `medium` or `low` that the shift is (also) there; None if it is as anywhere else."""
        if series in self.apart:
            return "high"
        if self.chance is None or series != self.series[0]:
            return None
        return "high" if self.chance >= HIGH else "medium" if self.chance >= MEDIUM else "low"


def place_of(scope: Scope) -> Place:
    """Where the shift is, as far as it can be told."""
    parts = _parts(scope)
    explained = deviance(scope.sums, scope.law, scope.sd_level)
    certain = _certain(scope)
    first, chance = _best(scope, parts, explained)
    if scope.group[0] > 0:
        return _of_segment(first, chance)
    if first is None:
        moved = np.flatnonzero(certain & parts)
        rest = moved[np.argsort(-explained[moved], kind="stable")].tolist()
    else:
        rest = _besides(scope, first, explained, certain & parts)
    steps = _steps(scope, certain)
    order = [*steps, *rest] if first is None else [first, *rest, *steps]
    return Place(
        series=order, chance=chance, apart=frozenset([*steps, *([] if first is None else rest)])
    )


def _of_segment(first: int | None, chance: float | None) -> Place:
    """Of a segment's own incident: itself, after what explains it better."""
    ranked = [0] if first is None or first == 0 else [first, 0]
    return Place(series=ranked, chance=chance, apart=frozenset())


def _parts(scope: Scope) -> Bools:
    """Series of which something is expected; a segment that has an incident of its own is one of them."""
    known = (scope.sums[:, M] > 0) & np.isfinite(scope.sd_level)
    known &= scope.group != scope.steps
    return known & ((np.arange(scope.size) > 0) | (scope.group > 0))


def _certain(scope: Scope) -> Bools:
    """The series that may be named together by their own evidence: e-d-BH over the scope."""
    log_m = np.where(np.isfinite(scope.sd_level), scope.log_m, -np.inf)
    certain = np.zeros(scope.size, dtype=np.bool_)
    certain[1:] = e_benjamini_hochberg(log_m[1:], scope.log_threshold[1:])
    return certain


def _best(scope: Scope, parts: Bools, explained: Floats) -> tuple[int | None, float | None]:
    """The best explanation and its chance; None where "all alike" or "none" explains as much."""
    along = (scope.sums[:, X] - scope.sums[:, M]) * scope.direction > 0
    at = np.flatnonzero(parts & along)
    if not at.size:
        return None, None
    many = np.bincount(scope.group[parts], minlength=len(scope.groupings))
    score = explained[at] - 2.0 * np.log(many[scope.group[at]])
    best = int(np.argmax(score))
    alike = _alike(scope, parts & (scope.group == scope.group[at[best]]), float(explained[0]))
    if score[best] <= max(alike, 0.0):
        return None, None
    rivals = np.concatenate([score, [alike, 0.0]])
    chance = 1.0 / float(np.sum(np.exp(0.5 * (rivals - score[best]))))
    return int(at[best]), chance


def _alike(scope: Scope, beside: Bools, of_whole: float) -> float:
    """What "all moved alike" explains of the segments of one grouping; no less than of the whole.

    A shift of one platform moves all countries alike, and their levels are learnt apart: together they tell
    it more exactly than the platform does. So a segment competes with those beside it only.

    Args:
        scope: of the incident.
        beside: the segments of the grouping.
        of_whole: what the whole's own shift explains.
    """
    if scope.group[0] > 0:
        return 0.0  # the incident's own series is a candidate itself
    at = np.flatnonzero(beside)
    return max(pooled(scope.sums[at], scope.law[at], scope.sd_level[at]), of_whole)


def _besides(scope: Scope, first: int, explained: Floats, certain: Bools) -> list[int]:
    """Series that are certain to have shifted beyond what those named before them did to them."""
    sums, named = scope.sums.copy(), [first]
    sums[:, M] += _overlap(scope, first)
    order = np.flatnonzero(certain)
    for one in order[np.argsort(-explained[order], kind="stable")].tolist():
        if one in named:
            continue
        left = deviance(sums[one : one + 1], scope.law[[one]], scope.sd_level[[one]])[0]
        if 0.5 * left >= scope.log_threshold[one]:
            named.append(one)
            sums[:, M] += _overlap(scope, one)
    return named[1:]


def _overlap(scope: Scope, one: int) -> Floats:
    """By series, what it changed by because `one` did, if the rest stood still.

    A series inside `one` moved with it, one that holds it by as much; of series of other dimensions the combinations
    of both tell, or else their shares. Series beside it hold nothing of it.
    """
    x, m = scope.sums[:, X], scope.sums[:, M]
    change, held = x[one] - m[one], scope.covers
    inside = (held == one).any(axis=1)
    out = np.where(inside, x[one] / m[one] * m - m, 0.0)
    above = held[one][held[one] >= 0]
    out[above] = change
    own = set(scope.groupings[int(scope.group[one])])
    for g in np.unique(scope.group).tolist():
        theirs = set(scope.groupings[g])
        if g in (0, scope.steps) or theirs & own:
            continue
        here = np.flatnonzero(scope.group == g)
        both = _common(scope, inside, here)
        out[here] = both if both is not None else m[here] * change / max(m[0], 1e-300)
    return out


def _common(scope: Scope, inside: Bools, here: Ints) -> Floats | None:
    """By series of a grouping, the change of its combinations with a series; None if there are none."""
    combined = np.flatnonzero(inside & np.isin(scope.covers, here).any(axis=1))
    if not combined.size:
        return None
    sizes = {g: len(scope.groupings[g]) for g in np.unique(scope.group[combined]).tolist()}
    least = min(sizes, key=lambda g: (sizes[g], g))
    combined = combined[scope.group[combined] == least]
    change = scope.sums[combined, X] - scope.sums[combined, M]
    return np.array([change[(scope.covers[combined] == one).any(axis=1)].sum() for one in here])


def _steps(scope: Scope, certain: Bools) -> list[int]:
    """Of a funnel, the steps that fewer (or more) of those who came to the one before have reached."""
    at = np.flatnonzero((scope.group == scope.steps) & (scope.sums[:, M] > 0))
    if scope.steps < 0 or at.size < 2:  # noqa: PLR2004 - one step has none before it
        return []
    at = at[np.argsort(-scope.sums[at, M], kind="stable")]
    sums = scope.sums[at]
    share = sums[1:, M] / sums[:-1, M]
    phi = sums[1:, V] / np.maximum(sums[1:, M] * (1.0 - sums[1:, M] / sums[1:, N]), 1e-300)
    came = sums[:-1, X]
    own = np.stack([sums[1:, X], came * share, came, phi * came * share * (1.0 - share)], axis=1)
    left = deviance(own, scope.law[at[1:]], scope.sd_level[at[1:]])
    enough = certain[at[1:]] & (0.5 * left >= scope.log_threshold[at[1:]])
    found = at[1:][enough]
    return [int(i) for i in found[np.argsort(-left[enough], kind="stable")]]

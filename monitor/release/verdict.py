"""The verdict of a release: a pure function of what the shards emitted.

Each metric's series is a regression or an improvement where e-BH selects it among all; without evidence it
has no effect within what could have been seen, where that is little enough, and is inconclusive otherwise.
Nothing passes in silence: what was not judged, or only in part, is named.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from monitor.definitions.plan import MetricPlan
from monitor.model.release import Release, Status, to_body
from monitor.release.evidence import LN10, MetricEvidence, Note, SeriesEvidence, nothing
from monitor.release.line import Line, Outcome
from monitor.release.scope import is_too_slow, metrics_in_scope
from monitor.release.watch import ALPHA, LOG_ALPHA
from monitor.release.words import summary
from monitor.stats.exact import round_one
from monitor.stats.selection import weighted_e_benjamini_hochberg

MDE_LIMIT = 0.10
"""Without evidence there is no effect only where one of this size would have been found."""
LEAST_BUCKETS = 3
"""Fewer cannot be a finding, so they cannot be the absence of one."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `GET /api/v1/releases/{id}/verdict`, and a line of `verdicts.ndjson`."""

    release: dict[str, str | None]
    verdict: Outcome
    randomised: bool
    as_of: str | None
    metrics: list[Line]
    other_releases: list[dict[str, str | None]]
    summary: str


_IDENTITY = ("id", "service", "environment", "version", "status", "started_at", "finished_at")


def identity(release: Release) -> dict[str, str | None]:
    """The release as it stands in a verdict."""
    body = to_body(release)
    return {name: body[name] for name in _IDENTITY}


def judge(
    release: Release,
    emitted: Mapping[str, MetricEvidence],
    metrics: Sequence[MetricPlan],
    *,
    others: Iterable[Release] = (),
    gate: bool = False,
) -> Verdict:
    """The verdict of a release.

    Args:
        release: which.
        emitted: the newest evidence by metric, of all shards.
        metrics: of the definitions.
        others: releases that were going on at the same time.
        gate: by what was known when the gate's time was over, without late evidence.
    """
    others = list(others)
    entries: list[tuple[MetricEvidence, SeriesEvidence]] = []
    for metric in metrics_in_scope(release, metrics):
        found = emitted.get(metric.name) or _unheard(release, metric)
        series = found.gate if gate and found.gate is not None else found.series
        entries += [(found, one) for one in series]
    common = _common(release, others)
    selected = _selected(entries)
    lines = [_line(found, one, common, selected[i]) for i, (found, one) in enumerate(entries)]
    outcomes = {line.verdict for line in lines}
    verdict = next((one for one in Outcome if one in outcomes), Outcome.INCONCLUSIVE)
    as_of = [found.as_of for found, _ in entries if found.as_of is not None]
    return Verdict(
        release=identity(release),
        verdict=verdict,
        randomised=release.arms is not None,
        as_of=max(as_of, default=None),
        metrics=lines,
        other_releases=[identity(other) for other in others],
        summary=summary(release, verdict, lines, others, _left_out(release, metrics)),
    )


def _unheard(release: Release, metric: MetricPlan) -> MetricEvidence:
    return MetricEvidence(
        release=release.id,
        metric=metric.name,
        better=metric.better,
        as_of=None,
        series=[nothing(Note.NO_BUCKET)],
    )


def _common(release: Release, others: Sequence[Release]) -> list[Note]:
    """What is to be said of every series."""
    notes = []
    if others:
        notes.append(Note.OTHER_RELEASES)
    if release.status is Status.STARTED:
        notes.append(Note.NOT_FINISHED)
    return notes


Found = tuple[Outcome, int] | None
"""Whether a series is selected, and among how many."""


def _selected(entries: Sequence[tuple[MetricEvidence, SeriesEvidence]]) -> list[Found]:
    """What e-BH selects, of regressions and of improvements."""
    share = _logs([one.share for _, one in entries])
    found: list[Found] = [None] * len(entries)
    for outcome in (Outcome.IMPROVED, Outcome.REGRESSED):  # a regression latches over the other
        good = outcome is Outcome.IMPROVED
        evidence = np.array([_side(m, one, good=good) for m, one in entries]) * LN10
        count = weighted_e_benjamini_hochberg(evidence, share, LOG_ALPHA)
        if count:
            least = np.sort(evidence + share)[-count]
            for i in np.flatnonzero(evidence + share >= least).tolist():
                found[i] = outcome, count
    return found


def _logs(values: Sequence[float]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.array([math.log(v) if v > 0 else -math.inf for v in values])


def _side(metric: MetricEvidence, one: SeriesEvidence, *, good: bool) -> float:
    """log10 of the evidence of one side."""
    if one.blocked is not None:
        return -math.inf
    up = (metric.better == "up") == good
    value = one.up if up else one.down
    return -math.inf if value is None else value


def _line(
    metric: MetricEvidence, one: SeriesEvidence, common: Sequence[Note], found: Found
) -> Line:
    threshold = -math.inf if one.share <= 0 else -math.log10(ALPHA * one.share)
    sides = [_side(metric, one, good=good) for good in (True, False)]
    if found is not None:
        outcome, reason = found[0], Note.SHIFT
        evidence = sides[0] if outcome is Outcome.IMPROVED else sides[1]
        threshold -= math.log10(found[1])
    else:
        evidence = max(sides)
        outcome, reason = _without(one, evidence, threshold)
    notes = [*one.skipped, *metric.notes, *common]
    return Line(
        metric=metric.metric,
        dimension=one.dimension,
        segment=one.segment,
        verdict=outcome,
        effect=one.effect,
        interval=one.interval,
        n=one.n,
        evidence=round_one(max(evidence, 0.0)),
        threshold=round_one(threshold if math.isfinite(threshold) else -math.log10(ALPHA)),
        minimum_detectable_effect=one.mde,
        reason=reason,
        notes=[note for note in dict.fromkeys(notes) if note is not reason],
        buckets=one.buckets,
    )


def _without(one: SeriesEvidence, evidence: float, threshold: float) -> tuple[Outcome, Note]:
    """The outcome of a series that is not selected, and why."""
    if one.blocked is not None:
        return Outcome.INCONCLUSIVE, one.blocked
    skipped, judged = one.skipped, max(one.buckets, 1)
    cases = (
        (evidence >= threshold / 2, Note.EVIDENCE_GROWING),
        (Note.BAD_DATA_QUALITY in skipped, Note.BAD_DATA_QUALITY),
        (skipped.get(Note.NO_DATA, 0) >= judged, Note.NO_DATA),
        (skipped.get(Note.TOO_FEW_UNITS, 0) >= judged, Note.TOO_FEW_UNITS),
        (not one.buckets, Note.NO_BUCKET),
        (one.buckets < LEAST_BUCKETS, Note.TOO_EARLY),
        (one.mde is None or one.mde > MDE_LIMIT, Note.MDE_TOO_LARGE),
    )
    why = next((note for holds, note in cases if holds), None)
    return (Outcome.NO_EFFECT, Note.WITHIN_MDE) if why is None else (Outcome.INCONCLUSIVE, why)


def _left_out(release: Release, metrics: Sequence[MetricPlan]) -> list[str]:
    """Metrics that nobody excluded, and that cannot tell in time."""
    slow = (metric.name for metric in metrics if is_too_slow(metric))
    return [] if release.scope.metrics else list(slow)

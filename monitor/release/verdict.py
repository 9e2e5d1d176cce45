"""The verdict of a release: a pure function of what the shards emitted.

Each metric's series is a regression or an improvement where e-BH selects it among all; without evidence it
has no effect within what could have been seen, where that is little enough, and is inconclusive otherwise.
Nothing passes in silence: what was not judged, or only in part, is named.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec
import numpy as np

from monitor.definitions.plan import MetricPlan
from monitor.model.release import Release, Status, to_body
from monitor.release.evidence import LN10, MetricEvidence, Note, SeriesEvidence, nothing
from monitor.release.scope import is_too_slow, metrics_in_scope
from monitor.release.watch import ALPHA, LOG_ALPHA
from monitor.stats.exact import round_one
from monitor.stats.selection import weighted_e_benjamini_hochberg

MDE_LIMIT = 0.10
"""Without evidence there is no effect only where one of this size would have been found."""
LEAST_BUCKETS = 3
"""Fewer cannot be a finding, so they cannot be the absence of one."""
_LISTED = 3


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
        summary=_summary(release, verdict, lines, others, _left_out(release, metrics)),
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


WORDS = {
    Note.MDE_TOO_LARGE: "an effect of 10 % could not have been seen yet",
    Note.EVIDENCE_GROWING: "evidence is growing",
    Note.TOO_EARLY: "fewer than 3 buckets so far",
    Note.NO_BUCKET: "no bucket of that time has closed",
    Note.LEARNING: "what is usual was still being learnt",
    Note.INCIDENT_AT_START: "an incident was open when it started",
    Note.BAD_DATA_QUALITY: "the data is in doubt",
    Note.NO_DATA: "there is no data",
    Note.TOO_FEW_UNITS: "too few units",
    Note.ARMS_NOT_A_SEGMENT: "the dimension of the arms is not among its segments",
    Note.ARMS_NEED_A_RATE: "a total has no rate by which arms could be compared",
    Note.NOT_FINISHED: "its end was not told, so it is judged from its start",
    Note.TOLD_LATE: "told after some of its buckets had closed, which were judged all the same",
    Note.BUCKETS_GONE: "told so late that what is needed of its time is not kept any more",
}


def _left_out(release: Release, metrics: Sequence[MetricPlan]) -> list[str]:
    """Metrics that nobody excluded, and that cannot tell in time."""
    slow = (metric.name for metric in metrics if is_too_slow(metric))
    return [] if release.scope.metrics else list(slow)


def _summary(
    release: Release,
    verdict: Outcome,
    lines: Sequence[Line],
    others: Sequence[Release],
    left_out: Sequence[str],
) -> str:
    """The verdict in words; nothing is called a cause."""
    name = f"{release.service} {release.version} in {release.environment}"
    deciding = [line for line in lines if line.verdict is verdict]
    match verdict:
        case Outcome.NO_EFFECT:
            worst = max(line.minimum_detectable_effect or 0.0 for line in deciding)
            first = f"{name}: no effect; one of {worst:.1%} or more would have been seen."
        case Outcome.INCONCLUSIVE:
            first = f"{name}: inconclusive. {_whys(deciding)}."
        case _:
            shown = "; ".join(_moved(line) for line in deciding[:_LISTED])
            more = len(deciding) - _LISTED
            first = f"{name}: {verdict.value}. {shown}{f'; and {more} more' if more > 0 else ''}."
    notes = dict.fromkeys(note for line in lines for note in line.notes if note in WORDS)
    rest = [WORDS[note].capitalize() + "." for note in notes]
    if others:
        rest.append(f"Going on at the same time: {_others(others)}.")
    if left_out:
        rest.append(f"Left out, as a day is too short for them: {', '.join(left_out)}.")
    if release.arms is None:
        rest.append("Not randomised: judged against what was usual before.")
    return " ".join([first, *rest])


def _moved(line: Line) -> str:
    where = "" if line.dimension == "all" else f" ({line.dimension}={line.segment})"
    if line.effect is None or line.interval is None:
        return f"{line.metric}{where}"
    low, high = line.interval
    return f"{line.metric}{where} {line.effect:+.1%} (95 % interval {low:+.1%} to {high:+.1%})"


def _whys(lines: Sequence[Line]) -> str:
    by_reason: dict[Note, list[str]] = {}
    for line in lines:
        by_reason.setdefault(line.reason, []).append(line.metric)
    parts = [
        f"{', '.join(dict.fromkeys(names))}: {WORDS[note]}" for note, names in by_reason.items()
    ]
    return "; ".join(parts) if parts else "No metric is in its scope"


def _others(others: Sequence[Release]) -> str:
    shown = ", ".join(f"{o.service} {o.version} ({o.environment})" for o in others[:_LISTED])
    more = len(others) - _LISTED
    return f"{shown}{f' and {more} more' if more > 0 else ''}"

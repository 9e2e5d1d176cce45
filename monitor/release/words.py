"""A verdict in words. Nothing is called a cause."""

from collections.abc import Sequence

from monitor.model.quantity import percent
from monitor.model.release import Release
from monitor.release.evidence import Note
from monitor.release.line import Line, Outcome

LISTED = 3
"""Series and releases that are named one by one."""

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


def summary(
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
            first = f"{name}: no effect; one of {percent(worst)[1:]} or more would have been seen."
        case Outcome.INCONCLUSIVE:
            first = f"{name}: inconclusive. {_whys(deciding)}."
        case _:
            shown = "; ".join(_moved(line) for line in deciding[:LISTED])
            more = len(deciding) - LISTED
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
    return f"{line.metric}{where} {percent(line.effect)} (95 % interval {percent(low)} to {percent(high)})"


def _whys(lines: Sequence[Line]) -> str:
    by_reason: dict[Note, list[str]] = {}
    for line in lines:
        by_reason.setdefault(line.reason, []).append(line.metric)
    parts = [
        f"{', '.join(dict.fromkeys(names))}: {WORDS[note]}" for note, names in by_reason.items()
    ]
    return "; ".join(parts) if parts else "No metric is in its scope"


def _others(others: Sequence[Release]) -> str:
    shown = ", ".join(f"{o.service} {o.version} ({o.environment})" for o in others[:LISTED])
    more = len(others) - LISTED
    return f"{shown}{f' and {more} more' if more > 0 else ''}"
